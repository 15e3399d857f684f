/** How far the clock of a server is ahead of this process's monotonic clock, reckoned from its answers to TIME. */

/**
 * The last answers of which the best counts: of half a minute, in which clocks that are kept right drift apart by less than the
 * error of an answer.
 */
export const TIME_SAMPLES = 10;

/** By how much answers may contradict each other, in ms, before one of the two clocks has been set. */
const DRIFT_MS = 20;

interface Sample {
  /** What the server's clock shows when this process's shows 0. */
  readonly ahead: number;
  /** Half of the time from question to answer: the server looked at its clock at some moment within it. */
  readonly error: number;
}

/** The clock of the server at the other end of one connection. All times are in ms; those of this process are of `performance.now`. */
export class ServerTime {
  #samples: Sample[] = [];
  #best: Sample | undefined;

  /** The server has shown `shown`, since the Unix epoch, between two moments of this process. */
  sampled(shown: number, askedAt: number, answeredAt: number): void {
    if (!Number.isFinite(shown)) return;
    const error = (answeredAt - askedAt) / 2;
    const sample = { ahead: shown - askedAt - error, error };
    const best = this.#best;
    const wasSet = best !== undefined && Math.abs(sample.ahead - best.ahead) > sample.error + best.error + DRIFT_MS;
    this.#samples = wasSet ? [sample] : [...this.#samples, sample].slice(-TIME_SAMPLES);
    this.#best = this.#samples.reduce((one, other) => (other.error <= one.error ? other : one));
  }

  /** How long ago `moment` of the server's clock is at `now`: 0 at least, and undefined before the first answer. */
  since(moment: number, now: number): number | undefined {
    if (this.#best === undefined) return undefined;
    return Math.max(0, now + this.#best.ahead - moment);
  }

  /** Another server may answer from now on. */
  forget(): void {
    this.#samples = [];
    this.#best = undefined;
  }
}

/** Reads the reply of TIME: ms since the Unix epoch; not a number for another reply. */
export function parseTime(reply: unknown): number {
  const [seconds, micros] = Array.isArray(reply) ? reply : [];
  return Number(seconds) * 1_000 + Number(micros) / 1_000;
}
