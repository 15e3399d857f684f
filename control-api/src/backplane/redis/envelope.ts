/**
 * How messages stand in Redis. The payload is a JSON object: `id`, `item` unless it is a recover, and `headers` where the
 * publisher gave any. The formats of an item for one subscriber stand in `one`, beside the id by which it is claimed: nodes that do not know
 * it find no format in the item, and give it to nobody. The history keeps it, and the time of its acceptance beside it. What pub/sub carries is a frame,
 * `<offset><time> <epoch>\n<payload>`, made by the publish script.
 *
 * Nodes of several versions share a Redis while they are upgraded one by one. What nodes send each other is extended by members
 * of the payload: a node that does not know them passes over them, and they are absent in what an older node publishes. The time
 * is known to the script only, and a member would cost it a copy of each payload. So it stands behind the offset, as digits too
 * small to change that: older nodes read the offset as a number, and a number of 64 bits ends before them.
 */
import { isLongName, itemToJson, parseItem, readJson } from '@holdfast/grip';
import type { Message, Position } from '../backplane.js';
import { boundedHeaders } from '../item-headers.js';
import { PAYLOAD_CHARS } from './limits.js';

/** The payload of a message: the same bytes are kept in the stream and sent to subscribers. */
export function encodePayload(message: Message, id: string): string {
  if (message.type === 'recover') return JSON.stringify({ id });
  const headers = message.headers === undefined ? undefined : boundedHeaders(message.headers);
  const item = itemToJson(message.item);
  if (message.item.deliver !== 'one') return JSON.stringify({ id, item, headers });
  const { formats } = item;
  return JSON.stringify({ id, item: { ...item, formats: { none: {} } }, headers, one: { id: message.id, formats } });
}

/** What the payload of an item begins with; the rest is the same for items that differ in channel and made id only. */
export function payloadHead(id: string, channel: string): string {
  return `{"id":${JSON.stringify(id)},"item":{"channel":${JSON.stringify(channel)}`;
}

/** A decoded payload. */
export interface Envelope {
  /** The message's id, given by the publisher or made. */
  readonly id: string;
  /** Undefined if the payload cannot be understood. */
  readonly message: Message | undefined;
  /** Of an item for one subscriber: by which it is claimed, whatever the id of the message is where it stands. */
  readonly claimId?: string;
  /** What is wrong with a payload that cannot be understood, for the log. */
  readonly fault?: string;
}

/** Reads a payload. Never throws: Redis is shared, and what it holds may be anything. */
export function decodePayload(payload: string, position: Position): Envelope {
  if (payload.length > PAYLOAD_CHARS) return unreadable('', `has more than ${PAYLOAD_CHARS} characters`);
  const { value, fault } = readJson(payload);
  if (fault !== undefined) return unreadable('', fault);
  const { id, item, headers, one } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || isLongName(id)) return unreadable('', 'has no id');
  if (item === undefined) return { id, message: { type: 'recover' } };
  const context = headers === undefined ? undefined : boundedHeaders(headers);
  try {
    const message = {
      type: 'item' as const,
      item: parseItem(one === undefined ? item : withFormats(item, one)),
      id,
      position,
      ...(context && { headers: context }),
    };
    return message.item.deliver === 'one' ? { id, message, claimId: claimIdOf(one) } : { id, message };
  } catch (error) {
    return unreadable(id, `has no item: ${(error as Error).message}`);
  }
}

function withFormats(item: unknown, one: unknown): unknown {
  return { ...(item as object), formats: (one as { formats?: unknown } | null)?.formats };
}

function claimIdOf(one: unknown): string {
  const { id } = (one ?? {}) as { id?: unknown };
  if (typeof id !== 'string' || isLongName(id)) throw new Error('it is for one subscriber and has no id for that');
  return id;
}

function unreadable(id: string, fault: string): Envelope {
  return { id, message: undefined, fault };
}

/** Characters of an epoch: what the publish script makes of a node's name and a number has some twenty. */
const EPOCH_CHARS = 100;

/** Goes before the time in a frame. With fewer zeros the time would change the offset 1. */
export const TIME_MARK = '.00000000000000000000';

/** A frame of pub/sub. */
export interface Frame {
  readonly position: Position;
  readonly payload: string;
  /** When it was accepted, in ms since the Unix epoch by the clock of Redis. Undefined if that does not stand there. */
  readonly acceptedAt: number | undefined;
}

/** Reads a frame; undefined for anything else. `known` is an epoch that it most likely has: its text is then used again. */
export function parseFrame(frame: string, known = ''): Frame | undefined {
  const end = frame.indexOf('\n');
  const space = frame.indexOf(' ');
  if (space < 1 || end < space || end - space > EPOCH_CHARS) return undefined;
  const mark = frame.lastIndexOf(TIME_MARK, space);
  const offset = Number(frame.slice(0, mark < 0 ? space : mark));
  if (!Number.isSafeInteger(offset) || offset < 1) return undefined;
  const micros = mark < 0 ? Number.NaN : Number(frame.slice(mark + TIME_MARK.length, space));
  return {
    position: { epoch: epochOf(frame, space + 1, end, known), offset },
    payload: frame.slice(end + 1),
    acceptedAt: Number.isSafeInteger(micros) && micros > 0 ? micros / 1_000 : undefined,
  };
}

function epochOf(frame: string, start: number, end: number, known: string): string {
  if (known.length === end - start && frame.startsWith(known, start)) return known;
  // A slice would keep the whole frame in memory for as long as the position is kept.
  return Buffer.from(frame.slice(start, end)).toString();
}
