/** The format ws-message: what an item does to WebSocket sessions. */
import { Buffer } from 'node:buffer';
import { Fields, type Writable } from '../wire/fields.js';
import { isControlType, readWsMessage, type WsMessageType } from '../ws/message.js';
import {
  actionOf,
  addBytes,
  addContentFilters,
  type BareAction,
  type ContentFiltered,
  contentFiltersOf,
  type FormatJson,
  type FormatRow,
  sendBytes,
  textsBytes,
} from './format.js';

/** Sends one WebSocket message or control frame. */
export interface WsMessageSend extends ContentFiltered {
  readonly action: 'send';
  readonly type: WsMessageType;
  /** Text is UTF-8. At most MAX_CONTROL_PAYLOAD bytes for ping and pong. */
  readonly content: Buffer;
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
export type WsMessageFormat = WsMessageSend | WsMessageClose | BareAction<'hint' | 'refresh'>;

function parse(value: unknown): WsMessageFormat {
  const fields = new Fields(value, "'ws-message'", 'ERR_GRIP_ITEM');
  const action = actionOf(fields);
  if (action === 'send') return parseSend(fields);
  if (action === 'close') return parseClose(fields);
  return { action };
}

function parseSend(fields: Fields): WsMessageSend {
  const { type, content: given } = readWsMessage(fields, 'type', fields.has('content-bin') ? 'binary' : 'text');
  const contentFilters = contentFiltersOf(fields);
  const content = given ?? (isControlType(type) ? Buffer.alloc(0) : undefined);
  if (!content) throw fields.error(`${fields.name} does not contain 'content' or 'content-bin'`);
  const send: Writable<WsMessageSend> = { action: 'send', type, content };
  if (contentFilters !== undefined) send.contentFilters = contentFilters;
  return send;
}

function parseClose(fields: Fields): WsMessageClose {
  const code = fields.integer('code', 0xffff);
  const reason = fields.string('reason');
  return { action: 'close', ...(code !== undefined && { code }), ...(reason && { reason }) };
}

function encode(format: WsMessageFormat): FormatJson {
  if (format.action !== 'send') return { ...format };
  const json: FormatJson = { type: format.type };
  addContentFilters(json, format);
  addBytes(json, 'content', format.content);
  return json;
}

function size(format: WsMessageFormat): number {
  if (format.action === 'send') return sendBytes(format, format.content.length);
  return format.action === 'close' && format.reason !== undefined ? textsBytes([format.reason]) : 0;
}

/** The row of ws-message. */
export const wsMessage = {
  name: 'ws-message',
  kind: 'ws',
  label: 'session',
  polls: false,
  members: new Set(['action', 'type', 'content', 'content-bin', 'content-filters', 'code', 'reason']),
  parse,
  encode,
  size,
  content: (format) => (format.action === 'send' ? format.content : undefined),
  withContent: (format, content) => ({ ...format, content }) as WsMessageFormat,
} as const satisfies FormatRow<WsMessageFormat>;
