/** The tokens with which clients come back: where each client stands on its channels, signed, also as the id of an event. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Position } from '@holdfast/control-api';
import type { SigKey } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';

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

/** Whether a position is at or after another of the same channel; an epoch that is not the same is a later one. */
export function isAtLeast(position: Position, other: Position): boolean {
  return position.epoch !== other.epoch || position.offset >= other.offset;
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

/**
 * Positions of one connection. It claims only what was written: an item moves it to where all before it are written too
 * (`Delivery.through`), so that a client may get some item again, but never loses one.
 */
export class Cursor {
  readonly #tokens: ResumeTokens;
  readonly #tags = new Map<string, ChannelTag>();
  readonly #positions: Map<ChannelTag, Position>;

  /** `carried` is what an earlier token says of channels that this connection may yet come to. */
  constructor(tokens: ResumeTokens, carried: TokenPositions = new Map()) {
    this.#tokens = tokens;
    this.#positions = new Map(carried);
  }

  /** Where the client stands on a channel. */
  at(channel: string): Position | undefined {
    return this.#positions.get(this.#tag(channel));
  }

  /** The client has all up to here. */
  set(channel: string, position: Position): void {
    this.#positions.set(this.#tag(channel), position);
  }

  /** The token has nothing more of a channel. */
  delete(channel: string): void {
    this.#positions.delete(this.#tag(channel));
    this.#tags.delete(channel);
  }

  /** An item was written. False when it says less than was known: its shared token must not be used then. */
  moved({ item, through }: Delivery): boolean {
    if (through === undefined) return false;
    const before = this.at(item.channel);
    if (before !== undefined && !isAtLeast(through, before)) return false;
    this.set(item.channel, through);
    return true;
  }

  /** Whether one channel is all there is. */
  get isSingle(): boolean {
    return this.#positions.size === 1;
  }

  /** Undefined where nothing is known, or too much for a token. */
  get token(): string | undefined {
    return this.#tokens.write(this.#positions);
  }

  #tag(channel: string): ChannelTag {
    let tag = this.#tags.get(channel);
    if (tag === undefined) {
      tag = this.#tokens.tag(channel);
      this.#tags.set(channel, tag);
    }
    return tag;
  }
}

const LF = 0x0a;
const CR = 0x0d;

/** A field of this name, which may have no value, on any line. */
const OWN_ID = /(?:^|[\r\n])id(?:[:\r\n]|$)/;

/** Whether content ends with a blank line, so that no event is left open. */
export function isWhole(content: Buffer): boolean {
  const last = content.at(-1);
  return content.length > 1 && isEnd(last) && isEnd(content.at(last === LF && content.at(-2) === CR ? -3 : -2));
}

/**
 * Whole events whose last sets the token as last event id; undefined where the content is not whole: an id would become a
 * part of what is to follow. The field goes into the last event, because clients are common that take no id from an event
 * without data; but where events have ids of their own, which scripts may look at, an event without data follows them.
 */
export function withId(content: Buffer, token: string): Buffer | undefined {
  if (!isWhole(content)) return undefined;
  const blank = content.at(-1) === LF && content.at(-2) === CR ? 2 : 1;
  const hasOwn = OWN_ID.test(content.toString('latin1'));
  return hasOwn
    ? Buffer.concat([content, idEvent(token)])
    : Buffer.concat([content.subarray(0, -blank), idEvent(token)]);
}

/** An event that only sets the last event id: it has no data, and so is not seen by scripts. */
export function idEvent(token: string): Buffer {
  return Buffer.from(`id: ${token}\n\n`);
}

function isEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR;
}
