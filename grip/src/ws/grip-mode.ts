/** The GRIP mode of a WebSocket: the `grip` extension, where a message of the origin goes, and control messages. */
import { Buffer, isUtf8 } from 'node:buffer';
import { GripError } from '../errors.js';
import { MAX_EXPIRES } from '../instruct/expires.js';
import { DEFAULT_KEEP_ALIVE_TIMEOUT, type KeepAliveMode } from '../instruct/keep-alive.js';
import { formatPosition, type Initial, parseInitial } from '../position.js';
import { parseHttpDate } from '../wire/date.js';
import { Fields } from '../wire/fields.js';
import { readJson } from '../wire/json.js';
import { paramValue, parseElement, splitElements } from '../wire/params.js';
import { trimWire } from '../wire/text.js';
import { isControlType, readWsMessage, type WsMessageType } from './message.js';

/** What the origin chose. */
export interface GripExtension {
  /**
   * What a message for the client begins with, as a Latin-1 string of one character per byte (see {@link readOriginMessage});
   * `m:` if the origin does not say. Empty: all messages but control messages are for the client.
   */
  readonly messagePrefix: string;
}

const NAME = 'grip';
const DEFAULT_PREFIX = 'm:';

/**
 * Finds the extension in the values of the Sec-WebSocket-Extensions headers; if it is there more than once, the first
 * counts. Undefined if it is absent or its parameters cannot be parsed, and then there is no GRIP mode. The name is
 * exact. `message-prefix=""`, `message-prefix=` and a bare `message-prefix` are all the empty prefix.
 */
export function parseGripExtension(values: readonly string[]): GripExtension | undefined {
  const text = splitElements(values).find(isGrip);
  const element = text === undefined ? undefined : parseElement(text);
  return element && { messagePrefix: paramValue(element.params, 'message-prefix') ?? DEFAULT_PREFIX };
}

/** Whether an element names the extension, whatever its parameters are. */
function isGrip(text: string): boolean {
  const semicolon = text.indexOf(';');
  return (semicolon < 0 ? text : text.slice(0, semicolon).trimEnd()) === NAME;
}

/** Where a message of the origin goes. */
export type OriginMessage =
  /** To Holdfast: the JSON after `c:`, for parseWsControl. */
  | { readonly kind: 'control'; readonly text: string }
  /** To the client, its prefix removed; a view of the message. */
  | { readonly kind: 'message'; readonly content: Buffer }
  /** Nowhere: it lacks the prefix. */
  | { readonly kind: 'dropped' };

const CONTROL_PREFIX = 'c:';

/**
 * Classifies a TEXT or BINARY message by how it begins. A text with `c:` is a control message, whatever the prefix is;
 * a binary never is. Any other must begin with `prefix`. Pings, pongs and closes are always for the client and do not
 * come here.
 *
 * `prefix` is a Latin-1 string as the header has it: it is compared byte by byte and the message is not decoded.
 *
 * `content` may be the first frame alone of a message that is relayed frame by frame, since the prefix must be in it;
 * but a control message must be whole, and one in several frames is to be dropped.
 */
export function readOriginMessage(type: 'text' | 'binary', content: Buffer, prefix: string): OriginMessage {
  if (type === 'text' && beginsWith(content, CONTROL_PREFIX)) {
    return { kind: 'control', text: content.toString('utf8', CONTROL_PREFIX.length) };
  }
  if (!beginsWith(content, prefix)) return { kind: 'dropped' };
  return { kind: 'message', content: content.subarray(prefix.length) };
}

function beginsWith(content: Buffer, prefix: string): boolean {
  if (content.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    if (content[i] !== prefix.charCodeAt(i)) return false;
  }
  return true;
}

/** Subscribes the session, or replaces the filters of its subscription. */
export interface WsSubscribe {
  readonly type: 'subscribe';
  /** Unicode text, not empty; the route's prefix is still to be put before it. */
  readonly channel: string;
  /** The channel is a pattern, as written. */
  readonly pattern?: true;
  /** All of them, known or not: more than MAX_FILTERS close the session with 1011, which the session must check. */
  readonly filters: readonly string[];
  /** What the client gets first where the session is new on the channel; absent: nothing. */
  readonly initial?: Initial;
}

