/** An item for one subscriber on its way through the parts of a process. */
import { parseItem } from '@holdfast/grip';
import t from 'tap';
import { FirstClaim, offerInTurn } from '../../dist/backplane/claims.js';
import { BackplaneHub, type ItemClaim, type ItemMessage, LocalBackplane, silentLog } from '../../dist/index.js';
import { RecordingListener } from '../recorder.js';

const item = parseItem({ channel: 'a', deliver: 'one', formats: { 'http-stream': { content: 'x' } } });

/** A part that notes what it gets, and leaves the answer to the test. */
class Part {
  readonly claims: boolean;
  readonly got: ItemMessage[] = [];

  constructor(claims = true) {
    this.claims = claims;
  }

  get claim(): ItemClaim {
    return this.got.at(-1)?.claim as ItemClaim;
  }

  deliver(message: ItemMessage): void {
    this.got.push(message);
  }
}

/** Parts in turn, and the claim that they are offered, which is granted when the test says so. */
function offer(parts: Part[]) {
  const calls: string[] = [];
  let answer: (granted: boolean) => void = () => {};
  const claim: ItemClaim = {
    take: () => {
      calls.push('take');
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
    pass: () => void calls.push('pass'),
  };
  const present = new Set(parts);
  const claimants = {
    all: parts,
    has: (part: Part) => present.has(part),
    asked: (part: Part) => void calls.push(`asked ${parts.indexOf(part)}`),
    denied: (part: Part) => void calls.push(`denied ${parts.indexOf(part)}`),
  };
  const begin = () => offerInTurn({ type: 'item', item, id: '1', claim }, claim, claimants);
  return { calls, begin, present, answer: (granted: boolean) => answer(granted) };
}

t.test('one part after the other is asked, until one has somebody', async (t) => {
  const parts = [new Part(), new Part(), new Part()] as const;
  const { calls, begin, answer } = offer([...parts]);
  begin();
  t.strictSame(
    parts.map(({ got }) => got.length),
    [1, 0, 0],
  );
  parts[0].claim.pass();
  const granted = parts[1].claim.take();
  answer(true);
  t.equal(await granted, true);
  t.strictSame(calls, ['asked 0', 'asked 1', 'take']);
  t.strictSame(
    parts.map(({ got }) => got.length),
    [1, 1, 0],
  );
});

t.test('an answer counts once', async (t) => {
  const parts = [new Part(), new Part()] as const;
  const { calls, begin, answer } = offer([...parts]);
  begin();
  parts[0].claim.pass();
  parts[0].claim.pass();
  t.equal(await parts[0].claim.take(), false);
  const granted = parts[1].claim.take();
  t.equal(await parts[1].claim.take(), false);
  parts[1].claim.pass();
  answer(false);
  t.equal(await granted, false);
  t.strictSame(calls, ['asked 0', 'asked 1', 'take', 'denied 1'], 'what another node has got is no turn of this part');
});

t.test('where none has anybody the item is passed on; one that has left is not asked', async (t) => {
  const parts = [new Part(), new Part(), new Part()] as const;
  const { calls, begin, present } = offer([...parts]);
  begin();
  present.delete(parts[1]);
  parts[0].claim.pass();
  parts[2].claim.pass();
  t.strictSame(calls, ['asked 0', 'asked 2', 'pass']);
  t.equal(parts[1].got.length, 0);
});

t.test('a part that takes no claims is shown the item, whoever gets it', async (t) => {
  const [first, watching] = [new Part(), new Part(false)];
  offer([first, watching]).begin();
  t.equal(watching.got.length, 1);
  t.equal(watching.claim, undefined);
});

t.test('the first to take the claim of a lone node has it', async (t) => {
  const claim = new FirstClaim();
  claim.pass();
  t.equal(claim.take(), undefined);
  t.equal(await claim.take(), false);
});

t.test('a listener that takes no claims has passed, and gets the item without', async (t) => {
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog), log: silentLog });
  t.teardown(() => hub.close());
  const shown: unknown[] = [];
  const tap = hub.share({ watches: true });
  await tap.start({ onMessage: (message) => void shown.push(message), onGap() {} });
  const taker = new RecordingListener();
  taker.hasSubscriber = true;
  const share = hub.share();
  await share.start(taker);
  for (const one of [tap, share]) await one.subscribe('a');
  await hub.publish([{ type: 'item', item, id: '1' }]);
  t.strictSame(taker.given, ['1']);
  t.match(shown, [{ id: '1', item }]);
  t.notOk('claim' in (shown[0] as object));
  // The same where nothing is between the backplane and its listener.
  const alone = new LocalBackplane(silentLog);
  await alone.start({ onMessage: (message) => void shown.push(message), onGap() {} });
  await alone.subscribe('a');
  await alone.publish([{ type: 'item', item, id: '2' }]);
  t.match(shown[1], { id: '2' });
  t.notOk('claim' in (shown[1] as object));
});
