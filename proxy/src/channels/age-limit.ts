/** The end of holds and sessions that have become as old as they may (`hold_max_age`), each at a moment of its own. */
import type { Containment } from '@holdfast/control-api';
import type { Clock, Timer } from '../runtime/clock.js';
import type { Subscriber } from './subscriber.js';

/** By how much of itself the age is less or more at random: what began together is not to come back together. */
const JITTER = 0.1;

/**
 * So many end in one turn of the event loop; the next ones follow in the next turn.
 *
 * @limit {} holds that end by their age in one turn of the event loop
 * @over the next ones follow in the next turn
 */
const TURN_MAX = 200;

/** Into how many slots the age is divided, and how long a slot is at least and at most, in ms: it is how evenly they end. */
const SLOTS = 500;
const SLOT_MIN_MS = 10;
const SLOT_MAX_MS = 1_000;

/** What an age limit is made of. */
export interface AgeLimitDeps {
  readonly clock: Clock;
  readonly faults: Containment;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * Has each subscriber end when its time is over: one timer for all of them, and two entries for each. Those whose time is over in the
 * same slot of time are in one set.
 */
export class AgeLimit {
  readonly #deps: AgeLimitDeps;
  readonly #maxAge: number;
  readonly #slotMs: number;
  readonly #slots = new Map<number, Set<Subscriber>>();
  /** The slot of each. */
  readonly #places = new Map<Subscriber, number>();
  /** The one that is over next. Those before it are empty. */
  #next = 0;
  #timer: Timer | undefined;

  /** `maxAge` in ms. */
  constructor(maxAge: number, deps: AgeLimitDeps) {
    this.#deps = deps;
    this.#maxAge = maxAge;
    this.#slotMs = Math.min(Math.max(maxAge / SLOTS, SLOT_MIN_MS), SLOT_MAX_MS);
  }

  /** The one of this option; undefined where nothing ends by its age. */
  static of({ holdMaxAge }: { readonly holdMaxAge: number }, deps: AgeLimitDeps): AgeLimit | undefined {
    return holdMaxAge === 0 ? undefined : new AgeLimit(holdMaxAge, deps);
  }

  /** A hold or session begins. It is ended once, by `expire`, unless it leaves before. */
  enter(subscriber: Subscriber): void {
    const { clock, random } = this.#deps;
    const now = clock.monotonic();
    // A slot is over up to its own length after the moment that falls into it.
    const range = Math.max(0, 2 * JITTER * this.#maxAge - this.#slotMs);
    const due = now + (1 - JITTER) * this.#maxAge + random() * range;
    const place = Math.ceil(due / this.#slotMs);
    let slot = this.#slots.get(place);
    if (slot === undefined) {
      slot = new Set();
      this.#slots.set(place, slot);
    }
    slot.add(subscriber);
    this.#places.set(subscriber, place);
    if (this.#timer === undefined) {
      this.#next = Math.floor(now / this.#slotMs) + 1;
      this.#wait(now);
    }
  }

  /** Ends what `enter` began. */
  leave(subscriber: Subscriber): void {
    const place = this.#places.get(subscriber);
    if (place === undefined) return;
    this.#places.delete(subscriber);
    const slot = this.#slots.get(place);
    slot?.delete(subscriber);
    if (slot?.size === 0) this.#slots.delete(place);
    if (this.#places.size === 0) this.close();
  }

  /** Ends no more of those that have entered. */
  close(): void {
    this.#deps.clock.clear(this.#timer);
    this.#timer = undefined;
  }

  #wait(now: number): void {
    const ms = Math.max(0, Math.ceil(this.#next * this.#slotMs) - now);
    this.#timer = this.#deps.clock.after(ms, () => this.#look());
  }

  #look(): void {
    const { clock } = this.#deps;
    const over = Math.floor(clock.monotonic() / this.#slotMs);
    let left = TURN_MAX;
    for (; this.#next <= over && this.#places.size > 0; this.#next++) {
      for (const subscriber of this.#slots.get(this.#next) ?? []) {
        if (left-- === 0) {
          this.#timer = clock.after(0, () => this.#look());
          return;
        }
        this.#expire(subscriber);
      }
    }
    if (this.#places.size > 0) this.#wait(clock.monotonic());
    else this.close();
  }

  #expire(subscriber: Subscriber): void {
    this.leave(subscriber);
    this.#deps.faults.run('timer', () => subscriber.expire(), subscriber);
  }
}
