/** The JSON form of an instruct: what it says, and which of its members mean nothing. */
import { Buffer } from 'node:buffer';
import { type Channel, makeChannel, withInitial } from '../channel.js';
import { GripError } from '../errors.js';
import { Fields, isJsonObject, type JsonObject } from '../wire/fields.js';
import { type ResponseHead, reasonPhrase } from '../wire/head.js';
import { NOT_JSON, readJsonBytes } from '../wire/json.js';
import { wireFromText } from '../wire/text.js';
import { type CallbackInstruct, type CallbackWish, callbackOf, withChannels } from './callback.js';
import { expiresField } from './expires.js';
import { clientHeaders, type GripHeaders, parseGripHeaders } from './headers.js';
import {
  type HoldMode,
  type Instruct,
  type InstructResponse,
  isHoldMode,
  makeHold,
  type UnknownMember,
} from './instruct.js';
import { codeField, headersField, reasonField } from './json-response.js';
import {
  DEFAULT_KEEP_ALIVE_TIMEOUT,
  decodeContent,
  type KeepAlive,
  makeKeepAlive,
  parseFormat,
  parseMode,
} from './keep-alive.js';
import { parseResumeToken } from './resume-token.js';

/**
 * Parses the JSON form of an instruct. The Grip-* headers of the response count as well: the document's hold mode,
 * timeout, keep-alive, expiry and status come before theirs, its channels and meta are added to theirs. Other headers of the
 * response are dropped; the client gets those of the document, which Grip-Expose-Headers does not touch. Throws
 * ERR_GRIP_INSTRUCT with Pushpin's text.
 */
export function parseInstructJson(head: ResponseHead, body: Buffer): Instruct {
  const grip = parseGripHeaders(head);
  const document = parseDocument(head.status, body);
  const hold = document.fields('hold');
  const callback = jsonCallback(document.fields('callback'), hold !== undefined, grip);
  const response = responseOf(document.fields('response'), grip);
  const unknown = unknownMembers(document.object);
  return {
    ...(callback === undefined ? holdOf(hold, grip) : { callback }),
    meta: Object.assign(Object.create(null), grip.meta, hold?.stringMap('meta')),
    links: grip.links,
    ...(grip.exposeHeaders && { exposeHeaders: grip.exposeHeaders }),
    ...resumeTokenOf(hold, grip),
    response,
    ...(grip.position && { position: true as const }),
    ...(unknown && { unknown }),
  };
}

function parseDocument(status: number, body: Buffer): Fields {
  if (status !== 200) {
    throw new GripError('ERR_GRIP_INSTRUCT', 'response code for application/grip-instruct content must be 200');
  }
  const { value: document, fault } = readJsonBytes(body);
  if (typeof document !== 'object' || document === null) {
    const failure = 'failed to parse application/grip-instruct content as JSON';
    throw new GripError(
      'ERR_GRIP_INSTRUCT',
      fault === undefined || fault === NOT_JSON ? failure : `${failure}: it ${fault}`,
    );
  }
  if (Array.isArray(document)) throw new GripError('ERR_GRIP_INSTRUCT', 'instruct must be an object');
  return new Fields(document, 'instruct', 'ERR_GRIP_INSTRUCT');
}

/** That of the document, else that of a header; its channels are added to those of Grip-Channel. */
function jsonCallback(fields: Fields | undefined, holds: boolean, grip: GripHeaders): CallbackInstruct | undefined {
  const wish: CallbackWish | undefined = fields === undefined ? grip.callback : callbackOf(fields);
  if (wish === undefined) return undefined;
  const named = fields?.has('channels') && wish.action === 'make' ? channelsOf(fields) : [];
  return withChannels(wish, [...grip.channels, ...named], holds || grip.mode !== undefined);
}

/** Without a hold in the document, Grip-Hold still decides. */
function holdOf(hold: Fields | undefined, grip: GripHeaders): Pick<Instruct, 'hold' | 'channels'> {
  if (!hold) {
    const { mode, channels, timeout, keepAlive, expires } = grip;
    return mode ? { hold: makeHold(mode, channels, timeout, keepAlive, expires) } : { channels };
  }
  const mode = modeOf(hold);
  const channels = [...grip.channels, ...channelsOf(hold)];
  const timeout = hold.integer('timeout') ?? grip.timeout;
  const keepAlive = keepAliveOf(hold.fields('keep-alive'), grip.keepAlive);
  return { hold: makeHold(mode, channels, timeout, keepAlive, expiresField(hold) ?? grip.expires) };
}

/** A number of seconds, or the text of the header. */
function resumeTokenOf(hold: Fields | undefined, grip: GripHeaders): Pick<Instruct, 'resumeToken'> {
  const value = hold?.value('resume-token');
  const resumeToken = value === undefined ? grip.resumeToken : parseResumeToken(String(value));
  return resumeToken === undefined ? {} : { resumeToken };
}

