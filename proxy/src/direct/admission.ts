/** Whether a request may have the channels that it asks for at a `subscribe` target, and the refusals of those that may not (RFC 6750). */
import { isLongName, type RawHeaders } from '@holdfast/grip';
import { type Answer, plainAnswer } from '../origin/in-process.js';
import { channelOf } from '../routes/channel-name.js';
import type { Route } from '../routes/route.js';
import type { SubscribeTarget } from '../routes/subscribe-target.js';
import type { Permit } from './permit.js';
import { visitOf } from './site.js';
import { findToken } from './token-source.js';
import type { TokenVerifier, Verified } from './token-verifier.js';

/** A target, with what its requests are judged by. */
export interface SubscribePlace {
  readonly target: SubscribeTarget;
  readonly route: Pick<Route, 'prefix' | 'reserved' | 'channelNameMax' | 'pathBeg'>;
  readonly verifier: TokenVerifier;
  /** Most channels of one client (`connection_subscription_max`). */
  readonly channelsMax: number;
}

/** A request for channels. */
export interface Asking {
  readonly host: string;
  readonly headers: RawHeaders;
  /** As clients name them, each once. */
  readonly channels: readonly string[];
}

/** What was asked for may be had; without a token by nobody in particular. */
export interface Admitted {
  readonly permit: Permit | undefined;
}

/**
 * The channels of a query: `channel`, or as Mercure has it `topic` (0.x) or `match` (1.0). Undefined where it has another matcher of
 * Mercure, such as `match_urlpattern`: to pass it over would be to give fewer channels than were asked for.
 */
export function askedChannels(query: URLSearchParams): readonly string[] | undefined {
  const channels = new Set<string>();
  for (const [name, value] of query) {
    if (name === 'channel' || name === 'topic' || name === 'match') channels.add(value);
    else if (name.startsWith('match')) return undefined;
  }
  return [...channels];
}

/** Whether channels may be named at all. */
export function namesFault({ route, channelsMax }: SubscribePlace, channels: readonly string[]): string | undefined {
  if (channels.length > channelsMax) return `more than ${channelsMax} channels`;
  return channels.some((name) => name === '' || isLongName(name) || channelOf(route, name) === undefined)
    ? 'a channel has a name that is empty, too long or reserved'
    : undefined;
}

/** The first channel that a client may not have, with this permit or as one of everybody. */
export function forbiddenOf(
  { publicChannels }: SubscribeTarget,
  permit: Permit | undefined,
  channels: readonly string[],
): string | undefined {
  return channels.find((name) => publicChannels?.has(name) !== true && permit?.allows(name) !== true);
}

/** Judges a request; a promise only where the key of its token must be asked for. */
export function admit(place: SubscribePlace, asking: Asking): Admitted | Answer | Promise<Admitted | Answer> {
  const { target, verifier } = place;
  const { headers, channels } = asking;
  const visit = visitOf(asking, target);
  if (!visit.isAllowed) return plainAnswer(403, 'Forbidden', 'pages of this site may not subscribe (allow_origin)\n');
  const fault = namesFault(place, channels);
  if (fault !== undefined) return plainAnswer(400, 'Bad Request', `${fault}\n`);
  const found = findToken(headers, target.cookie, visit.hasCookies);
  if (found === 'several' || found === 'unknown') return challenge(400, 'invalid_request');
  const judge = (verified: Verified | undefined) => judgement(target, channels, verified);
  if (found === 'none') return judge(undefined);
  const verified = verifier.verify(target, found.token);
  return verified instanceof Promise ? verified.then(judge) : judge(verified);
}

function judgement(
  target: SubscribeTarget,
  channels: readonly string[],
  permit: Verified | undefined,
): Admitted | Answer {
  if (permit === 'unavailable')
    return plainAnswer(503, 'Service Unavailable', 'tokens cannot be verified at present\n', ['Retry-After', '5']);
  if (permit === 'invalid') return challenge(401, 'invalid_token');
  if (permit === undefined && target.publicChannels === undefined) return challenge(401, undefined);
  if (forbiddenOf(target, permit, channels) === undefined) return { permit };
  return permit === undefined ? challenge(401, undefined) : challenge(403, 'insufficient_scope');
}

const TEXTS = {
  invalid_request: 'the request has no one token: more than one, or an Authorization that is not Bearer',
  invalid_token: 'the token does not count: it is malformed, expired, or not signed by a key of this target',
  insufficient_scope: 'the token does not cover all channels',
};

const REASONS = { 400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden' } as const;

/** RFC 6750 §3: without a token there is no error. */
function challenge(status: keyof typeof REASONS, error: keyof typeof TEXTS | undefined): Answer {
  const text = error === undefined ? 'a token is needed' : TEXTS[error];
  const says = error === undefined ? '' : `, error="${error}", error_description="${text}"`;
  return plainAnswer(status, REASONS[status], `${text}\n`, ['WWW-Authenticate', `Bearer realm="holdfast"${says}`]);
}
