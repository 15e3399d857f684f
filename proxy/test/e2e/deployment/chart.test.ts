/** The Helm chart, rendered by scripts/chart/render.go: what it makes of values is what Holdfast and Kubernetes take. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { makeCertificate } from '../../kit/certificates.js';
import { root } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';

const chart = join(root, 'deploy', 'helm', 'holdfast');

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, of which each check reads what it is about
type Manifest = any;
type Values = Readonly<Record<string, unknown>>;

const valkey = { valkey: { enabled: true }, replicaCount: 2 };
const sets: Readonly<Record<string, Values>> = {
  defaults: {},
  ha: {
    replicaCount: 3,
    existingSecret: 'keys',
    redis: { existingSecret: 'redis' },
    secretKeys: { redisUrl: '', resumeKey: 'resume-key' },
  },
  ingress: {
    ...valkey,
    ingress: { enabled: true, hosts: [{ host: 'push.example' }] },
    tls: { existingSecret: 'tls' },
  },
  gateway: { httpRoute: { enabled: true, parentRefs: [{ name: 'gateway' }] } },
  keda: {
    ...valkey,
    keda: { enabled: true, serverAddress: 'http://prometheus:9090' },
    networkPolicy: { enabled: true },
    metrics: { serviceMonitor: { enabled: true }, prometheusRule: { enabled: true }, dashboard: { enabled: true } },
    controlService: { allowUnauthenticated: true },
  },
  rollout: { ...valkey, rollout: { enabled: true }, autoscaling: { enabled: true } },
  slow: { config: { shutdown_requests: '2m', client_maxconn: 1_048_576 } },
};
const refused: Readonly<Record<string, readonly [Values, RegExp]>> = {
  alone: [{ replicaCount: 2 }, /several nodes need Redis/],
  both: [{ ...valkey, redis: { url: 'redis://redis:6379' } }, /valkey\.enabled, redis\.url: only one/],
  password: [{ redis: { url: 'redis://:secret@redis:6379' } }, /redis\.url has credentials/],
  secret: [{ config: { sig_key: 'secret' } }, /config\.sig_key would be readable/],
  port: [{ config: { http_port: '80' } }, /config\.http_port is set by the chart/],
};

const work = mkdtempSync(join(tmpdir(), 'holdfast-chart-'));
t.teardown(() => rmSync(work, { recursive: true, force: true }));

function renderAll(): Record<string, { files: Record<string, string>; error: string }> {
  const renderer = join(work, 'render');
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };
  const build = spawnSync('go', ['build', '-o', renderer, 'render.go'], { cwd: join(root, 'scripts', 'chart'), env });
  if (build.status !== 0) throw new Error(`go build: ${build.error ?? build.stderr}`);
  const good = Object.entries(sets).map(([name, values]) => ({ name, values }));
  const bad = Object.entries(refused).map(([name, [values]]) => ({ name, values }));
  const release = { Name: 'holdfast', Namespace: 'push', Service: 'Helm' };
  const input = JSON.stringify({ chart, release, sets: [...good, ...bad] });
  const run = spawnSync(renderer, { input, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout);
}

const rendered = renderAll();

function manifests(name: string): Manifest[] {
  const { files, error } = rendered[name] ?? { files: {}, error: 'not rendered' };
  if (error) throw new Error(`${name}: ${error}`);
  return Object.entries(files)
    .filter(([file]) => file.endsWith('.yaml'))
    .flatMap(([, text]) =>
      parseAllDocuments(text).map((document) => {
        if (document.errors[0]) throw document.errors[0];
        return document.toJS();
      }),
    )
    .filter(Boolean);
}

const nodesOf = (name: string): Manifest => manifests(name).find(({ kind }) => /^(Deployment|Rollout)$/.test(kind));
const configOf = (name: string): Manifest => manifests(name).find(({ data }) => data?.['holdfast.yaml']);
const podsOf = (name: string): Manifest[] =>
  manifests(name).flatMap(({ kind, spec }) => (kind === 'Pod' ? [spec] : spec?.template ? [spec.template.spec] : []));

t.test('values that cannot work are refused, and the message says which', async (t) => {
  for (const [name, [, message]] of Object.entries(refused)) t.match(rendered[name]?.error, message, name);
});

t.test('Holdfast takes holdfast.yaml, and every variable is an option', async (t) => {
  const options = readFileSync(join(root, 'docs', 'config.md'), 'utf8');
  for (const name of Object.keys(sets)) {
    const directory = newDirectory(t);
    const file = join(directory, 'holdfast.yaml');
    const text: string = configOf(name).data['holdfast.yaml'];
    writeFileSync(join(directory, 'routes'), '* test\n');
    if (name === 'ingress') makeCertificate({ directory, base: 'default_8443' });
    writeFileSync(
      file,
      text.replace('/etc/holdfast/routes/routes', join(directory, 'routes')).replace('/etc/holdfast/tls', directory),
    );
    const check = runHoldfast(t, { directory, args: ['check-config', '--config', file, '--control-key', 'key'] });
    t.match(await check.exited, { code: 0 }, `${name}: ${check.stderr}`);
    for (const { name: variable } of nodesOf(name).spec.template.spec.containers[0].env ?? [])
      t.ok(options.includes(`| \`${variable.replace('HOLDFAST_', '').toLowerCase()}\` |`), variable);
  }
});

t.test('every pod passes the restricted Pod Security Standard', async (t) => {
  for (const name of Object.keys(sets))
    for (const { securityContext, containers, volumes = [] } of podsOf(name)) {
      t.match(securityContext, { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }, name);
      const own = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } };
      for (const container of containers) t.match(container.securityContext, own, name);
      for (const volume of volumes)
        t.ok(volume.configMap ?? volume.secret ?? volume.emptyDir, `${name}: ${volume.name}`);
      for (const { volumeMounts = [] } of containers) t.notMatch(JSON.stringify(volumeMounts), /subPath/);
    }
});

t.test('selectors are the same for all values, and autoscalers alone set the number of nodes', async (t) => {
  for (const name of Object.keys(sets)) {
    const { selector, template, replicas } = nodesOf(name).spec;
    t.strictSame(selector, nodesOf('defaults').spec.selector, name);
    t.match(template.metadata.labels, selector.matchLabels);
    t.equal(replicas === undefined, name === 'keda' || name === 'rollout', name);
    const scaler = manifests(name).find(({ spec }) => spec?.scaleTargetRef)?.spec.scaleTargetRef;
    if (scaler) t.match(nodesOf(name), { kind: scaler.kind, metadata: { name: scaler.name } });
  }
  t.equal(
    manifests('defaults').some(({ kind }) => kind === 'PodDisruptionBudget'),
    false,
    'one node can be moved',
  );
});

t.test('the control port has a Service only where it is reached, with keys or by a word', async (t) => {
  const open = (name: string) => manifests(name).some(({ metadata }) => metadata.name === 'holdfast-control');
  t.strictSame(Object.keys(sets).filter(open), ['ha', 'keda']);
});

t.test('the time to end covers the drain', async (t) => {
  const grace = (name: string) => nodesOf(name).spec.template.spec.terminationGracePeriodSeconds;
  t.strictSame([grace('defaults'), grace('slow')], [5 + 20 + 30 + 15, 5 + 20 + 120 + 15]);
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
