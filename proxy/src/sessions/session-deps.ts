/** What every session is given. */

import type { Containment, Pace } from '@holdfast/control-api';
import type { ResponseHead } from '@holdfast/grip';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import type { ClientLimits } from '../clients/client-limits.js';
import type { Options } from '../config/table.js';
import type { PipelineDeps } from '../delivery/pipeline.js';
import type { SubscribePlace } from '../direct/admission.js';
import type { ClientRequest } from '../edge/port.js';
import type { ReplayDeps } from '../history/replay.js';
import type { ClientTrust, Forwarder } from '../origin/forwarder.js';
import type { Origin } from '../origin/port.js';
import type { Route } from '../routes/route.js';
import type { SubscribeTarget } from '../routes/subscribe-target.js';
import type { Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import type { OriginTraces } from '../tracing/origin-traces.js';
import type { MessageSocket } from '../websocket/message-socket.js';
import type { RequestInterner } from './client-request.js';
import type { OriginHandshakeOwner, OriginSocket } from './origin-socket.js';

/** A client's handshake on its way to an origin, and what its session keeps of it. */
export interface Dial {
  /**
   * Names the session to its origin over HTTP, on the command socket and in the statistics: the same for all its targets,
   * and no other session's. Not to be guessed.
   */
  readonly connectionId: string;
  readonly request: ClientRequest;
  readonly route: Route;
  readonly trust: ClientTrust;
  /** The extension to offer; empty for none. */
  readonly extension: string;
}

/** By what origins are reached. */
export interface DialDeps {
  readonly clock: Clock;
  readonly random: () => number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment | undefined;
  readonly forwarder: Forwarder;
  readonly originOf: (target: Target, route: Route, host: string) => Origin;
  readonly placeOf: (target: SubscribeTarget, route: Route) => SubscribePlace;
  /** Left out: no spans are recorded. */
  readonly originTraces?: OriginTraces | undefined;
}

/** How a handshake ended: one line of the access log. */
export interface SessionOpening {
  readonly request: ClientRequest;
  readonly trust: ClientTrust;
  readonly route: Route;
  readonly connectionId: string;
  readonly target: Target | undefined;
  /** The origin that took the session, or the last that was tried. */
  readonly origin: OriginSocket | undefined;
  /** 101, or what the client was refused with; 0 when it went away. */
  readonly status: number;
  readonly error: string | undefined;
  /** In ms. */
  readonly duration: number;
}

/** The access log and the metrics of sessions. Must not throw. */
export interface SessionEvents {
  sessionOpened(opening: SessionOpening): void;
  sessionEnded(request: ClientRequest, route: Route, end: SubscriberEnd, connectionId: string): void;
}

/** Where a session comes from. */
export interface SessionStart {
  readonly dial: Dial;
  readonly client: MessageSocket;
  readonly origin: OriginSocket;
  /** Full names of the channels of the target (`sub=`). */
  readonly implicit: readonly string[];
  /** What messages for the client begin with; undefined when the origin does not speak GRIP. */
  readonly messagePrefix: string | undefined;
  /** The token of a client that asked to come back for what it misses, or empty; undefined of any other. */
  readonly resume?: string | undefined;
}

/** Given to every session; the same for all. */
export interface SessionDeps extends PipelineDeps, Pick<Options, 'connectionSubscriptionMax'> {
  /** Starts a handshake with a target: WebSocket or WebSocket-over-HTTP, as the target says. Never calls synchronously. */
  readonly dial: (dial: Dial, target: Target, owner: OriginHandshakeOwner) => OriginSocket;
  readonly requests: RequestInterner;
  /** Undefined where nothing limits clients. */
  readonly limits?: ClientLimits | undefined;
  readonly events: SessionEvents;
  /** How many messages a second each client may send; undefined: any number. */
  readonly messagePace?: Pace | undefined;
  /** Undefined where no history is kept. */
  readonly replay?: ReplayDeps | undefined;
}

/**
 * Longest body, in bytes, of an origin's refusal that is relayed to the client.
 *
 * @limit {} bytes of an origin's refusal of a handshake
 * @over 500 in its place
 */
export const MAX_REFUSAL = 100_000;

/** What the client gets for a refusal whose body is longer. */
export function tooLongRefusal(): { head: ResponseHead; body: Buffer } {
  return {
    head: { status: 500, reason: 'Internal Server Error', headers: ['Content-Type', 'text/plain'] },
    body: Buffer.from(`Non-101 response body size exceeded limit of ${MAX_REFUSAL} bytes.`),
  };
}
