/** The tokens with which clients come back: positions on channels, signed; and the key that signs them. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Position } from '@holdfast/control-api';
import type { SigKey } from '@holdfast/grip';

/**
 * Channels of one token. A connection with more gets none: its token would outgrow what clients may send in a head.
 *
 * @limit {} channels of one resume token
 * @over the connection gets no token
 */
export const MAX_TOKEN_CHANNELS = 64;

/**
 * Longest token that is looked at, in characters.
 *
 * @limit {} characters of a resume token
 * @over a longer one is treated as foreign
 */
const MAX_TOKEN = 8_192;

/** Bytes of signature: nobody can try often enough online to guess 96 bits. */
const MAC_BYTES = 12;

/** Bytes that stand for a channel's name, which clients need not learn. */
const TAG_BYTES = 8;

/** Bytes of an offset: more items than a channel will ever have. */
const OFFSET_BYTES = 6;

/** Stands for a channel in tokens of one key. */
export type ChannelTag = string;

/** Where a client stands on each channel, by tag. */
export type TokenPositions = ReadonlyMap<ChannelTag, Position>;

/**
 * Writes and reads tokens: base64url of a truncated HMAC-SHA256 and the positions. A node reads those of
 * every other node that has the same key.
 */
export class ResumeTokens {
  readonly #key: Buffer;

  /** A secret of any length. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** What stands for a channel. */
  tag(channel: string): ChannelTag {
    return createHmac('sha256', this.#key).update(`channel:${channel}`).digest().toString('latin1', 0, TAG_BYTES);
  }

  /** Undefined where there is no position, or too many. */
  write(positions: TokenPositions): string | undefined {
    if (positions.size === 0 || positions.size > MAX_TOKEN_CHANNELS) return undefined;
    const parts: Buffer[] = [];
    for (const [tag, { epoch, offset }] of positions) {
      const name = Buffer.from(epoch);
      if (name.length > 255) return undefined;
      const head = Buffer.alloc(TAG_BYTES + OFFSET_BYTES + 1);
      head.write(tag, 'latin1');
      head.writeUIntBE(offset, TAG_BYTES, OFFSET_BYTES);
      head[TAG_BYTES + OFFSET_BYTES] = name.length;
      parts.push(head, name);
    }
    const body = Buffer.concat(parts);
    return Buffer.concat([this.#sign(body), body]).toString('base64url');
  }

  /** Undefined for anything that was not written with this key. */
  read(token: string): TokenPositions | undefined {
    if (token.length > MAX_TOKEN || !/^[\w-]+$/.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length <= MAC_BYTES) return undefined;
    const body = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#sign(body))) return undefined;
    const positions = new Map<ChannelTag, Position>();
    for (let at = 0; at < body.length; ) {
      const end = at + TAG_BYTES + OFFSET_BYTES + 1;
      const tag = body.toString('latin1', at, at + TAG_BYTES);
      const offset = body.readUIntBE(at + TAG_BYTES, OFFSET_BYTES);
      at = end + (body[end - 1] as number);
      positions.set(tag, { epoch: body.toString('utf8', end, at), offset });
    }
    return positions;
  }

  /** Whether what {@link read} makes nothing of has the form of a token all the same: one that was signed with another key. */
  isOfOtherKey(token: string): boolean {
    if (token.length > MAX_TOKEN || !/^[\w-]+$/.test(token)) return false;
    const body = Buffer.from(token, 'base64url').subarray(MAC_BYTES);
    let at = 0;
    while (at < body.length) {
      const name = body[at + TAG_BYTES + OFFSET_BYTES];
      if (name === undefined || name === 0) return false;
      at += TAG_BYTES + OFFSET_BYTES + 1 + name;
    }
    return at > 0 && at === body.length;
  }

  #sign(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update('token:').update(body).digest().subarray(0, MAC_BYTES);
  }
}

/** The default of `sig_key`, which is public. */
const PUBLIC_KEY = Buffer.from('changeme');

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
  return key.secret.equals(PUBLIC_KEY) ? undefined : key.secret;
}
