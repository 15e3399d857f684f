/** Messages as bytes, on their way between the processes of a node. Both ends are of one version. */
import type { Item } from '@holdfast/grip';
import type { ItemMessage, Message } from '../backplane.js';

const NO_META: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** Of the length of the text, in bytes. */
const LENGTH = 4;

/** Which members of the formats are bytes, which follow the text: format, member, length. */
type Parts = [format: string, member: string, length: number][];

type Fields = Readonly<Record<string, unknown>>;

/**
 * A message as bytes, with all that it has: its length, JSON, and behind that what is bytes in the formats of the item. V8's own
 * serializer takes several times as long, as it asks JavaScript about each Buffer.
 */
export function encodeMessage(message: Message): Buffer {
  const parts: Parts = [];
  const contents: Uint8Array[] = [];
  const plain = message.type === 'recover' ? message : withoutBytes(message, parts, contents);
  const text = JSON.stringify([plain, parts]);
  const textLength = Buffer.byteLength(text);
  let length = LENGTH + textLength;
  for (const content of contents) length += content.length;
  const bytes = Buffer.allocUnsafe(length);
  bytes.writeUInt32LE(textLength);
  let at = LENGTH + bytes.write(text, LENGTH);
  for (const content of contents) {
    bytes.set(content, at);
    at += content.length;
  }
  return bytes;
}

function withoutBytes(message: ItemMessage, parts: Parts, contents: Uint8Array[]): object {
  const formats: Record<string, Fields> = {};
  for (const [name, value] of Object.entries(message.item.formats)) {
    const format = value as unknown as Fields;
    const plain: Record<string, unknown> = {};
    for (const member in format) {
      const field = format[member];
      if (!(field instanceof Uint8Array)) plain[member] = field;
      else {
        parts.push([name, member, field.length]);
        contents.push(field);
      }
    }
    formats[name] = plain;
  }
  return { ...message, item: { ...message.item, formats } };
}

/** The inverse of `encodeMessage`. */
export function decodeMessage(bytes: Buffer): Message {
  // Content stays a part of the bytes, and these are a part of all that was read at once: what is kept of one item would keep
  // all of it.
  const isPart = bytes.buffer.byteLength > 2 * bytes.length;
  const own = isPart ? Buffer.from(bytes) : bytes;
  let at = LENGTH + own.readUInt32LE();
  const [message, parts] = JSON.parse(own.toString('utf8', LENGTH, at)) as [Message, Parts];
  if (message.type === 'recover') return message;
  const formats = message.item.formats as Readonly<Record<string, Record<string, unknown>>>;
  for (const [name, member, length] of parts) {
    (formats[name] as Record<string, unknown>)[member] = own.subarray(at, at + length);
    at += length;
  }
  // Meta has no prototype, so that only published names are found; the bytes do not carry that.
  const item = message.item as { meta: Item['meta'] };
  item.meta = Object.keys(item.meta).length === 0 ? NO_META : Object.setPrototypeOf(item.meta, null);
  return message;
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
