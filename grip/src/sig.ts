/**
 * Grip-Sig: the token by which an origin knows that a request came through its proxy.
 *
 * Owns: reading keys, signing and verifying. Does not own: reading files, the time of day, or deciding who is trusted.
 * The only importer of fast-jwt.
 */
import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { createSigner, createVerifier } from 'fast-jwt';
import { GripError } from './errors.js';

/** A key for signing or verifying. A secret does both; a PEM private key does both, a PEM public key verifies only. */
export type SigKey =
  | { readonly kind: 'secret'; readonly secret: Buffer }
  | { readonly kind: 'pem'; readonly pem: string; readonly algorithm: 'ES256' | 'RS256' };

/** Seconds for which a signature is valid. */
const LIFETIME = 3600;

const pemBegin = '-----BEGIN ';
const hex = /^(?:[0-9a-fA-F]{2})+$/;

/**
 * Reads a key from configuration: `base64:<secret>`, `file:<path>` to a PEM file or to the hexadecimal text of a secret,
 * a PEM text, or else the text itself as secret. Undefined for the empty string, which means that nothing is signed.
 * `readFile` is called for `file:` only. Throws ERR_GRIP_SIG_KEY for an unreadable file, an empty secret, and for a PEM
 * key that is neither RSA nor on the curve P-256.
 */
export function parseSigKey(text: string, readFile: (path: string) => Buffer): SigKey | undefined {
  if (text === '') return undefined;
  if (text.startsWith('file:')) return keyOfFile(text.slice('file:'.length), readFile);
  if (!text.startsWith('base64:')) return keyOf(Buffer.from(text, 'utf8'));
  return keyOf(Buffer.from(text.slice('base64:'.length), 'base64'));
}

function keyOfFile(path: string, readFile: (path: string) => Buffer): SigKey {
  let content: string;
  try {
    content = readFile(path).toString('latin1').trim();
  } catch (cause) {
    throw new GripError('ERR_GRIP_SIG_KEY', `cannot read key file '${path}'`, { cause });
  }
  if (content.includes(pemBegin)) return pemKey(content);
  if (!hex.test(content)) {
    throw new GripError('ERR_GRIP_SIG_KEY', `key file '${path}' holds neither a PEM key nor a secret in hexadecimal`);
  }
  return { kind: 'secret', secret: Buffer.from(content, 'hex') };
}

/**
 * Bytes that hold a PEM block are never a secret: a public key used as an HMAC secret would let anybody who knows it
 * sign.
 */
function keyOf(bytes: Buffer): SigKey {
  if (bytes.length === 0) throw new GripError('ERR_GRIP_SIG_KEY', 'the key is empty');
  return bytes.includes(pemBegin) ? pemKey(bytes.toString('latin1')) : { kind: 'secret', secret: bytes };
}

/** The PEM is written anew in its one canonical form, since files may have an EC PARAMETERS block or text before it. */
function pemKey(pem: string): SigKey {
  const key = pem.includes('PRIVATE KEY-----') ? openKey(createPrivateKey, pem) : openKey(createPublicKey, pem);
  const type = key.type === 'private' ? 'pkcs8' : 'spki';
  return { kind: 'pem', pem: key.export({ type, format: 'pem' }).toString(), algorithm: algorithmOf(key) };
}

function openKey(open: (pem: string) => KeyObject, pem: string): KeyObject {
  try {
    return open(pem);
  } catch (cause) {
    throw new GripError('ERR_GRIP_SIG_KEY', 'the PEM key cannot be read', { cause });
  }
}

function algorithmOf(key: KeyObject): 'ES256' | 'RS256' {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256';
  throw new GripError('ERR_GRIP_SIG_KEY', 'the PEM key is neither an RSA key nor an EC key on the curve P-256');
}

/** Signs and, for the rest of the second, remembers what it signed. */
interface Signer {
  readonly sign: (payload: { iss: string; exp: number }) => string;
  iss: string;
  now: number;
  token: string;
}

const signers = new WeakMap<SigKey, Signer>();
const verifiers = new WeakMap<SigKey, (token: string) => unknown>();

/**
 * Makes the value of Grip-Sig: a JWT with exactly the claims `iss` and `exp` (an hour after `now`, which is in unix
 * seconds). Runs on every proxied request, so what depends on the key alone is kept per key object, and the token is
 * made once per second and issuer: its claims have no finer grain. Throws ERR_GRIP_SIG_KEY for a public key.
 */
export function signGripSig(iss: string, key: SigKey, now: number): string {
  let signer = signers.get(key);
  if (!signer) {
    signer = { sign: openSigner(key), iss: '', now: Number.NaN, token: '' };
    signers.set(key, signer);
  }
  const second = Math.floor(now);
  if (signer.now !== second || signer.iss !== iss) {
    signer.token = signer.sign({ iss, exp: second + LIFETIME });
    signer.now = second;
    signer.iss = iss;
  }
  return signer.token;
}

function openSigner(key: SigKey): Signer['sign'] {
  try {
    return key.kind === 'secret'
      ? createSigner({ key: key.secret, algorithm: 'HS256', noTimestamp: true })
      : createSigner({ key: key.pem, algorithm: key.algorithm, noTimestamp: true });
  } catch (cause) {
    throw new GripError('ERR_GRIP_SIG_KEY', 'the key cannot sign', { cause });
  }
}

/**
 * Whether a Grip-Sig was signed with this key and has not expired at `now` (unix seconds): `exp` must be there, above 0
 * and in the future; `iss` and `nbf` are not looked at. Only the key's own algorithm is accepted, never `none`. False
 * for anything wrong with the token or the key; never throws.
 */
export function verifyGripSig(token: string, key: SigKey, now: number): boolean {
  try {
    let verify = verifiers.get(key);
    if (!verify) {
      verify = openVerifier(key);
      verifiers.set(key, verify);
    }
    const { exp } = verify(token) as { exp?: unknown };
    return typeof exp === 'number' && exp > 0 && exp > now;
  } catch {
    return false;
  }
}

/** fast-jwt verifies with a public key only, so a private one gives up its public half here. */
function openVerifier(key: SigKey): (token: string) => unknown {
  const lax = { ignoreExpiration: true, ignoreNotBefore: true };
  if (key.kind === 'secret') return createVerifier({ key: key.secret, algorithms: ['HS256'], ...lax });
  const publicPem = createPublicKey(key.pem).export({ type: 'spki', format: 'pem' }).toString();
  return createVerifier({ key: publicPem, algorithms: [key.algorithm], ...lax });
}