/** Ends a subscription of the session, but not one that its route made. */
export interface WsUnsubscribe {
  readonly type: 'unsubscribe';
  readonly channel: string;
  readonly pattern?: true;
}

/** Sends a message to the client again and again. */
export interface WsKeepAlive {
  readonly type: 'keep-alive';
  /** Absent: keep-alives end. At most MAX_CONTROL_PAYLOAD bytes for ping and pong; a text is UTF-8. */
  readonly content?: Buffer;
  readonly messageType: WsMessageType;
  /** Seconds, 1 to 2^31-1: more than a timer holds in milliseconds. */
  readonly timeout: number;
  /** `idle`: whatever is sent to the client puts the next keep-alive off. `interval`: nothing does. */
  readonly mode: KeepAliveMode;
}

/** Sends one message to the client later. A message that still waits is sent at once, before this one. */
export interface WsSendDelayed {
  readonly type: 'send-delayed';
  /** As in {@link WsKeepAlive}, but never absent. */
  readonly content: Buffer;
  readonly messageType: WsMessageType;
  /** Seconds, as in {@link WsKeepAlive}. */
  readonly timeout: number;
}

/** Closes the session later. A message that comes before takes the place of this one. */
export interface WsExpire {
  readonly type: 'expire';
  /** Seconds, 0 to MAX_EXPIRES; absent, as `date` is: the session does not expire. */
  readonly timeout?: number;
  /** In place of seconds: ms since the Unix epoch, a whole second. */
  readonly date?: number;
}

/**
 * One control message. `detach` closes the origin's side and leaves the client's open; `session` names the session for
 * those who keep state about it, or without an id forgets that name; `set-meta` sets a meta value of the session, or
 * without a value removes it (its name may be `__proto__`); `flush-delayed` sends what send-delayed holds back.
 */
export type WsControl =
  | WsSubscribe
  | WsUnsubscribe
  | { readonly type: 'detach' }
  | { readonly type: 'session'; readonly id?: string }
  | { readonly type: 'set-meta'; readonly name: string; readonly value?: string }
  | WsKeepAlive
  | WsSendDelayed
  | { readonly type: 'flush-delayed' }
  | WsExpire;

/** A control message that is to be ignored, with the reason for the debug log. It may quote what the origin sent. */
export interface WsControlInvalid {
  readonly type: 'invalid';
  readonly reason: string;
}

const DEFAULT_DELAY = 1;

/**
 * Parses the JSON of a control message, without its `c:`. Members that the type does not use are not looked at. Never
 * throws: control messages have no answer, and Pushpin ignores those that it cannot read. The length is the caller's to
 * bound.
 */
export function parseWsControl(text: string): WsControl | WsControlInvalid {
  const { value: document, fault } = readJson(text.startsWith('\ufeff') ? text.slice(1) : text);
  if (typeof document !== 'object' || document === null) {
    return { type: 'invalid', reason: `grip control message ${fault ?? 'is not valid JSON'}` };
  }
  try {
    // The code is never seen: only the text leaves here.
    return readControl(new Fields(document, 'grip control object', 'ERR_GRIP_INSTRUCT'));
  } catch (error) {
    if (error instanceof GripError) return { type: 'invalid', reason: error.message };
    throw error;
  }
}

function readControl(fields: Fields): WsControl {
  const type = required(fields, 'type');
  switch (type) {
    case 'subscribe': {
      const channel = channelName(fields);
      const filters = fields.strings('filters', 'filters contains value with wrong type') ?? [];
      const initial = initialOf(fields);
      return {
        type,
        channel,
        ...(isPattern(fields) && { pattern: true as const }),
        filters,
        ...(initial !== undefined && { initial }),
      };
    }
    case 'unsubscribe':
      return isPattern(fields)
        ? { type, channel: channelName(fields), pattern: true }
        : { type, channel: channelName(fields) };
    case 'session': {
      const id = fields.identifier('id');
      return id ? { type, id } : { type };
    }
    case 'set-meta': {
      const name = nonEmpty(fields, 'name');
      const value = fields.string('value');
      return value === undefined ? { type, name } : { type, name, value };
    }
    case 'keep-alive':
      return readKeepAlive(fields);
    case 'send-delayed':
      return readSendDelayed(fields);
    case 'expire':
      return readExpire(fields);
    case 'detach':
    case 'flush-delayed':
      return { type };
    default:
      throw fields.error(`'type' contains unknown value: ${type.slice(0, 100)}`);
  }
}

