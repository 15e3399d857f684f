/** Revoking tokens of clients by the control API: kept for all nodes first, then said to those that run. */
import { isLongName, readJsonBytes } from '@holdfast/grip';
import type { RevocationStore } from '../cluster/revocations.js';
import { type Answer, answerTo, argumentRefused, shown, tooManyRevocations } from '../http/answer.js';
import type { Clock } from '../runtime/clock.js';
import type { ClusterViews } from './cluster-views.js';
import { isCount } from './connection-answers.js';

/** What it uses. */
export interface TokenRevocationsOptions {
  readonly cluster: ClusterViews;
  readonly store: RevocationStore;
  readonly clock: Pick<Clock, 'wall'>;
  /** Longest time in ms from now to the expiry of a token that nodes take. */
  readonly tokenLifetimeMax: number;
}

/** See the head of the file. */
export class TokenRevocations {
  readonly #options: TokenRevocationsOptions;

  constructor(options: TokenRevocationsOptions) {
    this.#options = options;
  }

  /**
   * Answers a body `{"sub":…,"before":…}`; without `before`, in s, all tokens that were issued up to this second are revoked. 400, 503,
   * or 200 with how many holds and sessions have been ended; those of `silent` nodes end when these read what is kept. Never rejects.
   */
  async revoke(body: Buffer): Promise<Answer> {
    const { cluster, store, clock, tokenLifetimeMax } = this.#options;
    const now = clock.wall();
    const { value } = readJsonBytes(body);
    if (typeof value !== 'object' || value === null) return argumentRefused('it is no JSON object');
    const { sub, before = Math.floor(now / 1_000) + 1, ...others } = value as Readonly<Record<string, unknown>>;
    if (Object.keys(others).length > 0) return argumentRefused('it has a member other than sub and before');
    if (typeof sub !== 'string' || sub === '' || isLongName(sub)) return argumentRefused('sub is no text, or too long');
    if (typeof before !== 'number' || !Number.isFinite(before) || before < 0)
      return argumentRefused('before is no number of seconds since the epoch');
    // A token that is issued later, but before that time, lives as long again.
    const until = Math.max(now, before * 1_000) + tokenLifetimeMax;
    if (until > Number.MAX_SAFE_INTEGER) return argumentRefused('before is too far away');
    const revocation = { sub, before, until };
    try {
      if (!(await store.keep(revocation))) return tooManyRevocations;
    } catch (error) {
      return answerTo(error);
    }
    const read = (answer: unknown) => (isCount(answer) ? answer : undefined);
    return await cluster.gather({ about: 'revoke', revocations: [revocation] }, read, (replies, silent) => {
      const ended = replies.reduce((sum, { answer }) => sum + answer, 0);
      return shown({ message: 'Revoked', sub, before, ended, silent });
    });
  }
}
