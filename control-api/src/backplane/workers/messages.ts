/** What a worker's backplane and its link in the primary send each other. Both ends are always of the same version. */
import { deserialize, serialize } from 'node:v8';
import type { Gap, Message } from '../backplane.js';
import type { HistoryStart } from '../history.js';

/** One end of a connection that keeps order and loses nothing while both ends live. */
export interface LinkPort {
  /** Sends structured data; never throws. `bytes` is roughly how much it is, for the bound on what may wait. */
  post(message: unknown, bytes: number): void;
  /** Calls `message` for everything the other end posts, `closed` once when that end has gone. To be called once. */
  listen(message: (message: unknown) => void, closed: () => void): void;
}

/** From a worker; several in one post, to be taken in order. Numbers are those that the answers carry. */
export type WorkerMessage =
  | readonly ['start', number]
  | readonly ['subscribe', number, string]
  | readonly ['unsubscribe', string]
  | readonly ['publish', number, readonly Buffer[]]
  | readonly ['read', number, string, HistoryStart, number]
  | readonly ['head', number, string]
  | readonly ['close', number];

/** From the primary; several in one post. */
export type PrimaryMessage =
  | readonly ['message', Buffer]
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

const NO_META: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** A message as bytes, with all that it has. */
export function encodeMessage(message: Message): Buffer {
  return serialize(message);
}

/** The inverse of `encodeMessage`. */
export function decodeMessage(bytes: Buffer): Message {
  // Content stays a part of the bytes, and these are a part of all that was read at once: what is kept of one item would keep
  // all of it.
  const isPart = bytes.buffer.byteLength > 2 * bytes.length;
  const message = deserialize(isPart ? Buffer.from(bytes) : bytes) as Message;
  if (message.type === 'recover') return message;
  const { item } = message;
  // Meta has no prototype, so that no name finds what nobody published; the bytes do not carry that.
  const meta = Object.keys(item.meta).length === 0 ? NO_META : Object.setPrototypeOf(item.meta, null);
  return { ...message, item: { ...item, meta } };
}

/**
 * Encodes what is handed to several links one after the other only once. Remembers no more than the last message: a hub
 * gives each to all its shares before the next.
 */
export class MessageEncoder {
  #message: Message | undefined;
  #bytes: Buffer | undefined;

  /** The bytes of a message; not to be changed. */
  encode(message: Message): Buffer {
    if (this.#bytes === undefined || this.#message !== message) {
      this.#message = message;
      this.#bytes = encodeMessage(message);
    }
    return this.#bytes;
  }
}
