/** Tokens of clients that count no more although they have not expired: by user and time; in memory, and the port to what all nodes keep. */
import { isLongName } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';

/**
 * Users whose tokens are revoked, at a time.
 *
 * @limit {} users whose tokens are revoked
 * @over refused, 503
 */
export const MAX_REVOCATIONS = 100_000;

/** Tokens of a user that were issued before some time count no more. */
export interface Revocation {
  readonly sub: string;
  /** Seconds since the Unix epoch, as `iat` has them: the tokens whose `iat` is less, or that have none. */
  readonly before: number;
  /** When the last of these tokens has expired, in ms since the epoch: then it is forgotten. */
  readonly until: number;
}

/** What the nodes of a system keep for those that start later. */
export interface RevocationStore {
  /** False where there are too many. Of several for one user the furthest counts. Rejects with ERR_BACKPLANE_UNAVAILABLE. */
  keep(revocation: Revocation): Promise<boolean>;
  /** All that count now. Rejects with ERR_BACKPLANE_UNAVAILABLE. */
  kept(): Promise<readonly Revocation[]>;
}

/** Those that a process knows. */
export class Revocations implements RevocationStore {
  readonly #clock: Pick<Clock, 'wall'>;
  readonly #bySub = new Map<string, Revocation>();

  constructor(clock: Pick<Clock, 'wall'>) {
    this.#clock = clock;
  }

  /** `new` where it says more than was known; `full` where there are too many. */
  add(revocation: Revocation): 'new' | 'known' | 'full' {
    const { sub, before, until } = revocation;
    if (until <= this.#clock.wall()) return 'known';
    const known = this.#bySub.get(sub);
    if (known !== undefined && known.before >= before && known.until >= until) return 'known';
    if (known === undefined && this.#bySub.size >= MAX_REVOCATIONS) this.#forget();
    if (known === undefined && this.#bySub.size >= MAX_REVOCATIONS) return 'full';
    this.#bySub.set(sub, {
      sub,
      before: Math.max(before, known?.before ?? before),
      until: Math.max(until, known?.until ?? until),
    });
    return 'new';
  }

  /** Whether a token of this user with this `iat`, in s, is revoked. */
  covers(sub: string, issuedAt: number): boolean {
    const known = this.#bySub.get(sub);
    return known !== undefined && issuedAt < known.before && this.#clock.wall() < known.until;
  }

  async keep(revocation: Revocation): Promise<boolean> {
    return this.add(revocation) !== 'full';
  }

  async kept(): Promise<readonly Revocation[]> {
    return this.list();
  }

  list(): readonly Revocation[] {
    const now = this.#clock.wall();
    return [...this.#bySub.values()].filter(({ until }) => now < until);
  }

  #forget(): void {
    const now = this.#clock.wall();
    for (const { sub, until } of this.#bySub.values()) if (until <= now) this.#bySub.delete(sub);
  }
}

/** Those among values of another process that can be read. */
export function readRevocations(values: unknown): readonly Revocation[] {
  if (!Array.isArray(values)) return [];
  return (values as readonly unknown[]).filter(isRevocation);
}

function isRevocation(value: unknown): value is Revocation {
  const { sub, before, until } = (value ?? {}) as Record<string, unknown>;
  return typeof sub === 'string' && sub !== '' && !isLongName(sub) && Number.isFinite(before) && Number.isFinite(until);
}
