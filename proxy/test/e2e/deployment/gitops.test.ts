/** The manifests of deploy/ that no chart of Holdfast renders: Kubernetes and the operators would take them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';
import { type Manifest, manifestsOf, readManifests, renderChart } from '../../kit/kubernetes/chart.js';
import { type Sourced, wrongManifests } from '../../kit/kubernetes/published-types.js';
import { startRedis } from '../../kit/redis.js';

const deploy = join(root, 'deploy');

function inFolder(name: string): Sourced[] {
  return readdirSync(join(deploy, name)).flatMap((file) => {
    if (!file.endsWith('.yaml') || file === 'kustomization.yaml') return [];
    const from = `${name}/${file}`;
    return readManifests(readFileSync(join(deploy, from), 'utf8')).map((manifest) => ({ from, manifest }));
  });
}

t.test('Applications, the analysis, the secrets and the board have the form that their kinds have', async (t) => {
  const [first] = inFolder('argocd').map(({ manifest }) => manifest as Manifest);
  const { valuesObject } = first.spec.source.helm;
  const scaled = { ...valuesObject, holdfast: { values: { autoscaling: { enabled: true } } } };
  const folder = join(deploy, 'argocd', 'apps');
  const sets = await renderChart({ root: valuesObject, scaled }, { folder, namespace: 'argocd' });
  const board = execFileSync('kubectl', ['kustomize', join(deploy, 'grafana')], { encoding: 'utf8' });
  const manifests: Sourced[] = [
    ...['argocd', 'argo-rollouts', 'external-secrets'].flatMap(inFolder),
    ...Object.entries(sets).flatMap(([from, set]) => manifestsOf(set).map((manifest) => ({ from, manifest }))),
    ...readManifests(board).map((manifest) => ({ from: 'grafana', manifest })),
  ];
  const kinds = new Set(manifests.map(({ manifest }) => (manifest as Manifest).kind));
  t.strictSame([...kinds].sort(), [
    'AnalysisTemplate',
    'Application',
    'ClusterSecretStore',
    'ConfigMap',
    'ExternalSecret',
  ]);
  t.strictSame(await wrongManifests(manifests), []);
});

t.test('Grafana finds the board by its label', async (t) => {
  const [board] = readManifests(execFileSync('kubectl', ['kustomize', join(deploy, 'grafana')], { encoding: 'utf8' }));
  t.match(board.metadata, { name: 'holdfast-board', labels: { grafana_dashboard: '1' } });
  t.equal(board.data['holdfast.json'], readFileSync(join(deploy, 'grafana', 'holdfast.json'), 'utf8'));
});

t.test('a server gives the users of Argo CD and of AWS the rights that docs/operations.md gives one', async (t) => {
  const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
  const [, documented = ''] = /ACL SETUSER holdfast (on >[^`]+)\n```/.exec(text('docs', 'operations.md')) ?? [];
  const { valkey } = parse(text('deploy', 'argocd', 'apps', 'values.yaml'));
  const [, onAws = ''] = /access_string = "(on [^"]+)"/.exec(text('deploy', 'terraform', 'aws', 'cache.tf')) ?? [];
  const redis = await startRedis(t);
  const rightsOf = async (rules: string) => {
    const words = rules.split(/\s+/).filter((word) => !word.startsWith('>'));
    await redis.call('ACL', 'SETUSER', 'holdfast', 'reset', ...words);
    return redis.call('ACL', 'GETUSER', 'holdfast');
  };
  const rights = await rightsOf(documented);
  t.match(JSON.stringify(rights), /~holdfast:\*.*&holdfast:\*/);
  t.strictSame(await rightsOf(`on ${valkey.values.auth.aclUsers.holdfast.permissions}`), rights);
  t.strictSame(await rightsOf(onAws), rights);
});
