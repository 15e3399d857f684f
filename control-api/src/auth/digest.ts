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

/** What a connection has shown last. */
interface Shown {
  readonly credential: string;
  readonly digest: string;
}

/**
 * Digests of credentials, the last one of each connection remembered: a publisher sends the same one with each publish, and to
 * digest it is most of what a key costs. What is remembered of a connection, a request head at most, goes with the connection.
 */
export class ConnectionDigests {
  readonly #shown = new WeakMap<object, Shown>();

  /** As {@link digestOf}. A connection may carry the requests of many, hence the constant time. */
  of(credential: string, connection: object | undefined): string {
    if (connection === undefined) return digestOf(credential);
    const shown = this.#shown.get(connection);
    if (shown !== undefined && isSameText(shown.credential, credential)) return shown.digest;
    const digest = digestOf(credential);
    this.#shown.set(connection, { credential, digest });
    return digest;
  }
}

/** In a time that depends on their lengths only. */
function isSameText(one: string, other: string): boolean {
  if (one.length !== other.length) return false;
  let difference = 0;
  for (let i = 0; i < one.length; i++) difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
  return difference === 0;
}
