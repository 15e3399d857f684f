/** The end of all that is held in one process: one after the other, at an even pace, and never many in one turn of the event loop. */
import type { Containment } from '@holdfast/control-api';
import type { ChannelRegistry } from '../../channels/registry.js';
import type { Clock, Timer } from '../../runtime/clock.js';

/**
 * So many holds end in one turn of the event loop; the next ones follow in the next turn.
 *
 * @limit {} holds that end in one turn of the event loop
 * @over the next ones follow in the next turn
 */
const TURN_MAX = 200;

/** Where few are held, the next one ends so soon, in ms. */
const APART_MS = 500;

/** Where many are, several end together, so often, in ms. */
const TICK_MS = 20;

/** By how much of itself a pause is longer or shorter at random. */
const JITTER = 0.25;

/**
 * So much of the time since the last step counts at most, in ms: what a process has not ended while it stood still spreads over the rest of
 * the window.
 */
const PASSED_MAX_MS = 100;

/** How often a process whose holds have ended looks for new ones, in ms. */
const LOOK_MS = 50;

/**
 * How much faster than evenly holds end at most within the window, where clients come back to the node that they are to leave: what is
 * left at its end ends then.
 */
const FASTER = 1.4;

/** What a drain is made of. */
export interface HoldDrainDeps {
  readonly registry: Pick<ChannelRegistry, 'staying' | 'nextToEnd'>;
  readonly clock: Clock;
  readonly faults: Containment;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/** Ends holds and sessions in the order in which they came. */
export class HoldDrain {
  readonly #deps: HoldDrainDeps;
  #timer: Timer | undefined;
  #resolve: (() => void) | undefined;
  /** Moments of the monotonic clock. */
  #until = 0;
  #before = 0;
  #isOver = false;
  /** Ends that are due, but for a fraction of one. */
  #due = 0;
  /** Ends in a ms, at most. */
  #fastest = 0;
  #apart = APART_MS;

  constructor(deps: HoldDrainDeps) {
    this.#deps = deps;
  }

  /**
   * Ends what is held over `window` ms, and what comes to be held meanwhile; resolves when nothing is left, the window is over, or it is
   * called off by another call. Without a window what is held now ends as fast as turns allow. With `processes`, so many share the pace
   * of a node that holds few.
   */
  spread(window: number, processes: number): Promise<void> {
    const { clock, registry } = this.#deps;
    this.#clear();
    this.#before = clock.monotonic();
    this.#until = this.#before + window;
    this.#fastest = (FASTER * registry.staying) / Math.max(1, window);
    this.#apart = APART_MS * processes;
    if (registry.staying === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      if (window === 0) this.#endNow(registry.staying);
      else this.#wait();
    });
  }

  /** Ends all that is held and comes to be held, as fast as turns allow, until `close`. */
  endAll(): void {
    this.#clear();
    this.#isOver = true;
    this.#sweep();
  }

  /** Ends no more, until the next call. */
  rest(): void {
    this.#clear();
  }

  #clear(): void {
    this.#deps.clock.clear(this.#timer);
    this.#timer = undefined;
    this.#resolve?.();
    this.#resolve = undefined;
  }

  #endNow(count: number): void {
    this.#end(Math.min(count, TURN_MAX));
    if (count > TURN_MAX) this.#timer = this.#deps.clock.after(0, () => this.#endNow(count - TURN_MAX));
    else this.#clear();
  }

  #sweep(): void {
    if (!this.#isOver) return;
    this.#end(TURN_MAX);
    this.#timer = this.#deps.clock.after(this.#deps.registry.staying > 0 ? 0 : LOOK_MS, () => this.#sweep());
  }

  /** Until the next ends: as long as one of them has, or a tick. */
  #wait(): void {
    const { clock, random, registry } = this.#deps;
    const each = (this.#until - clock.monotonic()) / registry.staying;
    const jitter = 1 - JITTER + 2 * JITTER * random();
    const pause = Math.min(Math.max(each, TICK_MS) * jitter, this.#apart);
    this.#timer = clock.after(Math.max(1, pause), () => this.#step());
  }

  #step(): void {
    const { clock, registry } = this.#deps;
    const now = clock.monotonic();
    const passed = Math.min(now - this.#before, PASSED_MAX_MS);
    this.#before = now;
    const left = this.#until - now;
    if (left <= 0) {
      this.#clear();
      return;
    }
    const { staying } = registry;
    const even = staying / (left + passed);
    const pace = Math.max(1 / this.#apart, Math.min(even, this.#fastest));
    // Where each has a pause to itself, its end is due after it, however long the jitter has made it; more than one where the timer was late.
    this.#due = Math.max(even * TICK_MS < 1 ? 1 : 0, this.#due + pace * passed);
    const count = Math.min(Math.floor(this.#due), TURN_MAX);
    this.#due = Math.min(this.#due - count, TURN_MAX);
    this.#end(count);
    if (registry.staying === 0) this.#clear();
    else this.#wait();
  }

  #end(count: number): void {
    for (let ended = 0; ended < count; ended++) {
      const subscriber = this.#deps.registry.nextToEnd();
      if (subscriber === undefined) return;
      this.#deps.faults.run('timer', () => subscriber.drain(), subscriber);
    }
  }
}
