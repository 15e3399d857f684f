/** How many file descriptors this process may still open, and what the last ones are reserved for. */
import { readdirSync, readFileSync, statSync } from 'node:fs';

/** Share of the limit that is kept for publishers, and as much for everything else but clients. */
const SHARE = 1 / 16;

/** The least and the most that either is, in descriptors. */
const SHARE_MIN = 8;
const PUBLISHERS_MAX = 1_024;
const MARGIN_MAX = 256;

/** How long a count holds that had to read a directory, in ms, where there was no room. */
const SLOW_COUNT_MS = 100;

const OPEN = '/proc/self/fd';
const LIMITS = '/proc/self/limits';
const SOFT = /^Max open files\s+(\d+)/m;

/** What a descriptor is for. */
export type DescriptorUse = 'client' | 'origin';

/** How many are open. */
export interface DescriptorCount {
  readonly open: number;
  /** Whether it took long to find out. */
  readonly isSlow: boolean;
}

/**
 * The descriptors of this process. At its limit it could serve no publisher, no probe and no origin; and uWebSockets.js, whose
 * listener is woken again and again for a connection that it cannot accept, would do nothing else. So clients are turned away
 * first, then connections to origins are not made. Counting costs a few µs, and is done the more often the fewer are left.
 */
export class Descriptors {
  /** As `ulimit -n` has it; infinite where the system does not say, and then everything is admitted. */
  readonly limit: number;
  /**
   * How many are kept from clients: for publishers, origins, operators and files.
   *
   * @limit an eighth of the open files that the process may have, 16 to 1,280, is kept from clients: for publishers,
   *   origins, operators and files
   * @over a new connection is closed and counted; one warning a minute, with how many
   */
  readonly reserve: number;
  /**
   * Of those, how many are kept from connections to origins too.
   *
   * @limit the part of `reserve` that is kept from connections to origins too: all but half of what is not for
   *   publishers
   * @over no connection is made: next target, then 502
   */
  readonly core: number;
  /**
   * Most connections of publishers, and of operators.
   *
   * @limit a sixteenth of the open files, 8 to 1,024 connections of publishers
   * @over as `MAX_CONNECTIONS` of the control API
   */
  readonly publishers: number;
  /**
   * @limit a 64th of the open files, 2 to 64 connections of the admin listener
   * @over the new connection is closed
   */
  readonly operators: number;
  /**
   * Most connections to one target of routes, where `origin_connections_max` does not say: each may serve a client, which needs as many.
   *
   * @limit a third of the open files, at least 8 connections to one target (`origin_connections_max`)
   * @over further requests wait for one, as long as `origin_connect_timeout`; then next target, then 502
   */
  readonly origins: number;
  readonly #count: () => DescriptorCount;
  /** So many more may be opened before they are counted again: half of what there was room for. */
  #credit = 0;
  #fullUntil = 0;

  constructor(limit: number, count: () => DescriptorCount) {
    this.limit = limit;
    const share = Math.max(SHARE_MIN, Math.floor(limit * SHARE));
    const margin = Math.min(MARGIN_MAX, share);
    this.publishers = Math.min(PUBLISHERS_MAX, share);
    this.operators = Math.floor(margin / 4);
    this.origins = Math.max(SHARE_MIN, Math.floor(limit / 3));
    this.core = this.publishers + Math.floor(margin / 2);
    this.reserve = this.publishers + margin;
    this.#count = count;
  }

  /** Those of this process, by what Linux says; the limit is read once. */
  static ofProcess(): Descriptors {
    return new Descriptors(readLimit(), countOpen);
  }

  /** Whether a connection may be opened or kept. To be asked once for each. */
  admits(use: DescriptorUse): boolean {
    if (this.limit === Number.POSITIVE_INFINITY) return true;
    if (this.#credit > 0) {
      this.#credit--;
      return true;
    }
    if (use === 'client' && this.#fullUntil > 0 && performance.now() < this.#fullUntil) return false;
    const { open, isSlow } = this.#count();
    const free = this.limit - open;
    this.#credit = Math.max(0, Math.floor((free - this.reserve) / 2));
    const isAdmitted = free >= (use === 'client' ? this.reserve : this.core);
    this.#fullUntil = isSlow && !isAdmitted ? performance.now() + SLOW_COUNT_MS : 0;
    return isAdmitted;
  }

  /** How many can still be opened; counted now. */
  get free(): number {
    return this.limit === Number.POSITIVE_INFINITY ? this.limit : this.limit - this.#count().open;
  }
}

function readLimit(): number {
  try {
    return Number(SOFT.exec(readFileSync(LIMITS, 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Since Linux 6.2 the directory's size is the count; before, its entries have to be counted, with one for reading them. */
function countOpen(): DescriptorCount {
  const { size } = statSync(OPEN);
  return size > 0 ? { open: size, isSlow: false } : { open: readdirSync(OPEN).length - 1, isSlow: true };
}
