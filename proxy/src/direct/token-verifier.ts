/** From tokens to what they permit: their signatures by the keys of a target, and their claims. */
import {
  CauseLog,
  type Clock,
  digestOf,
  type Jwks,
  type JwksFound,
  JwksPool,
  type Log,
  type Revocations,
  readClaims,
  TokenCache,
} from '@holdfast/control-api';
import { type JwtKey, type JwtRead, peekJwt } from '@holdfast/grip';
import type { RouteTable } from '../routes/route-table.js';
import type { SubscribeTarget } from '../routes/subscribe-target.js';
import { ROUNDING_MS } from '../runtime/clock.js';
import { type Permit, readPermit } from './permit.js';
import { MAX_TOKEN } from './token-source.js';

/** A permit; `invalid` for a token that does not count, whose reason is in the log; `unavailable` where its key cannot be known. */
export type Verified = Permit | 'invalid' | 'unavailable';

interface KnownToken {
  readonly permit: Permit;
  readonly until: number;
  readonly bytes: number;
  readonly generation: number;
}

/** What is known of a target while it is in force. */
interface Known {
  /** Before the digests of its tokens: a token counts for the target that has verified it. */
  readonly number: number;
  readonly jwks: Jwks | undefined;
}

/** What it uses. */
export interface TokenVerifierDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly routes: () => RouteTable;
  readonly revocations: Pick<Revocations, 'covers'>;
  /** Longest time in ms from now to the expiry of a token: a revocation is kept so long (`token_lifetime_max`). */
  readonly tokenLifetimeMax: number;
}

/** Verifies the tokens of all targets of a process. A token that was verified is remembered until it expires. */
export class TokenVerifier {
  readonly #clock: Clock;
  readonly #routes: () => RouteTable;
  readonly #pool: JwksPool;
  readonly #refused: CauseLog;
  readonly #revocations: Pick<Revocations, 'covers'>;
  readonly #tokenLifetimeMax: number;
  readonly #tokens = new TokenCache<KnownToken>();
  readonly #targets = new WeakMap<SubscribeTarget, Known>();
  #numbers = 0;

  constructor({ clock, log, routes, revocations, tokenLifetimeMax }: TokenVerifierDeps) {
    this.#revocations = revocations;
    this.#tokenLifetimeMax = tokenLifetimeMax;
    this.#clock = clock;
    this.#routes = routes;
    this.#pool = new JwksPool(clock, log);
    this.#refused = new CauseLog(log, clock);
  }

  /** What a token permits; a promise only where its key must be asked for. Never rejects, and logs nothing of the token. */
  verify(target: SubscribeTarget, token: string): Verified | Promise<Verified> {
    if (token.length > MAX_TOKEN) return this.#invalid('it is too long');
    const { number, jwks } = this.#known(target);
    const digest = `${number} ${digestOf(token)}`;
    const now = this.#now;
    const known = this.#tokens.get(digest, now);
    if (known !== undefined && (jwks === undefined || jwks.check() === known.generation)) {
      if (now < known.permit.until) return this.#unlessRevoked(known.permit);
    }
    this.#tokens.delete(digest);
    const header = peekJwt(token)?.header;
    if (header === undefined) return this.#invalid('it is no JWT');
    const verify = (keys: JwksFound): Verified => {
      if (keys === 'unavailable') return keys;
      return this.#read(target, token, digest, { keys, generation: jwks?.check() ?? 0 });
    };
    if (jwks === undefined) return verify(target.keys);
    const found = jwks.find(typeof header.kid === 'string' ? header.kid : undefined, header.alg);
    return found instanceof Promise ? found.then(verify) : verify(found);
  }

  #read(
    { issuer, audience }: SubscribeTarget,
    token: string,
    digest: string,
    { keys, generation }: { readonly keys: readonly JwtKey[]; readonly generation: number },
  ): Verified {
    let read: JwtRead = { fault: 'no key has its kid and algorithm' };
    for (const key of keys) {
      read = key.verify(token);
      if (read.claims !== undefined) break;
    }
    if (read.claims === undefined) return this.#invalid(read.fault);
    const { claims } = read;
    if (issuer !== undefined && claims.iss !== issuer) return this.#invalid('its iss is not token_iss');
    const now = this.#now;
    const time = readClaims(claims, audience, now, 0);
    if ('fault' in time) return this.#invalid(time.fault);
    if (time.until - now > this.#tokenLifetimeMax)
      return this.#invalid('its exp is further away than token_lifetime_max');
    const permit = readPermit(claims, now);
    if ('fault' in permit) return this.#invalid(permit.fault);
    this.#tokens.set(digest, { permit, until: time.until, bytes: token.length, generation });
    return this.#unlessRevoked(permit);
  }

  /** A long poll that is asked for anew when its token has ended must not be held by it once more. */
  get #now(): number {
    return this.#clock.wall() + ROUNDING_MS;
  }

  #unlessRevoked(permit: Permit): Verified {
    return this.#revocations.covers(permit.user, permit.issuedAt) ? this.#invalid('it is revoked') : permit;
  }

  #invalid(reason: string): 'invalid' {
    this.#refused.info(reason, {}, `token of a subscriber refused: ${reason}`);
    return 'invalid';
  }

  #known(target: SubscribeTarget): Known {
    const known = this.#targets.get(target);
    if (known !== undefined) return known;
    const places = this.#routes()
      .routes.flatMap(({ targets }) => targets)
      .map((one) => (one.kind === 'subscribe' ? one.jwks : undefined));
    // Those of a target that a reload has taken away may still be asked for by a request that is under way.
    const sets = this.#pool.take([...places, target.jwks].filter((place) => place !== undefined));
    const made = { number: this.#numbers++, jwks: target.jwks && sets.get(target.jwks) };
    this.#targets.set(target, made);
    return made;
  }
}
