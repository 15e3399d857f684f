/** The event `target_down`: a target of a route cannot be asked. */
import type { EventSink } from '@holdfast/control-api';
import type { OriginError } from '../../errors.js';
import { describeTarget } from '../../origin/send.js';
import type { FailureContext } from '../../origin/warnings.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Milliseconds in which a target that goes on failing has one event.
 *
 * @limit {s} between two events about the same target
 * @over one event has the number of failures, `failures`
 */
export const TARGET_DOWN_MS = 60_000;

/**
 * Targets that are distinguished in that time; tables of routes that are loaded again may have others.
 *
 * @limit {} targets that have events in that time
 * @over further ones have none
 */
export const TARGETS_MAX = 1_000;

/** A target that has failed in this minute. */
interface FailedTarget {
  readonly route: string | undefined;
  readonly target: string;
  code: string;
  /** Since its last event. */
  failures: number;
}

/** The first failure has an event at once, those of each minute after it have one together. */
export class TargetEvents {
  readonly #sink: EventSink;
  readonly #clock: Clock;
  readonly #failed = new Map<string, FailedTarget>();
  #isWaiting = false;

  constructor(sink: EventSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  /** A request could not be sent to this target; another one may have taken it. */
  failed({ route, target }: FailureContext, { code }: Pick<OriginError, 'code'>): void {
    if (target === undefined) return;
    const described = describeTarget(target);
    const key = `${route?.id ?? ''} ${described}`;
    const known = this.#failed.get(key);
    if (known !== undefined) {
      known.failures++;
      known.code = code;
    } else if (this.#failed.size < TARGETS_MAX) {
      const one = { route: route?.id, target: described, code, failures: 1 };
      this.#failed.set(key, one);
      this.#report(one);
    }
    this.#wait();
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#clock.after(TARGET_DOWN_MS, () => {
      this.#isWaiting = false;
      for (const [key, one] of this.#failed) {
        if (one.failures === 0) this.#failed.delete(key);
        else this.#report(one);
      }
      if (this.#failed.size > 0) this.#wait();
    });
  }

  #report(one: FailedTarget): void {
    const { route, target, code, failures } = one;
    one.failures = 0;
    const time = new Date(this.#clock.wall()).toISOString();
    this.#sink.report({ type: 'target_down', route, target, code, failures, time });
  }
}
