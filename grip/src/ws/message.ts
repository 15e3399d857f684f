/** What GRIP may put into one WebSocket frame: its type, and content that fits it, which others would close a client for. */
import { type Buffer, isUtf8 } from 'node:buffer';
import type { Fields } from '../wire/fields.js';

/**
 * Largest payload of a ping or pong in bytes (RFC 6455 §5.5); more cannot be sent and is refused.
 *
 * @limit {} bytes of a published ping or pong
 * @over the publish is refused, 400
 */
export const MAX_CONTROL_PAYLOAD = 125;

const types = ['text', 'binary', 'ping', 'pong'] as const;

/** The kind of frame that is sent to the client. */
export type WsMessageType = (typeof types)[number];

/** Whether frames of a type are control frames, which may be empty and must be short. */
export const isControlType = (type: WsMessageType): boolean => type === 'ping' || type === 'pong';

/** One frame's worth; without content where the fields have none. */
export interface WsMessage {
  readonly type: WsMessageType;
  readonly content: Buffer | undefined;
}

/**
 * Reads the type from the member `key` and the bytes from `content` or `content-bin`. Without a type it is `usual`, but binary
 * for bytes that are not UTF-8, on which a client of a text must fail the connection (RFC 6455 §8.1).
 * @throws GripError for a type that is unknown, a text that is not UTF-8, and a ping or pong above {@link MAX_CONTROL_PAYLOAD}
 */
export function readWsMessage(fields: Fields, key: string, usual: 'text' | 'binary'): WsMessage {
  const given = fields.string(key);
  const content = fields.bytes('content', 'content-bin');
  const fits = content === undefined || isUtf8(content);
  if (given === undefined) return { type: fits ? usual : 'binary', content };
  const type = types.find((known) => known === given);
  if (type === undefined) throw fields.unknown(key, given, types);
  if (content !== undefined && isControlType(type) && content.length > MAX_CONTROL_PAYLOAD) {
    throw fields.error(`${fields.name} contains more than ${MAX_CONTROL_PAYLOAD} bytes of content for a ${type}`);
  }
  if (type === 'text' && !fits) {
    throw fields.error(`${fields.name} contains text content that is not UTF-8: expected UTF-8, or the type 'binary'`);
  }
  return { type, content };
}
