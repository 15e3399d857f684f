/**
 * JSON Web Tokens (RFC 7519) of publishers: keys of every kind, signing, and verifying signatures.
 *
 * Which algorithms are taken follows from the key alone. A token names one of them or is refused: if the token chose, everybody
 * could sign with an RSA key that is public, by naming an HMAC (RFC 8725 §3.1).
 */
import { Buffer } from 'node:buffer';
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { GripError } from './errors.js';
import {
  type Algorithm,
  keyBytes,
  MIN_RSA_BITS,
  openPem,
  pemBegin,
  tokenSigner,
  tokenVerifier,
  unusable,
} from './sig.js';
import { readJson } from './wire/json.js';

/** What a token says, before or after its signature was verified. */
export type JwtClaims = Readonly<Record<string, unknown>>;

/** The payload of a token whose signature is right, or what is wrong with it. */
export type JwtRead =
  | { readonly claims: JwtClaims; readonly fault?: undefined }
  | { readonly claims?: undefined; readonly fault: string };

/** A key for tokens. */
export interface JwtKey {
  /** A secret signs and verifies; a private key too; a public key verifies. */
  readonly kind: 'secret' | 'private' | 'public';
  /** Of a secret. */
  readonly bytes: number | undefined;
  /** Those whose signatures are taken; the first signs. */
  readonly algorithms: readonly Algorithm[];
  /** Looks at the signature alone, and at no claim. Never throws. */
  verify(token: string): JwtRead;
  /** Signs claims as they are, with `kid` in the header if it is given. Throws ERR_GRIP_SIG_KEY for a public key. */
  sign(claims: object, kid?: string): string;
}

const secretAlgorithms: readonly Algorithm[] = ['HS256', 'HS384', 'HS512'];
const rsaAlgorithms: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const curves: ReadonlyMap<string | undefined, Algorithm> = new Map<string, Algorithm>([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
]);

/**
 * Reads a key from its text: PEM (RSA, EC, Ed25519, Ed448), a JWK, `base64:` and either of them or the bytes of a secret, or the
 * secret itself. Throws ERR_GRIP_SIG_KEY with a reason that does not quote the text.
 */
export function readJwtKey(text: string): JwtKey {
  const bytes = keyBytes(text);
  if (bytes.length === 0) throw unusable('the key is empty');
  if (bytes.includes(pemBegin)) return keyOf(openPem(bytes.toString('latin1')));
  const jwk = jwkIn(bytes);
  return jwk === undefined ? secretKey(bytes) : readJwk(jwk);
}

/** Such a text is never a secret: as a JWK it may be public. */
function jwkIn(bytes: Buffer): JsonWebKey | undefined {
  const text = bytes.toString('utf8').trim();
  if (!text.startsWith('{')) return undefined;
  const { value } = readJson(text);
  return isObject(value) && 'kty' in value ? (value as JsonWebKey) : undefined;
}

/** The key of a JWK (RFC 7517), with `alg` as its one algorithm if it names one. Throws ERR_GRIP_SIG_KEY. */
export function readJwk(jwk: JsonWebKey): JwtKey {
  const { alg } = jwk as { readonly alg?: unknown };
  return narrow(openJwk(jwk), alg);
}

function openJwk(jwk: JsonWebKey): TokenKey {
  if (jwk.kty === 'oct') {
    if (typeof jwk.k !== 'string' || jwk.k === '') throw unusable('the JWK has no secret');
    return secretKey(Buffer.from(jwk.k, 'base64url'));
  }
  let key: KeyObject;
  try {
    const input = { key: jwk, format: 'jwk' } as const;
    key = jwk.d === undefined ? createPublicKey(input) : createPrivateKey(input);
  } catch {
    // The cause may quote members of the key.
    throw unusable('the JWK cannot be read');
  }
  return keyOf(key);
}

function narrow(key: TokenKey, alg: unknown): JwtKey {
  if (alg === undefined) return key;
  const algorithm = key.algorithms.find((one) => one === alg);
  if (algorithm === undefined) throw unusable("the JWK's alg is not one of its kind of key");
  return key.withAlgorithm(algorithm);
}

function secretKey(secret: Buffer): TokenKey {
  if (secret.length === 0) throw unusable('the key is empty');
  return new TokenKey('secret', secretAlgorithms, { verifies: secret, signs: secret });
}

