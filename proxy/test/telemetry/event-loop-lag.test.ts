import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { EventLoopLag } from '../../dist/telemetry/series/event-loop-lag.js';
import { exposeSnapshots, Series } from '../../dist/telemetry/series/series.js';

/** Keeps the event loop busy, in ms. */
function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

const read = async (lag: EventLoopLag, name: string): Promise<number> => {
  const row = lag.series.find((one) => one.name === name);
  if (row === undefined) throw new Error(`there is no ${name}`);
  return row.read();
};

t.test('the lag of the event loop is how late it is, without the time between two measurements', async (t) => {
  const lag = new EventLoopLag();
  t.equal(await read(lag, 'max_'), 0, 'nothing is measured yet');
  t.equal(await read(lag, 'p99_'), 0);
  t.equal(await read(lag, 'stddev_'), 0);
  await delay(250);
  block(600);
  await delay(50);
  for (const name of ['max_', 'p99_']) {
    const seconds = await read(lag, name);
    t.ok(seconds >= 0.45 && seconds < 5, `${name}: ${seconds} s, of 0.6 that were blocked from within an interval`);
  }
  t.ok((await read(lag, 'min_')) < 0.1, 'before that it was early enough');
  t.ok((await read(lag, '')) < 5, 'and is asked for when it is read');
  lag.startOver();
  t.equal(await read(lag, 'max_'), 0, 'it is forgotten');
});

t.test(
  'the series have the names of prom-client, begin anew with each scrape, and are joined as its are',
  async (t) => {
    const series = new Series('x_');
    series.addDefaults();
    await delay(250);
    block(400);
    await delay(50);
    const shown = (text: string, name: string) =>
      Number(new RegExp(`^x_nodejs_eventloop_lag_${name} (\\S+)$`, 'm').exec(text)?.[1]);
    const text = await series.expose();
    for (const name of ['', 'min_', 'max_', 'mean_', 'stddev_', 'p50_', 'p90_', 'p99_']) {
      t.ok(shown(text, `${name}seconds`) >= 0, name);
    }
    t.ok(shown(text, 'max_seconds') >= 0.25);
    t.equal(shown(await series.expose(), 'max_seconds'), 0);
    block(1);
    const one = await series.snapshot();
    const joined = exposeSnapshots([one, one]);
    t.equal(shown(await joined, 'mean_seconds'), shown(await exposeSnapshots([one]), 'mean_seconds'), 'not a sum');
  },
);
