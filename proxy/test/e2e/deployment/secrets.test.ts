/** deploy/external-secrets: what it makes is what the chart and the Applications of Argo CD look for. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';
import { type Manifest, manifestsOf, renderChart } from '../../kit/kubernetes/chart.js';

const folder = join(root, 'deploy', 'external-secrets');
const manifests: Manifest[] = readdirSync(folder).flatMap((file) =>
  file.endsWith('.yaml') ? [parse(readFileSync(join(folder, file), 'utf8'))] : [],
);
const named = (name: string): Manifest =>
  manifests.find(({ kind, metadata }) => kind === 'ExternalSecret' && metadata.name === name);
const keysOf = (name: string): string[] => named(name).spec.data.map(({ secretKey }: Manifest) => secretKey);
const apps: Manifest = parse(readFileSync(join(root, 'deploy/argocd/apps/values.yaml'), 'utf8'));

t.test('the nodes find each of their secrets as a file', async (t) => {
  const { values, namespace } = apps.holdfast;
  t.equal(named('holdfast').metadata.namespace, namespace);
  t.equal(values.existingSecret, named('holdfast').spec.target.name);
  t.strictSame(Object.values(values.secretKeys).sort(), keysOf('holdfast').sort());
  const charts = await renderChart({ nodes: values }, { namespace });
  const nodes = manifestsOf(charts.nodes);
  const pod = nodes.find(({ kind }) => kind === 'Deployment').spec.template.spec;
  const mounted = pod.volumes.find(({ secret }: Manifest) => secret?.secretName === named('holdfast').spec.target.name);
  const files = mounted.secret.items.map(({ key, path }: Manifest) => {
    t.ok(keysOf('holdfast').includes(key), key);
    return `/etc/holdfast/secrets/${path}`;
  });
  const read = pod.containers[0].env.flatMap(({ name, value }: Manifest) => (name.endsWith('_FILE') ? [value] : []));
  t.strictSame(read.sort(), files.sort(), 'each is read by an option, and each that is read is there');
  t.equal(files.length, 4);
});

t.test('Valkey finds a password for each of its users', async (t) => {
  const { values, namespace } = apps.valkey;
  t.equal(named('valkey-users').metadata.namespace, namespace);
  t.equal(named('valkey-users').spec.target.name, values.auth.usersExistingSecret);
  t.strictSame(keysOf('valkey-users').sort(), Object.keys(values.auth.aclUsers).sort());
});

t.test('the store serves these namespaces and no others', async (t) => {
  const store = manifests.find(({ kind }) => kind === 'ClusterSecretStore');
  const secrets = manifests.filter(({ kind }) => kind === 'ExternalSecret');
  t.equal(secrets.length, 2);
  for (const { spec } of secrets) t.strictSame(spec.secretStoreRef, { kind: store.kind, name: store.metadata.name });
  const namespaces = secrets.map(({ metadata }) => metadata.namespace);
  t.strictSame(store.spec.conditions, [{ namespaces: namespaces.sort() }]);
});
