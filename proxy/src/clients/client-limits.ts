/**
 * What one client may have at a time, and how often it may ask: by its address, by a field of its requests, or by the user that
 * the origin names. And what a node takes of all of them together, by its memory.
 */
import { createHash } from 'node:crypto';
import { CauseLog, type Log, type Rate } from '@holdfast/control-api';
import { headerValue, type RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { addressKey } from '../config/types/address-ranges.js';
import type { ClientRequest } from '../edge/port.js';
import { RequestError } from '../errors.js';
import type { Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';
import { KeyedCount, KeyedRate } from '../runtime/keyed-limits.js';
import type { Memory } from '../runtime/memory.js';

/** Seconds until a client may come again that has all the holds it may have, or for which there is no memory. */
const RETRY_S = 5;
/** Up to so many seconds more where all clients are refused: they must not come back together. */
const SPREAD_S = 10;

/** Longer keys are kept as their digest, so that a map of keys is bounded in bytes. */
const KEY_MAX = 64;

/** What limits are made from. */
export interface ClientLimitsDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly memory: Memory;
  readonly log: Log;
  /** Something was refused because of the limit of this name. */
  readonly limited: (limit: string) => void;
  /** Processes of this node that share its clients: each has its share of a limit. */
  readonly processes: number;
}

/** The state of a route's limits. */
interface RouteLimits {
  readonly rate: KeyedRate | undefined;
  readonly holds: KeyedCount | undefined;
}

/** A count in which a request has a place, by its key. */
interface Place {
  readonly count: KeyedCount;
  readonly key: string;
}

/** The limits of one process. Nothing is kept of requests and clients that no limit concerns. */
export class ClientLimits {
  readonly #deps: ClientLimitsDeps;
  readonly #perAddress: KeyedCount | undefined;
  readonly #routes = new WeakMap<Route, RouteLimits>();
  /** Of routes that a reload has replaced, as long as something of them is left. */
  readonly #known = new Map<string, WeakRef<RouteLimits>>();
  readonly #places = new WeakMap<ClientRequest, readonly Place[]>();
  readonly #causes: CauseLog;

  constructor({ clientMaxHoldsPerAddress: max }: Pick<Options, 'clientMaxHoldsPerAddress'>, deps: ClientLimitsDeps) {
    this.#deps = deps;
    this.#perAddress = Number.isFinite(max) ? new KeyedCount(Math.ceil(max / deps.processes)) : undefined;
    this.#causes = new CauseLog(deps.log, deps.clock);
  }

  /**
   * Counts a request of a client that is no GRIP proxy of ours.
   * @throws RequestError ERR_REQUEST_RATE when it comes too early for `limit_rate`
   */
  admitRequest(request: ClientRequest, route: Route): void {
    if (route.limitRate !== undefined && route.limitKey !== 'user')
      this.#take(request, route, route.limitRate, undefined);
  }

  /**
   * Gives a request that is to be held, or a WebSocket, its place; `ended` takes it back. `user` is the one that the origin has
   * named; of a WebSocket none is known yet.
   * @throws RequestError ERR_REQUEST_RATE, ERR_REQUEST_HOLDS or ERR_REQUEST_SHED, when it has no place
   */
  admitHold(request: ClientRequest, route: Route, user: string | undefined): void {
    const { memory, random } = this.#deps;
    if (memory.isShort) {
      const retryAfter = RETRY_S + Math.floor(random() * SPREAD_S);
      throw this.#refusal('ERR_REQUEST_SHED', 'shed_memory', route, 'all clients', [], retryAfter);
    }
    if (route.limitRate !== undefined && route.limitKey === 'user') this.#take(request, route, route.limitRate, user);
    const places: Place[] = [];
    const enter = (count: KeyedCount | undefined, key: string, limit: string, max: number) => {
      if (count === undefined || key === '') return;
      if (count.add(key)) places.push({ count, key });
      else {
        for (const place of places) place.count.remove(place.key);
        const shown = limit === 'limit_holds' ? this.#shown(request, route, user) : request.clientAddress;
        throw this.#refusal('ERR_REQUEST_HOLDS', `${limit} (${max})`, route, shown, [], RETRY_S);
      }
    };
    if (this.#perAddress !== undefined) {
      const { max } = this.#perAddress;
      enter(this.#perAddress, addressKey(request.clientAddress), 'client_max_holds_per_address', max);
    }
    if (route.limitHolds !== undefined) {
      enter(this.#limitsOf(route).holds, keyOf(request, route, user), 'limit_holds', route.limitHolds);
    }
    if (places.length > 0) this.#places.set(request, places);
  }

  /** The hold is over, or has not come about. May be called again, and for requests without a place. */
  ended(request: ClientRequest): void {
    const places = this.#places.get(request);
    if (places === undefined) return;
    this.#places.delete(request);
    for (const { count, key } of places) count.remove(key);
  }

  #take(request: ClientRequest, route: Route, { perSecond, burst }: Rate, user: string | undefined): void {
    const key = keyOf(request, route, user);
    const wait = key === '' ? 0 : (this.#limitsOf(route).rate?.take(key) ?? 0);
    if (wait === 0) return;
    const retryAfter = Math.ceil(wait / 1_000);
    const window = Math.max(1, Math.ceil(burst / perSecond));
    const fields = [
      ...['RateLimit-Policy', `"limit_rate";q=${burst};w=${window}`],
      ...['RateLimit', `"limit_rate";r=0;t=${retryAfter}`],
    ];
    const limit = `limit_rate (${perSecond} per second, ${burst} at once)`;
    throw this.#refusal('ERR_REQUEST_RATE', limit, route, this.#shown(request, route, user), fields, retryAfter);
  }

  /** Whose limit it is, for the log: not the value of a field, which may be a secret. */
  #shown({ clientAddress }: ClientRequest, { limitKey }: Route, user: string | undefined): string {
    if (limitKey === 'user' && user !== undefined) return `user ${user.slice(0, KEY_MAX)}`;
    return limitKey === 'address' || limitKey === 'user' ? clientAddress : `${limitKey.header} of ${clientAddress}`;
  }

  #refusal(
    code: 'ERR_REQUEST_RATE' | 'ERR_REQUEST_HOLDS' | 'ERR_REQUEST_SHED',
    limit: string,
    route: Route,
    whose: string,
    fields: RawHeaders,
    retryAfter: number,
  ): RequestError {
    const [name = limit] = limit.split(' ');
    this.#deps.limited(name);
    const text = `request of ${whose || 'a client'} refused: ${limit} is reached`;
    this.#causes.warn(`${name} ${route.key}`, { limit: name, route: route.id ?? route.key, client: whose }, text);
    const message = code === 'ERR_REQUEST_SHED' ? 'Out of memory for now.' : 'Too many requests.';
    return new RequestError(code, message, { headers: ['Retry-After', String(retryAfter), ...fields] });
  }

  #limitsOf(route: Route): RouteLimits {
    const own = this.#routes.get(route);
    if (own !== undefined) return own;
    const { limitRate, limitHolds, limitKey } = route;
    const name = JSON.stringify([route.id, route.key, limitRate, limitHolds, limitKey]);
    const limits = this.#known.get(name)?.deref() ?? this.#makeLimits(route);
    for (const [known, ref] of this.#known) if (ref.deref() === undefined) this.#known.delete(known);
    this.#known.set(name, new WeakRef(limits));
    this.#routes.set(route, limits);
    return limits;
  }

  #makeLimits({ limitRate: rate, limitHolds: holds }: Route): RouteLimits {
    const { clock, processes } = this.#deps;
    const share = rate && {
      perSecond: rate.perSecond / processes,
      burst: Math.max(1, Math.ceil(rate.burst / processes)),
    };
    return {
      rate: share && new KeyedRate(share, clock),
      holds: holds === undefined ? undefined : new KeyedCount(Math.ceil(holds / processes)),
    };
  }
}

/** What the route's limits go by for a request; empty where nothing is known of the client: then they do not concern it. */
function keyOf({ headers, clientAddress }: ClientRequest, { limitKey }: Route, user: string | undefined): string {
  const named = limitKey === 'address' ? undefined : limitKey === 'user' ? user : headerValue(headers, limitKey.header);
  if (named === undefined) return addressKey(clientAddress);
  // Apart from addresses, which have no `=`.
  return `=${named.length > KEY_MAX ? createHash('sha256').update(named).digest('base64') : named}`;
}
