/** Where one client stands on its channels, and the token that says so. */
import type { Position } from '@holdfast/control-api';
import type { Delivery } from '../channels/delivery.js';
import { isAtLeast } from './merge.js';
import type { ChannelTag, ResumeTokens, TokenPositions } from './tokens.js';

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
