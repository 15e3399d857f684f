/** deploy/terraform/aws: every name in it exists, and it sets up what Holdfast and the other folders of deploy/ expect. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import hcl from 'hcl2-parser';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { root } from '../../kit/child.js';
import { newDirectory, runHoldfast } from '../../kit/holdfast.js';
import { type Manifest, manifestsOf, renderChart } from '../../kit/kubernetes/chart.js';
import { writePod } from '../../kit/kubernetes/pod-files.js';
import { type Known, knownFunctions, knownModules, knownResources, metaArguments } from './terraform-names.js';

type Block = Readonly<Record<string, unknown>>;
/** Blocks by their labels; a block that is written once is a list of one. */
type Labelled = Readonly<Record<string, readonly Block[]>>;
interface File {
  readonly variable?: Labelled;
  readonly locals?: readonly Block[];
  readonly resource?: Readonly<Record<string, Labelled>>;
  readonly data?: Readonly<Record<string, Labelled>>;
  readonly module?: Labelled;
  readonly output?: Labelled;
  readonly run?: Labelled;
  readonly variables?: readonly Block[];
}

const folder = join(root, 'deploy', 'terraform', 'aws');
const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const names = (extension: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith(extension));
const parsed = new Map(
  [...names('.tf'), ...names('.tftest.hcl')].map((file) => {
    const [content] = hcl.parseToObject(read(file)) as [File | null];
    if (content === null) throw new Error(`${file} is no HCL`);
    return [file, content] as const;
  }),
);
const code = names('.tf').map((file) => parsed.get(file) as File);
const tests = names('.tftest.hcl').map((file) => parsed.get(file) as File);
const variables: Labelled = Object.assign({}, ...code.map(({ variable = {} }) => variable));
const modules: Labelled = Object.assign({}, ...code.map(({ module = {} }) => module));
const locals: Block = Object.assign({}, ...code.flatMap(({ locals = [] }) => locals));

/** All resources, or all sources of data, as `[type, name, block]`. */
const all = (kind: 'resource' | 'data') =>
  code.flatMap((file) =>
    Object.entries(file[kind] ?? {}).flatMap(([type, labelled]) =>
      Object.entries(labelled).flatMap(([name, blocks]) => blocks.map((block) => [type, name, block] as const)),
    ),
  );
const one = (type: string, name: string): Block =>
  all('resource').find(([each, label]) => each === type && label === name)?.[2] ?? {};

/** All that the code refers to by a prefix, such as `var.`. */
const referred = (prefix: RegExp) => [...JSON.stringify(code).matchAll(prefix)].map(([, name = '']) => name);
const words = (what: string) => what.split(/\s+/).filter(Boolean);

function checkArguments(t: Test, what: string, block: Block, known: Known, meta: readonly string[]): void {
  const dynamic = Object.keys((block.dynamic as object | undefined) ?? {});
  const given = [...Object.keys(block), ...dynamic];
  const taken = new Set([...words(known.required), ...words(known.optional), ...meta]);
  for (const name of given) t.ok(taken.has(name), `${what}: ${name}`);
  for (const name of words(known.required)) t.ok(given.includes(name), `${what} has ${name}`);
}

t.test('every argument of a resource and a module exists, and what is required is there', async (t) => {
  for (const [type, name, block] of [...all('resource'), ...all('data')]) {
    const known = knownResources[type];
    if (known) checkArguments(t, `${type}.${name}`, block, known, metaArguments);
    else t.fail(`${type} is not in terraform-names.ts`);
  }
  for (const [name, [block = {}]] of Object.entries(modules)) {
    const known = knownModules[`${block.source} ${block.version}`];
    if (known) checkArguments(t, `module.${name}`, block, known, [...metaArguments, 'source', 'version']);
    else t.fail(`module ${name} is not in terraform-names.ts`);
  }
});

