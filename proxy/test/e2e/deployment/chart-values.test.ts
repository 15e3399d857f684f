/** The chart's values.schema.json: it takes what the chart renders, and refuses slips of the pen with their place. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import t from 'tap';
import { parse } from 'yaml';
import { chart, type Values } from '../../kit/kubernetes/chart.js';
import { refusedSets, valueSets } from './chart-values.js';

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
}

const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8')) as Schema;
const defaults = parse(readFileSync(join(chart, 'values.yaml'), 'utf8')) as Values;
const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);

/** @returns one line for each fault: its path, a name that is too much, and what is expected */
function faults(values: unknown): string[] {
  validate(values);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [instancePath, params.additionalProperty, message].filter(Boolean).join(' '),
  );
}

/** Slips, and what is said of each. */
const wrong: readonly (readonly [Values, string])[] = [
  [{ replicas: 2 }, 'replicas must NOT have additional properties'],
  [{ replicaCount: '2' }, '/replicaCount must be integer'],
  [{ replicaCount: 0 }, '/replicaCount must be >= 1'],
  [{ image: { tags: '1' } }, '/image tags must NOT have additional properties'],
  [{ image: { tag: 1.2 } }, '/image/tag must be string'],
  [{ image: { pullPolicy: 'always' } }, '/image/pullPolicy must be equal to one of the allowed values'],
  [{ imagePullSecrets: ['registry'] }, '/imagePullSecrets/0 must be object'],
  [{ fullnameOverride: 'Push' }, '/fullnameOverride must match pattern'],
  [{ config: 'edge: uws' }, '/config must be object'],
  [{ config: { 'shutdown-delay': '5s' } }, '/config must match pattern'],
  [{ routes: '* test' }, '/routes must be array'],
  [{ routes: [] }, '/routes must NOT have fewer than 1 items'],
  [{ routes: ['* test\na.example test'] }, '/routes/0 must match pattern'],
  [{ routes: [' * test'] }, '/routes/0 must match pattern'],
  [{ secretKeys: { sig_key: 'a' } }, '/secretKeys sig_key must NOT have additional properties'],
  [{ redis: { url: 'redis:6379' } }, '/redis/url must match pattern'],
  [{ valkey: { enabled: 'true' } }, '/valkey/enabled must be boolean'],
  [{ valkey: { storage: '1 GB' } }, '/valkey/storage must match pattern'],
  [{ extraEnv: { A: 'b' } }, '/extraEnv must be array'],
  [{ extraEnv: [{ name: 'A', value: 1 }] }, '/extraEnv/0/value must be string'],
  [{ service: { type: 'ExternalName' } }, '/service/type must be equal to one of the allowed values'],
  [{ service: { port: 70_000 } }, '/service/port must be <= 65535'],
  [{ service: { annotations: { a: true } } }, '/service/annotations/a must be string'],
  [{ controlService: { port: 0 } }, '/controlService/port must be >= 1'],
  [{ tls: { secret: 'tls' } }, '/tls secret must NOT have additional properties'],
  [{ ingress: { hosts: ['push.example'] } }, '/ingress/hosts/0 must be object'],
  [{ ingress: { hosts: [{ host: 'a', path: 'b' }] } }, '/ingress/hosts/0/path must match pattern'],
  [{ httpRoute: { parentRefs: [{}] } }, "/httpRoute/parentRefs/0 must have required property 'name'"],
  [{ httpRoute: { timeouts: { request: 0 } } }, '/httpRoute/timeouts/request must be string'],
  [{ autoscaling: { targetConnections: '20k' } }, '/autoscaling/targetConnections must be integer'],
  [{ keda: { minReplicaCount: 0 } }, '/keda/minReplicaCount must be >= 1'],
  [{ keda: { serverAddress: 'prometheus:9090' } }, '/keda/serverAddress must match pattern'],
  [{ podDisruptionBudget: { maxUnavailable: 0 } }, '/podDisruptionBudget/maxUnavailable must be >= 1'],
  [{ podDisruptionBudget: { maxUnavailable: '0%' } }, '/podDisruptionBudget/maxUnavailable must match pattern'],
  [{ topologySpreadConstraints: [{}] }, "/topologySpreadConstraints/0 must have required property 'maxSkew'"],
  [{ podLabels: { a: 1 } }, '/podLabels/a must be string'],
  [{ livenessProbe: { httpGet: {} } }, '/livenessProbe httpGet must NOT have additional properties'],
  [{ lifecycle: { prestop: {} } }, '/lifecycle prestop must NOT have additional properties'],
  [{ terminationGracePeriodSeconds: '60' }, '/terminationGracePeriodSeconds must be integer,null'],
  [{ strategy: { type: 'Canary' } }, '/strategy/type must be equal to one of the allowed values'],
  [{ rollout: { pause: 300 } }, '/rollout/pause must be string'],
  [{ networkPolicy: { controlFrom: [{}] } }, '/networkPolicy/controlFrom/0 must NOT have fewer than 1 properties'],
  [{ metrics: { enabled: true } }, '/metrics enabled must NOT have additional properties'],
  [{ metrics: { serviceMonitor: { interval: 15 } } }, '/metrics/serviceMonitor/interval must be string'],
];

t.test('it takes the values of the chart and of all sets', async (t) => {
  t.strictSame(faults(defaults), []);
  for (const [name, values] of Object.entries(valueSets)) t.strictSame(faults(withoutNulls(values)), [], name);
  for (const [name, [values]] of Object.entries(refusedSets)) t.strictSame(faults(withoutNulls(values)), [], name);
});

t.test('it refuses slips, and says where they are', async (t) => {
  for (const [values, message] of wrong) t.match(faults(values).join('\n'), message, JSON.stringify(values));
});

t.test('it names all values of values.yaml, and no others', async (t) => {
  const compare = ({ properties = {} }: Schema, values: Values, path: string) => {
    // Helm hands `global` down from a chart that this one is a part of.
    const known = Object.keys(properties).filter((key) => path !== '' || key !== 'global');
    t.strictSame(known, Object.keys(values), path || 'at the top');
    for (const [key, inner] of Object.entries(properties))
      if (inner.properties && Object.keys((values[key] ?? {}) as Values).length > 0)
        compare(inner, values[key] as Values, `${path}/${key}`);
  };
  compare(schema, defaults, '');
});

/** Values as Helm checks them: null takes a value away. */
function withoutNulls(values: Values): Values {
  return JSON.parse(JSON.stringify(values), (_key, value) => value ?? undefined);
}
