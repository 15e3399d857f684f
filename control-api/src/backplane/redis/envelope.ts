/**
 * How messages stand in Redis. The payload is a JSON object: `id`, `item` unless it is a recover, and `headers` where the publisher
 * gave any. What pub/sub carries is a frame, `<offset> <epoch>\n<payload>`, into whose payload the publish script has written `time`
 * as its first member; the history keeps the payload, and the time beside it.
 *
 * Nodes of several versions share a Redis while they are upgraded one by one. So this is extended in one way only: by further members
 * of the payload, which a node that does not know them passes over, and which are absent in what an older node publishes. The line
 * before the payload cannot be extended: all that follows the offset is the epoch to an older node.
 */
import { isLongName, itemToJson, parseItem, readJson } from '@holdfast/grip';
import type { Message, Position } from '../backplane.js';
import { boundedHeaders } from '../item-headers.js';
import { PAYLOAD_CHARS } from './limits.js';

/** The payload of a message: what is kept in the stream, and, but for the time, what is sent to subscribers. Begins with a brace. */
export function encodePayload(message: Message, id: string): string {
  if (message.type === 'recover') return JSON.stringify({ id });
  const headers = message.headers === undefined ? undefined : boundedHeaders(message.headers);
  return JSON.stringify({ id, item: itemToJson(message.item), headers });
}

/** A decoded payload. */
export interface Envelope {
  /** The message's id, given by the publisher or made. */
  readonly id: string;
  /** Undefined if the payload cannot be understood. */
  readonly message: Message | undefined;
  /** When it was accepted, in ms since the Unix epoch by the clock of Redis. Undefined if that does not stand there. */
  readonly acceptedAt: number | undefined;
  /** What is wrong with a payload that cannot be understood, for the log. */
  readonly fault?: string;
}

/** More than what the publish script adds to a payload. */
const TIME_CHARS = 64;

/** Reads a payload. Never throws: Redis is shared, and what it holds may be anything. */
export function decodePayload(payload: string, position: Position): Envelope {
  if (payload.length > PAYLOAD_CHARS + TIME_CHARS) return unreadable('', `has more than ${PAYLOAD_CHARS} characters`);
  const { value, fault } = readJson(payload);
  if (fault !== undefined) return unreadable('', fault);
  const { id, item, headers, time } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || isLongName(id)) return unreadable('', 'has no id');
  const acceptedAt = Number.isSafeInteger(time) ? (time as number) / 1_000 : undefined;
  if (item === undefined) return { id, message: { type: 'recover' }, acceptedAt };
  const context = headers === undefined ? undefined : boundedHeaders(headers);
  try {
    const message = {
      type: 'item' as const,
      item: parseItem(item),
      id,
      position,
      ...(context && { headers: context }),
    };
    return { id, message, acceptedAt };
  } catch (error) {
    return unreadable(id, `has no item: ${(error as Error).message}`);
  }
}

function unreadable(id: string, fault: string): Envelope {
  return { id, message: undefined, acceptedAt: undefined, fault };
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
  // A slice would keep the whole frame in memory for as long as the position is kept.
  const epoch = Buffer.from(frame.slice(space + 1, end)).toString();
  return { position: { epoch, offset }, payload: frame.slice(end + 1) };
}
