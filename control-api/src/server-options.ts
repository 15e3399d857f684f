/** What the listener of the control API is made of, and its limits. */
import type { Server, ServerOptions } from 'node:http';
import type { ControlAccess } from './auth/access.js';
import type { OriginList } from './http/page-guard.js';
import type { PublishEvents } from './publisher.js';
import type { ControlRoutesOptions } from './routes.js';
import type { Clock } from './runtime/clock.js';
import type { Containment } from './runtime/faults.js';
import type { Log } from './runtime/log.js';

/**
 * Connections at a time. One more takes the place of the one that is of least use; see `ListenerConnections`.
 *
 * @limit {} connections to the control API, or `publishers` if that is less; half of it on each of two ports
 * @over another connection is closed: refused ones first, then unused ones, then the one that has been idle, sending
 *   or not reading for longest. If all have requests under way, the new one is closed
 */
export const MAX_CONNECTIONS = 1024;

/**
 * Bytes of bodies that are arriving and of answers that are not read, over all connections; at least four of the longest bodies.
 * Over: the answers, then the bodies, that have lasted longest are given up.
 *
 * @limit {MiB} of bodies that are arriving and answers that are not read, or four of the longest bodies
 * @over the answers, then the longest-lasting bodies are abandoned, 503
 */
export const MAX_HELD_BYTES = 64 * 1024 * 1024;

/**
 * Milliseconds a connection may be idle; longer than usual client pools keep theirs, so that they close first.
 *
 * @limit {s} idle
 * @over connection closed
 */
export const KEEP_ALIVE_MS = 75_000;

/**
 * Milliseconds a request may take to arrive unless configured; the head a third of it, and a TLS handshake before it too. Over: 408.
 *
 * @limit {s} for a request, a third of it for its head, and as long for a TLS handshake
 * @over 408
 */
export const REQUEST_TIMEOUT_MS = 30_000;

/**
 * Milliseconds `close` waits for requests under way. Then their connections are cut.
 *
 * @limit {s} for control requests when the node stops
 * @over connection cut
 */
export const CLOSE_GRACE_MS = 5_000;

/** What a `ControlServer` is made of. */
export interface ControlServerOptions extends ControlRoutesOptions {
  /** Address or host name to listen on. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Request line and header fields, in bytes. Over: 431. */
  readonly pushInHttpMaxHeadersSize: number;
  /** Makes the server under it, with certificates, where it is one with TLS; a handshake counts as a part of a head. */
  readonly tls?: (options: ServerOptions & { readonly handshakeTimeout: number }) => Server;
  /** Connections at a time, where that are to be fewer than {@link MAX_CONNECTIONS}. */
  readonly maxConnections?: number;
  /** Milliseconds for a request to arrive completely; {@link REQUEST_TIMEOUT_MS} if not given. */
  readonly requestTimeoutMs?: number;
  /** Further names under which it is reached; see `PageGuard`. */
  readonly controlHosts?: readonly string[];
  /** Pages that may use it; left out, only its own. */
  readonly allowedOrigins?: OriginList;
  /** The keys that callers need; left out, everybody who reaches the port may do everything. */
  readonly access?: ControlAccess | undefined;
  readonly events: PublishEvents;
  readonly log: Log;
  /** Paces the log. */
  readonly clock: Clock;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}
