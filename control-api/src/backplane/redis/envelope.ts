/** Messages as text in Redis: the payload in the stream, and the frame around it on pub/sub. */
import { isLongName, itemToJson, parseItem, readJson } from '@holdfast/grip';
import type { Message, Position } from '../backplane.js';
import { PAYLOAD_CHARS } from './limits.js';

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
  /** What is wrong then, for the log. */
  readonly fault?: string;
}

/** Reads a payload. Never throws: Redis is shared, and what it holds may be anything. */
export function decodePayload(payload: string, position: Position): Envelope {
  if (payload.length > PAYLOAD_CHARS) return unreadable('', `has more than ${PAYLOAD_CHARS} characters`);
  const { value, fault } = readJson(payload);
  if (fault !== undefined) return unreadable('', fault);
  const { id, item } = (value ?? {}) as { readonly id?: unknown; readonly item?: unknown };
  if (typeof id !== 'string' || isLongName(id)) return unreadable('', 'has no id');
  if (item === undefined) return { id, message: { type: 'recover' } };
  try {
    return { id, message: { type: 'item', item: parseItem(item), id, position } };
  } catch (error) {
    return unreadable(id, `has no item: ${(error as Error).message}`);
  }
}

function unreadable(id: string, fault: string): Envelope {
  return { id, message: undefined, fault };
}

/** Characters of an epoch: what the publish script makes of a node's name and a number has some twenty. */
const EPOCH_CHARS = 100;

/** Reads a frame of pub/sub, `<offset> <epoch>\n<payload>`; undefined for anything else. */
export function parseFrame(frame: string): { readonly position: Position; readonly payload: string } | undefined {
  const end = frame.indexOf('\n');
  const space = frame.indexOf(' ');
  if (space < 1 || end < space || end - space > EPOCH_CHARS) return undefined;
  const offset = Number(frame.slice(0, space));
  if (!Number.isSafeInteger(offset) || offset < 1) return undefined;
  // A slice would keep the whole frame in memory for as long as anybody knows where the channel stands.
  const epoch = Buffer.from(frame.slice(space + 1, end)).toString();
  return { position: { epoch, offset }, payload: frame.slice(end + 1) };
}
