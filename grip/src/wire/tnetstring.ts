/** The values on ZeroMQ sockets: typed netstrings, Pushpin's binary encoding, and the packets that are in them or in JSON. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { kindOf } from './fields.js';
import { jsonFaultText, MAX_JSON_DEPTH, MAX_JSON_VALUES, NOT_JSON, readJsonBytes } from './json.js';

/**
 * A decoded value. On the wire it is `<length>:<bytes><type>`, where the type is `,` for a byte string, `#` integer, `^`
 * float, `!` true or false, `~` null, `]` list and `}` map; the bytes of lists and maps are tnetstrings again, those of maps
 * keys and values in turn. Byte strings are Buffers that share the input's memory, integers beyond 2^53 are bigint, and maps
 * are objects without prototype, so that no key means anything but itself; keys are read as UTF-8.
 */
export type TnetValue =
  | null
  | boolean
  | number
  | bigint
  | Buffer
  | readonly TnetValue[]
  | { readonly [key: string]: TnetValue };

/**
 * @limit {} levels of a tnetstring
 * @over refused
 */
export const MAX_TNET_DEPTH = MAX_JSON_DEPTH;

/**
 * Values of one tnetstring, as many as of JSON: one takes a hundred bytes of memory, and three on the wire.
 *
 * @limit {} values of a tnetstring
 * @over refused
 */
export const MAX_TNET_VALUES = MAX_JSON_VALUES;

/** Digits of a length: tens of gigabytes, more than any message. */
const LENGTH_DIGITS = 10;

const COLON = 0x3a;
const integer = /^[+-]?[0-9]{1,19}$/;
const decimal = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?$/;

/**
 * Decodes the value at the beginning of `bytes`; what follows it is ignored, as Pushpin does. Throws ERR_GRIP_PACKET for
 * anything that is not a tnetstring.
 */
export function decodeTnetstring(bytes: Uint8Array): TnetValue {
  return new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).value(bytes.byteLength, 0);
}

