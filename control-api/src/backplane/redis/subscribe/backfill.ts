/**
 * Reads from the history what a channel missed.
 *
 * Owns: reading pages until a channel is live again, for a limited number of channels at a time. Does not own: deciding
 * what is missing (cursor.ts).
 */
import type { Clock } from '../../../runtime/clock.js';
import type { Message, Position } from '../../backplane.js';
import type { RedisCommands } from '../connection/commands.js';
import type { TroubleLog } from '../connection/warnings.js';
import { decodePayload } from '../envelope.js';
import type { RedisEvents } from '../events.js';
import { FOREIGN_KEY } from '../foreign-key.js';
import { CATCH_UPS, RANGE_BYTES, RANGE_ENTRIES, RETRY_MS } from '../limits.js';
import type { Standing } from '../scripts/positions.js';
import { parseRange, type Range, rangeScript } from '../scripts/range.js';
import { parseSince, sinceScript } from '../scripts/since.js';
import { Turnstile } from '../semaphore.js';
import type { Watched } from './channel-subscription.js';
import type { Arrival, Page } from './cursor.js';

/** Catches channels up. What fails is tried again until it succeeds or nobody wants it any more. */
export class CatchUp {
  readonly #commands: RedisCommands;
  readonly #clock: Clock;
  readonly #events: RedisEvents;
  readonly #troubles: TroubleLog;
  readonly #turnstile = new Turnstile(CATCH_UPS);

  constructor(commands: RedisCommands, clock: Clock, events: RedisEvents, troubles: TroubleLog) {
    this.#troubles = troubles;
    this.#commands = commands;
    this.#clock = clock;
    this.#events = events;
  }

  /** Has a channel catch up if it is behind. To be called whenever its cursor was told something. */
  attend(watched: Watched): void {
    if (watched.reading || watched.cursor?.phase !== 'behind') return;
    watched.reading = true;
    this.#turnstile.enter(() => this.#read(watched));
  }

  /** Opens a channel with what came since a moment, in ms by the clock of Redis. */
  openLate(watched: Watched, standing: Standing, since: number): void {
    const { cursor, opening } = watched;
    if (!cursor || !opening) return;
    const { generation } = cursor;
    const isMeant = () => watched.cursor === cursor && cursor.generation === generation;
    this.#turnstile.enter(async () => {
      const { meta, stream } = watched.keys;
      const ask = () => this.#commands.run(sinceScript, [meta, stream], [since]);
      const reply = await this.#persist(ask, isMeant);
      if (reply === undefined || !isMeant()) return;
      this.#events.historyRead();
      const { epoch, before, missing } = parseSince(reply);
      watched.opening = undefined;
      cursor.openLate({ epoch, offset: before }, standing, missing);
      opening.resolve();
      this.attend(watched);
    });
  }

  async #read(watched: Watched): Promise<void> {
    for (;;) {
      const { cursor } = watched;
      if (cursor?.phase !== 'behind') {
        // In the same breath as the look at the phase, so that nobody sees a reader who has already left.
        watched.reading = false;
        return;
      }
      const { generation, after } = cursor;
      cursor.reading();
      const isMeant = () => watched.cursor === cursor && cursor.generation === generation;
      const range = await this.#persist(() => this.range(watched.keys, after, RANGE_ENTRIES), isMeant);
      if (range === undefined || !isMeant()) continue;
      cursor.page(pageOf(range));
      // A server that has less than another one told, say an old master: it will not know more at once.
      if (cursor.phase === 'behind' && cursor.after === after) await this.#pause();
    }
  }

  /** Reads history from a position on, inclusive. */
  async range(
    { meta, stream }: { readonly meta: string; readonly stream: string },
    from: Position,
    count: number,
  ): Promise<Range> {
    const reply = await this.#commands.run(rangeScript, [meta, stream], [from.epoch, from.offset, count, RANGE_BYTES]);
    this.#events.historyRead();
    const range = parseRange(reply);
    if (range.fault !== undefined) {
      const text = `the history of a channel cannot be read, and is as if it held nothing: ${FOREIGN_KEY}`;
      this.#troubles.warn({ key: stream }, new Error(range.fault), text);
    }
    return range;
  }

  /** Tries until it succeeds; undefined once it is not meant any more. */
  async #persist<T>(run: () => Promise<T>, isMeant: () => boolean): Promise<T | undefined> {
    while (isMeant()) {
      try {
        return await run();
      } catch {
        await this.#pause();
      }
    }
    return undefined;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => this.#clock.after(RETRY_MS, resolve));
  }
}

/** Turns kept entries into arrivals. */
export function pageOf({ epoch, top, lastId, entries, more }: Range): Page<Message> {
  const arrivals = entries.map(({ offset, payload }): Arrival<Message> => {
    const position = { epoch, offset };
    return { position, ...decodePayload(payload, position), size: payload.length };
  });
  return { epoch, top, lastId, arrivals, more };
}
