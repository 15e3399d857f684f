/** The table of client edges, and the listeners of a process, each served by the edge that it names. */
import type { Containment } from '@holdfast/control-api';
import type { Options } from '../config/table.js';
import { WsAcceptor } from '../websocket/ws-handshakes.js';
import { nodeReusesPorts } from './listening.js';
import { NodeEdge } from './node/edge.js';
import type { BoundListener, Edge, EdgeDeps, EdgeHandler, Listener } from './port.js';
import type { TicketKeys } from './ticket-keys.js';
import type { TlsCertificates } from './tls-certificates.js';
import { UwsEdge } from './uws/edge.js';
import { loadUws } from './uws/library.js';

/** What any edge may be configured with; each takes what it can act on. */
export interface EdgeSettings
  extends Pick<
    Options,
    | 'clientBufferSize'
    | 'clientMaxconn'
    | 'clientKeepAliveTimeout'
    | 'clientHeaderTimeout'
    | 'clientHalfCloseGrace'
    | 'writeTimeout'
    | 'websocketMessageMax'
    | 'allowCompression'
  > {
  readonly certificates: TlsCertificates;
  /** Left out: sessions are resumed on the same listener only. */
  readonly tickets?: TicketKeys;
  /** Whether other processes have the same listeners. */
  readonly isShared: boolean;
}

/** The collaborators of all edges. */
export interface EdgesDeps extends EdgeDeps {
  readonly faults: Containment;
  /** Vanished clients cannot be detected on an edge that needs the kernel's probes for that, for this reason. */
  readonly probesFailed: (why: string) => void;
}

/** One row of the table. */
interface EdgeRow {
  /** @throws EdgeError when the edge cannot be loaded on this machine */
  make(handler: EdgeHandler, settings: EdgeSettings, deps: EdgesDeps): Edge;
  /**
   * With several workers: the process that binds a port. Where each worker does, the kernel divides connections (SO_REUSEPORT); where
   * the primary does, it hands them out in turn.
   */
  readonly portsBoundBy: 'primary' | 'worker';
  /** With several workers: whether these can share a unix socket, which only a primary can bind for them. */
  readonly sharesSocketFiles: boolean;
}

/** All edges, by the name that the option `edge` gives them. A new one is a folder beside `node` and `uws`, and a row here. */
export const edges = {
  node: {
    // Not a listening socket that all accept from: without an order among them one gets nearly all where connections come slowly.
    portsBoundBy: nodeReusesPorts() ? 'worker' : 'primary',
    sharesSocketFiles: true,
    make: (handler, { websocketMessageMax, allowCompression, ...options }, deps) => {
      const sockets = new WsAcceptor({ websocketMessageMax, allowCompression }, undefined, deps.faults);
      return new NodeEdge(handler, { ...options, sockets }, deps);
    },
  },
  uws: {
    portsBoundBy: 'worker',
    sharesSocketFiles: false,
    make: (handler, settings, { probesFailed: failed, ...deps }) => {
      const options = { ...settings, sharesPorts: settings.isShared };
      // The library's own limit counts other bytes; the edge checks the exact one.
      const library = loadUws(2 * settings.clientBufferSize);
      return new UwsEdge(library, handler, options, { ...deps, probes: { failed } });
    },
  },
} satisfies Record<string, EdgeRow>;

export type EdgeName = keyof typeof edges;

/** A listener and the edge that serves it. */
export interface EdgeListener extends Listener {
  readonly edge: EdgeName;
}

/** The edges of a process as one: each listener is opened by its own. */
export class Edges implements Edge {
  readonly #edges = new Map<EdgeName, Edge>();

  /**
   * Makes the edges that these listeners name; nothing listens yet.
   * @throws EdgeError when one of them cannot be loaded on this machine
   */
  constructor(listeners: readonly EdgeListener[], handler: EdgeHandler, settings: EdgeSettings, deps: EdgesDeps) {
    for (const { edge } of listeners) {
      if (!this.#edges.has(edge)) this.#edges.set(edge, edges[edge].make(handler, settings, deps));
    }
  }

  /** `listener` is one of those that the edges were made for. */
  listen(listener: EdgeListener): Promise<BoundListener> {
    return (this.#edges.get(listener.edge) as Edge).listen(listener);
  }

  closeAfterAnswers(closes: boolean): void {
    for (const edge of this.#edges.values()) edge.closeAfterAnswers(closes);
  }

  stopListening(): void {
    for (const edge of this.#edges.values()) edge.stopListening();
  }

  stopAccepting(): void {
    for (const edge of this.#edges.values()) edge.stopAccepting();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#edges.values()].map((edge) => edge.close()));
  }

  get connections(): number {
    let connections = 0;
    for (const edge of this.#edges.values()) connections += edge.connections;
    return connections;
  }
}
