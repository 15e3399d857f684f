/** deploy/argocd: the Applications that root.yaml brings, rendered as Argo CD renders them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';
import { newDirectory, runHoldfast } from '../../kit/holdfast.js';
import { type Manifest, manifestsOf, renderChart, type Values } from '../../kit/kubernetes/chart.js';
import { writePod } from '../../kit/kubernetes/pod-files.js';

const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const folder = 'deploy/argocd';
const first: Manifest = parse(text(folder, 'root.yaml'));
const place = first.spec.source;
const given: Values = place.helm.valuesObject;
const scaled = (values: Values) => ({ ...given, holdfast: { values } });

const rendered = await renderChart(
  {
    plain: given,
    elsewhere: { ...given, valkey: { enabled: false }, monitoring: { enabled: false } },
    scaled: scaled({ autoscaling: { enabled: true } }),
    canary: scaled({ keda: { enabled: true }, rollout: { enabled: true } }),
    nowhere: { ...given, charts: null },
    unknown: { ...given, repository: null },
  },
  { folder: join(root, place.path), namespace: first.metadata.namespace },
);
const apps = (name: keyof typeof rendered): Manifest[] => manifestsOf(rendered[name]);
const app = (name: string, set: keyof typeof rendered = 'plain'): Manifest =>
  apps(set).find(({ metadata }) => metadata.name === name);

t.test('placeholders are marked as such, set in root.yaml alone, and reach all Applications', async (t) => {
  const file = text(folder, 'root.yaml');
  t.equal(file.match(/^[^#\n]*\bexample\.com\b/gm)?.length, 2);
  t.equal(file.match(/# PLACEHOLDER: [^\n]+\n[^\n#]*\bexample\.com\b/g)?.length, 2);
  for (const name of readdirSync(join(root, folder, 'apps'), { recursive: true, encoding: 'utf8' }))
    if (/\.(yaml|tpl)$/.test(name)) t.notMatch(text(folder, 'apps', name), /example\.com/, name);
  t.equal(place.repoURL, given.repository);
  t.equal(place.targetRevision, given.revision);
  t.match(app('board').spec.source, { repoURL: place.repoURL, targetRevision: place.targetRevision });
  t.equal(app('holdfast').spec.source.repoURL, given.charts);
  t.match(rendered.nowhere.error, /charts: the registry of the chart is missing; root\.yaml sets it/);
  t.match(rendered.unknown.error, /repository: the Git repository is missing; root\.yaml sets it/);
});

t.test('what others need comes first', async (t) => {
  const waves = apps('plain').map(({ metadata }) => [
    metadata.name,
    Number(metadata.annotations['argocd.argoproj.io/sync-wave']),
  ]);
  t.strictSame(
    waves.sort(([, a], [, b]) => a - b).map(([name]) => name),
    ['monitoring', 'valkey', 'holdfast', 'board'],
  );
  t.equal(new Set(waves.map(([, wave]) => wave)).size, 4);
  t.strictSame(
    apps('elsewhere').map(({ metadata }) => metadata.name),
    ['holdfast'],
  );
});

t.test(
  'deleting the first Application deletes nothing else, deleting another deletes what it has brought',
  async (t) => {
    t.notOk(first.metadata.finalizers);
    for (const { metadata } of apps('plain')) {
      t.strictSame(metadata.finalizers, ['resources-finalizer.argocd.argoproj.io'], metadata.name);
      t.equal(metadata.namespace, first.metadata.namespace);
    }
  },
);

t.test('large objects are applied by the server, and an autoscaler keeps its number of nodes', async (t) => {
  for (const name of ['monitoring', 'board'])
    t.ok(app(name).spec.syncPolicy.syncOptions.includes('ServerSideApply=true'), name);
  t.notOk(app('holdfast').spec.ignoreDifferences);
  const ignored = (kind: string, group: string) => [{ group, kind, jsonPointers: ['/spec/replicas'] }];
  t.strictSame(app('holdfast', 'scaled').spec.ignoreDifferences, ignored('Deployment', 'apps'));
  t.strictSame(app('holdfast', 'canary').spec.ignoreDifferences, ignored('Rollout', 'argoproj.io'));
  t.ok(app('holdfast', 'scaled').spec.syncPolicy.syncOptions.includes('RespectIgnoreDifferences=true'));
});

t.test('each source is there, and has the version of this repository', async (t) => {
  for (const { metadata, spec } of [first, ...apps('plain')]) {
    const { path, chart, targetRevision } = spec.source;
    if (path === undefined) t.match(`${chart} ${targetRevision}`, /^[\w-]+ \d+\.\d+\.\d+$/, metadata.name);
    else t.ok(existsSync(join(root, path)), path);
  }
  const { version } = parse(text('deploy/helm/holdfast/Chart.yaml'));
  t.match(app('holdfast').spec.source, { chart: 'holdfast', targetRevision: version });
});

t.test("the chart takes the Application's values, and its network policy lets this Prometheus in", async (t) => {
  const { source, destination } = app('holdfast').spec;
  const charts = await renderChart({ nodes: source.helm.valuesObject }, destination);
  const nodes = manifestsOf(charts.nodes);
  const policy = nodes.find(({ kind }) => kind === 'NetworkPolicy');
  const monitor = app('monitoring').spec.destination.namespace;
  t.match(JSON.stringify(policy.spec.ingress), `"kubernetes.io/metadata.name":"${monitor}"`);
  t.ok(nodes.some(({ kind }) => kind === 'ServiceMonitor'));
  const pod = nodes.find(({ kind }) => kind === 'Deployment').spec.template.spec;
  const secrets = {
    'sig-key': 'secret',
    'resume-key': 'secret',
    'redis-url': 'redis://holdfast:password@valkey.valkey.svc:6379',
    'control-keys': '- { id: app, key: secret }\n',
  };
  const directory = newDirectory(t);
  const { args, env } = writePod(pod, nodes, secrets, directory);
  const check = runHoldfast(t, { directory, args: ['check-config', ...args], env });
  t.match(await check.exited, { code: 0 }, check.stderr);
  const { labelValue, label } = app('monitoring').spec.source.helm.valuesObject.grafana.sidecar.dashboards;
  t.match(text('deploy/grafana/kustomization.yaml'), `${label}: "${labelValue}"`);
});

t.test('Valkey has the settings of docs/operations.md', async (t) => {
  const { extraConfig } = app('valkey').spec.source.helm.valuesObject;
  const page = text('docs/operations.md');
  for (const [, name, value] of extraConfig.matchAll(/^(\S+) (.+)$/gm)) {
    const [setting, rest] = name.startsWith('client-')
      ? [`${name} pubsub`, value.replace('pubsub ', '')]
      : [name, value];
    t.match(page, `| \`${setting}\` | \`${rest}\``);
  }
});
