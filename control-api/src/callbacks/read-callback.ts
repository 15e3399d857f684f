/** Callbacks as origins and callers of the control API ask for them: what is allowed, in one place for both. */
import { channelNameFault, isKnownFilter, isLongName, MAX_FILTERS, readJsonBytes } from '@holdfast/grip';
import { ControlError } from '../errors.js';
import { readEventKeys } from '../webhooks/signature.js';
import type { Callback, CallbackChannel } from './callback.js';

/**
 * Channels of one callback.
 *
 * @limit {} channels of a callback
 * @over it is refused: 400, or 502 to the client
 */
export const CALLBACK_CHANNELS_MAX = 20;

/**
 * Characters of a callback's URL.
 *
 * @limit {} characters of the URL of a callback
 * @over it is refused: 400, or 502 to the client
 */
export const CALLBACK_URL_MAX = 2_048;

/**
 * Members of its meta, and characters of all of it.
 *
 * @limit {} members of the meta of a callback
 * @over it is refused: 400, or 502 to the client
 */
export const CALLBACK_META_MAX = 32;

/**
 * @limit {} characters of the meta of a callback, and of its secret
 * @over it is refused: 400, or 502 to the client
 */
export const CALLBACK_META_CHARS = 4_096;

/**
 * Seconds for which a callback lasts, where its maker does not say.
 *
 * @limit {} s for which a callback lasts, unless its `ttl` says otherwise
 * @over it ends, with an event
 */
export const CALLBACK_TTL = 7 * 24 * 3_600;

/**
 * @limit {} s as the longest `ttl` of a callback
 * @over a longer one is shortened
 */
export const CALLBACK_TTL_MAX = 366 * 24 * 3_600;

/** Filters that ask a server, by way of a route: what sends to callbacks has none. */
const ASKING: ReadonlySet<string> = new Set(['http-check', 'http-modify']);

/** What was asked for, before it is checked. */
export interface CallbackRequest {
  /** Full: with the prefix of the origin's route. */
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  /** See `Callback`. */
  readonly prefix: string;
  /** Full names. */
  readonly channels: readonly CallbackChannel[];
  readonly meta: Readonly<Record<string, string>>;
  /** In seconds. */
  readonly ttl?: number | undefined;
}

/** What a callback may be, beside the constants. */
export interface CallbackRules {
  /** Whether requests may go to a host of a URL, where that is an address; names are looked at when they are looked up. */
  readonly isAllowed: (host: string) => boolean;
  /** Bytes of a channel's name; see `channelNameFault`. */
  readonly channelNameMax: number;
  /** Now, in ms since the epoch. */
  readonly now: number;
}

/**
 * Checks what was asked for.
 * @throws ControlError ERR_CALLBACK_REFUSED, with what is wrong; nothing of a secret is shown
 */
export function checkCallback(request: CallbackRequest, rules: CallbackRules): Callback {
  const { id, secret, ttl = CALLBACK_TTL } = request;
  assertId(id);
  if (secret.length > CALLBACK_META_CHARS) throw refused('its secret is too long');
  try {
    readEventKeys(secret);
  } catch (error) {
    throw refused(`its secret: ${(error as Error).message}`);
  }
  return {
    id,
    url: checkUrl(request.url, rules),
    secret,
    prefix: request.prefix,
    channels: checkChannels(request.channels, rules),
    meta: checkMeta(request.meta),
    expires: rules.now + Math.min(ttl, CALLBACK_TTL_MAX) * 1_000,
  };
}

/** @throws ControlError ERR_CALLBACK_REFUSED for what is no id */
export function assertId(id: string): void {
  if (id === '') throw refused('its id is empty');
  if (isLongName(id)) throw refused('its id is too long');
  if (/\p{Cc}|\p{Surrogate}/u.test(id)) throw refused('its id has a control character');
}