t.test('what is referred to is declared, and what is declared is used', async (t) => {
  t.strictSame([...new Set(referred(/\bvar\.(\w+)/g))].sort(), Object.keys(variables).sort());
  for (const name of Object.keys(variables)) {
    const { [name]: own, ...others } = variables;
    const rest = JSON.stringify([others, ...code.map(({ variable: _, ...file }) => file)]);
    t.match(rest, new RegExp(`\\bvar\\.${name}\\b`), `${name} is used, not only checked`);
  }
  t.strictSame([...new Set(referred(/\blocal\.(\w+)/g))].sort(), Object.keys(locals).sort());
  for (const [, name = '', output = ''] of JSON.stringify(code).matchAll(/\bmodule\.(\w+)(?:\.(\w+))?/g)) {
    const [block = {}] = modules[name] ?? [];
    const { read = '' } = knownModules[`${block.source} ${block.version}`] ?? {};
    t.ok(name in modules && (output === '' || words(read).includes(output)), `module.${name}.${output}`);
  }
  const address = /(data\.)?\b((?:aws|helm|random)_\w+)\.(\w+)(?:\[[^\]]*\])?(?:\.(\w+))?/g;
  for (const [whole, data, type = '', name, attribute] of JSON.stringify([code, tests]).matchAll(address)) {
    const found = all(data ? 'data' : 'resource').some(([each, label]) => each === type && label === name);
    const { required = '', optional = '', read = '' } = knownResources[type] ?? {};
    t.ok(found, whole);
    if (attribute) t.ok(words(`${required} ${optional} ${read}`).includes(attribute), whole);
  }
  for (const [, name = ''] of JSON.stringify([code, tests]).matchAll(/(?<![\w.-])([a-z][a-z0-9_]*)\(/g))
    t.ok(knownFunctions.has(name), `${name}()`);
  for (const [, file = ''] of JSON.stringify(code).matchAll(/\$\{path\.module\}\/([\w./-]+)/g))
    t.ok(readFileSync(join(folder, file)).length > 0, file);
});

t.test('each variable is explained; one with a condition has a test that breaks it', async (t) => {
  const runs = tests.flatMap(({ run = {} }) => Object.values(run).flat());
  const broken = runs.flatMap(({ expect_failures: failures = [] }) => failures as string[]);
  const page = read('README.md');
  for (const [name, [block = {}]] of Object.entries(variables)) {
    t.match(block.description, /\.$|argo-helm$|eks-charts$/, name);
    t.match(page, `| \`${name}\` |`);
    if (block.validation) t.ok(broken.includes(`\${var.${name}}`), `${name} is broken by a test`);
    const isSet = tests.every(({ variables = [] }) => variables.some((given) => name in given));
    t.ok('default' in block || isSet, `${name} is set in the tests`);
  }
  const outputs = code.flatMap(({ output = {} }) => Object.values(output).flat());
  for (const { description } of outputs) t.type(description, 'string');
  t.ok(runs.some(({ assert }) => assert));
});

t.test('the cache is what docs/operations.md wants Redis to be', async (t) => {
  const page = text('docs', 'operations.md');
  const row = (setting: string) => new RegExp(`^\\| \`${setting}\`[^|]*\\| \`([^|]*)\``, 'm').exec(page)?.[1];
  const parameters = locals.parameters as Readonly<Record<string, string>>;
  t.equal(parameters['maxmemory-policy'], row('maxmemory-policy'));
  t.equal(parameters.timeout, row('timeout'));
  const limits = ['hard-limit', 'soft-limit', 'soft-seconds'].map((name) =>
    Number(parameters[`client-output-buffer-limit-pubsub-${name}`]),
  );
  const bytes = (row('client-output-buffer-limit pubsub') ?? '')
    .split(' ')
    .map((size) => Number.parseInt(size, 10) * (size.endsWith('mb') ? 2 ** 20 : 1));
  t.strictSame(limits, bytes);
  t.strictSame(
    words('min-replicas-to-write min-replicas-max-lag').filter((name) => !(name in parameters)),
    [],
  );
  const group = one('aws_elasticache_replication_group', 'valkey');
  t.match(group, { engine: 'valkey', automatic_failover_enabled: true, transit_encryption_enabled: true });
  const { family } = one('aws_elasticache_parameter_group', 'valkey');
  t.equal(family, `valkey${Number.parseInt(group.engine_version as string, 10)}`);
});