function keyOf(key: KeyObject): TokenKey {
  const algorithms = algorithmsOf(key);
  const isPrivate = key.type === 'private';
  const verifies = (isPrivate ? createPublicKey(key) : key).export({ type: 'spki', format: 'pem' }).toString();
  const signs = isPrivate ? key.export({ type: 'pkcs8', format: 'pem' }).toString() : undefined;
  return new TokenKey(isPrivate ? 'private' : 'public', algorithms, { verifies, signs });
}

function algorithmsOf(key: KeyObject): readonly Algorithm[] {
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength >= MIN_RSA_BITS) return rsaAlgorithms;
      throw unusable(`the RSA key has ${modulusLength} bits: at least ${MIN_RSA_BITS} are needed`);
    case 'ec': {
      const algorithm = curves.get(namedCurve);
      if (algorithm !== undefined) return [algorithm];
      throw unusable('the EC key is on none of the curves P-256, P-384 and P-521');
    }
    case 'ed25519':
    case 'ed448':
      return ['EdDSA'];
    default:
      throw unusable('the key is neither RSA, EC, Ed25519 nor Ed448');
  }
}

interface TokenMaterial {
  /** A secret, or a public key in PEM. */
  readonly verifies: Buffer | string;
  readonly signs: Buffer | string | undefined;
}

/** Private, so that the material is nowhere when a key is printed or logged. */
class TokenKey implements JwtKey {
  readonly kind: JwtKey['kind'];
  readonly algorithms: readonly Algorithm[];
  readonly #material: TokenMaterial;
  readonly #verify: (token: string) => unknown;

  constructor(kind: JwtKey['kind'], algorithms: readonly Algorithm[], material: TokenMaterial) {
    this.kind = kind;
    this.algorithms = algorithms;
    this.#material = material;
    try {
      this.#verify = tokenVerifier(material.verifies, algorithms);
    } catch {
      throw unusable('the key cannot verify');
    }
  }

  withAlgorithm(algorithm: Algorithm): TokenKey {
    return new TokenKey(this.kind, [algorithm], this.#material);
  }

  get bytes(): number | undefined {
    return this.kind === 'secret' ? this.#material.verifies.length : undefined;
  }

  verify(token: string): JwtRead {
    try {
      const claims = this.#verify(token);
      return isObject(claims) ? { claims } : { fault: 'its payload is no object' };
    } catch (error) {
      return { fault: faultOf(error) };
    }
  }

  sign(claims: object, kid?: string): string {
    const { signs } = this.#material;
    if (signs === undefined) throw unusable('it is a public key, which cannot sign: the private key is needed');
    return tokenSigner(signs, this.algorithms[0] as Algorithm, kid)(claims);
  }
}

const faults: Readonly<Record<string, string>> = {
  FAST_JWT_INVALID_ALGORITHM: 'its algorithm is none of the key',
  FAST_JWT_INVALID_SIGNATURE: 'its signature is not of the key',
  FAST_JWT_MISSING_SIGNATURE: 'it has no signature',
  FAST_JWT_INVALID_CRIT_HEADER: 'it has a critical header that is not known',
};

/** Words of our own: those of libraries may quote the token. */
function faultOf(error: unknown): string {
  return faults[(error as { code?: string }).code ?? ''] ?? 'it is malformed';
}

const segment = /^[A-Za-z0-9_-]+$/;

/** What a token says of itself, by which its key is found; nothing of it is to be believed. Undefined for what is no token. */
export function peekJwt(token: string): { readonly header: JwtClaims; readonly claims: JwtClaims } | undefined {
  const [head = '', payload = '', signature, ...more] = token.split('.', 4);
  if (signature === undefined || more.length > 0 || !segment.test(head) || !segment.test(payload)) return undefined;
  const header = objectIn(head);
  const claims = objectIn(payload);
  return header === undefined || claims === undefined ? undefined : { header, claims };
}

function objectIn(encoded: string): JwtClaims | undefined {
  const { value } = readJson(Buffer.from(encoded, 'base64url').toString('utf8'));
  return isObject(value) ? value : undefined;
}

function isObject(value: unknown): value is JwtClaims {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether an error is that of a key that cannot be used. */
export function isKeyError(error: unknown): error is GripError {
  return error instanceof GripError && error.code === 'ERR_GRIP_SIG_KEY';
}
