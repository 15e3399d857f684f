/** deploy/kustomize: the base is the chart with its defaults, and each overlay what the chart makes of the same values. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { type LoadedConfig, loadConfig } from '../../../dist/app/load-config.js';
import { version } from '../../../dist/package-files.js';
import { root } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import {
  type Manifest,
  manifestsOf,
  podsOf,
  type Rendered,
  readManifests,
  renderChart,
  type Values,
} from '../../kit/kubernetes/chart.js';
import { writePod } from '../../kit/kubernetes/pod-files.js';
import { restrictedViolations } from '../../kit/kubernetes/pod-security.js';
import { wrongManifests } from '../../kit/kubernetes/published-types.js';
import { looseReferences } from '../../kit/kubernetes/references.js';

const zone = { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'ScheduleAnyway' };
/** The values of the chart that mean the same. */
const folders: Readonly<Record<string, Values>> = {
  base: {},
  'overlays/dev': {
    config: { shutdown_delay: '1s', shutdown_window: '2s', shutdown_requests: '5s' },
    routes: ['* app:3000'],
    controlService: { allowUnauthenticated: true },
    resources: { requests: { cpu: '50m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    topologySpreadConstraints: [],
    minReadySeconds: 0,
  },
  'overlays/prod': {
    image: { repository: 'registry.example/holdfast' },
    config: { shutdown_delay: '10s', shutdown_window: '60s' },
    routes: ['* app.default:3000'],
    existingSecret: 'holdfast',
    secretKeys: { resumeKey: 'resume-key', redisUrl: 'redis-url' },
    resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' } },
    topologySpreadConstraints: [
      zone,
      { ...zone, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'DoNotSchedule' },
    ],
    autoscaling: { enabled: true, minReplicas: 3 },
    networkPolicy: { enabled: true },
  },
};

function build(folder: string): Manifest[] {
  const run = spawnSync('kubectl', ['kustomize', join(root, 'deploy', 'kustomize', folder)], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${folder}: ${run.error ?? run.stderr}`);
  return readManifests(run.stdout);
}

const built = Object.fromEntries(Object.keys(folders).map((folder) => [folder, build(folder)]));
const rendered = await renderChart(folders);
/** Of a set, without the hooks of Helm. */
const charts = (folder: string) =>
  manifestsOf(rendered[folder] as Rendered).filter(({ metadata }) => !metadata.annotations?.['helm.sh/hook']);

/** What is of Helm or of kustomize alone: the namespace, their labels, and how pods follow holdfast.yaml. */
const ours = /^(app\.kubernetes\.io\/(version|managed-by)|helm\.sh\/chart)$/;
const named = new Set(['env', 'volumeMounts', 'volumes', 'items']);

/** A manifest for comparison: lists whose order means nothing are sorted. */
function comparable(manifest: Manifest): Manifest {
  const text = JSON.stringify(manifest, (key, value) => {
    if (key === 'namespace' || key === 'checksum/config') return undefined;
    if (key === 'labels') return Object.fromEntries(Object.entries(value).filter(([label]) => !ours.test(label)));
    if (key === 'annotations' && Object.keys(value).every((name) => name === 'checksum/config')) return undefined;
    if (key === 'holdfast.yaml') return parse(value);
    if (named.has(key)) return [...value].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
    return value;
  });
  return JSON.parse(text, (_key, value) => (/^holdfast-[a-z0-9]{10}$/.test(value) ? 'holdfast' : value));
}

const byName = (manifests: readonly Manifest[]) =>
  Object.fromEntries(manifests.map(comparable).map((each) => [`${each.kind} ${each.metadata.name}`, each]));

t.test('the base is written from the chart of today', async (t) => {
  const { baseFiles } = await import(join(root, 'scripts', 'chart', 'kustomize.mjs'));
  for (const [file, text] of baseFiles() as Map<string, string>)
    t.equal(readFileSync(file, 'utf8'), text, `${file}: npm run kustomize`);
});

t.test('each folder builds to what the chart makes of the same values', async (t) => {
  for (const [folder, manifests] of Object.entries(built))
    t.strictSame(byName(manifests), byName(charts(folder)), folder);
});

t.test('a change of holdfast.yaml replaces the pods, and one of the routes does not', async (t) => {
  const configs = Object.values(built).map((manifests) => {
    const { volumes } = manifests.find(({ kind }) => kind === 'Deployment').spec.template.spec;
    const of = (name: string) => volumes.find((volume: Manifest) => volume.name === name).configMap.name;
    t.equal(of('routes'), 'holdfast-routes');
    return of('config');
  });
  t.equal(new Set(configs).size, configs.length, 'another content, another name');
});

t.test('Kubernetes takes them', async (t) => {
  const sourced = Object.entries(built).flatMap(([from, all]) => all.map((manifest) => ({ from, manifest })));
  t.strictSame(await wrongManifests(sourced), []);
  for (const [folder, manifests] of Object.entries(built)) {
    t.strictSame(looseReferences(manifests), [], folder);
    t.strictSame(manifests.flatMap(podsOf).flatMap(restrictedViolations), [], folder);
  }
});

t.test('Holdfast starts from what is in its pod, and has the time that its end takes', async (t) => {
  const keys = "- { id: app, key: 'a secret of some length', allow: [publish] }\n";
  const secrets = { 'sig-key': 'a', 'resume-key': 'b', 'redis-url': 'rediss://redis:6379', 'control-keys': keys };
  for (const [folder, manifests] of Object.entries(built)) {
    const cwd = newDirectory(t);
    const [pod] = manifests.flatMap(podsOf);
    const { args, env } = writePod(pod, manifests, secrets, cwd);
    t.equal(env.HOLDFAST_STOP_TIMEOUT, String(pod.terminationGracePeriodSeconds));
    const loaded = loadConfig({ argv: ['check-config', ...args], env, cwd, version });
    t.strictSame((loaded as LoadedConfig).warnings, [], folder);
  }
});
