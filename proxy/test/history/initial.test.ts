/** What new clients begin with: one read for all that come, as long as it has all that they lack. */
import type { Position } from '@holdfast/control-api';
import { silentLog } from '@holdfast/control-api';
import t from 'tap';
import { beginningOf, INITIAL_KEPT_BYTES, INITIAL_KEPT_MS, InitialItems } from '../../dist/history/initial.js';
import { HistoryReader } from '../../dist/history/reader.js';
import { ManualClock } from '../kit/manual-clock.js';
import { at, page, ScriptedHistory, settle } from './history-fixture.js';

function fixture() {
  const clock = new ManualClock();
  const history = new ScriptedHistory();
  const reader = new HistoryReader({ history, clock, log: silentLog });
  const node: { arrived: Position | undefined } = { arrived: undefined };
  const items = new InitialItems({ reader, clock, arrived: () => node.arrived });
  const ask = (last = 1) => items.read('a', { last }, undefined);
  return { clock, history, node, items, ask };
}

t.test('10,000 clients that come one after the other share one read', async (t) => {
  const { history, ask } = fixture();
  const first = ask();
  await settle();
  const whileReading = Array.from({ length: 4_999 }, () => ask());
  history.reads[0]?.answer(page([7]));
  const found = await first;
  t.strictSame(history.reads[0]?.start, { last: 1 });
  t.strictSame(
    found?.deliveries.map(({ item }) => item.id),
    ['7'],
  );
  for (const one of whileReading) if ((await one) !== found) t.fail('another read');
  for (let i = 0; i < 5_000; i++) if ((await ask()) !== found) t.fail('another read');
  t.equal(history.reads.length, 1);
});

t.test('who comes after an item that is not among them has them read again', async (t) => {
  const { history, node, ask } = fixture();
  const first = ask();
  await settle();
  // The item came to this node, and to nobody who comes now, while the read was under way.
  node.arrived = at(8);
  const later = [ask(), ask()];
  history.reads[0]?.answer(page([7]));
  t.strictSame((await first)?.end, at(7));
  await settle();
  t.equal(history.reads.length, 2, 'one read for both');
  history.reads[1]?.answer(page([8]));
  for (const one of later) t.strictSame((await one)?.end, at(8));
  t.strictSame((await ask())?.end, at(8));
  t.equal(history.reads.length, 2);
});

t.test('where the count has begun anew clients do not have it read for ever', async (t) => {
  const { history, node, ask } = fixture();
  node.arrived = { epoch: 'old', offset: 3 };
  const asked = [ask(), ask(), ask()];
  await settle();
  history.reads[0]?.answer(page([1]));
  await settle();
  history.reads[1]?.answer(page([1]));
  for (const one of asked) t.strictSame((await one)?.end, at(1));
  t.equal(history.reads.length, 2);
});

t.test('they are forgotten with the interest in the channel, and after their time', async (t) => {
  const { clock, history, items, ask } = fixture();
  const answered = async (n: number) => {
    const asked = ask();
    await settle();
    history.reads[n]?.answer(page([n + 1]));
    t.strictSame((await asked)?.end, at(n + 1));
  };
  await answered(0);
  items.forget('b');
  await ask();
  t.equal(history.reads.length, 1);
  items.forget('a');
  await answered(1);
  clock.advance(INITIAL_KEPT_MS);
  await answered(2);
  t.equal(clock.pending, 1);
});

t.test('beyond the limit of bytes those that were read first go', async (t) => {
  const { history, items } = fixture();
  const big = page([1]);
  const [message] = big.messages;
  if (message === undefined) throw new Error('no message');
  const item = {
    ...message.item,
    formats: { httpStream: { action: 'send', content: Buffer.alloc(INITIAL_KEPT_BYTES / 2) } },
  };
  for (const [i, channel] of ['a', 'b', 'a'].entries()) {
    const asked = items.read(channel, { last: 1 }, undefined);
    await settle();
    history.reads[i]?.answer({ ...big, messages: [{ ...message, item } as typeof message] });
    t.equal((await asked)?.deliveries.length, 1);
  }
  t.equal(history.reads.length, 3, 'a was read again');
  t.ok(items.bytes <= INITIAL_KEPT_BYTES);
});

t.test(
  'what the history cannot say is nothing, and asked for again; since a position it is read as what was missed',
  async (t) => {
    const { history, items, ask } = fixture();
    const nothing = ask();
    await settle();
    history.reads[0]?.answer(undefined);
    t.equal(await nothing, undefined);
    const since = items.read('a', { since: at(3) }, undefined);
    await settle();
    t.strictSame(history.reads[1]?.start, { after: at(3) });
    history.reads[1]?.answer(page([4, 5]));
    const missed = await since;
    t.strictSame(missed && beginningOf(missed), at(3));
    t.equal(items.bytes, 0);
  },
);