t.test('the secrets are those that deploy/external-secrets fetches, in the forms that options have', async (t) => {
  const { spec }: Manifest = parse(text('deploy/external-secrets/holdfast.yaml'));
  const fetched = spec.data.map(({ remoteRef }: Manifest) => remoteRef.key).sort();
  const prefix = variables.name?.[0]?.default;
  const made = [...String(locals.secret_names).matchAll(/\\?"([\w-]+)\\?"/g)].map(([, name]) => `${prefix}/${name}`);
  t.strictSame(made.sort(), fetched);
  const secrets = locals.secrets as Readonly<Record<string, string>>;
  t.strictSame(
    Object.keys(secrets)
      .map((name) => `${prefix}/${name}`)
      .sort(),
    fetched,
  );
  const user = one('aws_elasticache_user', 'holdfast').user_name;
  const { port } = one('aws_elasticache_replication_group', 'valkey');
  t.match(secrets['redis-url'], new RegExp(`^rediss://${user}:\\$\\{random_password\\..*\\}@\\$\\{.*\\}:${port}$`));
  for (const name of ['sig-key', 'resume-key']) t.match(secrets[name], /^base64:\$\{random_bytes/);
  const security = text('docs', 'security.md');
  const members = [...(secrets['control-keys'] ?? '').matchAll(/(?<=^|\s|\{)(\w+)\s+= /gm)].map(([, name]) => name);
  t.strictSame(members, ['id', 'iss', 'key', 'allow']);
  for (const name of members) t.match(security, new RegExp(`^\\| [^|]*\`${name}\``, 'm'), `${name}`);
});

t.test('the values for the chart: Holdfast takes them, and the load balancer waits for the drain', async (t) => {
  const values: Manifest = parse(read('values.yaml'));
  const charts = await renderChart({ aws: values });
  const manifests = manifestsOf(charts.aws);
  const find = (kind: string, test: (manifest: Manifest) => boolean = () => true): Manifest =>
    manifests.find((manifest) => manifest.kind === kind && test(manifest));
  const { spec: pod } = find('Deployment').spec.template;
  const publisher = "- { id: publisher, iss: publisher, key: 'base64:c2VjcmV0', allow: [publish] }\n";
  const secrets = {
    'sig-key': 'base64:c2VjcmV0',
    'resume-key': 'base64:c2VjcmV0',
    'redis-url': 'rediss://holdfast:password@cache.test:6379',
    'control-keys': publisher,
  };
  const directory = newDirectory(t);
  const { args, env } = writePod(pod, manifests, secrets, directory);
  const check = runHoldfast(t, { directory, args: ['check-config', ...args], env });
  t.match(await check.exited, { code: 0 }, check.stderr);

  const { annotations } = find('Service', ({ spec }) => spec.type === 'LoadBalancer').metadata;
  const annotation = (name: string): string => annotations[`service.beta.kubernetes.io/aws-load-balancer-${name}`];
  const [, delay] = /deregistration_delay\.timeout_seconds=(\d+)/.exec(annotation('target-group-attributes')) ?? [];
  const config: Manifest = parse(find('ConfigMap', ({ data }) => data['holdfast.yaml']).data['holdfast.yaml']);
  const seconds = (option: string) => Number.parseInt(config[option], 10);
  t.ok(Number(delay) > seconds('shutdown_delay') + seconds('shutdown_window'));
  const unnoticed = Number(annotation('healthcheck-interval')) * Number(annotation('healthcheck-unhealthy-threshold'));
  t.ok(seconds('shutdown_delay') > unnoticed);
  const [node] = pod.containers;
  const admin = node.ports.find(({ name }: Manifest) => name === 'admin');
  t.equal(annotation('healthcheck-port'), String(admin.containerPort));
  t.equal(annotation('healthcheck-path'), node.readinessProbe.httpGet.path);
  const allowed = find('NetworkPolicy').spec.ingress.find(({ ports }: Manifest) => ports[0].port === 'admin').from;
  t.ok(allowed.some(({ ipBlock }: Manifest) => ipBlock?.cidr === variables.cidr?.[0]?.default));
});
