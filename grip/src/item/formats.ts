/**
 * The three forms in which an item can be delivered.
 *
 * Owns: http-response, http-stream and ws-message: their values, their JSON, their rules. Does not own: the item
 * around them, or what a delivery does with them.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { Fields } from '../headers/fields.js';
import type { RawHeaders } from '../headers/headers.js';
import { reasonPhrase } from '../headers/reason.js';
import { codeField, headersField, reasonField } from '../instruct/json-response.js';
import { readJson } from '../wire/json.js';
import { textFromWire } from '../wire/text.js';
import type { Writable } from '../wire/writable.js';
import { isControlType, readWsMessage, type WsMessageType } from '../ws/message.js';
import { checkedPatch } from './patch-check.js';

interface HttpResponseHead {
  readonly action: 'send';
  /** 200 to 999. */
  readonly code: number;
  /** Latin-1; the IANA phrase of the code if none was published. */
  readonly reason: string;
  /** As published, Grip-* and framing headers included: the hold drops those. */
  readonly headers: RawHeaders;
  /** See {@link HttpStreamSend.contentFilters}. */
  readonly contentFilters?: readonly string[];
}

/**
 * Answers a response hold, either with a body or with an RFC 6902 patch of the held body; test `bodyPatch`. That is the JSON
 * of operations which have been checked, and is parsed anew for each body: what is parsed once would be shared.
 */
export type HttpResponseSend = HttpResponseHead &
  ({ readonly body: Buffer; readonly bodyPatch?: never } | { readonly bodyPatch: string; readonly body?: never });

/** What an item does to response holds. */
export type HttpResponseFormat = HttpResponseSend | { readonly action: 'hint' | 'close' | 'refresh' };

/** Appends content to stream holds. */
export interface HttpStreamSend {
  readonly action: 'send';
  readonly content: Buffer;
  /**
   * If present, the item goes only to subscriptions whose message content filters are exactly these, in this order;
   * an empty list is not the same as none.
   */
  readonly contentFilters?: readonly string[];
}

/** What an item does to stream holds. */
export type HttpStreamFormat = HttpStreamSend | { readonly action: 'hint' | 'close' | 'refresh' };

/** Sends one WebSocket message or control frame. */
export interface WsMessageSend {
  readonly action: 'send';
  readonly type: WsMessageType;
  /** Text is UTF-8. At most MAX_CONTROL_PAYLOAD bytes for ping and pong. */
  readonly content: Buffer;
  /** See {@link HttpStreamSend.contentFilters}. */
  readonly contentFilters?: readonly string[];
}

/** Closes a WebSocket. */
export interface WsMessageClose {
  readonly action: 'close';
  /** 0 to 65535 as published; it may be one that must not be sent (RFC 6455 §7.4), which the session decides. */
  readonly code?: number;
  /** Unicode text, of any length: the session cuts it to what a close frame holds. */
  readonly reason?: string;
}

/** What an item does to WebSocket sessions. */
export type WsMessageFormat = WsMessageSend | WsMessageClose | { readonly action: 'hint' | 'refresh' };

const actions = ['send', 'hint', 'close', 'refresh'] as const;

function actionOf(fields: Fields): (typeof actions)[number] {
  const given = fields.string('action') ?? 'send';
  const action = actions.find((known) => known === given);
  if (action === undefined) throw fields.unknown('action', given, actions);
  return action;
}

function contentFiltersOf(fields: Fields): readonly string[] | undefined {
  return fields.strings('content-filters', 'content-filters contains element with wrong type');
}

/** Parses the value of `http-response`. Members that the action does not use are not looked at. Throws ERR_GRIP_ITEM. */
export function parseHttpResponse(value: unknown): HttpResponseFormat {
  const fields = new Fields(value, "'http-response'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action !== 'send') return { action };
  const code = codeField(fields) ?? 200;
  const head: Writable<HttpResponseHead> = {
    action,
    code,
    reason: reasonField(fields) ?? reasonPhrase(code),
    headers: headersField(fields),
  };
  const contentFilters = contentFiltersOf(fields);
  if (contentFilters !== undefined) head.contentFilters = contentFilters;
  const body = fields.bytes('body', 'body-bin');
  if (body) return { ...head, body };
  const bodyPatch = checkedPatch(fields, 'body-patch');
  if (bodyPatch !== undefined) return { ...head, bodyPatch };
  throw fields.error(`${fields.name} does not contain 'body', 'body-bin', or 'body-patch'`);
}

/** Parses the value of `http-stream`, as {@link parseHttpResponse}. */
export function parseHttpStream(value: unknown): HttpStreamFormat {
  const fields = new Fields(value, "'http-stream'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action !== 'send') return { action };
  const contentFilters = contentFiltersOf(fields);
  const content = fields.bytes('content', 'content-bin');
  if (!content) throw fields.error(`${fields.name} does not contain 'content' or 'content-bin'`);
  return contentFilters === undefined ? { action, content } : { action, content, contentFilters };
}

/** Parses the value of `ws-message`, as {@link parseHttpResponse}. */
export function parseWsMessage(value: unknown): WsMessageFormat {
  const fields = new Fields(value, "'ws-message'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action === 'send') return parseWsSend(fields);
  if (action === 'close') return parseWsClose(fields);
  return { action };
}

function parseWsSend(fields: Fields): WsMessageSend {
  const { type, content: given } = readWsMessage(fields, 'type', fields.has('content-bin') ? 'binary' : 'text');
  const contentFilters = contentFiltersOf(fields);
  const content = given ?? (isControlType(type) ? Buffer.alloc(0) : undefined);
  if (!content) throw fields.error(`${fields.name} does not contain 'content' or 'content-bin'`);
  return contentFilters === undefined
    ? { action: 'send', type, content }
    : { action: 'send', type, content, contentFilters };
}

function parseWsClose(fields: Fields): WsMessageClose {
  const code = fields.integer('code', 0xffff);
  const reason = fields.string('reason');
  return { action: 'close', ...(code !== undefined && { code }), ...(reason && { reason }) };
}

/** JSON of any format. The parser of the same format gives back an equal value. */
export function formatToJson(format: HttpResponseFormat | HttpStreamFormat | WsMessageFormat): unknown {
  if (format.action === 'close') return { ...format };
  if (format.action !== 'send') return { action: format.action };
  const json: Record<string, unknown> = {};
  if ('code' in format) {
    json.code = format.code;
    const reason = textFromWire(format.reason);
    if (reason !== '') json.reason = reason;
    json.headers = headerPairs(format.headers);
  } else if ('type' in format) json.type = format.type;
  if (format.contentFilters !== undefined) json['content-filters'] = format.contentFilters;
  if (!('code' in format)) addBytes(json, 'content', format.content);
  else if (format.bodyPatch === undefined) addBytes(json, 'body', format.body);
  else json['body-patch'] = readJson(format.bodyPatch).value;
  return json;
}

function headerPairs(headers: RawHeaders): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < headers.length; i += 2)
    pairs.push([headers[i] as string, textFromWire(headers[i + 1] as string)]);
  return pairs;
}

/** Text where the bytes are UTF-8, since that is shorter, and base64 where they are not. */
function addBytes(json: Record<string, unknown>, key: string, bytes: Buffer): void {
  if (isUtf8(bytes)) json[key] = bytes.toString('utf8');
  else json[`${key}-bin`] = bytes.toString('base64');
}
