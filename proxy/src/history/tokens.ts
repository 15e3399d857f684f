/**
 * Owns: the tokens with which clients come back: positions on channels, signed. Does not own: what a client is told for
 * one, or where it stands in a protocol.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Position } from '@holdfast/control-api';

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
export type Standing = ReadonlyMap<ChannelTag, Position>;

/**
 * Writes and reads tokens: base64url of a truncated HMAC-SHA256 and the positions. Whoever has the key reads those of
 * any other node with the same.
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

  /** Undefined where there is nothing to tell, or too much. */
  write(standing: Standing): string | undefined {
    if (standing.size === 0 || standing.size > MAX_TOKEN_CHANNELS) return undefined;
    const parts: Buffer[] = [];
    for (const [tag, { epoch, offset }] of standing) {
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
  read(token: string): Standing | undefined {
    if (token.length > MAX_TOKEN || !/^[\w-]+$/.test(token)) return undefined;
    const bytes = Buffer.from(token, 'base64url');
    if (bytes.length <= MAC_BYTES) return undefined;
    const body = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#sign(body))) return undefined;
    const standing = new Map<ChannelTag, Position>();
    for (let at = 0; at < body.length; ) {
      const end = at + TAG_BYTES + OFFSET_BYTES + 1;
      const tag = body.toString('latin1', at, at + TAG_BYTES);
      const offset = body.readUIntBE(at + TAG_BYTES, OFFSET_BYTES);
      at = end + (body[end - 1] as number);
      standing.set(tag, { epoch: body.toString('utf8', end, at), offset });
    }
    return standing;
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
