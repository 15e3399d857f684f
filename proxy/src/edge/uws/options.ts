/** Owns: what a uws edge is made with. Does not own: where the values come from. */
import type { Containment } from '@holdfast/control-api';
import type { Options } from '../../config/table.js';
import type { Clock } from '../../runtime/clock.js';
import type { Descriptors } from '../../runtime/descriptors.js';
import type { EdgeEvents } from '../edge-events.js';
import type { TlsCertificates } from '../tls-certificates.js';

/**
 * How the uws edge treats its clients. Its time limits are the library's and cannot be changed; so is the limit of a head that
 * it reads itself, which is set when it is loaded.
 */
export interface UwsEdgeOptions
  extends Pick<Options, 'clientBufferSize' | 'clientMaxconn' | 'websocketMessageMax' | 'allowCompression'> {
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
