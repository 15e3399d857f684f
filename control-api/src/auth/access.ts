/**
 * Who may use a listener: from the header fields of a request to the caller, or to the refusal. What is wrong with a credential is
 * for the log only, and no credential is ever part of it.
 */
import { type JwtRead, peekJwt } from '@holdfast/grip';
import {
  type Answer,
  credentialsUnavailable,
  severalCredentials,
  unauthenticated,
  unauthenticatedBy,
} from '../http/answer.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { readClaims } from './claims.js';
import { readCredential } from './credentials.js';
import { type Shown, ShownCredentials } from './digest.js';
import { type Jwks, type JwksFound, JwksPool } from './jwks.js';
import type { ControlKey, KeyMaterial, KeyTable } from './key-table.js';
import { type CallerPort, KeyPrincipal } from './principal.js';
import { KeyRates } from './rates.js';
import { readDetails } from './rights.js';
import { TokenCache } from './token-cache.js';

/** What is known of a request whose sender is asked for. */
export interface Caller {
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  /**
   * Of the client certificate, where the connection has one that was verified: the common name of its subject and its alternative
   * names, without `DNS:` and the like. Asked for only where the request has no credential.
   */
  readonly certificateNames?: () => readonly string[] | undefined;
  /** The same object for all requests of a connection; left out, nothing is remembered of it. */
  readonly connection?: object;
}

/** A caller, or the answer where there is none. */
export type Admission = KeyPrincipal | Answer;

/** Characters of what a token says of itself that are logged. */
const MAX_LOGGED = 100;

/** A caller that a connection has shown, while the keys are those by which it was found. */
interface Found {
  readonly principal: KeyPrincipal;
  readonly table: KeyTable;
}

interface KnownToken {
  readonly principal: KeyPrincipal;
  readonly until: number;
  readonly bytes: number;
  /** Where its key was found, and in what state. */
  readonly jwks: Jwks | undefined;
  readonly generation: number;
}

/** The keys of a node, and what their callers have used of them. One for all its listeners. */
export class ControlAccess {
  readonly #clock: Clock;
  readonly #pool: JwksPool;
  readonly #rates = new KeyRates();
  readonly #shown = new ShownCredentials<Found>();
  readonly #tokens = new TokenCache<KnownToken>();
  /** By digest. */
  readonly #literals = new Map<string, KeyPrincipal>();
  readonly #named = new Map<ControlKey, KeyPrincipal>();
  #jwks: ReturnType<JwksPool['take']> = new Map();
  #table: KeyTable;

  constructor(table: KeyTable, clock: Clock, log: Log) {
    this.#clock = clock;
    this.#pool = new JwksPool(clock, log);
    this.#table = table;
    this.replace(table);
  }

  /** Puts other keys in force: for all requests from now on. Rates go on where they were. */
  replace(table: KeyTable): void {
    this.#table = table;
    this.#tokens.clear();
    this.#literals.clear();
    this.#named.clear();
    this.#rates.keep(table.ids);
    this.#jwks = this.#pool.take(table.keys.map(({ jwks }) => jwks).filter((place) => place !== undefined));
    // Fetched before the first token comes.
    for (const set of this.#jwks.values()) void set.check();
  }

  /**
   * The caller, whatever it may do, or the refusal of one that is not known; a promise only where the key of a token must be asked
   * for. Never rejects.
   */
  identify({ rawHeaders, certificateNames, connection }: Caller): Admission | Promise<Admission> {
    const credential = readCredential(rawHeaders);
    if (credential === 'several') return severalCredentials;
    if (credential === 'unknown') return unauthenticatedBy({ reason: 'its Authorization is neither Bearer nor Basic' });
    if (credential !== 'none') return this.#identifyShown(this.#shown.of(credential.text, connection));
    const names = certificateNames?.();
    const key = names && this.#table.named(names);
    if (key !== undefined) return this.#principalNamed(key);
    return names === undefined
      ? unauthenticated
      : unauthenticatedBy({ reason: 'its certificate names no key', names: names.slice(0, 5) });
  }

  #identifyShown(shown: Shown<Found>): Admission | Promise<Admission> {
    const { credential, digest, made } = shown;
    if (made !== undefined && made.table === this.#table && this.#clock.wall() < made.principal.until) {
      return made.principal;
    }
    shown.made = undefined;
    const admission = this.#identifyBy(credential, digest);
    // A token by a key set counts only as long as the set has its key, which is asked for each time.
    if (admission instanceof KeyPrincipal && admission.key.jwks === undefined) {
      shown.made = { principal: admission, table: this.#table };
    }
    return admission;
  }

  #identifyBy(text: string, digest: string): Admission | Promise<Admission> {
    return this.#literal(digest) ?? this.#known(digest) ?? this.#verify(text, digest);
  }

