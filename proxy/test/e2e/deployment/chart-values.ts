/** Sets of values for the Helm chart: those that tests render, and those that its templates refuse. */
import type { Values } from '../../kit/kubernetes/chart.js';

const valkey = { valkey: { enabled: true }, replicaCount: 2 };

/** Together they take every branch of the templates. */
export const valueSets = {
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
  slow: { config: { shutdown_requests: '2m', client_maxconn: 1_048_576 }, strategy: { type: 'Recreate' } },
  abrupt: {
    config: { shutdown_delay: null, shutdown_window: null, shutdown_requests: '500ms' },
    terminationGracePeriodSeconds: 12,
    podDisruptionBudget: { enabled: false },
    serviceAccount: { create: false },
    existingSecret: 'keys',
    secretKeys: { sigKey: '', redisUrl: 'redis-url' },
    rollout: { enabled: true, analysisTemplate: '' },
    replicaCount: 2,
    valkey: { storage: '' },
  },
  full: {
    fullnameOverride: 'push',
    image: { repository: 'registry.example/push/holdfast', tag: '1.2.3', pullPolicy: 'Always' },
    imagePullSecrets: [{ name: 'registry' }],
    config: { edge: 'uws', shutdown_delay: null },
    routes: ['push.example app:3000,over_http', '* test'],
    redis: { url: 'rediss+cluster://redis:7000' },
    extraEnv: [
      { name: 'NODE_OPTIONS', value: '--max-old-space-size=768' },
      { name: 'HOLDFAST_UPSTREAM_KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'upstream' } } },
    ],
    extraEnvFrom: [{ secretRef: { name: 'more' } }],
    service: { type: 'LoadBalancer', appProtocol: 'kubernetes.io/ws', annotations: { 'example.com/kind': 'nlb' } },
    ingress: {
      enabled: true,
      className: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600' },
      hosts: [{ host: 'push.example', path: '/push' }, { host: 'live.example' }],
      tls: [{ hosts: ['push.example'], secretName: 'push-tls' }],
    },
    httpRoute: {
      enabled: true,
      annotations: { 'example.com/a': 'b' },
      parentRefs: [{ name: 'gateway', namespace: 'gateways', sectionName: 'https' }],
      hostnames: ['push.example'],
      timeouts: { request: '0s' },
    },
    autoscaling: {
      enabled: true,
      targetCPUUtilizationPercentage: 0,
      customMetrics: [
        {
          type: 'External',
          external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '30' } },
        },
      ],
    },
    podDisruptionBudget: { maxUnavailable: '25%' },
    topologySpreadConstraints: [],
    affinity: {
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { a: 'b' } } },
        ],
      },
    },
    tolerations: [{ key: 'push', operator: 'Exists', effect: 'NoSchedule' }],
    nodeSelector: { pool: 'push' },
    priorityClassName: 'high',
    podAnnotations: { 'example.com/a': 'b' },
    podLabels: { team: 'push' },
    serviceAccount: { name: 'push', annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/push' } },
    lifecycle: { preStop: { exec: { command: ['sleep', '10'] } } },
    terminationGracePeriodSeconds: 120,
    networkPolicy: { enabled: true, controlFrom: [], metricsFrom: [] },
    metrics: {
      serviceMonitor: {
        enabled: true,
        interval: '30s',
        labels: { release: 'prometheus' },
        relabelings: [{ action: 'labeldrop', regex: 'pod' }],
      },
      prometheusRule: { enabled: true, labels: { release: 'prometheus' } },
    },
  },
} satisfies Readonly<Record<string, Values>>;

/** The name of a set. */
export type ValueSet = keyof typeof valueSets;

/** All names of sets. */
export const setNames = Object.keys(valueSets) as ValueSet[];

/** Values that the schema takes and that cannot work, with what the templates say to them. */
export const refusedSets: Readonly<Record<string, readonly [Values, RegExp]>> = {
  alone: [{ replicaCount: 2 }, /several nodes need Redis/],
  both: [{ ...valkey, redis: { url: 'redis://redis:6379' } }, /valkey\.enabled, redis\.url: only one/],
  password: [{ redis: { url: 'redis://:secret@redis:6379' } }, /redis\.url has credentials/],
  secret: [{ config: { sig_key: 'secret' } }, /config\.sig_key would be readable/],
  port: [{ config: { http_port: '80' } }, /config\.http_port is set by the chart/],
  grace: [
    { terminationGracePeriodSeconds: 60 },
    /terminationGracePeriodSeconds: 60 are too short, the end takes up to 61/,
  ],
  pause: [
    { config: { shutdown_delay: null, shutdown_window: null }, terminationGracePeriodSeconds: 40 },
    /terminationGracePeriodSeconds: 40 are too short, the end takes up to 41/,
  ],
  scalers: [
    { ...valkey, autoscaling: { enabled: true }, keda: { enabled: true, serverAddress: 'http://prometheus:9090' } },
    /two autoscalers/,
  ],
  prometheus: [{ ...valkey, keda: { enabled: true } }, /keda\.serverAddress: the URL of Prometheus is missing/],
  bounds: [{ ...valkey, autoscaling: { enabled: true, maxReplicas: 1 } }, /autoscaling\.maxReplicas is less than/],
  hosts: [{ ingress: { enabled: true } }, /ingress\.hosts is empty/],
  gateway: [{ httpRoute: { enabled: true } }, /httpRoute\.parentRefs: the Gateway is missing/],
  arm: [
    { config: { edge: 'uws' }, nodeSelector: { 'kubernetes.io/arch': 'arm64' } },
    /config\.edge: there is no library for uws on arm64/,
  ],
  plainSecret: [{ extraEnv: [{ name: 'HOLDFAST_SIG_KEY', value: 'secret' }] }, /HOLDFAST_SIG_KEY would be readable/],
  chartsOwn: [{ extraEnv: [{ name: 'HOLDFAST_HTTP_PORT', value: '80' }] }, /HOLDFAST_HTTP_PORT is set by the chart/],
  computed: [
    { extraEnv: [{ name: 'HOLDFAST_SHUTDOWN_WINDOW', value: '5m' }] },
    /HOLDFAST_SHUTDOWN_WINDOW: the chart computes with this option: set config\.shutdown_window/,
  ],
};
