import t from 'tap';
import { Metrics } from '../../dist/telemetry/metrics.js';
import { addSnapshots, exposeSnapshots } from '../../dist/telemetry/series/series.js';

const metricsWith = (paths: Record<string, boolean>) => {
  const metrics = new Metrics('');
  metrics.observeFastPaths(() => new Map(Object.entries(paths)));
  return metrics;
};

t.test('each known fast path is 1 where it is active, and 0 where it is not', async (t) => {
  const text = await metricsWith({ direct_write: true, origin_parser: false }).expose();
  t.match(text, /^holdfast_fast_path\{path="direct_write"\} 1$/m);
  t.match(text, /^holdfast_fast_path\{path="origin_parser"\} 0$/m);
});

t.test('of several workers the path of the worst counts, not their sum', async (t) => {
  const workers = [{ direct_write: true }, { direct_write: true }, { direct_write: false }].map(metricsWith);
  const all = await Promise.all(workers.map((metrics) => metrics.snapshot()));
  t.match(await exposeSnapshots(all.slice(0, 2)), /^holdfast_fast_path\{path="direct_write"\} 1$/m);
  const primary = await new Metrics('').snapshot();
  t.match(await exposeSnapshots([primary, await addSnapshots(all)]), /^holdfast_fast_path\{path="direct_write"\} 0$/m);
});
