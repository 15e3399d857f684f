/** Digests of credentials: what is compared, and kept, in their place. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Of this process alone: nobody can choose a credential by its digest, or learn one from the time that a look-up takes. */
const salt = randomBytes(32).toString('latin1');

/** SHA-256 of a credential as its bytes came, which are the characters of the text. */
export function digestOf(credential: string): string {
  return hash('sha256', Buffer.from(salt + credential, 'latin1'), 'base64');
}

/** Whether two digests are the same, in a time that does not depend on where they differ. */
export function sameDigest(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
