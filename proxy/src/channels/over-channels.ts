/**
 * Owns: how it is told that an origin has named more channels than one connection may be subscribed to. Does not own: the limit,
 * or what becomes of those channels.
 */
import type { Log } from '@holdfast/control-api';
import type { Clock } from '../clock.js';
import type { Route } from '../routes/route.js';

/** Time between two lines about the same route, in ms. */
export const TELL_EVERY_MS = 1_000;

/** One connection that was to have too many. */
export interface OverChannels {
  /** The connection's id. */
  readonly id: string;
  readonly route: Pick<Route, 'id' | 'key'>;
  /** Channels that were named, those of the target aside; repeated ones count once. */
  readonly channels: number;
  readonly limit: number;
  /** The first that was left out, as the origin names it. */
  readonly first: string;
}

/** What is known of a route since its last line. */
interface Told {
  leftOut: number;
  /** Within {@link TELL_EVERY_MS} of a line. */
  quiet: boolean;
}

/**
 * Warns, since items of the channels that were left out never come, and nobody else says so. One line per route and
 * {@link TELL_EVERY_MS}; the next one says for how many connections none was written.
 */
export class OverChannelsReport {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #log: Log;
  readonly #routes = new Map<string, Told>();

  constructor(clock: Pick<Clock, 'after'>, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** A connection was subscribed to the first `limit` channels only. */
  tell({ id, route, channels, limit, first }: OverChannels): void {
    const name = route.id ?? route.key;
    const told = this.#routes.get(name);
    if (told?.quiet) {
      told.leftOut++;
      return;
    }
    const before = told?.leftOut ?? 0;
    this.#log.warn(
      {
        id,
        route: name,
        channels,
        limit,
        option: 'connection_subscription_max',
        channel: first,
        ...(before > 0 && { leftOut: before }),
      },
      `the origin of route ${name} names ${channels} channels for one connection: those beyond connection_subscription_max (${limit}) are ignored`,
    );
    const now: Told = { leftOut: 0, quiet: true };
    this.#routes.set(name, now);
    this.#clock.after(TELL_EVERY_MS, () => {
      now.quiet = false;
      if (now.leftOut === 0) this.#routes.delete(name);
    });
  }
}
