/** Digests of credentials: what is compared, and kept, in their place. */
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