/** A date that cannot be read is not passed over: the session would never end. */
function readExpire(fields: Fields): WsExpire {
  const type = 'expire';
  const text = fields.string('date');
  if (text === undefined) {
    const timeout = fields.integer('timeout', MAX_EXPIRES);
    return timeout === undefined ? { type } : { type, timeout };
  }
  const date = parseHttpDate(trimWire(text));
  if (date === undefined) throw fields.invalid('date', 'an HTTP date');
  return { type, date };
}

function initialOf(fields: Fields): Initial | undefined {
  const count = fields.value('initial');
  const initial = typeof count === 'number' ? String(count) : fields.string('initial');
  const read = parseInitial(initial, fields.string('since'));
  if (typeof read === 'string') throw fields.error(read);
  return read;
}

function required(fields: Fields, key: string): string {
  const text = fields.string(key);
  if (text === undefined) throw fields.missing(key);
  return text;
}

function nonEmpty(fields: Fields, key: string): string {
  const text = required(fields, key);
  if (text === '') throw fields.invalid(key, 'a text that is not empty');
  return text;
}

/** Both directions have it: a pattern and a channel of the same text are two subscriptions. */
function isPattern(fields: Fields): boolean {
  return fields.boolean('pattern') === true;
}

function channelName(fields: Fields): string {
  const name = fields.identifier('channel');
  return name === undefined || name === '' ? nonEmpty(fields, 'channel') : name;
}

/** The timeout is looked at only if there is content, and an unknown mode is idle, both as in Pushpin. */
function readKeepAlive(fields: Fields): WsKeepAlive {
  const { type: messageType, content } = readWsMessage(fields, 'message-type', 'text');
  return {
    type: 'keep-alive',
    ...(content && { content }),
    messageType,
    timeout: (content && fields.integer('timeout')) || DEFAULT_KEEP_ALIVE_TIMEOUT,
    mode: fields.string('mode') === 'interval' ? 'interval' : 'idle',
  };
}

function readSendDelayed(fields: Fields): WsSendDelayed {
  const { type: messageType, content: given } = readWsMessage(fields, 'message-type', 'text');
  const content = given ?? (isControlType(messageType) ? Buffer.alloc(0) : undefined);
  if (!content) throw fields.error(`${fields.name} does not contain 'content' or 'content-bin'`);
  return { type: 'send-delayed', content, messageType, timeout: fields.integer('timeout') || DEFAULT_DELAY };
}

/**
 * Writes a control message, without its `c:`. {@link parseWsControl} gives back an equal value, for values within the
 * limits of their types.
 */
export function formatWsControl(control: WsControl): string {
  if (control.type === 'subscribe') return JSON.stringify(subscribeToJson(control));
  if (control.type === 'expire' && control.date !== undefined)
    return JSON.stringify({ ...control, date: new Date(control.date).toUTCString() });
  if (control.type !== 'keep-alive' && control.type !== 'send-delayed') return JSON.stringify(control);
  const { content, messageType, ...rest } = control;
  return JSON.stringify({ ...rest, 'message-type': messageType, ...contentToJson(content) });
}

function subscribeToJson({ initial, ...rest }: WsSubscribe): object {
  if (initial === undefined) return rest;
  return 'last' in initial ? { ...rest, initial: initial.last } : { ...rest, since: formatPosition(initial.since) };
}

function contentToJson(content: Buffer | undefined): Record<string, string> {
  if (!content) return {};
  return isUtf8(content) ? { content: content.toString('utf8') } : { 'content-bin': content.toString('base64') };
}
