/** What a worker's backplane and its primary send each other: one post is a batch of messages, as bytes. */
import { deserialize, serialize } from 'node:v8';
import type { Gap, HistoryStart } from '../backplane.js';

/** From a worker; several in one post, to be taken in order. Numbers are those that the answers carry. */
export type WorkerMessage =
  | readonly ['start', number]
  | readonly ['subscribe', number, string]
  | readonly ['unsubscribe', string]
  | readonly ['subscribe-prefix', number, string]
  | readonly ['unsubscribe-prefix', string]
  | readonly ['publish', number, readonly Buffer[]]
  | readonly ['read', number, string, HistoryStart, number]
  /** With the moment for which it is asked, in ms by the clock of the machine, which all its processes share. */
  | readonly ['head', number, string, number?]
  | readonly ['remove', number, string]
  /** The answers to `one`: it has a subscriber, and asks whether it may give the item; it has none. */
  | readonly ['take', number, number]
  | readonly ['pass', number]
  | readonly ['close', number];

/** From the primary; several in one post. */
export type PrimaryMessage =
  | readonly ['message', Buffer]
  /** One with a claim, whose number is first. */
  | readonly ['one', number, Buffer]
  | readonly ['gap', Gap]
  /** The answer to the message of that number. Messages of a history page are bytes. */
  | readonly ['done', number, unknown]
  /** It failed, with the code of a `ControlError`, and its text. */
  | readonly ['failed', number, string, string]
  | readonly ['unavailable', string | undefined];

/** The answer to `read`, unless that is undefined. */
export interface PageMessage {
  readonly messages: readonly Buffer[];
  readonly end: { readonly epoch: string; readonly offset: number };
  readonly complete: boolean;
}

type LinkMessage = WorkerMessage | PrimaryMessage;

/** Kinds of entries. What there is one of for each item and each hold has a form of its own; V8 serializes the rest. */
const OTHER = 0;
const ITEM = 1;
const DONE = 2;
const SUBSCRIBE = 3;
const UNSUBSCRIBE = 4;

/** A kind and a length go before each entry. */
const HEAD_BYTES = 5;
/** Numbers count up for as long as a worker lives. */
const NUMBER_BYTES = 6;

/** Exact for every name, also one that is no well-formed Unicode. */
const NAME = 'utf16le';

/** An entry whose bytes are known before it is written. */
interface Entry {
  readonly kind: number;
  readonly n?: number;
  readonly name?: string;
  readonly bytes?: Uint8Array;
}

function entryOf(message: LinkMessage): Entry {
  switch (message[0]) {
    case 'message':
      return { kind: ITEM, bytes: message[1] };
    case 'subscribe':
      return { kind: SUBSCRIBE, n: message[1], name: message[2] };
    case 'unsubscribe':
      return { kind: UNSUBSCRIBE, name: message[1] };
    case 'done':
      if (message[2] === undefined) return { kind: DONE, n: message[1] };
  }
  return { kind: OTHER, bytes: serialize(message) };
}

function lengthOf({ n, name, bytes }: Entry): number {
  return (n === undefined ? 0 : NUMBER_BYTES) + (name === undefined ? 0 : 2 * name.length) + (bytes?.length ?? 0);
}

/** The bytes of these messages. */
export function encodeBatch(messages: readonly LinkMessage[]): Buffer {
  const entries = messages.map(entryOf);
  let length = 0;
  for (const entry of entries) length += HEAD_BYTES + lengthOf(entry);
  const batch = Buffer.allocUnsafe(length);
  let at = 0;
  for (const entry of entries) {
    const { kind, n, name, bytes } = entry;
    batch[at] = kind;
    batch.writeUInt32LE(lengthOf(entry), at + 1);
    at += HEAD_BYTES;
    if (n !== undefined) at = batch.writeUIntLE(n, at, NUMBER_BYTES);
    if (name !== undefined) at += batch.write(name, at, NAME);
    if (bytes !== undefined) {
      batch.set(bytes, at);
      at += bytes.length;
    }
  }
  return batch;
}

/** The messages of a batch, in order. Bytes in them are a part of it. */
export function* decodeBatch<Message extends LinkMessage>(batch: Buffer): Generator<Message> {
  for (let at = 0; at < batch.length; ) {
    const start = at + HEAD_BYTES;
    const end = start + batch.readUInt32LE(at + 1);
    yield messageOf(batch[at], batch, start, end) as Message;
    at = end;
  }
}

function messageOf(kind: number | undefined, batch: Buffer, start: number, end: number): LinkMessage {
  switch (kind) {
    case ITEM:
      return ['message', batch.subarray(start, end)];
    case DONE:
      return ['done', batch.readUIntLE(start, NUMBER_BYTES), undefined];
    case SUBSCRIBE:
      return ['subscribe', batch.readUIntLE(start, NUMBER_BYTES), batch.toString(NAME, start + NUMBER_BYTES, end)];
    case UNSUBSCRIBE:
      return ['unsubscribe', batch.toString(NAME, start, end)];
    default:
      return deserialize(batch.subarray(start, end)) as LinkMessage;
  }
}

/** In ms: the monotonic clock of the machine, which its processes share, unlike that of `performance.now`. */
export function machineNow(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}
