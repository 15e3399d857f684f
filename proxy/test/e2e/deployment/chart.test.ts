/** The Helm chart, rendered by scripts/chart/render.go: what it makes of values is what Holdfast and Kubernetes take. */
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type LoadedConfig, loadConfig } from '../../../dist/app/load-config.js';
import { options } from '../../../dist/config/table.js';
import { version } from '../../../dist/package-files.js';
import { makeCertificate } from '../../kit/certificates.js';
import { root } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { type Manifest, manifestsOf, podsOf, type Rendered, renderChart } from '../../kit/kubernetes/chart.js';
import { writePod } from '../../kit/kubernetes/pod-files.js';
import { restrictedViolations } from '../../kit/kubernetes/pod-security.js';
import { wrongManifests } from '../../kit/kubernetes/published-types.js';
import { looseReferences } from '../../kit/kubernetes/references.js';
import { until } from '../../kit/until.js';
import { readDockerfile } from '../operation/deployment.js';
import { refusedSets, setNames, type ValueSet, valueSets } from './chart-values.js';

const secretOptions = options.filter(({ type }) => type === 'secret').map(({ key }) => key);

const rendered: Readonly<Record<string, Rendered>> = await renderChart({
  ...valueSets,
  ...Object.fromEntries(Object.entries(refusedSets).map(([name, [values]]) => [`refused ${name}`, values])),
  'not a rollout': { replicaCount: 2, valkey: { enabled: true }, autoscaling: { enabled: true } },
  ...Object.fromEntries(secretOptions.map((key) => [`secret ${key}`, { config: { [key]: 'a' } }])),
  'other routes': { routes: ['* app:3000', 'a.example test'] },
  'other config': { config: { message_rate: 100 } },
});

const manifests = (name: string) => manifestsOf(rendered[name] as Rendered);
const nodesOf = (name: string): Manifest => manifests(name).find(({ kind }) => /^(Deployment|Rollout)$/.test(kind));

t.test('values that cannot work are refused, and the message says which', async (t) => {
  for (const [name, [, message]] of Object.entries(refusedSets))
    t.match(rendered[`refused ${name}`]?.error, message, name);
});

t.test('no secret can be written into a ConfigMap', async (t) => {
  t.ok(secretOptions.includes('sig_key'));
  for (const key of secretOptions) t.match(rendered[`secret ${key}`]?.error, `config.${key} would be readable`);
});

t.test('the notes say where clients and publishers get in', async (t) => {
  const notes = (name: ValueSet) => rendered[name]?.files['templates/NOTES.txt'] ?? '';
  t.match(notes('defaults'), /^Clients reach Holdfast at holdfast\.push:80\.\nNobody can publish yet/);
  t.match(notes('ha'), 'Publishers reach it at holdfast-control.push:5561.');
  for (const name of setNames) t.notMatch(notes(name), /<no value>|<nil>|%!/, name);
});

t.test('Kubernetes takes what is rendered', async (t) => {
  const sourced = setNames.flatMap((from) => manifests(from).map((manifest) => ({ from, manifest })));
  t.strictSame(await wrongManifests(sourced), []);
});

t.test('what manifests name of each other is there', async (t) => {
  for (const name of setNames) t.strictSame(looseReferences(manifests(name)), [], name);
});

t.test('every pod passes the restricted Pod Security Standard, and writes nowhere', async (t) => {
  for (const name of setNames)
    for (const pod of manifests(name).flatMap(podsOf)) {
      t.strictSame(restrictedViolations(pod), [], name);
      for (const { securityContext } of pod.containers) t.equal(securityContext.readOnlyRootFilesystem, true, name);
    }
});

