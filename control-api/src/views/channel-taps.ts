/** The taps of a node: how many there may be, and ending them all. */
import type { ServerResponse } from 'node:http';
import type { Backplane } from '../backplane/backplane.js';
import { type Answer, answerTo, noMoreTaps } from '../http/answer.js';
import type { Clock } from '../runtime/clock.js';
import { ChannelTap } from './channel-tap.js';

/**
 * Taps at a time on one node; each costs an item a line, and up to its queue in memory. One more takes the place of the oldest of
 * the client address that has most of them: nobody keeps the others out, and who has few keeps them.
 *
 * @limit {} taps of one node
 * @over the oldest of the client address with most of them ends
 */
export const MAX_TAPS = 64;

/** Opens taps. One per control server. */
export class ChannelTaps {
  readonly #open: () => Backplane;
  readonly #clock: Clock;
  /** With the addresses of their clients, the oldest first. */
  readonly #taps = new Map<ChannelTap, string>();
  #closed = false;

  /** `open` makes a share of the node's backplane that is the tap's alone: not started, and closed by the tap. */
  constructor(open: () => Backplane, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** How many there are. */
  get size(): number {
    return this.#taps.size;
  }

  /**
   * Starts to answer with the items of a channel, for as long as `isAllowed`, which is asked again and again; resolves with a refusal
   * if that cannot be. Never rejects.
   */
  async serve(channel: string, response: ServerResponse, isAllowed?: () => boolean): Promise<Answer | undefined> {
    if (this.#closed) return noMoreTaps;
    if (this.#taps.size >= MAX_TAPS) this.#replaceOldest();
    let tap: ChannelTap | undefined;
    try {
      tap = new ChannelTap(channel, response, this.#open(), this.#clock, isAllowed);
      this.#taps.set(tap, response.socket?.remoteAddress ?? '');
      const ended = tap;
      response.once('close', () => this.#taps.delete(ended));
      await tap.open();
      if (this.#closed) tap.end('shutdown');
      return undefined;
    } catch (error) {
      if (tap !== undefined) this.#taps.delete(tap);
      return answerTo(error);
    }
  }

  /** The node goes down: ends them all, and takes no more. */
  close(): void {
    this.#closed = true;
    for (const tap of this.#taps.keys()) tap.end('shutdown');
  }

  #replaceOldest(): void {
    const counts = new Map<string, number>();
    for (const address of this.#taps.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [tap, address] of this.#taps) {
      if (counts.get(address) !== most) continue;
      this.#taps.delete(tap);
      tap.end('replaced');
      return;
    }
  }
}
