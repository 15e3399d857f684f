/** The header form of an instruct: the Grip-* headers of a response, and which of its other headers the client gets. */
import { type Channel, parseChannels } from '../channel.js';
import { GripError } from '../errors.js';
import type { Writable } from '../wire/fields.js';
import {
  headerValue,
  headerValues,
  isFinalStatus,
  type RawHeaders,
  type ResponseHead,
  reasonFault,
  reasonPhrase,
} from '../wire/head.js';
import { parseParams, splitElements } from '../wire/params.js';
import { parseInteger, textFromWire, trimWire } from '../wire/text.js';
import { type CallbackWish, parseCallback, withChannels } from './callback.js';
import { type Expires, parseExpires } from './expires.js';
import { type HoldMode, type Instruct, isHoldMode, makeHold } from './instruct.js';
import { type KeepAlive, parseKeepAlive } from './keep-alive.js';
import { type Links, parseLinks } from './link.js';
import { parseResumeToken, type ResumeTokenWish } from './resume-token.js';

/** What the Grip-* headers of one response say; undefined where the header is absent. */
export interface GripHeaders {
  readonly mode: HoldMode | undefined;
  readonly channels: readonly Channel[];
  /** Seconds, as given: not yet raised to the minimum. */
  readonly timeout: number | undefined;
  readonly exposeHeaders: readonly string[] | undefined;
  readonly keepAlive: KeepAlive | undefined;
  readonly expires: Expires | undefined;
  readonly meta: Readonly<Record<string, string>>;
  /** Of Grip-Status or, without it, of the response. */
  readonly status: { readonly code: number; readonly reason: string };
  readonly links: Links;
  readonly callback: CallbackWish | undefined;
  /** Grip-Position: the client is to learn where the channels stand. */
  readonly position: boolean;
  readonly resumeToken: ResumeTokenWish | undefined;
}

/** The Grip-* fields of a response, as they are written. */
export const gripFields: readonly string[] = [
  'Grip-Hold',
  'Grip-Channel',
  'Grip-Timeout',
  'Grip-Keep-Alive',
  'Grip-Expires',
  'Grip-Link',
  'Grip-Resume-Token',
  'Grip-Set-Meta',
  'Grip-Status',
  'Grip-Expose-Headers',
  'Grip-Callback',
  'Grip-Position',
];

const knownFields: ReadonlySet<string> = new Set(gripFields.map((name) => name.toLowerCase()));

/** The names among `headers` that begin with `Grip-` and mean nothing: they are passed over. */
export function unknownGripFields(headers: RawHeaders): string[] {
  const unknown: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const lower = name.toLowerCase();
    if (lower.startsWith('grip-') && !knownFields.has(lower)) unknown.push(name);
  }
  return unknown;
}

/** Shared by all responses without meta, which are nearly all of them. */
const NO_META: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** Parses all Grip-* headers. Throws ERR_GRIP_INSTRUCT for the first that is wrong, in Pushpin's order. */
export function parseGripHeaders(head: ResponseHead): GripHeaders {
  const { headers } = head;
  return {
    mode: parseMode(headerValue(headers, 'grip-hold')),
    channels: parseChannels(headerValues(headers, 'grip-channel')),
    timeout: parseTimeout(headerValue(headers, 'grip-timeout')),
    exposeHeaders: parseExposeHeaders(headerValues(headers, 'grip-expose-headers')),
    keepAlive: parseKeepAlive(headerValue(headers, 'grip-keep-alive')),
    expires: parseExpires(headerValue(headers, 'grip-expires')),
    meta: parseMeta(headerValues(headers, 'grip-set-meta')),
    status: parseStatus(headerValue(headers, 'grip-status'), head),
    links: parseLinks(headerValues(headers, 'grip-link')),
    callback: parseCallback(headerValues(headers, 'grip-callback')),
    position: parsePositionWish(headerValue(headers, 'grip-position')),
    resumeToken: parseResumeToken(headerValue(headers, 'grip-resume-token')),
  };
}

/**
 * Parses the header form of an instruct. Any `Grip-*` header makes a response an instruct, Grip-Hold or not. The body
 * stays with the caller and reaches the client undecoded, which is why Content-Encoding is kept. Throws
 * ERR_GRIP_INSTRUCT with Pushpin's text.
 */
