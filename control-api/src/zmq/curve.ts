/** Keys of CURVE, ZeroMQ's encryption (RFC 26 of ZeroMQ): their text, and the public key of a secret one. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** Z85 (RFC 32 of ZeroMQ). */
const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const KEY_BYTES = 32;
const KEY_LENGTH = 40;
const GROUP = 5;

/** What stands before the bytes of an X25519 key in PKCS#8 and SPKI (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** A key pair as text. */
export interface CurveKeyPair {
  readonly publicKey: string;
  readonly secretKey: string;
}

function decode(text: string): Buffer | undefined {
  if (text.length !== KEY_LENGTH) return undefined;
  const bytes = Buffer.alloc(KEY_BYTES);
  for (let at = 0; at < KEY_LENGTH; at += GROUP) {
    let number = 0;
    for (const digit of text.slice(at, at + GROUP)) {
      const value = DIGITS.indexOf(digit);
      if (value < 0) return undefined;
      number = number * DIGITS.length + value;
    }
    if (number > 0xffff_ffff) return undefined;
    bytes.writeUInt32BE(number, (at / GROUP) * 4);
  }
  return bytes;
}

/** The text of the 32 bytes of a key. */
export function encodeCurveKey(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < KEY_BYTES; at += 4) {
    let number = bytes.readUInt32BE(at);
    let group = '';
    for (let i = 0; i < GROUP; i++) {
      group = DIGITS[number % DIGITS.length] + group;
      number = Math.floor(number / DIGITS.length);
    }
    text += group;
  }
  return text;
}

/** Whether this is the text of a key, public or secret: 40 characters of Z85. */
export function isCurveKey(text: string): boolean {
  return decode(text) !== undefined;
}

const rawOf = (key: KeyObject, format: 'spki' | 'pkcs8'): Buffer =>
  key.export({ format: 'der', type: format }).subarray(-KEY_BYTES);

/** The public key that belongs to a secret one, for which `isCurveKey` holds. */
export function publicCurveKey(secretKey: string): string {
  const key = Buffer.concat([PKCS8, decode(secretKey) as Buffer]);
  return encodeCurveKey(rawOf(createPublicKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' })), 'spki'));
}

/** A new pair. */
export function makeCurveKeyPair(): CurveKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  return { publicKey: encodeCurveKey(rawOf(publicKey, 'spki')), secretKey: encodeCurveKey(rawOf(privateKey, 'pkcs8')) };
}
