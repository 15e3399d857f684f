/** One value on a ZeroMQ socket: `J` and JSON, `T` and a tnetstring, or a tnetstring without a letter. */
import { Buffer } from 'node:buffer';
import { GripError } from '../errors.js';
import { kindOf } from '../headers/fields.js';
import { NOT_JSON, readJsonBytes } from '../wire/json.js';
import { jsonFaultText } from '../wire/json-fault.js';
import { decodeTnetstring, encodeTnetstring } from '../wire/tnetstring.js';

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
