/** The composition of the edges: the listeners' side of a data plane. */
import type { Containment } from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { type EdgeListener, Edges } from '../edge/edges.js';
import type { EdgeHandler } from '../edge/port.js';
import { TlsCertificates } from '../edge/tls-certificates.js';
import type { Clock } from '../runtime/clock.js';
import type { Descriptors } from '../runtime/descriptors.js';
import { DescriptorShortage } from '../telemetry/descriptor-shortage.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import { Refusals } from '../telemetry/refusals.js';

/** What the edges are given by the process that it serves clients in. */
export interface EdgeSurroundings {
  readonly metrics: Metrics;
  readonly faults: Containment;
  /** What the ids of its requests begin with: of no other process of this node. */
  readonly instance: string;
  /** Whether other processes have the same client listeners. */
  readonly isShared: boolean;
}

/**
 * Makes the edges that the listeners name; nothing listens yet.
 * @throws EdgeError when one of them cannot be loaded on this machine
 */
export function composeEdges(
  config: Config,
  log: RootLog,
  { metrics, faults, instance, isShared }: EdgeSurroundings,
  handler: EdgeHandler,
  descriptors: Descriptors,
  clock: Clock,
): Edges {
  const tlsLog = log.child('tls');
  const edgeLog = log.child('edge');
  const shortage = new DescriptorShortage(descriptors, edgeLog, clock);
  const refusals = new Refusals(edgeLog, clock);
  let requests = 0;
  const deps = {
    clock,
    faults,
    nextId: () => `${instance}-${(++requests).toString(36)}`,
    descriptors,
    probesFailed: (why: string) =>
      edgeLog.warn(
        { why },
        'edge uws: clients that vanish without a word are not noticed, for the kernel is not asked to probe',
      ),
    events: {
      descriptorsShort: () => {
        metrics.descriptorsShort();
        shortage.turnedAway();
      },
      connectionRefused: () => {
        metrics.connectionRefused();
        edgeLog.warn({}, `client_maxconn (${config.clientMaxconn}) reached: connection closed`);
      },
      requestRefused: (reason: string, status: number, client: string) => {
        metrics.requestRefused();
        refusals.refused(reason, status, client);
      },
      proxyRefused: (why: string, peer: string) => {
        metrics.proxyRefused();
        refusals.unproxied(why, peer);
      },
    },
  };
  const { tlsCertsDir } = config;
  const certificates = new TlsCertificates(
    tlsCertsDir,
    (error) => tlsLog.error({ err: error }, error.message),
    (name, port) => refusals.unnamed(name, port, tlsCertsDir),
  );
  return new Edges(listenersOf(config), handler, { ...config, certificates, isShared }, deps);
}

/** The listeners of clients, each with its edge: the option `edge` is one for all of them. */
export function listenersOf({ edge, httpPort, httpsPorts, localPorts }: Config): EdgeListener[] {
  return [...httpPort, ...httpsPorts.map((listen) => ({ ...listen, tls: true })), ...localPorts].map((listener) => ({
    ...listener,
    edge,
  }));
}
