import t from 'tap';
import { addUp, countOf, draw, quantile, Recorder } from '../../../dist/commands/load/histogram.js';

t.test('a duration is found again within 1.6 %, from a µs to an hour', async (t) => {
  for (let us = 1; us < 3_600_000_000; us = Math.ceil(us * 1.37)) {
    const recorder = new Recorder();
    recorder.add(us / 1_000);
    const [[found, count] = [0, 0]] = recorder.read();
    t.equal(count, 1);
    t.ok(Math.abs(found - us) <= us * 0.016, `${us} µs as ${found}`);
    t.equal(recorder.quantile(1), found);
  }
});

t.test('what is below nothing counts as nothing, what is above an hour as an hour', async (t) => {
  const recorder = new Recorder();
  recorder.add(-5);
  recorder.add(1e12);
  const [[least], [most]] = recorder.read() as unknown as [[number], [number]];
  t.equal(least, 0);
  t.ok(most > 3_600e6 && most < 4_300e6, `${most}`);
});

t.test('quantiles are those of all values in order', async (t) => {
  const recorder = new Recorder();
  t.equal(recorder.quantile(0.5), undefined);
  for (let value = 100; value > 0; value--) recorder.add(value);
  for (const [share, ms] of [
    [0.5, 50],
    [0.99, 99],
    [1, 100],
  ] as const) {
    t.ok(Math.abs((recorder.quantile(share) as number) / 1_000 - ms) <= ms * 0.016);
    t.equal(recorder.quantile(share), quantile(recorder.read(), share));
  }
  recorder.clear();
  t.same(recorder.read(), []);
  t.equal(quantile([], 0.5), undefined);
});

t.test('two that are added up are one of everything', async (t) => {
  const [odd, even, all] = [new Recorder(), new Recorder(), new Recorder()];
  for (let value = 1; value < 3_000; value++) {
    (value % 2 === 0 ? even : odd).add(value / 7);
    all.add(value / 7);
  }
  const sum = addUp([odd.read(), even.read()]);
  t.same(sum, all.read());
  t.equal(countOf(sum), 2_999);
});

t.test('as text it has its rows between the least and the greatest', async (t) => {
  const lines = draw(
    [
      [1_000, 1],
      [2_000, 4],
      [11_000, 2],
    ],
    10,
  );
  t.equal(lines.length, 10);
  t.match(lines[0], /^ +1\.0 ms +1 █{15}$/);
  t.match(lines[1], /^ +2\.0 ms +4 █{60}$/);
  t.match(lines[9], /^ +10\.0 ms +2 █{30}$/);
});
