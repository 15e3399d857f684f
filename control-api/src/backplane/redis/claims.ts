/** The claims of a node that shares a Redis: which node gives an item with `deliver: one` to a subscriber. */
import type { Clock } from '../../runtime/clock.js';
import type { ItemClaim, ItemMessage, Message } from '../backplane.js';
import { claimScript, passScript } from './claim-scripts.js';
import type { RedisCommands } from './connection/commands.js';
import type { Envelope } from './envelope.js';
import type { ConnectionWarnings } from './events.js';
import type { ClaimKeys, RedisKeys } from './keys.js';
import { MAX_TURNS } from './limits.js';

/** When a node asks again about an item that is another one's turn, in ms: most have been taken by then. */
const FIRST_LOOK_MS = 10;
const LATER_LOOK_MS = 50;

const MICROS = 1_000;

/** What {@link RedisClaims} is made of. */
export interface RedisClaimsOptions {
  readonly commands: RedisCommands;
  readonly keys: RedisKeys;
  /** Unique among all nodes that ever ran; without spaces. */
  readonly node: string;
  /** How long ids are remembered, in ms. */
  readonly idCacheTtl: number;
  readonly clock: Clock;
  readonly warnings: ConnectionWarnings;
}

/** One item, as all nodes know it. */
interface ClaimedItem {
  readonly channel: string;
  readonly keys: ClaimKeys;
  /** In microseconds, by the clock of Redis. */
  readonly acceptedAt: string;
  /** Which connection there was when it came. */
  readonly opened: number;
}

/** Makes the claims of items that come by pub/sub. What is read from the history has none: nobody is given that. */
export class RedisClaims {
  readonly #options: RedisClaimsOptions;
  /** Channels in whose turns this node may be. */
  readonly #turns = new Set<string>();
  #attempts = 0;
  #isClosed = false;

  constructor(options: RedisClaimsOptions) {
    this.#options = options;
  }

  /** The message with its claim, where it needs one. */
  of({ message, claimId }: Envelope, acceptedAt: number | undefined): Message | undefined {
    if (claimId === undefined || message?.type !== 'item' || acceptedAt === undefined) return message;
    return { ...message, claim: this.#claim(message, claimId, acceptedAt) };
  }

  close(): void {
    this.#isClosed = true;
  }

  #claim({ item: { channel } }: ItemMessage, id: string, acceptedAt: number): ItemClaim {
    const { keys, commands } = this.#options;
    const item = {
      channel,
      keys: keys.claim(channel, id),
      // The same number on all nodes: they have read it from the same text.
      acceptedAt: (acceptedAt * MICROS).toFixed(0),
      opened: commands.opened,
    };
    return { take: () => this.#take(item), pass: () => this.#pass(item) };
  }

  /**
   * Asks until it is known. Over a connection that was opened after the item came nothing is asked: it may lead to another server, which
   * need not know what was taken.
   */
  async #take({ channel, keys, acceptedAt, opened }: ClaimedItem): Promise<boolean> {
    const { commands, node, idCacheTtl, clock, warnings } = this.#options;
    this.#noteTurn(channel);
    const token = `${node}.${++this.#attempts}`;
    for (let pause = FIRST_LOOK_MS; ; pause = LATER_LOOK_MS) {
      if (this.#isClosed || commands.opened !== opened) return false;
      let reply: number;
      try {
        const args = [node, token, acceptedAt, idCacheTtl * MICROS];
        reply = Number(await commands.run(claimScript, [keys.claim, keys.turns, keys.begun], args));
      } catch (error) {
        if (!this.#isClosed) warnings.warn({}, error, 'items for one subscriber cannot be claimed');
        return false;
      }
      if (reply >= 0) return reply === 1;
      await new Promise<void>((resolve) => void clock.after(pause, resolve));
    }
  }

  #pass({ channel, keys }: ClaimedItem): void {
    if (!this.#turns.delete(channel)) return;
    const { commands, node } = this.#options;
    // Where it fails the others wait a little longer.
    commands.run(passScript, [keys.claim, keys.turns], [node]).catch(() => {});
  }

  #noteTurn(channel: string): void {
    this.#turns.delete(channel);
    this.#turns.add(channel);
    if (this.#turns.size <= MAX_TURNS) return;
    for (const oldest of this.#turns) {
      this.#turns.delete(oldest);
      return;
    }
  }
}
