/** What a session over HTTP does by the clock: pongs in the place of its origin, and polls. */
import type { Faulty } from '@holdfast/control-api';
import type { Clock, Timer } from '../../runtime/clock.js';

/**
 * So long the origin's own pong is waited for, in ms; a client must not take the session for dead meanwhile.
 *
 * @limit {ms} for the pong of an origin over HTTP
 * @over the proxy answers in its place
 */
export const PONG_GRACE_MS = 50;

/**
 * Pings that wait for the origin's pong at a time; beyond, the oldest is answered here at once.
 *
 * @limit {} pings of a client that wait for an origin over HTTP
 * @over the proxy answers the oldest at once
 */
const WAITING_MAX = 32;

/**
 * Pings answered here of which the origin's pong is remembered as still to come; beyond, the oldest is forgotten.
 *
 * @limit {} pings answered by the proxy whose late pong is remembered
 * @over the oldest is forgotten
 */
const OWED_MAX = 32;

interface Waiting {
  readonly payload: Buffer;
  /** When it is answered here; ms by the monotonic clock. */
  readonly due: number;
}

/**
 * Pairs pings with pongs. At most as many pings wait as were sent within the grace time, and no more than
 * {@link WAITING_MAX} beyond a turn of the event loop.
 */
export class HttpPings {
  readonly #clock: Clock;
  readonly #answer: (payload: Buffer) => void;
  readonly #origin: Faulty | undefined;
  #waiting: Waiting[] = [];
  #owed: Buffer[] = [];
  #timer: Timer | undefined;

  /** `answer` sends the client a pong; never called from within a call of this. A fault of it ends `origin`. */
  constructor(clock: Clock, answer: (payload: Buffer) => void, origin?: Faulty) {
    this.#clock = clock;
    this.#answer = answer;
    this.#origin = origin;
  }

  /** The client has sent a ping. */
  sent(payload: Buffer): void {
    this.#waiting.push({ payload, due: this.#clock.monotonic() + PONG_GRACE_MS });
    this.#timer ??= this.#clock.after(PONG_GRACE_MS, this.#overdue, this.#origin);
    if (this.#waiting.length === WAITING_MAX + 1) queueMicrotask(this.#answerDue);
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
    this.#answerDue();
    const next = this.#waiting[0];
    if (next !== undefined)
      this.#timer ??= this.#clock.after(next.due - this.#clock.monotonic(), this.#overdue, this.#origin);
  };

  readonly #answerDue = (): void => {
    const now = this.#clock.monotonic();
    const waiting = this.#waiting;
    const over = waiting.length - WAITING_MAX;
    const isDue = (ping: Waiting, index: number) => index < over || ping.due <= now;
    const left = waiting.findIndex((ping, index) => !isDue(ping, index));
    const due = waiting.splice(0, left < 0 ? waiting.length : left);
    this.#owed = [...this.#owed, ...due.map(({ payload }) => payload)].slice(-OWED_MAX);
    for (const { payload } of due) this.#answer(payload);
  };
}

function takeFirst<T>(list: T[], matches: (entry: T) => boolean): T | undefined {
  const index = list.findIndex(matches);
  return index < 0 ? undefined : list.splice(index, 1)[0];
}

/** The polls of one session: off until the origin asks for them, and then until it says otherwise. */
export class HttpPoll {
  readonly #clock: Clock;
  readonly #due: () => void;
  readonly #origin: Faulty | undefined;
  #interval: number | undefined;
  #timer: Timer | undefined;

  /** `due` is called once for each `await` that is not stopped; from the clock only. A fault of it ends `origin`. */
  constructor(clock: Clock, due: () => void, origin?: Faulty) {
    this.#clock = clock;
    this.#due = due;
    this.#origin = origin;
  }

  get enabled(): boolean {
    return this.#interval !== undefined;
  }

  /** Sets the interval in ms, or turns polling off; undefined changes nothing. */
  set(interval: number | 'off' | undefined): void {
    if (interval !== undefined) this.#interval = interval === 'off' ? undefined : interval;
  }

  /** The interval begins now, unless it has begun already or there is none. */
  await(): void {
    if (this.#interval === undefined) return;
    this.#timer ??= this.#clock.after(
      this.#interval,
      () => {
        this.#timer = undefined;
        this.#due();
      },
      this.#origin,
    );
  }

  stop(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
  }
}