function modeOf(hold: Fields): HoldMode {
  const mode = hold.string('mode') ?? 'response';
  if (isHoldMode(mode)) return mode;
  throw hold.error("hold 'mode' must be set to either 'response' or 'stream'");
}

function channelsOf(hold: Fields): Channel[] {
  const channels = hold.list('channels');
  if (!channels) throw hold.missing('channels');
  return channels.map((value) => {
    const fields = new Fields(value, 'channel', 'ERR_GRIP_INSTRUCT');
    const name = fields.string('name');
    if (name === undefined) throw fields.missing('name');
    const prevId = fields.string('prev-id');
    const filters = fields.strings('filters', 'filters contains value with wrong type') ?? [];
    const channel = makeChannel(name, prevId, filters, fields.boolean('pattern'));
    return withInitial(channel, countOrText(fields, 'initial'), fields.string('since'));
  });
}

/** A member that may be a number too. */
function countOrText(fields: Fields, key: string): string | undefined {
  return typeof fields.value(key) === 'number' ? String(fields.integer(key)) : fields.string(key);
}

/**
 * `mode` and `format` are not in Pushpin's JSON. Without a mode it behaves like interval, so that is the default here,
 * unlike in the header, unless a header gave the mode.
 */
function keepAliveOf(fields: Fields | undefined, header: KeepAlive | undefined): KeepAlive | undefined {
  if (!fields) return header;
  const mode = parseMode(fields.string('mode'), 'keep-alive') ?? header?.mode ?? 'interval';
  const content = keepAliveContent(fields) ?? header?.content ?? Buffer.alloc(0);
  return makeKeepAlive(content, mode, fields.integer('timeout') ?? DEFAULT_KEEP_ALIVE_TIMEOUT);
}

function keepAliveContent(fields: Fields): Buffer | undefined {
  const format = parseFormat(fields.string('format'), 'keep-alive') ?? 'raw';
  if (fields.has('content-bin') || format === 'raw') return fields.bytes('content', 'content-bin');
  const text = fields.string('content');
  return text === undefined ? undefined : decodeContent(wireFromText(text), format, 'keep-alive');
}

function responseOf(fields: Fields | undefined, grip: GripHeaders): InstructResponse {
  const given = fields && codeField(fields);
  const code = given ?? grip.status.code;
  // A code of the document takes with it the reason that belonged to the other code.
  const inherited = given === undefined ? grip.status.reason : '';
  return {
    code,
    reason: (fields && reasonField(fields)) || inherited || reasonPhrase(code),
    headers: fields ? clientHeaders(headersField(fields)) : [],
    body: fields?.bytes('body', 'body-bin') ?? Buffer.alloc(0),
  };
}

const INSTRUCT = ['hold', 'response', 'callback'];
const CALLBACK = ['id', 'url', 'secret', 'ttl', 'channels', 'cancel'];
const HOLD = ['mode', 'channels', 'timeout', 'keep-alive', 'expires', 'meta', 'resume-token'];
const CHANNEL = ['name', 'prev-id', 'filters', 'pattern', 'initial', 'since'];
const KEEP_ALIVE = ['content', 'content-bin', 'mode', 'format', 'timeout'];
const RESPONSE = ['code', 'reason', 'headers', 'body', 'body-bin'];

/**
 * Most that are found in one instruct: it may have as many as its body takes.
 *
 * @limit {} unknown members of a JSON instruct, for the log
 * @over the others are not named
 */
export const UNKNOWN_MEMBERS_MAX = 5;

/** The first unknown members of a document, in its order; undefined where there are none. */
export function unknownMembers(document: JsonObject): readonly UnknownMember[] | undefined {
  const found: UnknownMember[] = [];
  const look = (value: unknown, where: string, known: readonly string[]): void => {
    if (!isJsonObject(value)) return;
    for (const name of Object.keys(value)) {
      if (found.length === UNKNOWN_MEMBERS_MAX) return;
      if (!known.includes(name)) found.push({ where, name, known });
    }
  };
  const member = (value: unknown, name: string) =>
    isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  const hold = member(document, 'hold');
  const callback = member(document, 'callback');
  const lists = [member(hold, 'channels'), member(callback, 'channels')];
  look(document, 'instruct', INSTRUCT);
  look(hold, 'hold', HOLD);
  look(callback, 'callback', CALLBACK);
  for (const channels of lists)
    if (Array.isArray(channels)) for (const channel of channels) look(channel, 'channel', CHANNEL);
  look(member(hold, 'keep-alive'), 'keep-alive', KEEP_ALIVE);
  look(member(document, 'response'), 'response', RESPONSE);
  return found.length > 0 ? found : undefined;
}
