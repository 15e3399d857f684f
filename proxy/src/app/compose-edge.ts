/** The composition of the edge: the listeners' side of a data plane, by the library that `edge` names. */
import type { Containment } from '@holdfast/control-api';
import type { Config } from '../config/config.js';
import { NodeEdge } from '../edge/node/edge.js';
import type { Edge, EdgeHandler } from '../edge/port.js';
import { TlsCertificates } from '../edge/tls-certificates.js';
import { UwsEdge } from '../edge/uws/edge.js';
import { loadUws } from '../edge/uws/library.js';
import type { Clock } from '../runtime/clock.js';
import type { Descriptors } from '../runtime/descriptors.js';
import { DescriptorShortage } from '../telemetry/descriptor-shortage.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import { Refusals } from '../telemetry/refusals.js';
import { WsAcceptor } from '../websocket/ws-acceptor.js';

/** What an edge is given by the process that it serves clients in. */
export interface EdgeSurroundings {
  readonly metrics: Metrics;
  readonly faults: Containment;
  /** What the ids of its requests begin with: of no other process of this node. */
  readonly instance: string;
  /** Whether other processes have the same client listeners. */
  readonly isShared: boolean;
}

/**
 * Makes the edge; nothing listens yet.
 * @throws EdgeError when it cannot be had
 */
export function composeEdge(
  config: Config,
  log: RootLog,
  { metrics, faults, instance, isShared }: EdgeSurroundings,
  handler: EdgeHandler,
  descriptors: Descriptors,
  clock: Clock,
): Edge {
  const tlsLog = log.child('tls');
  const edgeLog = log.child('edge');
  const shortage = new DescriptorShortage(descriptors, edgeLog, clock);
  const refusals = new Refusals(edgeLog, clock);
  let requests = 0;
  const parts = {
    clock,
    faults,
    nextId: () => `${instance}-${(++requests).toString(36)}`,
    descriptors,
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
    },
  };
  const { tlsCertsDir, clientBufferSize, clientMaxconn, websocketMessageMax, allowCompression } = config;
  const certificates = new TlsCertificates(
    tlsCertsDir,
    (error) => tlsLog.error({ err: error }, error.message),
    (name, port) => refusals.unnamed(name, port, tlsCertsDir),
  );
  const limits = { clientBufferSize, clientMaxconn, certificates };
  const sockets = { websocketMessageMax, allowCompression };
  if (config.edge === 'uws') {
    const options = { ...limits, ...sockets, sharesPorts: isShared };
    const failed = (why: string) =>
      edgeLog.warn(
        { why },
        'edge uws: clients that vanish without a word are not noticed, for the kernel is not asked to probe',
      );
    return new UwsEdge(loadUws(2 * clientBufferSize), handler, options, { ...parts, probes: { failed } });
  }
  const { clientKeepAliveTimeout, clientHeaderTimeout, clientHalfCloseGrace } = config;
  const times = { clientKeepAliveTimeout, clientHeaderTimeout, clientHalfCloseGrace };
  return new NodeEdge(
    handler,
    { ...limits, ...times, isShared, sockets: new WsAcceptor(sockets, undefined, faults) },
    parts,
  );
}
