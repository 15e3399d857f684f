/** The public keys of an identity provider (RFC 7517), fetched by HTTPS and kept. */
import type { JsonWebKey } from 'node:crypto';
import { request } from 'node:https';
import { type JwtKey, readJsonBytes, readJwk } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';

/**
 * Milliseconds between two fetches of a key set, whatever tokens ask for.
 *
 * @limit {s} between two fetches of a key set
 * @over a token with an unknown `kid` is refused, 401
 */
export const REFETCH_MS = 30_000;

/**
 * Milliseconds for one fetch, from the connection to the last byte.
 *
 * @limit {s} to fetch a key set
 * @over given up; keys that are known go on, else 503
 */
export const FETCH_MS = 5_000;

/**
 * Bytes of a key set; a large provider has some ten thousand.
 *
 * @limit {KiB} of a key set
 * @over given up; keys that are known go on, else 503
 */
export const MAX_JWKS_BYTES = 256 * 1024;

/**
 * Keys of a set; further ones are not read.
 *
 * @limit {} keys of a key set
 * @over further ones are not known
 */
export const MAX_JWKS_KEYS = 100;

/**
 * Age from which a set is fetched anew before it is asked for, in ms, so that a key that was withdrawn goes.
 *
 * @limit {min} as the age of a key set
 * @over it is fetched anew, while what is known is used
 */
export const FRESH_MS = 10 * 60_000;

/**
 * Age from which a set that cannot be fetched anew is not used any more, in ms.
 *
 * @limit a day as the age of a key set that cannot be fetched anew
 * @over its tokens are answered 503
 */
export const USABLE_MS = 24 * 60 * 60_000;

/** Keys that a token without `kid` is tried with. */
const MAX_TRIED = 4;

/** Where a set is. */
export interface JwksPlace {
  /** https. */
  readonly url: string;
  /** Certificates (PEM) that the server's is checked against; left out, those of Node.js. */
  readonly ca: string | undefined;
}

interface KnownKey {
  readonly kid: string | undefined;
  readonly key: JwtKey;
}

/** Keys that may have signed a token; `unavailable` where none can be known at present. */
export type JwksFound = readonly JwtKey[] | 'unavailable';

/** One set. Fetches at most once in {@link REFETCH_MS}. */
export class Jwks {
  readonly #place: JwksPlace;
  readonly #clock: Clock;
  readonly #log: Log;
  #keys: readonly KnownKey[] = [];
  /** Of the answer in force, to see a change by. */
  #text = '';
  #generation = 0;
  #triedAt: number | undefined;
  #fetchedAt: number | undefined;
  #fetching: Promise<void> | undefined;

  constructor(place: JwksPlace, clock: Clock, log: Log) {
    this.#place = place;
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Another number when the keys have changed: then what they have verified counts no more; -1 where there are none that count. Has
   * the set fetched anew, beside its use, when it is old.
   */
  check(): number {
    if (this.#age > FRESH_MS) void this.#refresh();
    return this.#isUsable ? this.#generation : -1;
  }

  /**
   * The keys by which a token can be signed that names this `kid` and this algorithm. Asks the provider, and then returns a
   * promise, only where the token's key is not known; never rejects.
   */
  find(kid: string | undefined, algorithm: unknown): JwksFound | Promise<JwksFound> {
    const found = this.#known(kid, algorithm);
    if (found.length > 0 && this.check() >= 0) return found;
    const fetching = this.#refresh();
    const known = (): JwksFound => (this.#isUsable ? this.#known(kid, algorithm) : 'unavailable');
    return fetching === undefined ? known() : fetching.then(known);
  }

  get #age(): number {
    return this.#fetchedAt === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() - this.#fetchedAt;
  }

  get #isUsable(): boolean {
    return this.#age <= USABLE_MS;
  }

  #known(kid: string | undefined, algorithm: unknown): readonly JwtKey[] {
    const fits = this.#keys.filter(({ key }) => key.algorithms.some((one) => one === algorithm));
    const named = kid === undefined ? fits : fits.filter((known) => known.kid === kid);
    return named.slice(0, MAX_TRIED).map(({ key }) => key);
  }

