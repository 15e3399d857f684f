import t from 'tap';
import { FlushQueue } from '../../dist/runtime/flush-queue.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Connections that note when they are flushed. */
function connections(count: number, flushed: number[]) {
  return Array.from({ length: count }, (_, i) => ({ flush: () => void flushed.push(i) }));
}

t.test('a few are flushed before what waits for the adding code, and not within it', async (t) => {
  const queue = new FlushQueue();
  const flushed: number[] = [];
  const add = async () => {
    for (const connection of connections(16, flushed)) queue.addSoon(connection);
    t.strictSame(flushed, []);
  };
  await add();
  t.strictSame(flushed, [...Array(16).keys()]);
});

t.test('many are flushed at the end of the turn, with what comes later in it', async (t) => {
  const queue = new FlushQueue();
  const flushed: number[] = [];
  const all = connections(18, flushed);
  for (const connection of all.slice(0, 17)) queue.addSoon(connection);
  await Promise.resolve();
  queue.addSoon(all[17] as (typeof all)[number]);
  await Promise.resolve();
  t.strictSame(flushed, []);
  await turn();
  t.strictSame(flushed, [...Array(18).keys()]);
  await turn();
  t.equal(flushed.length, 18);
});

t.test('what is added for the end of the turn waits for it, be it one', async (t) => {
  const queue = new FlushQueue();
  const flushed: number[] = [];
  const [one, other] = connections(2, flushed);
  queue.add(one as NonNullable<typeof one>);
  queue.addSoon(other as NonNullable<typeof other>);
  await Promise.resolve();
  t.strictSame(flushed, [1]);
  await turn();
  t.strictSame(flushed, [1, 0]);
});

t.test('what is added while others are flushed comes with the next flush', async (t) => {
  const queue = new FlushQueue();
  const seen: string[] = [];
  const again = { flush: () => void seen.push('again') };
  queue.add({
    flush: () => {
      seen.push('first');
      queue.add(again);
    },
  });
  queue.addSoon({
    flush: () => {
      seen.push('soon');
      queue.addSoon(again);
    },
  });
  await turn();
  t.strictSame(seen, ['soon', 'again', 'first']);
  await turn();
  t.strictSame(seen, ['soon', 'again', 'first', 'again']);
});