t.test('Holdfast starts from what is in its pod, and has the time that its end takes', async (t) => {
  const directory = newDirectory(t);
  const { cert, key } = makeCertificate({ directory, base: 'default' });
  const secrets = {
    'tls.crt': cert,
    'tls.key': key,
    'sig-key': 'signs',
    'resume-key': 'resumes',
    'redis-url': 'redis://:password@redis:6379',
    'control-keys': "- { id: app, key: 'a secret of some length', allow: [publish] }\n",
    upstream: 'trusts',
  };
  for (const name of setNames) {
    const cwd = newDirectory(t);
    const { args, env } = writePod(nodesOf(name).spec.template.spec, manifests(name), secrets, cwd);
    const loaded = loadConfig({ argv: ['check-config', ...args], env, cwd, version });
    t.strictSame((loaded as LoadedConfig).warnings, [], name);
    // These have all kinds of files between them, whose content is read later.
    if (!['ha', 'ingress', 'full'].includes(name)) continue;
    const check = runHoldfast(t, { directory: cwd, args: ['check-config', ...args], env });
    t.match(await check.exited, { code: 0 }, `${name}: ${check.stderr}`);
  }
});

t.test('selectors are the same for all values, and autoscalers alone set the number of nodes', async (t) => {
  const scaled = setNames.filter((name) => nodesOf(name).spec.replicas === undefined);
  t.strictSame(scaled, ['keda', 'rollout', 'full']);
  for (const name of setNames) {
    const { spec } = nodesOf(name);
    t.strictSame(spec.selector, nodesOf('defaults').spec.selector, name);
    t.notMatch(Object.keys(spec.selector.matchLabels).join(), /version|chart/, 'an upgrade keeps them');
  }
  t.equal(
    manifests('defaults').some(({ kind }) => kind === 'PodDisruptionBudget'),
    false,
    'one node can be moved',
  );
});

t.test('a change of holdfast.yaml replaces the pods, a change of routes does not, and both reach them', async (t) => {
  const [ours, routes, config] = ['defaults', 'other routes', 'other config'].map(
    (name) => nodesOf(name).spec.template,
  );
  t.strictSame(routes, ours);
  t.not(config.metadata.annotations['checksum/config'], ours.metadata.annotations['checksum/config']);
  t.match(manifests('other routes').find(({ data }) => data?.routes)?.data.routes, /^\* app:3000\na\.example test$/m);
  for (const name of setNames)
    for (const { containers } of manifests(name).flatMap(podsOf))
      for (const { volumeMounts = [] } of containers)
        for (const mount of volumeMounts)
          t.notOk('subPath' in mount || 'subPathExpr' in mount, `${name}: never updated`);
});

t.test('a Rollout has the pods of the Deployment, and stops at the analysis where there is one', async (t) => {
  const { kind, spec } = nodesOf('rollout');
  t.equal(kind, 'Rollout');
  t.strictSame(spec.template, nodesOf('not a rollout').spec.template);
  const names = (name: string) =>
    nodesOf(name).spec.strategy.canary.steps.map((step: object) => Object.entries(step)[0]?.join(' '));
  const analysis = 'analysis [object Object]';
  const pause = 'pause [object Object]';
  t.strictSame(names('rollout'), ['setWeight 20', pause, analysis, 'setWeight 50', analysis, 'setWeight 100']);
  t.strictSame(names('abrupt'), ['setWeight 20', pause, 'setWeight 50', pause, 'setWeight 100']);
  t.match(spec.strategy.canary.steps[2].analysis, {
    templates: [{ templateName: 'holdfast-canary' }],
    args: [
      { name: 'hash', valueFrom: { podTemplateHashValue: 'Latest' } },
      { name: 'namespace', value: 'push' },
    ],
  });
});

t.test('a strategy without rolling has no settings of it', async (t) => {
  t.strictSame(nodesOf('slow').spec.strategy, { type: 'Recreate' });
});

t.test('with a network policy the nodes alone reach the Valkey of the chart', async (t) => {
  const policy = manifests('keda').find(
    ({ kind, metadata }) => kind === 'NetworkPolicy' && metadata.name === 'holdfast-valkey',
  );
  const store = manifests('keda').find(({ kind }) => kind === 'StatefulSet');
  t.strictSame(policy.spec.podSelector.matchLabels, store.spec.template.metadata.labels);
  const from = [{ podSelector: { matchLabels: nodesOf('keda').spec.selector.matchLabels } }];
  t.strictSame(policy.spec.ingress, [{ ports: [{ port: 'valkey' }], from }]);
});

t.test('edge: uws runs where there is a library for it', async (t) => {
  t.strictSame(nodesOf('full').spec.template.spec.nodeSelector, { 'kubernetes.io/arch': 'amd64', pool: 'push' });
  t.equal(nodesOf('defaults').spec.template.spec.nodeSelector, undefined);
});

