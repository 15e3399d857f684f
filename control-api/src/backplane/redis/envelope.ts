/**
 * Messages as text in Redis.
 *
 * Owns: the payload in the stream, and the frame around it on pub/sub. Does not own: the JSON of items (@holdfast/grip).
 */
import { itemToJson, parseItem } from '@holdfast/grip';
import type { Message, Position } from '../backplane.js';

/** The payload of a message: the same bytes are kept in the stream and sent to subscribers. */
export function encodePayload(message: Message, id: string): string {
  return message.type === 'recover' ? JSON.stringify({ id }) : JSON.stringify({ id, item: itemToJson(message.item) });
}

/** A decoded payload. */
export interface Envelope {
  /** The message's id, given by the publisher or made. */
  readonly id: string;
  /** Undefined if the payload cannot be understood, as when a later version of Holdfast wrote it. */
  readonly message: Message | undefined;
}

/** Reads a payload. Never throws: Redis is shared, and what it holds may be anything. */
export function decodePayload(payload: string, position: Position): Envelope {
  let id = '';
  try {
    const json = JSON.parse(payload) as { readonly id?: unknown; readonly item?: unknown };
    if (typeof json.id !== 'string') return { id, message: undefined };
    id = json.id;
    if (json.item === undefined) return { id, message: { type: 'recover' } };
    return { id, message: { type: 'item', item: parseItem(json.item), id, position } };
  } catch {
    return { id, message: undefined };
  }
}

/** Reads a frame of pub/sub, `<offset> <epoch>\n<payload>`; undefined for anything else. */
export function parseFrame(frame: string): { readonly position: Position; readonly payload: string } | undefined {
  const end = frame.indexOf('\n');
  const space = frame.indexOf(' ');
  if (space < 1 || end < space) return undefined;
  const offset = Number(frame.slice(0, space));
  if (!Number.isSafeInteger(offset) || offset < 1) return undefined;
  return { position: { epoch: frame.slice(space + 1, end), offset }, payload: frame.slice(end + 1) };
}
