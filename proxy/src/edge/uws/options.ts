/** Owns: what a uws edge is made with. Does not own: where the values come from. */
import type { Containment } from '@holdfast/control-api';
import type { Clock } from '../../runtime/clock.js';
import type { Descriptors } from '../../runtime/descriptors.js';
import type { EdgeEvents } from '../edge-events.js';
import type { TlsCertificates } from '../tls-certificates.js';

/** How the uws edge treats its clients. Its time limits are the library's and cannot be changed. */
export interface UwsEdgeOptions {
  /** Longest request head, in bytes; longer ones are answered 431. The library has a limit of its own, set when it is loaded. */
  readonly maxHeaderBytes: number;
  /** Connections open at once on each listener; more are closed as soon as they are accepted. */
  readonly maxConnections: number;
  /** Longest WebSocket message, in bytes, after inflation. */
  readonly maxMessage: number;
  /** Whether permessage-deflate is negotiated. */
  readonly compression: boolean;
  readonly certificates: TlsCertificates;
  /** Whether other processes listen on the same ports, and the kernel shares connections out (SO_REUSEPORT). */
  readonly sharesPorts: boolean;
}

/** The clock, identifiers and reports that the edge is given. */
export interface UwsEdgeParts {
  readonly clock: Clock;
  readonly events: EdgeEvents;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
  readonly descriptors: Descriptors;
  /** Clients that vanish are looked for; told where that cannot be. Left out, they are not. */
  readonly probes?: { readonly failed: (why: string) => void };
  /** A new id for each request, unique within this node. */
  readonly nextId: () => string;
}
