/**
 * The analysis of deploy/argo-rollouts, asked of a real Prometheus as Argo Rollouts asks it: a good canary passes beside the pods
 * before it, and each kind of bad one fails at the check that is meant for it. Good pods are nodes with clients; what bad ones
 * expose is written by hand.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { root } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { deadPort } from '../../kit/ports.js';
import { Prometheus } from '../observe/prometheus.js';

interface Metric {
  readonly name: string;
  readonly successCondition: string;
  readonly provider: { readonly prometheus: { readonly query: string } };
}
const { spec } = parse(readFileSync(join(root, 'deploy/argo-rollouts/analysis-template.yaml'), 'utf8'));
const metrics: readonly Metric[] = spec.metrics;

/** Series of a pod that does badly, by the hash of its template; `n` is the number of the scrape. */
const bad: Readonly<Record<string, (n: number) => readonly string[]>> = {
  failing: (n) => [
    `holdfast_requests_total{status="2xx"} ${90 * n}`,
    `holdfast_requests_total{status="5xx"} ${10 * n}`,
  ],
  slow: (n) => deliveries(n, 0.5),
  slower: (n) => deliveries(n, 0.1),
  gaps: () => ['holdfast_gaps_total{reason="epoch"} 1'],
  links: (n) => [
    `holdfast_holds_opened_total{kind="stream"} ${40 * n}`,
    `holdfast_holds_ended_total{kind="stream",reason="link-failed"} ${n}`,
    `holdfast_holds_ended_total{kind="stream",reason="timeout"} ${n}`,
  ],
  lagging: () => ['holdfast_nodejs_eventloop_lag_p99_seconds 0.4'],
};
/** Which checks each of them fails. */
const fails: Readonly<Record<string, readonly string[]>> = {
  failing: ['failing-requests'],
  slow: ['delivery-p99', 'delivery-p99-of-stable'],
  slower: ['delivery-p99-of-stable'],
  gaps: ['gaps'],
  links: ['failed-holds'],
  lagging: ['event-loop-lag'],
  // Its port is closed.
  down: ['scraped'],
  // Prometheus does not know it.
  unknown: ['scraped'],
};

/** A histogram of deliveries, all of which took a bit less than so many seconds. */
function deliveries(n: number, seconds: number): string[] {
  const row = (bound: number | '+Inf') => {
    const count = bound === '+Inf' || bound >= seconds ? 100 * n : 0;
    return `holdfast_delivery_seconds_bucket{le="${bound}"} ${count}`;
  };
  return [0.025, 0.05, 0.1, 0.25, 0.5, 1, '+Inf' as const].map(row);
}

/** What scrapes find on the pods that are written by hand, by path. */
const exporter = createServer(({ url = '' }, response) => {
  const hash = url.slice(1);
  const scrape = (scrapes.get(hash) ?? 0) + 1;
  scrapes.set(hash, scrape);
  const series = hash === 'before' ? deliveries(scrape, 0.025) : (bad[hash]?.(scrape) ?? []);
  response.setHeader('Content-Type', 'text/plain').end(`${series.join('\n')}\n`);
});
const scrapes = new Map<string, number>();
await new Promise<void>((resolve) => exporter.listen(0, '127.0.0.1', resolve));
t.teardown(() => {
  exporter.closeAllConnections();
  exporter.close();
});
const exported = `127.0.0.1:${(exporter.address() as AddressInfo).port}`;

const { target } = await startOrigin(t, ({ url }, response) => {
  if (url === '/stream') response.writeHead(200, streamHold('news')).end('open\n');
  else response.end('fine\n');
});
const nodes = await Promise.all(['stable', 'good'].map(() => startHoldfast(t, { routes: [`* ${target}`] })));
const [stable, good] = nodes.map((node) => node.url('admin').replace('http://', ''));
await Promise.all(nodes.map((node) => open(t, `${node.clients}/stream`)));

const place = (targets: string, namespace: string, hash: string) => ({
  targets: [targets],
  labels: { namespace, rollouts_pod_template_hash: hash },
});
const prometheus = await Prometheus.run(
  t,
  stringify({
    global: { scrape_interval: '400ms', scrape_timeout: '400ms' },
    scrape_configs: [
      {
        job_name: 'holdfast',
        static_configs: [
          place(stable as string, 'good', 'stable'),
          place(good as string, 'good', 'good'),
          place(`127.0.0.1:${await deadPort()}`, 'down', 'down'),
        ],
      },
      // Each kind in another namespace, beside quick pods; and elsewhere, with the hash of the good canary.
      ...Object.keys(bad).map((hash) => ({
        job_name: hash,
        metrics_path: `/${hash}`,
        static_configs: [place(exported, hash, hash), place(exported, 'elsewhere', 'good')],
      })),
      {
        job_name: 'before',
        metrics_path: '/before',
        static_configs: Object.keys(bad).map((namespace) => place(exported, namespace, 'before')),
      },
    ],
  }),
);

let isScraped = false;
const enough = prometheus.until('min(count_over_time(up[5m])) >= 4').then(() => {
  isScraped = true;
});
while (!isScraped)
  for (const node of nodes) {
    await node.publish(streamItem('news', 'a\n'));
    await ask(t, `${node.clients}/plain`);
  }
await enough;

/** The number that a check gets for the pods with this hash. @throws Error where it is not one number */
async function measure({ name, provider }: Metric, hash: string): Promise<number> {
  const args: Readonly<Record<string, string>> = { hash, namespace: hash };
  const query = provider.prometheus.query.replaceAll(/\{\{args\.(\w+)\}\}/g, (_, arg: string) => args[arg] ?? '');
  const result = await prometheus.query(query);
  const value = result[0]?.values[0]?.[1];
  if (result.length !== 1 || value === undefined) throw new Error(`${name} of ${hash}: ${result.length} series`);
  return value;
}

function passes({ successCondition }: Metric, value: number): boolean {
  const [, operator = '', bound = ''] = /^result\[0\] (<|<=|==|>=) ([\d.]+)$/.exec(successCondition) ?? [];
  const compare: Readonly<Record<string, boolean>> = {
    '<': value < Number(bound),
    '<=': value <= Number(bound),
    '==': value === Number(bound),
    '>=': value >= Number(bound),
  };
  return compare[operator] as boolean;
}

t.test('a good canary passes all, whatever pods of another namespace do', async (t) => {
  for (const metric of metrics) {
    const value = await measure(metric, 'good');
    t.ok(passes(metric, value), `${metric.name}: ${value}`);
  }
  const [delivery] = metrics.filter(({ name }) => name === 'delivery-p99');
  t.ok((await measure(delivery as Metric, 'good')) > 0, 'it has delivered, and is measured');
});

t.test('each kind of bad canary fails where it is bad, and nowhere else', async (t) => {
  for (const [hash, expected] of Object.entries(fails)) {
    const failed: string[] = [];
    for (const metric of metrics) if (!passes(metric, await measure(metric, hash))) failed.push(metric.name);
    t.strictSame(failed, expected, hash);
  }
  const caught = new Set(Object.values(fails).flat());
  t.strictSame(
    metrics.filter(({ name }) => !caught.has(name)),
    [],
    'every check catches something',
  );
});
