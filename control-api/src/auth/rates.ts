/** How many items each key may publish in a second: a generic cell rate algorithm, which keeps one number for each key. */

/**
 * Seconds of its rate that a key may publish at once after a pause.
 *
 * @limit {} seconds of its `rate` that a key may publish at once
 * @over 429
 */
export const BURST_S = 2;

const BURST_MS = BURST_S * 1_000;

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

/** For all keys of a node. They are kept by id, so that one that is read again goes on where it was. */
export class KeyRates {
  /** When each key will have used its rate up to now, in ms of the caller's clock. */
  readonly #used = new Map<string, number>();

  /** Takes so many items off a key's rate, all or none; returns why not. A publish without items counts as one. */
  spend(id: string, rate: number, items: number, now: number): RateRefusal | undefined {
    const used = Math.max(this.#used.get(id) ?? now, now);
    const cost = (Math.max(items, 1) * 1_000) / rate;
    const over = used + cost - now - BURST_MS;
    if (over <= ROUNDING) {
      this.#used.set(id, used + cost);
      return undefined;
    }
    const burst = rate * BURST_S;
    const left = Math.max(Math.floor(((BURST_MS - (used - now)) * rate) / 1_000 + ROUNDING), 0);
    const wait = items > burst ? used - now : over;
    return { burst, left, retryAfter: Math.max(Math.ceil(wait / 1_000), 1) };
  }

  /** Forgets all keys but these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#used.keys()) if (!ids.has(id)) this.#used.delete(id);
  }
}
