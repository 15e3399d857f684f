/** The checker of Kubernetes manifests finds what an API server refuses: one fault each, in manifests that are good otherwise. */
import t from 'tap';
import { wrongManifests } from '../../kit/kubernetes/published-types.js';

const metadata = { name: 'holdfast' };
const selector = { matchLabels: { app: 'holdfast' } };
const template = (container: object = {}) => ({
  metadata: { labels: selector.matchLabels },
  spec: { containers: [{ name: 'node', image: 'holdfast', ...container }] },
});
const deployment = (spec: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata,
  spec: { selector, template: template(), ...spec },
});
const argo = (kind: string, spec: object) => ({ apiVersion: 'argoproj.io/v1alpha1', kind, metadata, spec });
const secretOf = (target: object) => ({
  apiVersion: 'external-secrets.io/v1',
  kind: 'ExternalSecret',
  metadata,
  spec: { secretStoreRef: { name: 'store', kind: 'ClusterSecretStore' }, target },
});
const application = {
  project: 'default',
  source: { repoURL: 'https://git.example/holdfast', path: 'deploy/kustomize/base' },
  destination: { server: 'https://kubernetes.default.svc' },
};

const good: readonly object[] = [
  deployment({ replicas: 2, template: template({ resources: { limits: { memory: '1Gi', cpu: 2 } } }) }),
  argo('Rollout', { selector, template: template(), strategy: { canary: { steps: [{ pause: { duration: '5m' } }] } } }),
  argo('Application', application),
  secretOf({ name: 'holdfast' }),
  { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'holdfast.yaml': 'edge: node\n' } },
];

const wrong: readonly (readonly [object, RegExp])[] = [
  [deployment({ replicas: '2' }), /Deployment: \/spec\/replicas must be integer/],
  [deployment({ selector: undefined }), /Deployment: \/spec must have required property selector/],
  [
    deployment({ template: template({ imag: 'a' }) }),
    /\/spec\/template\/spec\/containers\/0\/imag: .*known properties/,
  ],
  [deployment({ template: template({ env: [{ name: 'A', value: 1 }] }) }), /\/containers\/0\/env\/0\/value/],
  [
    { ...deployment({}), metadata: { ...metadata, labels: { app: 'a b' } } },
    /\/metadata\/labels\/app: not a label: a b/,
  ],
  [{ ...deployment({}), metadata: { name: 'Holdfast' } }, /\/metadata\/name: not a name: Holdfast/],
  [{ ...deployment({}), spc: {} }, /Deployment: \/spc: .*known properties/],
  [{ ...deployment({}), apiVersion: 'apps/v9' }, /Deployment: no published type/],
  [{ ...deployment({}), kind: 'Deploymnt' }, /Deploymnt: no published type/],
  [{ metadata }, /without apiVersion and kind/],
  [argo('Rollout', { selector, template: template({ imag: 'a' }) }), /Rollout: .*\/containers\/0\/imag/],
  [argo('Rollout', { strategy: { canary: { steps: [{ setWeight: '20' }] } } }), /Rollout: .*\/steps\/0\/setWeight/],
  [argo('AnalysisTemplate', { metrics: [{ name: 'gaps' }] }), /AnalysisTemplate: .*required property 'provider'/],
  [argo('Application', { ...application, destinaton: {} }), /Application: \/spec\/destinaton/],
  [secretOf({ nam: 'holdfast' }), /ExternalSecret: \/spec\/target\/nam/],
];

t.test('each fault is found, with where it is, and nothing is found in what is good', async (t) => {
  const manifests = [...good, ...wrong.map(([manifest]) => manifest)];
  const complaints = await wrongManifests(manifests.map((manifest, index) => ({ from: `#${index}#`, manifest })));
  const of = (index: number) => complaints.filter((line) => line.startsWith(`#${index}#`)).join('\n');
  for (const index of good.keys()) t.equal(of(index), '');
  for (const [index, [, message]] of wrong.entries()) t.match(of(good.length + index), message);
});