function checkUrl(text: string, { isAllowed }: CallbackRules): string {
  if (text.length > CALLBACK_URL_MAX) throw refused(`its URL has more than ${CALLBACK_URL_MAX} characters`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw refused('its URL must begin with https:// or http://');
  }
  // It is shown in views, and logged in part.
  if (url.username !== '' || url.password !== '')
    throw refused('its URL has a user or a password: requests are signed');
  if (url.hash !== '') throw refused('its URL has a fragment, which is never sent');
  if (!isAllowed(url.hostname)) throw refused('its URL leads to an address that is not public (callbacks_allow)');
  return url.href;
}

function checkChannels(channels: readonly CallbackChannel[], { channelNameMax }: CallbackRules): CallbackChannel[] {
  if (channels.length === 0) throw refused('it has no channels');
  const byName = new Map(channels.map((channel) => [channel.name, channel]));
  if (byName.size > CALLBACK_CHANNELS_MAX) throw refused(`it has more than ${CALLBACK_CHANNELS_MAX} channels`);
  return [...byName.values()].map(({ name, filters }) => {
    if (isLongName(name)) throw refused('the name of one of its channels is too long');
    const fault = channelNameFault(name, channelNameMax);
    if (fault !== undefined) throw refused(fault);
    if (filters.length > MAX_FILTERS) throw refused(`more than ${MAX_FILTERS} filters of one channel`);
    const asking = filters.find((filter) => ASKING.has(filter));
    if (asking !== undefined) throw refused(`the filter ${asking} asks a server, which callbacks do not`);
    // Unknown ones mean nothing anywhere, and are not kept.
    return { name, filters: filters.filter(isKnownFilter) };
  });
}

function checkMeta(meta: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const copy: Record<string, string> = Object.create(null);
  let chars = 0;
  const entries = Object.entries(meta);
  if (entries.length > CALLBACK_META_MAX) throw refused(`its meta has more than ${CALLBACK_META_MAX} members`);
  for (const [name, value] of entries) {
    chars += name.length + value.length;
    copy[name] = value;
  }
  if (chars > CALLBACK_META_CHARS) throw refused(`its meta has more than ${CALLBACK_META_CHARS} characters`);
  return copy;
}

const MEMBERS: ReadonlySet<string> = new Set(['url', 'secret', 'channels', 'meta', 'ttl']);

/**
 * Reads the body of a PUT: an object with `url`, `secret`, `channels`, and maybe `ttl` and `meta`. A channel is its name, or an
 * object with `name` and `filters`.
 * @throws ControlError ERR_CALLBACK_REFUSED
 */
export function readCallbackBody(id: string, body: Buffer): CallbackRequest {
  const { value, fault } = readJsonBytes(body);
  if (fault !== undefined) throw refused(`the body ${fault}`);
  if (!isObject(value)) throw refused('the body must be an object');
  const unknown = Object.keys(value).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) throw refused(`there is no member ${JSON.stringify(unknown.slice(0, 40))}`);
  const { url, secret, channels, meta = {}, ttl } = value;
  if (typeof url !== 'string') throw refused('url must be a text');
  if (typeof secret !== 'string') throw refused('secret must be a text');
  if (!Array.isArray(channels)) throw refused('channels must be a list');
  if (!isObject(meta) || !Object.values(meta).every(isText)) throw refused('meta must be an object of texts');
  if (ttl !== undefined && !(Number.isSafeInteger(ttl) && (ttl as number) > 0)) {
    throw refused('ttl must be a whole number of seconds, 1 or more');
  }
  const named = channels.map(channelOf);
  return {
    id,
    url,
    secret,
    prefix: '',
    channels: named,
    meta: meta as Record<string, string>,
    ttl: ttl as number | undefined,
  };
}

function channelOf(value: unknown): CallbackChannel {
  if (typeof value === 'string') return { name: value, filters: [] };
  if (!isObject(value)) throw refused('a channel must be a name, or an object with name and filters');
  const { name, filters = [] } = value;
  if (typeof name !== 'string') throw refused('the name of a channel must be a text');
  if (!Array.isArray(filters) || !filters.every(isText)) throw refused('filters of a channel must be a list of texts');
  return { name, filters };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function refused(why: string): ControlError {
  return new ControlError('ERR_CALLBACK_REFUSED', `Callback refused: ${why}.`);
}
