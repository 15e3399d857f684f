/** Grip-Sig, the token by which an origin recognises its proxy: reading keys, signing, verifying. */
import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { type Algorithm, createSigner, createVerifier } from 'fast-jwt';
import { GripError } from './errors.js';

/** A key for signing or verifying. A secret does both; a PEM private key does both, a PEM public key verifies only. */
export type SigKey =
  | { readonly kind: 'secret'; readonly secret: Buffer }
  | { readonly kind: 'pem'; readonly pem: string; readonly algorithm: 'ES256' | 'RS256' };

/** Seconds for which a signature is valid. */
const LIFETIME = 3600;

/** Bits of an RSA key that signs tokens: RFC 7518 §3.3. A shorter one is refused. */
export const MIN_RSA_BITS = 2048;

/** The algorithms of tokens. */
export type { Algorithm };

/** What a key is to do. */
export type SigKeyUse = 'sign' | 'verify';

/** Bytes with it are a PEM text, never a secret. */
export const pemBegin = '-----BEGIN ';
const base64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const privateEnd = 'PRIVATE KEY-----';
const hex = /^(?:[0-9a-fA-F]{2})+$/;

/**
 * Reads a key from configuration: `base64:<secret>`, `file:<path>` to a PEM file or to the hexadecimal text of a secret,
 * a PEM text, or else the text itself as secret. Undefined for the empty string, which means that nothing is signed.
 * `readFile` is called for `file:` only. What is returned has been tried: it does what it is to do. Throws ERR_GRIP_SIG_KEY,
 * with the reason, for everything else.
 */
export function parseSigKey(
  text: string,
  readFile: (path: string) => Buffer,
  use: SigKeyUse = 'sign',
): SigKey | undefined {
  if (text === '') return undefined;
  const key = keyIn(text, readFile);
  try {
    tryOut(key, use);
  } catch (cause) {
    if (cause instanceof GripError) throw cause;
    throw unusable(`the key cannot ${use}`, cause);
  }
  return key;
}

/** The error of a key that cannot be read or used; the reason never quotes it. */
export function unusable(reason: string, cause?: unknown): GripError {
  return new GripError('ERR_GRIP_SIG_KEY', reason, { cause });
}

/** Signing with a key and verifying what it signed is what it will be asked for. */
function tryOut(key: SigKey, use: SigKeyUse): void {
  if (use === 'verify') {
    verifiers.set(key, openVerifier(key));
    return;
  }
  if (key.kind === 'pem' && !key.pem.includes(privateEnd))
    throw unusable('it is a public key, which cannot sign: the private key is needed');
  if (!verifyGripSig(signGripSig('holdfast', key, 0), key, 0)) throw unusable('the key does not verify what it signs');
}

function keyIn(text: string, readFile: (path: string) => Buffer): SigKey {
  if (text.startsWith('file:')) return keyOfFile(text.slice('file:'.length), readFile);
  return keyOf(keyBytes(text));
}

/** The bytes that the text of a key stands for: those behind `base64:`, in either alphabet, or its own in UTF-8. */
export function keyBytes(text: string): Buffer {
  if (!text.startsWith('base64:')) return Buffer.from(text, 'utf8');
  const encoded = text.slice('base64:'.length).replace(/\s/g, '');
  if (!base64.test(encoded) || encoded.replace(/=+$/, '').length % 4 === 1) throw unusable('the text is not base64');
  return Buffer.from(encoded, 'base64');
}

function keyOfFile(path: string, readFile: (path: string) => Buffer): SigKey {
  let content: string;
  try {
    content = readFile(path).toString('latin1').trim();
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw unusable(`cannot read key file '${path}': ${code ?? message}`, cause);
  }
  if (content === '') throw unusable(`key file '${path}' is empty`);
  if (content.includes(pemBegin)) return pemKey(content);
  if (!hex.test(content)) throw unusable(`key file '${path}' holds neither a PEM key nor a secret in hexadecimal`);
  return { kind: 'secret', secret: Buffer.from(content, 'hex') };
}