  /** The fetch that is under way, begun if that may be; undefined when it may not yet. */
  #refresh(): Promise<void> | undefined {
    if (this.#fetching !== undefined) return this.#fetching;
    const now = this.#clock.monotonic();
    if (this.#triedAt !== undefined && now - this.#triedAt < REFETCH_MS) return undefined;
    this.#triedAt = now;
    this.#fetching = this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetch(): Promise<void> {
    const jwks = shown(this.#place);
    try {
      const bytes = await download(this.#place);
      const { keys, skipped } = readJwks(bytes);
      const text = bytes.toString('latin1');
      if (text !== this.#text) this.#generation++;
      this.#keys = keys;
      this.#text = text;
      this.#fetchedAt = this.#clock.monotonic();
      this.#log.info({ jwks, keys: keys.length, skipped }, 'key set fetched');
    } catch (error) {
      this.#log.warn({ jwks, reason: reasonOf(error), inUse: this.#isUsable }, 'key set cannot be fetched');
    }
  }
}

/** The place in the log: a query may hold what only the provider should see. */
function shown({ url }: JwksPlace): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** Why a fetch failed, in the system's code or words of our own. */
function reasonOf(error: unknown): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || name === 'TimeoutError' ? 'no answer in time' : (code ?? message);
}

/** Follows no redirect: where the keys are is the operator's to say. */
function download({ url, ca }: JwksPlace): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = { Accept: 'application/jwk-set+json, application/json' };
    const options = { headers, signal: AbortSignal.timeout(FETCH_MS), ...(ca !== undefined && { ca }) };
    const outgoing = request(url, options, (incoming) => {
      if (incoming.statusCode !== 200) {
        outgoing.destroy(new Error(`it is answered ${incoming.statusCode}`));
        return;
      }
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_JWKS_BYTES) outgoing.destroy(new Error(`it has more than ${MAX_JWKS_BYTES} bytes`));
        else chunks.push(chunk);
      });
      incoming.on('error', reject);
      incoming.on('end', () => resolve(Buffer.concat(chunks)));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** The keys of a set that can verify; all others are passed over, symmetric ones among them: a set is public. */
function readJwks(bytes: Buffer): { readonly keys: readonly KnownKey[]; readonly skipped: number } {
  const { value } = readJsonBytes(bytes);
  const list = (value as { readonly keys?: unknown } | null | undefined)?.keys;
  if (!Array.isArray(list)) throw new Error('it is no JSON with a list of keys');
  const keys: KnownKey[] = [];
  for (const jwk of (list as readonly unknown[]).slice(0, MAX_JWKS_KEYS)) {
    const key = readPublicJwk(jwk);
    if (key !== undefined) keys.push(key);
  }
  return { keys, skipped: list.length - keys.length };
}

function readPublicJwk(jwk: unknown): KnownKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const { kty, kid, use = 'sig', key_ops: ops = ['verify'] } = jwk as Readonly<Record<string, unknown>>;
  if (kty === 'oct' || use !== 'sig' || !Array.isArray(ops) || !ops.includes('verify')) return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  try {
    return { kid, key: readJwk(jwk as JsonWebKey) };
  } catch {
    return undefined; // of a kind that is not known here, or too short
  }
}

/** The sets of all keys of a node. They outlast the key table, so that a reload asks no provider. */
export class JwksPool {
  readonly #clock: Clock;
  readonly #log: Log;
  #sets = new Map<string, Jwks>();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** The sets at these places: those that are known already, and new ones. All others are forgotten. */
  take(places: readonly JwksPlace[]): ReadonlyMap<JwksPlace, Jwks> {
    const sets = new Map<string, Jwks>();
    const taken = new Map<JwksPlace, Jwks>();
    for (const place of places) {
      const name = JSON.stringify([place.url, place.ca]);
      const set = sets.get(name) ?? this.#sets.get(name) ?? new Jwks(place, this.#clock, this.#log);
      sets.set(name, set);
      taken.set(place, set);
    }
    this.#sets = sets;
    return taken;
  }
}
