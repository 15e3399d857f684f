import t from 'tap';
import { ItemTimes } from '../../dist/telemetry/series/item-times.js';
import { OriginTimes, ROUTE_LABELS } from '../../dist/telemetry/series/origin-times.js';
import { addSnapshots, exposeSnapshots, Series } from '../../dist/telemetry/series/series.js';
import { closeLabel, Traffic } from '../../dist/telemetry/series/traffic.js';

const lines = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(name));

t.test('more ids of routes than have series are counted as routes without one', async (t) => {
  const series = new Series('x_');
  const times = new OriginTimes(series);
  for (let i = 0; i < ROUTE_LABELS + 5; i++) times.answered(`r${i}`, 1);
  times.failed(`r${ROUTE_LABELS + 1}`, 'ERR_ORIGIN_CONNECT');
  const text = await series.expose();
  const counts = lines(text, 'x_origin_request_seconds_count');
  t.equal(counts.length, ROUTE_LABELS + 1);
  t.ok(counts.includes('x_origin_request_seconds_count{route=""} 5'));
  t.same(lines(text, 'x_origin_errors_total'), ['x_origin_errors_total{route="",code="ERR_ORIGIN_CONNECT"} 1']);
});

t.test('buckets hold all up to their bound, and those of several processes add up', async (t) => {
  const snapshots = [];
  for (const ms of [0.5, 3, 99_000]) {
    const series = new Series('x_');
    new OriginTimes(series).answered('a', ms);
    snapshots.push(structuredClone(await series.snapshot()));
  }
  const text = await exposeSnapshots([await addSnapshots(snapshots)]);
  const at = (le: string) =>
    lines(text, 'x_origin_request_seconds_bucket').filter(
      (line) => line.includes(`le="${le}"`) && line.includes('route="a"'),
    );
  t.match(at('0.001')[0], / 1$/);
  t.match(at('0.005')[0], / 2$/);
  t.match(at('30')[0], / 2$/);
  t.match(at('+Inf')[0], / 3$/);
  t.equal(at('+Inf').length, 1);
});

t.test('connections count for as long as they last', async (t) => {
  let now = 1_000;
  const series = new Series('x_');
  const traffic = new Traffic(series, () => now);
  traffic.connectionOpened();
  now += 2_000;
  traffic.connectionOpened();
  now += 3_000;
  traffic.connectionClosed();
  now += 1_000;
  t.same(lines(await series.expose(), 'x_connected_seconds_total'), ['x_connected_seconds_total 9']);
});

t.test('codes of closes are labels of a bounded set', async (t) => {
  t.same([undefined, 1000, 1012, 1015, 1016, 2999, 3000, 3999, 4000, 4999, 5000, 0].map(closeLabel), [
    'none',
    '1000',
    '1012',
    '1015',
    'other',
    'other',
    '3xxx',
    '3xxx',
    '4xxx',
    '4xxx',
    'other',
    'other',
  ]);
});

t.test('an item is timed once, when those that write at the end of the turn have written', async (t) => {
  const series = new Series('x_');
  const times = new ItemTimes(series);
  const count = async () => Number(lines(await series.expose(), 'x_delivery_seconds_count')[0]?.split(' ')[1]);
  times.delivered(1, performance.now());
  await null;
  t.equal(await count(), 1, 'few: in a microtask');
  const order: string[] = [];
  times.delivered(1_000, performance.now());
  await null;
  setImmediate(() => order.push('later'));
  const before = await count();
  await new Promise(setImmediate);
  t.equal(before, 1);
  t.equal(await count(), 2, 'many: at the end of the turn');
});