t.test('the control port has a Service only where it is reached, with keys or by a word', async (t) => {
  const open = (name: string) => manifests(name).some(({ metadata }) => metadata.name === 'holdfast-control');
  t.strictSame(setNames.filter(open), ['ha', 'keda', 'abrupt']);
});

t.test('the time to end covers the drain', async (t) => {
  const grace = (name: string) => nodesOf(name).spec.template.spec.terminationGracePeriodSeconds;
  t.strictSame(['defaults', 'slow', 'abrupt', 'full'].map(grace), [5 + 20 + 30 + 15, 5 + 20 + 120 + 15, 12, 120]);
  const [{ env, lifecycle }] = nodesOf('abrupt').spec.template.spec.containers;
  t.match(lifecycle, { preStop: { exec: { command: ['sleep', '5'] } } });
  t.match(env[0], { name: 'HOLDFAST_STOP_TIMEOUT', value: '7' }, 'less the pause before SIGTERM');
});

t.test('the rules, the board, the version and the Valkey are those of the repository', async (t) => {
  const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
  t.equal(text('deploy/helm/holdfast/files/prometheus-rules.yaml'), text('deploy/prometheus-rules.yaml'));
  t.equal(text('deploy/helm/holdfast/files/holdfast.json'), text('deploy/grafana/holdfast.json'));
  const board = manifests('keda').find(({ metadata }) => metadata.labels?.grafana_dashboard === '1');
  t.strictSame(
    JSON.parse((board as { data?: Record<string, string> } | undefined)?.data?.['holdfast.json'] ?? 'null'),
    JSON.parse(text('deploy/grafana/holdfast.json')),
  );
  t.match(text('deploy/helm/holdfast/Chart.yaml'), `appVersion: "${JSON.parse(text('proxy/package.json')).version}"`);
  const image = /image: (valkey\S+)/;
  t.equal(image.exec(text('deploy/helm/holdfast/values.yaml'))?.[1], image.exec(text('deploy/compose.yaml'))?.[1]);
});

t.test('ports, user, paths and metrics that manifests name are those of the image and of a node', async (t) => {
  const image = readDockerfile().get('holdfast');
  const node = await startHoldfast(t);
  const series = await node.metrics();
  for (const name of setNames) {
    const { securityContext, containers } = nodesOf(name).spec.template.spec;
    const [{ ports, livenessProbe, readinessProbe, startupProbe }] = containers;
    // TLS comes with a certificate; the image has no port for it.
    const own = ports
      .filter((port: Manifest) => port.name !== 'https')
      .map((port: Manifest) => String(port.containerPort));
    t.strictSame(own, image?.exposed, name);
    t.equal(`${securityContext.runAsUser}:${securityContext.runAsGroup}`, image?.user, name);
    const monitor = manifests(name).find(({ kind }) => kind === 'ServiceMonitor');
    const probes = [livenessProbe, readinessProbe, startupProbe].map(({ httpGet }) => httpGet.path);
    for (const path of new Set([...probes, ...(monitor?.spec.endpoints ?? []).map((each: Manifest) => each.path)]))
      t.equal((await fetch(`${node.url('admin')}${path}`)).status, 200, path);
    const scalers = manifests(name).filter(({ spec }) => spec?.scaleTargetRef);
    for (const [metric] of JSON.stringify(scalers).matchAll(/holdfast_\w+/g))
      t.match(series, new RegExp(`^${metric}[ {]`, 'm'), metric);
  }
});

t.test('a node sees new routes as a ConfigMap brings them, by a swapped link', async (t) => {
  const directory = newDirectory(t);
  const volume = (name: string, routes: string) => {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'routes'), routes);
    symlinkSync(name, join(directory, '..data_tmp'));
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'));
  };
  volume('..1', 'one.example test\n');
  symlinkSync('..data/routes', join(directory, 'routes'));
  const node = await startHoldfast(t, { settings: { routesfile: join(directory, 'routes') } });
  const status = async () => (await ask(t, node.clients, { headers: { host: 'two.example' } })).status;
  t.not(await status(), 200);
  volume('..2', 'two.example test\n');
  await until('the new route', async () => (await status()) === 200);
});
