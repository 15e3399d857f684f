/** Which ids were published lately on which channel, so that a repeated item is recognised. */
import { createHash } from 'node:crypto';
import type { Clock } from '../runtime/clock.js';

/**
 * How many ids a node remembers at most. Beyond that the older half is forgotten early, and counted. One takes up to 400
 * bytes, for long ones are remembered by their digest.
 *
 * @limit {} remembered ids
 * @over the older half is forgotten early, counted; with Redis there is no such number
 */
export const MAX_CACHED_IDS = 1_000_000;

/**
 * @limit {} characters of a name and an id that are remembered
 * @over their digest is
 */
export const MAX_KEY_CHARS = 96;

/** Counts what an {@link IdCache} does; implemented by the metrics. */
export interface IdCacheEvents {
  /** Up to so many ids were forgotten early because the cache is full: repeats of them are not noticed. */
  idsForgotten(count: number): void;
}

/** What is known of ids that were published lately. */
export interface RecentIds {
  /** True if the id was seen on this channel within the time: a duplicate. Otherwise it is remembered from now on. */
  seen(channel: string, id: string): boolean;
  /** The item with this id goes nowhere for another reason: one that comes again is no duplicate of it. */
  forget(channel: string, id: string): void;
}

/** What an {@link IdCache} is made of. */
export interface IdCacheOptions {
  readonly clock: Clock;
  /** How long an id is remembered after it was first seen, in ms; 0 or less remembers none. */
  readonly idCacheTtl: number;
  /** At least 2; {@link MAX_CACHED_IDS} if left out. */
  readonly limit?: number;
  readonly events: IdCacheEvents;
}

/** Channel and id in one key → when it is to be forgotten, in ms by the monotonic clock. */
type Generation = Map<string, number>;

/**
 * Ids by channel, each for a fixed time from when it was first seen: repeats do not prolong it. It does not matter
 * whether anybody is subscribed.
 *
 * Ids are kept in two generations, of which the older is dropped as a whole: a queue in order of age would cost more
 * on every item than this costs in memory (an id stays for twice its time at most).
 */
export class IdCache implements RecentIds {
  readonly #clock: Clock;
  readonly #idCacheTtl: number;
  readonly #limit: number;
  readonly #events: IdCacheEvents;
  #young: Generation = new Map();
  #old: Generation = new Map();
  #timer: unknown;

  constructor({ clock, idCacheTtl, limit = MAX_CACHED_IDS, events }: IdCacheOptions) {
    this.#clock = clock;
    this.#idCacheTtl = idCacheTtl;
    this.#limit = limit;
    this.#events = events;
  }

  seen(channel: string, id: string): boolean {
    if (this.#idCacheTtl <= 0) return false;
    const now = this.#clock.monotonic();
    const key = keyOf(channel, id);
    const until = this.#young.get(key) ?? this.#old.get(key);
    if (until !== undefined && until > now) return true;
    if (this.#young.size >= this.#limit / 2) {
      if (this.#old.size > 0) this.#events.idsForgotten(this.#old.size);
      this.#age();
    }
    this.#young.set(key, now + this.#idCacheTtl);
    this.#timer ??= this.#clock.after(this.#idCacheTtl, () => this.#age());
    return false;
  }

  forget(channel: string, id: string): void {
    const key = keyOf(channel, id);
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** How many ids are held, some of which may be past their time. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  /** Forgets all ids. */
  clear(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#young = new Map();
    this.#old = new Map();
  }

  /** What is young now is kept for `ttl` more from now, which is long enough for the last of it. */
  #age(): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#clock.clear(this.#timer);
    this.#timer = this.#old.size === 0 ? undefined : this.#clock.after(this.#idCacheTtl, () => this.#age());
  }
}

/** The length keeps apart what a separator could not: both parts may hold any character. */
function keyOf(channel: string, id: string): string {
  const key = `${channel.length}:${channel}${id}`;
  if (channel.length + id.length <= MAX_KEY_CHARS) return key;
  // In UTF-16, where halves of surrogate pairs are not all the same.
  return createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('binary');
}
