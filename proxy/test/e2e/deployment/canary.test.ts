/** deploy/argo-rollouts: what the analysis of a canary asks Prometheus for is there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { closeReasons } from '../../../dist/channels/close-reasons.js';
import { root } from '../../kit/child.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { type Manifest, manifestsOf, renderChart } from '../../kit/kubernetes/chart.js';

const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const template: Manifest = parse(text('deploy/argo-rollouts/analysis-template.yaml'));

interface Metric {
  readonly name: string;
  readonly successCondition: string;
  readonly provider: { readonly prometheus: { readonly address: string; readonly query: string } };
}
const metrics: readonly Metric[] = template.spec.metrics;
const queryOf = ({ provider }: Metric) => provider.prometheus.query;

const charts = await renderChart({
  canary: {
    valkey: { enabled: true },
    replicaCount: 2,
    rollout: { enabled: true },
    metrics: { serviceMonitor: { enabled: true } },
  },
});
const rollout = manifestsOf(charts.canary);
const ofKind = (kind: string): Manifest => rollout.find((manifest) => manifest.kind === kind);

/** The metrics in an expression, what a histogram adds to its name left out, and the labels that each is chosen by. */
function selectors(expression: string) {
  const plain = expression.replaceAll(/\{\{(args\.\w+)\}\}/g, '$1');
  return [...plain.matchAll(/\b(up|holdfast_[a-z0-9_]+)\{([^}]*)\}/g)].map(([, name = '', labels = '']) => ({
    metric: name.replace(/_bucket$/, ''),
    labels: Object.fromEntries(
      [...labels.matchAll(/(\w+)[!=~]+"([^"]*)"/g)].map(([, key = '', value = '']) => [key, value] as const),
    ),
  }));
}

t.test('the Rollout of the chart runs this analysis, with the arguments that it wants', async (t) => {
  const { steps } = ofKind('Rollout').spec.strategy.canary;
  const analyses = steps.flatMap(({ analysis }: Manifest) => analysis ?? []);
  t.ok(analyses.length > 1);
  const wanted = template.spec.args.flatMap(({ name, value }: Manifest) => (value === undefined ? [name] : []));
  for (const { templates, args } of analyses) {
    t.strictSame(templates, [{ templateName: template.metadata.name }]);
    t.strictSame(args.map(({ name }: Manifest) => name).sort(), wanted.sort());
    t.match(args, [{ valueFrom: { podTemplateHashValue: 'Latest' } }, { value: 'push' }]);
  }
  const named = new Set(template.spec.args.map(({ name }: Manifest) => name));
  for (const [, name] of JSON.stringify(metrics).matchAll(/\{\{args\.([\w-]+)\}\}/g)) t.ok(named.has(name), `${name}`);
});

t.test('every metric is exposed, and has the labels and values that are asked for', async (t) => {
  const node = await startHoldfast(t, { routes: ['* test'] });
  const exposed = new Set([...(await node.metrics()).matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
  const documented = text('docs/metrics.md');
  t.strictSame(ofKind('ServiceMonitor').spec.podTargetLabels, ['rollouts-pod-template-hash']);
  for (const metric of metrics) {
    const asked = selectors(queryOf(metric));
    t.equal(asked.length, queryOf(metric).split('namespace=').length - 1, `${metric.name} is read whole`);
    t.ok(asked.length > 0, metric.name);
    for (const { metric: name, labels } of asked) {
      const { namespace, rollouts_pod_template_hash: hash = '', ...own } = labels;
      t.equal(namespace, 'args.namespace', `${metric.name} of this namespace`);
      t.match(hash, /^args\.hash\|?$/, `${metric.name} by the pods`);
      if (name === 'up') continue;
      t.ok(exposed.has(name), name);
      const [, known = ''] = new RegExp(`\`${name}(?:\\{([\\w,]+)\\})?\``).exec(documented) ?? [];
      for (const label of Object.keys(own)) t.ok(known.split(',').includes(label), `${name}: ${label}`);
      for (const reason of own.reason?.split('|') ?? []) t.ok(reason in closeReasons, reason);
      if (own.status) t.match(own.status, /^[1-5]xx$/);
    }
  }
});

t.test('every check answers with a number, waits for the pods, and forgives once', async (t) => {
  t.equal(new Set(metrics.map(({ name }) => name)).size, metrics.length);
  const page = text('deploy/argo-rollouts/README.md');
  for (const metric of metrics) {
    t.match(metric, { initialDelay: '2m', interval: '1m', count: 5, failureLimit: 1 }, metric.name);
    t.match(metric.successCondition, /^result\[0\] (<|<=|==|>=) [\d.]+$/, metric.name);
    t.match(queryOf(metric), / or vector\(0\)$/, metric.name);
    t.match(page, `| \`${metric.name}\` |`, 'is explained');
  }
});