function broken(why: string): GripError {
  return new GripError('ERR_GRIP_PACKET', `not a tnetstring: ${why}`);
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** The next value, which must end at `end` or before. */
  value(end: number, depth: number): TnetValue {
    if (++this.#values > MAX_TNET_VALUES) throw broken(`it has more than ${MAX_TNET_VALUES} values`);
    const length = this.#length(end);
    const start = this.#at;
    const stop = start + length;
    if (stop >= end) throw broken('it is cut short');
    const type = String.fromCharCode(this.#bytes[stop] as number);
    const value = this.#typed(type, start, stop, depth);
    this.#at = stop + 1;
    return value;
  }

  #length(end: number): number {
    let length = 0;
    const start = this.#at;
    for (; this.#at < end && this.#bytes[this.#at] !== COLON; this.#at++) {
      const digit = (this.#bytes[this.#at] as number) - 0x30;
      if (digit < 0 || digit > 9 || this.#at - start >= LENGTH_DIGITS) throw broken('a length is expected');
      length = length * 10 + digit;
    }
    if (this.#at === start || this.#at >= end) throw broken('a length is expected');
    this.#at++;
    return length;
  }

  #typed(type: string, start: number, stop: number, depth: number): TnetValue {
    if (type === ',') return this.#bytes.subarray(start, stop);
    if (type === ']') return this.#list(stop, depth + 1);
    if (type === '}') return this.#map(stop, depth + 1);
    // No scalar is longer; a longer one need not become a string.
    return scalarOf(type, this.#bytes.toString('latin1', start, Math.min(stop, start + 64)));
  }

  #list(stop: number, depth: number): TnetValue[] {
    if (depth > MAX_TNET_DEPTH) throw broken('it nests too deep');
    const list: TnetValue[] = [];
    while (this.#at < stop) list.push(this.value(stop, depth));
    return list;
  }

  #map(stop: number, depth: number): { [key: string]: TnetValue } {
    if (depth > MAX_TNET_DEPTH) throw broken('it nests too deep');
    const map: { [key: string]: TnetValue } = Object.create(null);
    while (this.#at < stop) {
      const key = this.value(stop, depth);
      if (!Buffer.isBuffer(key)) throw broken('the key of a map is not a byte string');
      map[key.toString('utf8')] = this.value(stop, depth);
    }
    return map;
  }
}

function scalarOf(type: string, text: string): null | boolean | number | bigint {
  switch (type) {
    case '#': {
      if (!integer.test(text)) throw broken('bad integer');
      const value = Number(text);
      return Number.isSafeInteger(value) ? value : BigInt(text);
    }
    case '^': {
      const value = decimal.test(text) ? Number(text) : Number.NaN;
      if (!Number.isFinite(value)) throw broken('bad float');
      return value;
    }
    case '!':
      if (text !== 'true' && text !== 'false') throw broken('bad boolean');
      return text === 'true';
    case '~':
      if (text !== '') throw broken('a null with content');
      return null;
    default:
      throw broken('unknown type');
  }
}

/**
 * Encodes anything JSON can say, and bytes (Uint8Array) and bigint. Strings become their UTF-8 bytes; members of a map
 * that are undefined are left out, elements of a list become null. Throws TypeError for what has no tnetstring: functions,
 * symbols, NaN and infinities.
 */
export function encodeTnetstring(value: unknown): Buffer {
  const writer = new Writer();
  return writer.bytes(writer.value(value));
}

/** Collects the pieces of a tnetstring, so that each byte is copied once however deep it stands. */
class Writer {
  readonly #pieces: (string | Uint8Array)[] = [];

  /** Adds a value; returns how many bytes it takes. */
  value(value: unknown): number {
    if (value === null || value === undefined) return this.#text('', '~');
    if (typeof value === 'string') return this.#text(value, ',');
    if (typeof value === 'number') return this.#number(value);
    if (typeof value === 'boolean') return this.#text(String(value), '!');
    if (typeof value === 'bigint') return this.#text(String(value), '#');
    if (value instanceof Uint8Array) return this.#framed(',', () => this.#piece(value, value.length));
    if (Array.isArray(value)) return this.#framed(']', () => this.#list(value));
    if (typeof value === 'object') return this.#framed('}', () => this.#map(value));
    throw new TypeError(`a ${typeof value} has no tnetstring`);
  }

  /** All pieces as one; `size` is what `value` returned. */
  bytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size);
    let at = 0;
    for (const piece of this.#pieces) {
      if (typeof piece === 'string') at += bytes.write(piece, at);
      else {
        bytes.set(piece, at);
        at += piece.length;
      }
    }
    return bytes;
  }

  #number(value: number): number {
    if (!Number.isFinite(value)) throw new TypeError(`${value} has no tnetstring`);
    if (Object.is(value, -0)) return this.#text('-0', '^');
    return this.#text(String(value), Number.isSafeInteger(value) ? '#' : '^');
  }

  #text(text: string, type: string): number {
    const size = Buffer.byteLength(text);
    const framed = `${size}:${text}${type}`;
    return this.#piece(framed, size + framed.length - text.length);
  }

  #list(list: readonly unknown[]): number {
    let size = 0;
    for (const element of list) size += this.value(element);
    return size;
  }

  #map(map: object): number {
    let size = 0;
    for (const [key, member] of Object.entries(map)) {
      if (member !== undefined) size += this.#text(key, ',') + this.value(member);
    }
    return size;
  }

  /** The length goes before the content, and is known after it. */
  #framed(type: string, content: () => number): number {
    const place = this.#pieces.push('') - 1;
    const size = content();
    const head = `${size}:`;
    this.#pieces[place] = head;
    return head.length + size + this.#piece(type, type.length);
  }

  #piece(piece: string | Uint8Array, size: number): number {
    this.#pieces.push(piece);
    return size;
  }
}

/** An encoding of packets; the names are those of Pushpin's `stats_format`. */
export type PacketFormat = 'tnetstring' | 'json';

const LETTER_J = 0x4a;
const LETTER_T = 0x54;

/**
 * The value of a packet, with byte strings as Buffers if it was a tnetstring. JSON must be an object or a list. Throws
 * ERR_GRIP_PACKET.
 */
export function decodePacket(packet: Uint8Array): unknown {
  if (packet[0] === LETTER_T) return decodeTnetstring(packet.subarray(1));
  if (packet[0] !== LETTER_J) return decodeTnetstring(packet);
  const text = packet.subarray(1);
  const { value, fault } = readJsonBytes(text);
  if (typeof value === 'object' && value !== null) return value;
  if (fault !== undefined && fault !== NOT_JSON) throw new GripError('ERR_GRIP_PACKET', `not taken: it ${fault}`);
  const detail = fault === undefined ? `expected an object, got ${kindOf(value)}` : jsonFaultText(text);
  throw new GripError('ERR_GRIP_PACKET', 'not valid JSON after the J', { detail });
}

/** Encodes a value that JSON can express, with the letter in front. Throws TypeError as {@link encodeTnetstring} does. */
export function encodePacket(value: unknown, format: PacketFormat): Buffer {
  if (format === 'json') return Buffer.from(`J${JSON.stringify(value)}`);
  return Buffer.concat([Buffer.from('T'), encodeTnetstring(value)]);
}