export function parseInstructHeaders(head: ResponseHead): Instruct {
  const fields = parseGripHeaders(head);
  const { mode, channels, timeout, keepAlive, expires, meta, links, exposeHeaders, status, callback } = fields;
  const { position, resumeToken } = fields;
  const response = {
    code: status.code,
    reason: status.reason || reasonPhrase(status.code),
    headers: clientHeaders(head.headers, exposeHeaders),
  };
  const instruct: Writable<Instruct> = { meta, links, response };
  if (callback !== undefined) instruct.callback = withChannels(callback, channels, mode !== undefined);
  else if (mode === undefined) instruct.channels = channels;
  else instruct.hold = makeHold(mode, channels, timeout, keepAlive, expires);
  if (exposeHeaders !== undefined) instruct.exposeHeaders = exposeHeaders;
  if (position) instruct.position = true;
  if (resumeToken !== undefined) instruct.resumeToken = resumeToken;
  return instruct;
}

/** Removed by name; Grip-* and what Connection names come on top. The body is framed anew for the client. */
const framing = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

/**
 * The headers among `headers` that may reach the client: no Grip-*, no framing, nothing that Connection names (RFC 9110
 * §7.6.1), and only those in `exposed` (lower case) if it is given. Order, case and duplicates are kept.
 */
export function clientHeaders(headers: RawHeaders, exposed?: readonly string[]): RawHeaders {
  const named = new Set(splitElements(headerValues(headers, 'connection')).map((name) => name.toLowerCase()));
  const shown = exposed && new Set(exposed);
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    if (name.startsWith('grip-') || framing.has(name) || named.has(name)) continue;
    if (shown && !shown.has(name)) continue;
    kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}

function parseMode(text: string | undefined): HoldMode | undefined {
  if (text === undefined || isHoldMode(text)) return text;
  throw new GripError('ERR_GRIP_INSTRUCT', "Grip-Hold must be set to either 'response' or 'stream'");
}

/** The only wish that there is. */
function parsePositionWish(text: string | undefined): boolean {
  if (text === undefined || text === 'request') return text !== undefined;
  throw new GripError('ERR_GRIP_INSTRUCT', "Grip-Position must be set to 'request'");
}

function parseTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const timeout = parseInteger(text);
  if (timeout === undefined) throw new GripError('ERR_GRIP_INSTRUCT', 'failed to parse Grip-Timeout');
  if (timeout < 0) throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Timeout has invalid value');
  return timeout;
}

/** Undefined without a header, or with an empty one: neither hides anything. */
function parseExposeHeaders(values: readonly string[]): readonly string[] | undefined {
  if (values.length === 0) return undefined;
  const names = splitElements(values).map((name) => name.toLowerCase());
  return names.length > 0 ? names : undefined;
}

/** `name=value` elements; whatever follows a semicolon is ignored, the last of a name wins. */
function parseMeta(values: readonly string[]): Readonly<Record<string, string>> {
  if (values.length === 0) return NO_META;
  const meta: Record<string, string> = Object.create(null);
  for (const element of splitElements(values)) {
    const params = parseParams(element);
    if (!params) continue;
    const [first] = params;
    if (!first) throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Set-Meta cannot be empty');
    meta[textFromWire(first[0])] = textFromWire(first[1]);
  }
  return meta;
}

/** `code[ reason]`. An empty header counts as none. A code that is no final status, or a reason, that cannot be sent is refused. */
function parseStatus(text: string | undefined, head: ResponseHead): GripHeaders['status'] {
  if (!text) return { code: head.status, reason: head.reason };
  const space = text.indexOf(' ');
  const code = parseInteger(space < 0 ? text : text.slice(0, space));
  if (code === undefined || !isFinalStatus(code)) {
    throw new GripError('ERR_GRIP_INSTRUCT', 'Grip-Status contains invalid status code');
  }
  const reason = space < 0 ? '' : trimWire(text.slice(space + 1));
  const fault = reasonFault(reason);
  if (fault !== undefined) throw new GripError('ERR_GRIP_INSTRUCT', `Grip-Status contains a reason with ${fault}`);
  return { code, reason };
}
