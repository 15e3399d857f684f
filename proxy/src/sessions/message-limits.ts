/** What one WebSocket client may send: how long a message may be on its route, and how many a second. */
import type { Pace } from '@holdfast/control-api';
import type { CloseReason } from '../channels/close-reasons.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import { Bucket } from '../runtime/bucket.js';
import type { MessageType } from '../websocket/message-socket.js';
import { notice } from './session-control.js';
import type { Dial } from './session-deps.js';

/** RFC 6455 §7.4.1: a message is too big to process. */
export const TOO_LONG = 1009;

/** A session, as what a client ends that is over a limit. */
export interface LimitedSession {
  readonly id: string;
  readonly dial: Dial;
  /** Ends the session as if the client had broken the protocol. */
  breach(code: number, error: Error): void;
  /** Ends the session. */
  end(reason: CloseReason): void;
}

/** The limits of one client; made only where there are any. */
export class MessageLimits {
  readonly #max: number;
  readonly #bucket: Bucket | undefined;
  readonly #deps: SubscriberDeps;
  /** Pings that the client has not answered: their pongs are not of its own choice. */
  #pings = 0;

  private constructor(max: number | undefined, pace: Pace | undefined, deps: SubscriberDeps) {
    this.#max = max ?? Number.POSITIVE_INFINITY;
    this.#bucket = pace && new Bucket(pace, deps.clock.monotonic());
    this.#deps = deps;
  }

  /** Those of a route and of the node; undefined where there are none. */
  static of({ route }: Dial, pace: Pace | undefined, deps: SubscriberDeps): MessageLimits | undefined {
    const { wsMessageMax } = route;
    return wsMessageMax === undefined && pace === undefined ? undefined : new MessageLimits(wsMessageMax, pace, deps);
  }

  /**
   * Counts a message, ping, or pong that no ping has asked for; true for one that is more than the client may send. A session that
   * is open ends with it.
   */
  refuses(type: MessageType, { length }: Buffer, session: LimitedSession, isOpen: boolean): boolean {
    const isLong = length > this.#max;
    if (!isLong && this.#passes(type)) return false;
    if (!isOpen) return true;
    if (isLong) {
      overLimit(session, this.#deps, 'ws_message_max', `a message of its client has ${length} bytes`);
      session.breach(TOO_LONG, new Error(`message of ${length} bytes`));
    } else {
      overLimit(session, this.#deps, 'ws_message_rate', 'its client sends more messages a second than it may');
      session.end('message-rate');
    }
    return true;
  }

  /** A ping was sent to the client. */
  pinged(): void {
    this.#pings++;
  }

  #passes(type: MessageType): boolean {
    if (this.#bucket === undefined) return true;
    if (type !== 'pong' || this.#pings === 0) return this.#bucket.take(this.#deps.clock.monotonic());
    this.#pings--;
    return true;
  }

  /** The client is held back: what it sends meanwhile comes later, all at once. */
  hold(): void {
    this.#bucket?.hold(this.#deps.clock.monotonic());
  }

  /** It no longer is. */
  release(): void {
    this.#bucket?.release(this.#deps.clock.monotonic());
  }
}

/** Counts and logs that a client is over the limit of this name, for which its session ends. */
export function overLimit(
  session: Pick<LimitedSession, 'id' | 'dial'>,
  deps: SubscriberDeps,
  limit: 'ws_message_max' | 'ws_message_rate' | 'websocket_message_max',
  text: string,
): void {
  deps.events.limited(limit);
  notice(session, deps, limit, `WebSocket closed: ${text} (${limit})`);
}
