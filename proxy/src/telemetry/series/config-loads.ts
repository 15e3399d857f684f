/** Whether what can be loaded again while the process runs, routes and keys, is as its files say, and since when. */
import type { Series } from './series.js';

/** What is loaded. */
export type LoadedPart = 'routes' | 'keys';

/** The last attempt of each part. */
export class ConfigLoads {
  readonly #failed = new Set<LoadedPart>();
  #loadedAt: number;

  /** `wall` is in ms since the epoch. */
  constructor(
    series: Series,
    private readonly wall: () => number = Date.now,
  ) {
    this.#loadedAt = wall();
    series.gauge(
      'config_reload_success',
      '1 where routes and keys were loaded when that was last tried, 0 where those before stay in force.',
      () => (this.#failed.size === 0 ? 1 : 0),
      'min',
    );
    series.gauge(
      'config_reload_timestamp_seconds',
      'When routes or keys were last loaded, in seconds since the epoch.',
      () => this.#loadedAt / 1_000,
      'max',
    );
  }

  /** A part was loaded, or could not be. */
  loaded(part: LoadedPart, isLoaded: boolean): void {
    if (!isLoaded) {
      this.#failed.add(part);
      return;
    }
    this.#failed.delete(part);
    this.#loadedAt = this.wall();
  }
}
