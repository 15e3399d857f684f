import { silentLog } from '@holdfast/control-api';
import t from 'tap';
import { HistoryReader, MAX_READS, MAX_REPLAY_ITEMS, PAGE_ITEMS, READ_TIMEOUT_MS } from '../../dist/history/reader.js';
import { ManualClock } from '../kit/manual-clock.js';
import { at, page, ScriptedHistory, settle } from './history-fixture.js';

function fixture() {
  const clock = new ManualClock();
  const history = new ScriptedHistory();
  return { clock, history, reader: new HistoryReader({ history, clock, log: silentLog }) };
}

t.test('what was missed is read page by page, to its end', async (t) => {
  const { history, reader, clock } = fixture();
  const missed = reader.read('a', { afterId: '0' });
  await settle();
  t.match(history.reads[0], { channel: 'a', start: { afterId: '0' }, limit: PAGE_ITEMS });
  history.reads[0]?.answer(page([1, 2], false));
  await settle();
  t.strictSame(history.reads[1]?.start, { after: at(2) });
  history.reads[1]?.answer(page([3]));
  const result = await missed;
  t.strictSame(
    result?.deliveries.map(({ item, through }) => [item.id, through]),
    [
      ['1', at(1)],
      ['2', at(2)],
      ['3', at(3)],
    ],
  );
  t.strictSame(result?.end, at(3));
  t.equal(clock.pending, 0);
});

t.test('those who ask for the same in one turn share one read, and its deliveries', async (t) => {
  const { history, reader } = fixture();
  const asked = Array.from({ length: 1_000 }, () => reader.read('a', { after: at(1) }));
  const other = reader.read('a', { after: at(2) });
  await settle();
  t.equal(history.reads.length, 2);
  history.reads[0]?.answer(page([2]));
  history.reads[1]?.answer(page([]));
  const results = await Promise.all(asked);
  t.ok(results.every((result) => result === results[0]));
  t.strictSame((await other)?.deliveries, []);
});

t.test('who asks while a read is under way gets another: it may have missed more', async (t) => {
  const { history, reader } = fixture();
  const first = reader.read('a', { after: at(1) });
  await settle();
  const second = reader.read('a', { after: at(1) });
  const third = reader.read('a', { after: at(1) });
  await settle();
  t.equal(history.reads.length, 2);
  history.reads[0]?.answer(page([2]));
  history.reads[1]?.answer(page([2, 3]));
  t.strictSame((await first)?.end, at(2));
  t.strictSame((await second)?.end, at(3));
  t.equal(await third, await second);
});

t.test('only so many reads are under way, and the others follow in order', async (t) => {
  const { history, reader } = fixture();
  const asked = Array.from({ length: MAX_READS + 2 }, (_, i) => reader.read(`c${i}`, { after: at(1) }));
  await settle();
  t.equal(history.reads.length, MAX_READS);
  history.reads[3]?.answer(page([]));
  await settle();
  t.equal(history.reads.length, MAX_READS + 1);
  t.equal(history.reads.at(-1)?.channel, `c${MAX_READS}`);
  history.reads[0]?.fail(new Error('broken'));
  t.equal(await asked[0], undefined);
  await settle();
  t.equal(history.reads.at(-1)?.channel, `c${MAX_READS + 1}`);
});

t.test('what cannot be told whole is not told: a hole, a failure, too much, too late', async (t) => {
  const { history, reader, clock } = fixture();
  const asked = ['hole', 'failure', 'much', 'late'].map((name) => reader.read(name, { after: at(1) }));
  await settle();
  history.reads[0]?.answer(undefined);
  history.reads[1]?.fail(new Error('broken'));
  history.reads[2]?.answer(
    page(
      Array.from({ length: MAX_REPLAY_ITEMS }, (_, i) => i + 2),
      false,
    ),
  );
  t.strictSame(await Promise.all(asked.slice(0, 3)), [undefined, undefined, undefined]);
  clock.advance(READ_TIMEOUT_MS);
  t.equal(await asked[3], undefined);
});

t.test('nothing is read before the channel is live, and nothing if it never is', async (t) => {
  const { history, reader } = fixture();
  let live = () => {};
  const soon = reader.read('a', { after: at(1) }, new Promise((resolve) => (live = resolve)));
  const never = reader.read('b', { after: at(1) }, Promise.reject(new Error('no backplane')));
  t.equal(await never, undefined);
  t.equal(history.reads.length, 0);
  live();
  await settle();
  history.reads[0]?.answer(page([2]));
  t.strictSame((await soon)?.end, at(2));
});
