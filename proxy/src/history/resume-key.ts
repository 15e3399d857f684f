/** Owns: which key signs tokens. Does not own: the tokens, or the options. */
import { createHmac, randomBytes } from 'node:crypto';
import type { SigKey } from '@holdfast/grip';

/** The default of `sig_key`, which everybody knows. */
const KNOWN = Buffer.from('changeme');

/**
 * `resume_key` if it is set; else a key derived from `sig_key`, if that is a secret; else a random one, which no other
 * node and no later process has.
 */
export function resumeKey(configured: SigKey | undefined, sigKey: SigKey | undefined): Buffer {
  if (configured !== undefined) return configured.kind === 'pem' ? Buffer.from(configured.pem) : configured.secret;
  const secret = secretOf(sigKey);
  return secret === undefined ? randomBytes(32) : createHmac('sha256', secret).update('holdfast resume').digest();
}

function secretOf(key: SigKey | undefined): Buffer | undefined {
  if (key === undefined) return undefined;
  if (key.kind === 'pem') return key.pem.includes('PRIVATE KEY-----') ? Buffer.from(key.pem) : undefined;
  return key.secret.equals(KNOWN) ? undefined : key.secret;
}
