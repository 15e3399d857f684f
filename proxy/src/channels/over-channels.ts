/** Warns when an origin has named more channels than one connection may be subscribed to. */
import { CauseLog, type Log } from '@holdfast/control-api';
import type { Route } from '../routes/route.js';
import type { Clock } from '../runtime/clock.js';

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

/** Warns, since items of the channels that were left out never come, and nobody else says so: once per route and second. */
export class OverChannelsReport {
  readonly #causes: CauseLog;

  constructor(clock: Clock, log: Log) {
    this.#causes = new CauseLog(log, clock);
  }

  /** A connection was subscribed to the first `limit` channels only. */
  report({ id, route, channels, limit, first }: OverChannels): void {
    const name = route.id ?? route.key;
    this.#causes.warn(
      name,
      { id, route: name, channels, limit, option: 'connection_subscription_max', channel: first },
      `the origin of route ${name} names ${channels} channels for one connection: those beyond connection_subscription_max (${limit}) are ignored`,
    );
  }
}