/**
 * Bytes that hold a PEM block are never a secret: a public key used as an HMAC secret would let
 * everyone who knows it sign.
 */
function keyOf(bytes: Buffer): SigKey {
  if (bytes.length === 0) throw unusable('the key is empty');
  return bytes.includes(pemBegin) ? pemKey(bytes.toString('latin1')) : { kind: 'secret', secret: bytes };
}

/** The PEM is written anew in its one canonical form, since files may have an EC PARAMETERS block or text before it. */
function pemKey(pem: string): SigKey {
  const key = openPem(pem);
  const type = key.type === 'private' ? 'pkcs8' : 'spki';
  return { kind: 'pem', pem: key.export({ type, format: 'pem' }).toString(), algorithm: algorithmOf(key) };
}

/** The key in a PEM text, private if that is there; ERR_GRIP_SIG_KEY where there is none that can be used. */
export function openPem(pem: string): KeyObject {
  refuseOthers(pem);
  return pem.includes(privateEnd) ? openKey(createPrivateKey, pem) : openKey(createPublicKey, pem);
}

/** PEM blocks that are often taken for keys, and that the library would refuse without saying why, or half take. */
function refuseOthers(pem: string): void {
  if (pem.includes('BEGIN ENCRYPTED PRIVATE KEY') || pem.includes('Proc-Type: 4,ENCRYPTED'))
    throw unusable('the private key is encrypted: one without a pass phrase is needed');
  if (pem.includes('BEGIN OPENSSH PRIVATE KEY'))
    throw unusable("the private key is in OpenSSH's own form: one in PEM (PKCS#8) is needed");
  if (pem.includes('BEGIN CERTIFICATE') && !pem.includes('KEY-----'))
    throw unusable('it is a certificate: a key is needed');
}

function openKey(open: (pem: string) => KeyObject, pem: string): KeyObject {
  try {
    return open(pem);
  } catch (cause) {
    throw unusable('the PEM key cannot be read', cause);
  }
}

function algorithmOf(key: KeyObject): 'ES256' | 'RS256' {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType !== 'rsa')
    throw unusable('the PEM key is neither an RSA key nor an EC key on the curve P-256');
  if (modulusLength < MIN_RSA_BITS)
    throw unusable(`the RSA key has ${modulusLength} bits: at least ${MIN_RSA_BITS} are needed`);
  return 'RS256';
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
    return key.kind === 'secret' ? tokenSigner(key.secret, 'HS256') : tokenSigner(key.pem, key.algorithm);
  } catch (cause) {
    throw unusable('the key cannot sign', cause);
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
  if (key.kind === 'secret') return tokenVerifier(key.secret, ['HS256']);
  const publicPem = createPublicKey(key.pem).export({ type: 'spki', format: 'pem' }).toString();
  return tokenVerifier(publicPem, [key.algorithm]);
}

/** Signs payloads as they are, with a secret or a private key in PEM. Throws for a key that is not of the algorithm's kind. */
export function tokenSigner(key: Buffer | string, algorithm: Algorithm, kid?: string): (payload: object) => string {
  const options = { key, algorithm, ...(kid !== undefined && { kid }) };
  const plain = createSigner({ ...options, noTimestamp: true });
  // Without a time stamp of its own fast-jwt takes away that of the payload.
  const stamped = createSigner(options);
  return (payload) => ('iat' in payload ? stamped(payload) : plain(payload));
}

/**
 * Verifies signatures with a secret or a public key in PEM, and returns the payload; its claims are for the caller to look at.
 * Throws for everything wrong with a token, one without signature or of any other algorithm among it.
 */
export function tokenVerifier(key: Buffer | string, algorithms: readonly Algorithm[]): (token: string) => unknown {
  return createVerifier({ key, algorithms: [...algorithms], ignoreExpiration: true, ignoreNotBefore: true });
}
