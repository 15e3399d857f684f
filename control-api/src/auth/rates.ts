/** How many items each key may publish in a second. */
import { Pace } from '../runtime/pace.js';

/**
 * Seconds of its rate that a key may publish at once after a pause.
 *
 * @limit {} seconds of its `rate` that a key may publish at once
 * @over 429
 */
export const BURST_S = 2;

/** So that as many items as the burst has, one by one, are not one too many by rounding; in ms. */
const ROUNDING = 1e-6;

/** Why items are refused for now. */
export interface RateRefusal {
  /** Items at once at most. */
  readonly burst: number;
  /** Items that may be published now. */
  readonly left: number;
  /** Whole seconds after which these items may be published; where they are more than the burst, after which `burst` of them may. */
  readonly retryAfter: number;
}

/** What is kept of a key. */
interface KeyRate {
  readonly pace: Pace;
  /** When all of its burst may be published again, in ms of the caller's clock. */
  full: number;
}

/** For all keys of a node. They are kept by id, so that one that is read again goes on where it was. */
export class KeyRates {
  readonly #keys = new Map<string, KeyRate>();

  /** Takes so many items off a key's rate, all or none; returns why not. A publish without items counts as one. */
  spend(id: string, rate: number, items: number, now: number): RateRefusal | undefined {
    const key = this.#key(id, rate, now);
    const { pace } = key;
    const full = Math.max(key.full, now);
    const tokens = Math.max(items, 1);
    const over = pace.wait(full, now, tokens);
    if (over <= ROUNDING) {
      key.full = full + pace.interval * tokens;
      return undefined;
    }
    const { burst } = pace;
    const left = Math.max(Math.floor(pace.left(full, now) + ROUNDING), 0);
    const wait = items > burst ? full - now : over;
    return { burst, left, retryAfter: Math.max(Math.ceil(wait / 1_000), 1) };
  }

  /** Forgets all keys but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#keys.keys()) if (!ids.has(id)) this.#keys.delete(id);
  }

  #key(id: string, rate: number, now: number): KeyRate {
    const known = this.#keys.get(id);
    if (known?.pace.perSecond === rate) return known;
    const key = { pace: new Pace({ perSecond: rate, burst: rate * BURST_S }), full: known?.full ?? now };
    this.#keys.set(id, key);
    return key;
  }
}
