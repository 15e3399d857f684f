/** The manifests of deploy/ that no chart of Holdfast renders: Kubernetes and the operators would take them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../../kit/child.js';
import { type Manifest, manifestsOf, readManifests, renderChart } from '../../kit/kubernetes/chart.js';
import { type Sourced, wrongManifests } from '../../kit/kubernetes/published-types.js';

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
