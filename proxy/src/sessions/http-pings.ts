/**
 * Owns: that each ping of a client gets exactly one pong although its origin is asked over HTTP, where a round trip may
 * be long and many origins never answer pings. Does not own: the PING and PONG events themselves.
 */
import type { Faulty } from '@holdfast/control-api';
import type { Clock, Timer } from '../clock.js';

/** So long the origin's own pong is waited for, in ms; a client must not take the session for dead meanwhile. */
export const PONG_GRACE_MS = 50;

/** Pings answered here of which the origin's pong is remembered as still to come; beyond, the oldest is forgotten. */
const OWED_MAX = 32;

/** Pings that wait for the origin's pong; beyond, the oldest is not answered here (RFC 6455 §5.5.3 asks for the last only). */
export const WAITING_MAX = 1_000;

interface Waiting {
  readonly payload: Buffer;
  /** When it is answered here; ms since the Unix epoch. */
  readonly due: number;
}

/** Pairs pings with pongs. As many pings wait as were sent within the grace time, `WAITING_MAX` at most. */
export class HttpPings {
  readonly #clock: Clock;
  readonly #answer: (payload: Buffer) => void;
  readonly #origin: Faulty | undefined;
  #waiting: Waiting[] = [];
  #owed: Buffer[] = [];
  #timer: Timer | undefined;

  /** `answer` sends the client a pong; called from the clock only. A fault of it ends `origin`. */
  constructor(clock: Clock, answer: (payload: Buffer) => void, origin?: Faulty) {
    this.#clock = clock;
    this.#answer = answer;
    this.#origin = origin;
  }

  /** The client has sent a ping. */
  sent(payload: Buffer): void {
    this.#waiting.push({ payload, due: this.#clock.now() + PONG_GRACE_MS });
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    this.#timer ??= this.#clock.after(PONG_GRACE_MS, this.#overdue, this.#origin);
  }

  /**
   * The origin has sent a pong: the payload to pass on, or undefined if the client has had its pong already. One without
   * content answers the oldest ping, whatever that held: libraries for origins know no content of pongs. One that
   * answers nothing is passed on as it is (RFC 6455 §5.5.3 allows unsolicited pongs).
   */
  received(payload: Buffer): Buffer | undefined {
    if (takeFirst(this.#owed, (owed) => owed.equals(payload))) return undefined;
    const waiting = takeFirst(this.#waiting, (ping) => ping.payload.equals(payload));
    if (waiting !== undefined || payload.length > 0) return payload;
    if (this.#owed.shift() !== undefined) return undefined;
    return this.#waiting.shift()?.payload ?? payload;
  }

  /** Nobody waits for pongs any more. */
  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#waiting = [];
    this.#owed = [];
  }

  readonly #overdue = (): void => {
    this.#timer = undefined;
    const now = this.#clock.now();
    let next = this.#waiting[0];
    for (; next !== undefined && next.due <= now; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#owed.push(next.payload);
      if (this.#owed.length > OWED_MAX) this.#owed.shift();
      this.#answer(next.payload);
    }
    if (next !== undefined) this.#timer ??= this.#clock.after(next.due - now, this.#overdue, this.#origin);
  };
}

function takeFirst<T>(list: T[], matches: (entry: T) => boolean): T | undefined {
  const index = list.findIndex(matches);
  return index < 0 ? undefined : list.splice(index, 1)[0];
}
