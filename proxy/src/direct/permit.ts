/** What a token permits its bearer: the claims of a subscriber's token, as Centrifugo and Mercure write them too. */
import { ChannelPatterns } from '@holdfast/control-api';
import type { JwtClaims } from '@holdfast/grip';
import { isUserName } from '../channels/users.js';

/**
 * Channels and patterns of a token: each pattern is tried for each channel that is asked for.
 *
 * @limit {} channels and patterns of a subscriber's token
 * @over it is refused, 401
 */
export const MAX_GRANTS = 100;

/** The type of authorization details of Mercure 1.0 (RFC 9396). */
const MERCURE = 'https://mercure.rocks/authorization-detail';

/** Meta with the `iat` of the token that a hold or session is by: what may be revoked. */
export const ISSUED_META = 'token-iat';

/** What is read of a token that counts now. */
export interface Permit {
  /** `sub`; empty for nobody in particular. */
  readonly user: string;
  /** `iat` in s since the epoch; 0 where the token does not say. */
  readonly issuedAt: number;
  /** When what is held by it ends, in ms since the epoch; infinite for never. */
  readonly until: number;
  /** Whether it permits a channel, named as clients name it. */
  allows(channel: string): boolean;
}

/** The last second that an HTTP date can name, in ms since the epoch. */
const LAST_DATE = 253_402_300_799_000;

/** The second at which what is held by a permit ends, as an HTTP date has it, in ms since the epoch; undefined for never. */
export function endOf({ until }: Permit): number | undefined {
  if (until === Number.POSITIVE_INFINITY) return undefined;
  return Math.min(Math.ceil(until / 1_000) * 1_000, LAST_DATE);
}

/** Channels one after another, with whatever is wrong in the way they are given. */
class Grants {
  readonly patterns: string[] = [];
  readonly names = new Set<string>();
  isAll = false;
  fault: string | undefined;

  /** What of a claim may be there, or not: a list of texts. */
  texts(claim: string, value: unknown, add: (text: string) => void): void {
    if (value === undefined) return;
    if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
      this.fault ??= `${claim} is no list of texts`;
    else for (const text of value.slice(0, MAX_GRANTS + 1)) add(text);
  }

  name(text: string): void {
    if (text === '*') this.isAll = true;
    else this.names.add(text);
  }

  get count(): number {
    return this.patterns.length + this.names.size;
  }
}

/**
 * Reads the claims of a token whose signature and times are right. `channel` is one name, `channels` a list of patterns; of Mercure,
 * exact matchers and `*`. The fault is a text for the log.
 */
export function readPermit(claims: JwtClaims, now: number): Permit | { readonly fault: string } {
  const { sub = '', iat = 0, exp, expire_at: ends = exp, channel, channels, mercure } = claims;
  // By its user what is held is found that is to be ended.
  if (typeof sub !== 'string' || (sub !== '' && !isUserName(sub))) return { fault: 'its sub is no text, or too long' };
  if (!isSeconds(iat)) return { fault: 'its iat is no number of seconds' };
  if (!isSeconds(ends)) return { fault: 'its expire_at is no number of seconds' };
  const until = ends === 0 ? Number.POSITIVE_INFINITY : ends * 1_000;
  if (now >= until) return { fault: 'its expire_at has passed' };
  const grants = new Grants();
  if (typeof channel === 'string') grants.names.add(channel);
  else if (channel !== undefined) grants.fault = 'its channel is no text';
  grants.texts('its channels', channels, (pattern) => grants.patterns.push(pattern));
  if (mercure !== undefined) {
    if (!isObject(mercure)) grants.fault ??= 'its mercure is no object';
    else grants.texts('mercure.subscribe', mercure.subscribe, (topic) => grants.name(topic));
  }
  readDetails(claims, grants);
  if (grants.fault !== undefined) return { fault: grants.fault };
  if (grants.count > MAX_GRANTS) return { fault: `it has more than ${MAX_GRANTS} channels` };
  const { names, isAll } = grants;
  const patterns = new ChannelPatterns(grants.patterns);
  return {
    user: sub,
    issuedAt: iat,
    until,
    allows: (name) => isAll || names.has(name) || patterns.has(name),
  };
}

/** One bad entry is a fault of the token, as Mercure has it; details of other types are passed over. */
function readDetails({ authorization_details: details }: JwtClaims, grants: Grants): void {
  if (details === undefined) return;
  if (!Array.isArray(details) || details.length > MAX_GRANTS) {
    grants.fault ??= 'authorization_details is no list, or too long';
    return;
  }
  for (const detail of details as readonly unknown[]) {
    if (!isObject(detail) || typeof detail.type !== 'string') grants.fault ??= 'a detail is no object with a type';
    else if (detail.type === MERCURE) readDetail(detail, grants);
  }
}

function readDetail({ actions, topics }: Readonly<Record<string, unknown>>, grants: Grants): void {
  let subscribes = false;
  grants.texts('actions of a detail', actions ?? [], (action) => {
    subscribes ||= action === 'subscribe';
  });
  if (!Array.isArray(topics)) {
    grants.fault ??= 'topics of a detail is no list';
    return;
  }
  for (const topic of (topics as readonly unknown[]).slice(0, MAX_GRANTS + 1)) {
    const { match, match_type: type = 'exact' } = isObject(topic) ? topic : {};
    if (typeof match !== 'string') grants.fault ??= 'a topic of a detail has no match';
    else if (type !== 'exact') grants.fault ??= 'a topic of a detail has a match_type other than exact';
    else if (subscribes) grants.name(match);
  }
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
