/** Items for one subscriber within a process: whose turn it is, whom they fit, and what is claimed. */
import type { ItemMessage } from '@holdfast/control-api';
import { parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { MAX_ONE_UNDER_WAY, OneDelivery } from '../../dist/delivery/one-delivery.js';
import { type ChannelPattern, patternOf } from '../../dist/routes/channel-pattern.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';
import { configOf, makeNode } from '../kit/app.js';
import { ManualClock } from '../kit/manual-clock.js';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const config = configOf({ settings: { subscription_linger: 0 } });

/** A claim that a test answers. */
class Claim {
  readonly calls: string[] = [];
  answer: (granted: boolean) => void = () => {};
  readonly #atOnce: boolean;

  constructor(atOnce: boolean) {
    this.#atOnce = atOnce;
  }

  take(): Promise<boolean> | undefined {
    this.calls.push('take');
    if (this.#atOnce) return undefined;
    return new Promise((resolve) => {
      this.answer = resolve;
    });
  }

  pass(): void {
    this.calls.push('pass');
  }
}

async function fixture(t: Test) {
  const clock = new ManualClock();
  const { node, parts } = makeNode({ overrides: { clock } }, config);
  t.teardown(() => node.stop());
  await parts.backplane.start(parts.delivery);
  const { registry } = parts;
  const lines: string[] = [];
  const log = {
    debug() {},
    info() {},
    warn: (_fields: object, text: string) => void lines.push(text),
    error() {},
    isDebug: () => false,
    child: () => log,
  };
  const one = new OneDelivery({
    registry: () => registry,
    give: (delivery, subscribers) => {
      for (const subscriber of subscribers) subscriber.deliver(delivery);
    },
    clock,
    log,
  });
  const subscribe = (kind: 'stream' | 'response' = 'stream', channel = 'c') => {
    const subscriber: RecordingSubscriber = new RecordingSubscriber(kind, () => {
      if (kind !== 'response') return true;
      registry.leave(subscriber);
      registry.remove(subscriber, [channel]);
      return true;
    });
    registry.enter(subscriber);
    registry.add(subscriber, [channel]);
    return subscriber;
  };
  const offer = (id: string, atOnce = true, channel = 'c', prefix?: string): Claim => {
    const claim = new Claim(atOnce);
    const item = parseItem({ channel, id, deliver: 'one', formats: { 'http-stream': { content: id } } });
    const message: ItemMessage = { type: 'item', item, id, claim, ...(prefix !== undefined && { prefix }) };
    one.offer(message);
    return claim;
  };
  return { one, registry, lines, subscribe, offer };
}

t.test('the subscribers of a channel get items in turn; one that comes is the last', async (t) => {
  const { subscribe, offer } = await fixture(t);
  const subscribers = [subscribe(), subscribe(), subscribe()];
  for (const id of ['1', '2', '3', '4']) t.strictSame(offer(id).calls, ['take']);
  subscribers.push(subscribe());
  for (const id of ['5', '6', '7', '8']) offer(id);
  t.strictSame(
    subscribers.map(({ heard }) => heard),
    [['1', '4', '7'], ['2', '5'], ['3', '6'], ['8']],
  );
});

t.test('who cannot take an item is passed over; where nobody can it is not claimed', async (t) => {
  const { subscribe, offer } = await fixture(t);
  const [a, b] = [subscribe(), subscribe()];
  a.isFree = false;
  offer('1');
  offer('2');
  t.strictSame(b.heard, ['1', '2']);
  b.isFree = false;
  t.strictSame(offer('3').calls, ['pass']);
  t.strictSame(offer('4', true, 'nobody').calls, ['pass']);
  a.isFree = true;
  offer('5');
  t.strictSame(a.heard, ['5']);
});

t.test('items that are claimed together go round', async (t) => {
  const { subscribe, offer } = await fixture(t);
  const [a, b] = [subscribe(), subscribe()];
  const claims = ['1', '2', '3', '4'].map((id) => offer(id, false));
  for (const claim of claims) claim.answer(true);
  await turn();
  t.strictSame(
    [a.heard, b.heard],
    [
      ['1', '3'],
      ['2', '4'],
    ],
  );
});

t.test('nothing is given before the claim is granted, and nothing that is not', async (t) => {
  const { subscribe, offer } = await fixture(t);
  const a = subscribe();
  const claims = [offer('1', false), offer('2', false)] as const;
  t.strictSame(a.heard, []);
  claims[1].answer(true);
  claims[0].answer(false);
  await turn();
  t.strictSame(a.heard, ['2']);
});

t.test(
  'another subscriber gets it where the one that it was claimed for cannot any more; without one it is lost',
  async (t) => {
    const { subscribe, offer, lines } = await fixture(t);
    const [a, b] = [subscribe(), subscribe()];
    const claim = offer('1', false);
    a.isFree = false;
    claim.answer(true);
    await turn();
    t.strictSame([a.heard, b.heard], [[], ['1']]);
    const late = offer('2', false);
    b.isFree = false;
    late.answer(true);
    await turn();
    t.strictSame([a.heard, b.heard], [[], ['1']]);
    t.match(lines, [/an item for one subscriber is lost/]);
  },
);

t.test('one item is claimed for a long poll at a time: others wait for what comes of it', async (t) => {
  const { subscribe, offer } = await fixture(t);
  const [a, b] = [subscribe('response'), subscribe('response')];
  const claims = ['1', '2', '3', '4'].map((id) => offer(id, false));
  t.strictSame(
    claims.map(({ calls }) => calls),
    [['take'], ['take'], [], []],
  );
  claims[0]?.answer(false);
  await turn();
  t.strictSame(claims[2]?.calls, ['take']);
  claims[1]?.answer(true);
  claims[2]?.answer(true);
  await turn();
  t.strictSame([a.heard, b.heard], [['3'], ['2']]);
  t.strictSame(claims[3]?.calls, ['pass'], 'nobody is left for it');
});

t.test(`a process asks for ${MAX_ONE_UNDER_WAY} items at a time, and leaves others to the others`, async (t) => {
  const { subscribe, offer } = await fixture(t);
  const a = subscribe();
  const claims = Array.from({ length: MAX_ONE_UNDER_WAY }, (_, i) => offer(String(i), false));
  t.strictSame(offer('over', false).calls, ['pass']);
  claims[0]?.answer(true);
  await turn();
  t.strictSame(a.heard, ['0']);
  t.strictSame(offer('next', false).calls, ['take']);
});

t.test('those on patterns get items in turn too, whichever patterns they are on', async (t) => {
  const { registry, offer } = await fixture(t);
  const naming = { prefix: '', reserved: '', channelNameMax: 255, patternSeparator: '/', patternAll: false };
  const subscribers = ['c/*', 'c/*', 'c/*/x'].map((text) => {
    const subscriber = new RecordingSubscriber();
    registry.enter(subscriber);
    registry.add(subscriber, [], [patternOf(naming, text, { limited() {} }) as ChannelPattern]);
    return subscriber;
  });
  for (const id of ['1', '2', '3', '4', '5', '6']) offer(id, true, 'c/1/x', 'c/');
  for (const { heard } of subscribers) t.equal(heard.length, 2);
  offer('7', true, 'c/1/y', 'c/');
  t.equal(subscribers[2]?.heard.length, 2, 'it is not on that channel');
  t.strictSame(offer('8', true, 'd/1/x', 'd/').calls, ['pass']);
});

t.test('a node that goes down leaves items to the others', async (t) => {
  const { one, subscribe, offer } = await fixture(t);
  subscribe('response');
  const first = offer('1', false);
  const waiting = offer('2', false);
  one.finish();
  t.strictSame(waiting.calls, ['pass']);
  t.strictSame(offer('3').calls, ['pass']);
  t.strictSame(first.calls, ['take']);
});

t.test('an item without a claim has come from a history, and is for nobody', async (t) => {
  const { one, subscribe } = await fixture(t);
  const a = subscribe();
  const item = parseItem({ channel: 'c', id: '1', deliver: 'one', formats: { 'http-stream': { content: 'x' } } });
  one.offer({ type: 'item', item, id: '1' });
  t.strictSame(a.heard, []);
});
