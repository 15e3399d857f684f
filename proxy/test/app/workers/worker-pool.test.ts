import t from 'tap';
import { RestartPause } from '../../../dist/app/workers/restart-pause.js';
import { WorkerMetrics } from '../../../dist/app/workers/worker-pool.js';
import { Metrics } from '../../../dist/telemetry/metrics.js';
import type { MetricsSnapshot } from '../../../dist/telemetry/series/series.js';

/** A primary and two workers, each with counters of its own. */
function fixture() {
  const own = new Metrics('');
  const workers = new Map([1, 2].map((number) => [number, new Metrics('')]));
  for (const metrics of workers.values())
    metrics.observe({ connections: () => 5, channels: () => 1, clients: () => [] });
  const all = new WorkerMetrics(own, async () => {
    const snapshots = new Map<number, MetricsSnapshot>();
    // As they come from another process.
    for (const [number, metrics] of workers) snapshots.set(number, structuredClone(await metrics.snapshot()));
    return snapshots;
  });
  const value = async (series: string) => {
    const line = (await all.expose()).split('\n').find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
  return { own, workers, all, value };
}

const request = { status: 200, error: undefined, duration: 5 };

t.test('the series of all processes are added up', async (t) => {
  const { own, workers, value } = fixture();
  own.published(3);
  workers.get(1)?.requestEnded(request);
  workers.get(2)?.requestEnded(request);
  workers.get(2)?.subscriberOpened('stream');
  t.equal(await value('holdfast_items_published_total'), 3);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 2);
  t.equal(await value('holdfast_request_duration_seconds_count'), 2);
  t.equal(await value('holdfast_request_duration_seconds_bucket{le="0.005"}'), 2);
  t.equal(await value('holdfast_holds{kind="stream"}'), 1);
  t.equal(await value('holdfast_connections'), 10);
});

t.test('what a worker had counted stays when it has ended, what it had does not', async (t) => {
  const { workers, all, value } = fixture();
  workers.get(1)?.requestEnded(request);
  workers.get(2)?.requestEnded(request);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 2);
  workers.delete(2);
  await all.retire(2);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 2);
  t.equal(await value('holdfast_request_duration_seconds_count'), 2);
  t.equal(await value('holdfast_connections'), 5);
  workers.set(3, new Metrics(''));
  workers.get(3)?.requestEnded(request);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 3);
  workers.delete(3);
  await all.retire(3);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 3, 'one after the other');
});

t.test('a worker that does not answer counts as it did when it was last heard', async (t) => {
  const { workers, value } = fixture();
  workers.get(2)?.requestEnded(request);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 1);
  workers.delete(2);
  t.equal(await value('holdfast_requests_total{status="2xx"}'), 1);
  t.equal(await value('holdfast_connections'), 10);
});

t.test('the first restart is at once, the next ones wait longer and longer, up to half a minute', (t) => {
  const pause = new RestartPause();
  const pauses = Array.from({ length: 9 }, () => pause.next(10));
  t.strictSame(pauses, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  t.end();
});

t.test('a worker that lasted a minute begins anew', (t) => {
  const pause = new RestartPause();
  t.strictSame([pause.next(10), pause.next(10), pause.next(60_000), pause.next(59_999)], [0, 500, 0, 500]);
  t.end();
});
