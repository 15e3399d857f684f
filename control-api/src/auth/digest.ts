/** Digests of credentials: what is compared, and kept for longer than a connection, in their place. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Of this process alone: nobody can choose a credential by its digest, or learn one from the time that a look-up takes. */
const salt = randomBytes(32).toString('hex');

/** Characters of a digest. */
const LENGTH = 64;

const scratch = Buffer.alloc(LENGTH);

/** Salted SHA-256 of a credential, in hexadecimal. */
export function digestOf(credential: string): string {
  return hash('sha256', salt + credential, 'hex');
}

/** A digest that others are compared with. */
export function knownDigest(digest: string): Buffer {
  return Buffer.from(digest, 'latin1');
}

/** Whether a digest is a known one, in a time that does not depend on where they differ. Of the same length, as all are. */
export function isDigest(known: Buffer, digest: string): boolean {
  scratch.write(digest, 'latin1');
  return timingSafeEqual(known, scratch);
}

/** What a connection has shown last, and what was made of it. */
export interface Shown<Made> {
  readonly credential: string;
  /** Its characters, which are bytes. */
  readonly bytes: Buffer;
  readonly digest: string;
  /** For the caller to set. */
  made: Made | undefined;
}

/**
 * The last credential of each connection, its digest, and what was made of it: a publisher sends the same one with each publish,
 * and to digest it and look it up is most of what a key costs. What is remembered, a request head at most, goes with the connection.
 */
export class ShownCredentials<Made> {
  readonly #shown = new WeakMap<object, Shown<Made>>();

  /** Remembered, or digested now. A connection may carry the requests of many, hence the comparison in constant time. */
  of(credential: string, connection: object | undefined): Shown<Made> {
    const last = connection && this.#shown.get(connection);
    if (last !== undefined && isSame(last.bytes, credential)) return last;
    const bytes = Buffer.from(credential, 'latin1');
    const shown: Shown<Made> = { credential, bytes, digest: digestOf(credential), made: undefined };
    if (connection !== undefined) this.#shown.set(connection, shown);
    return shown;
  }
}

/** In a time that depends on their lengths only. A loop over the characters of a token, a part of its field, takes twice as long. */
function isSame(known: Buffer, credential: string): boolean {
  return known.length === credential.length && timingSafeEqual(known, Buffer.from(credential, 'latin1'));
}
