/** Faults that nothing has caught before the process itself, and when they are so many that it has to end. */
import type { Containment } from '@holdfast/control-api';
import type { Clock } from '../runtime/clock.js';

/**
 * So many such faults within {@link WINDOW_MS} mean that something is broken that all requests share.
 *
 * @limit {} uncontained faults of a process within a minute
 * @over the node drains and exits with 1
 */
export const PROCESS_FAULTS_MAX = 100;

/** In ms. */
export const WINDOW_MS = 60_000;

/** Where node reports what nobody has caught; `process`, but for tests. */
export interface ProcessEvents {
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown;
}

/**
 * Counts and logs what nobody has caught. Until `started` is called, the first one ends the process: a start must not go on by
 * halves. Afterwards the process goes on, since what has failed is one callback of one connection, and ends only when there are
 * {@link PROCESS_FAULTS_MAX} in a minute.
 */
export class ProcessGuard {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #isStarted = false;
  #since = 0;
  #count = 0;

  /** `end` drains and ends the process; called once at most. */
  constructor(events: ProcessEvents, faults: Containment, clock: Pick<Clock, 'monotonic'>, end: () => void) {
    this.#clock = clock;
    let isEnding = false;
    events.on('uncaughtException', (error) => {
      faults.caught('process', error);
      if (isEnding || !this.#isTooMuch()) return;
      isEnding = true;
      end();
    });
  }

  /** The process serves from here on. */
  started(): void {
    this.#isStarted = true;
  }

  #isTooMuch(): boolean {
    const now = this.#clock.monotonic();
    if (now - this.#since > WINDOW_MS) {
      this.#since = now;
      this.#count = 0;
    }
    return !this.#isStarted || ++this.#count >= PROCESS_FAULTS_MAX;
  }
}