  #literal(digest: string): KeyPrincipal | undefined {
    const match = this.#table.literal(digest, this.#clock.wall());
    if (match === undefined) return undefined;
    let principal = this.#literals.get(digest);
    if (principal === undefined) {
      principal = new KeyPrincipal({
        key: match.key,
        until: match.material.until,
        mark: match.material.mark,
        node: this.#port,
      });
      this.#literals.set(digest, principal);
    }
    return principal;
  }

  #principalNamed(key: ControlKey): KeyPrincipal {
    let principal = this.#named.get(key);
    if (principal === undefined) {
      principal = new KeyPrincipal({ key, until: Number.POSITIVE_INFINITY, mark: undefined, node: this.#port });
      this.#named.set(key, principal);
    }
    return principal;
  }

  /** A token that was verified and still counts. */
  #known(digest: string): KeyPrincipal | undefined {
    const known = this.#tokens.get(digest, this.#clock.wall());
    if (known === undefined || known.jwks === undefined || known.jwks.check() === known.generation)
      return known?.principal;
    this.#tokens.delete(digest);
    return undefined;
  }

  #verify(token: string, digest: string): Admission | Promise<Admission> {
    const peeked = peekJwt(token);
    if (peeked === undefined) return unauthenticatedBy({ reason: 'it is neither a key nor a token' });
    const { header, claims } = peeked;
    const key = this.#table.issuer(claims.iss);
    if (key === undefined) return unauthenticatedBy({ reason: 'no key is that of its issuer', ...issuerIn(claims) });
    const verification: Verification = { token, digest, key, jwks: undefined };
    const jwks = key.jwks && this.#jwks.get(key.jwks);
    if (jwks === undefined) return this.#verifyBy(verification, key.material);
    const found = jwks.find(typeof header.kid === 'string' ? header.kid : undefined, header.alg);
    const verify = (keys: JwksFound) =>
      keys === 'unavailable'
        ? { ...credentialsUnavailable, logged: { key: key.id } }
        : this.#verifyBy(
            { ...verification, jwks },
            keys.map((token) => ({ token, mark: key.jwks?.url, until: Number.POSITIVE_INFINITY })),
          );
    if (!(found instanceof Promise)) return verify(found);
    const table = this.#table;
    // A reload may have taken place while keys were fetched: then other keys are in force.
    return found.then((keys) => (this.#table === table ? verify(keys) : this.#identifyBy(token, digest)));
  }

  /** Tries the keys in turn, each of which counts until some time. */
  #verifyBy({ token, digest, key, jwks }: Verification, keys: readonly TokenKey[]): Admission {
    const now = this.#clock.wall();
    let read: JwtRead = { fault: 'no key has its kid and algorithm' };
    let by: TokenKey | undefined;
    for (const one of keys) {
      if (one.token === undefined || now >= one.until) continue;
      by = one;
      read = one.token.verify(token);
      if (read.claims !== undefined) break;
    }
    if (read.claims === undefined || by === undefined)
      return unauthenticatedBy({ reason: read.fault ?? '', key: key.id });
    const { claims } = read;
    const time = readClaims(claims, key.audience, now);
    if ('fault' in time) return unauthenticatedBy({ reason: time.fault, key: key.id });
    const details = readDetails(claims);
    if (typeof details === 'string') return unauthenticatedBy({ reason: details, key: key.id });
    const until = Math.min(time.until, by.until);
    const principal = new KeyPrincipal({ key, until, mark: by.mark, claims, details, node: this.#port });
    this.#tokens.set(digest, { principal, until, bytes: token.length, jwks, generation: jwks?.check() ?? 0 });
    return principal;
  }

  readonly #port: CallerPort = {
    spend: ({ id, rate }, items) =>
      rate === undefined ? undefined : this.#rates.spend(id, rate, items, this.#clock.monotonic()),
    current: (id, mark, until) => {
      const now = this.#clock.wall();
      const key = this.#table.key(id);
      if (key === undefined || now >= until) return undefined;
      const lets =
        mark === undefined ||
        mark === key.jwks?.url ||
        key.material.some((one) => one.mark === mark && now < one.until);
      return lets ? key : undefined;
    },
  };
}

/** A key that may have signed a token. */
type TokenKey = Pick<KeyMaterial, 'token' | 'until'> & { readonly mark: string | undefined };

interface Verification {
  readonly token: string;
  readonly digest: string;
  readonly key: ControlKey;
  readonly jwks: Jwks | undefined;
}

function issuerIn({ iss }: { readonly iss?: unknown }): { readonly issuer?: string } {
  return typeof iss === 'string' ? { issuer: iss.slice(0, MAX_LOGGED) } : {};
}
