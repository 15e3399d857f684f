/** When the time of holds and sessions is over of which their origins have said so (`Grip-Expires`, `expire`). */
import type { Containment, Faulty } from '@holdfast/control-api';
import type { Expires, SubscriberKind } from '@holdfast/grip';
import { type Clock, stampOf, type Timer } from '../runtime/clock.js';
import { Deadlines } from '../runtime/deadlines.js';

/** A hold or session that its origin lets last for a while. */
export interface Expiring extends Faulty {
  readonly kind: SubscriberKind;
  /**
   * That time is over: what is published from now on reaches its client only if its origin is asked and says so. What is under way comes
   * to its end. Its moment is forgotten.
   */
  expiryDue(): void;
}

/**
 * For a hold whose origin is asked again when it expires: an origin whose clock is ahead is not to be asked in a tight loop.
 * Sessions have no shortest time.
 *
 * @limit {s} as the shortest time until a hold expires
 * @over a shorter one, and a date that is past, is raised
 */
const MIN_HOLD_MS = 1_000;

/**
 * @limit {} holds and sessions that expire in one turn of the event loop
 * @over the next ones follow in the next turn
 */
const EXPIRE_TURN_MAX = 200;

/** What expiries are made of. */
export interface ExpiriesDeps {
  readonly clock: Clock;
  readonly faults: Containment;
}

/** One timer for all of them, and nothing for what does not expire. */
export class Expiries {
  readonly #deps: ExpiriesDeps;
  readonly #deadlines = new Deadlines<Expiring>();
  #timer: Timer | undefined;
  /** The moment that the timer is for. None that is set is earlier; the one that it was may have been taken away. */
  #next = 0;

  constructor(deps: ExpiriesDeps) {
    this.#deps = deps;
  }

  /**
   * Has it expire, once; without a time it does not. What was set before has no effect any more. A date is understood by the wall clock as
   * it goes now.
   */
  set(subscriber: Expiring, expires: Expires | undefined): void {
    if (expires === undefined) {
      this.delete(subscriber);
      return;
    }
    const { clock } = this.#deps;
    const now = clock.monotonic();
    const span = 'seconds' in expires ? expires.seconds * 1_000 : expires.date - clock.wall();
    const due = now + Math.max(span, subscriber.kind === 'ws' ? 0 : MIN_HOLD_MS);
    this.#deadlines.set(subscriber, due);
    if (this.#timer !== undefined && this.#next <= due) return;
    this.#clear();
    this.#wait(now);
  }

  /** It is over, or expires no more. */
  delete(subscriber: Expiring): void {
    if (this.#timer === undefined) return;
    this.#deadlines.delete(subscriber);
    if (this.#deadlines.size === 0) this.#clear();
  }

  /** When it expires, in ISO 8601; undefined when it does not. */
  of(subscriber: Expiring): string | undefined {
    const due = this.#deadlines.of(subscriber);
    return due === undefined ? undefined : stampOf(this.#deps.clock, due);
  }

  #clear(): void {
    this.#deps.clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #wait(now: number): void {
    const { first } = this.#deadlines;
    if (first === undefined) return;
    this.#next = first;
    // A timer that is cut short, for the time is longer than one takes, only looks again.
    this.#timer = this.#deps.clock.after(Math.max(0, first - now), () => this.#look());
  }

  #look(): void {
    const { clock, faults } = this.#deps;
    const now = clock.monotonic();
    // Until it is set anew below it counts as set, so that what is called here sets none.
    this.#next = now;
    for (let left = EXPIRE_TURN_MAX; left > 0; left--) {
      const subscriber = this.#deadlines.take(now);
      if (subscriber === undefined) break;
      faults.run('timer', () => subscriber.expiryDue(), subscriber);
    }
    this.#clear();
    this.#wait(clock.monotonic());
  }
}
