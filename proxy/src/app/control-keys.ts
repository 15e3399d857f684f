/**
 * The keys of the control API in force, loaded again when their files change and at SIGHUP. Neither bad keys nor those of half a
 * file ever replace good ones.
 */
import { type Containment, ControlAccess, type Log } from '@holdfast/control-api';
import { assertKeysRead, type KeysConfig, type KeysReading, readKeys } from '../config/files/keys-file.js';
import { pollFile } from '../routes/file-watch.js';
import { WHOLE_WAIT_MS } from '../routes/routes-source.js';
import type { Clock } from '../runtime/clock.js';
import { legible } from '../runtime/legible.js';

/** Ids that the log lists; the others are counted. */
const MAX_LISTED = 50;

/** What it is made of. */
export interface ControlKeysOptions {
  readonly config: KeysConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly faults: Containment;
  /** Called with whether the keys could be loaded, each time that this is decided after the start. */
  readonly onLoad?: (isLoaded: boolean) => void;
}

/** Reads, watches and holds them. */
export class ControlKeys {
  /** Has the keys in force, for all listeners. */
  readonly access: ControlAccess;
  readonly #options: ControlKeysOptions;
  readonly #stopWatching: readonly (() => void)[];
  #hasOpenEnd: boolean;
  #waiting: ReturnType<Clock['after']> | undefined;

  /** @throws ConfigError when one of the keys cannot be read or used */
  constructor(options: ControlKeysOptions) {
    const { clock, config, faults, log } = options;
    this.#options = options;
    // First watch, then read: a change in between is noticed.
    const files = [config.controlKeysFile, config.controlKeyFile].filter((file) => file !== undefined);
    this.#stopWatching = files.map((file) => pollFile(file, () => faults.run('watch', () => this.#changed())));
    const reading = readKeys(config);
    try {
      assertKeysRead(reading);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#hasOpenEnd = reading.hasOpenEnd;
    this.access = new ControlAccess(reading.table, clock, log);
    this.#announce(reading);
  }

  /** Reads the keys again. New ones come into force only if all are good. */
  reload(): void {
    this.#stopWaiting();
    this.#load(false);
  }

  close(): void {
    this.#stopWaiting();
    for (const stop of this.#stopWatching) stop();
  }

  #changed(): void {
    this.#options.log.info({}, 'control keys changed, reloading');
    this.reload();
  }

  #load(hasWaited: boolean): void {
    const { clock, config, faults, log, onLoad } = this.#options;
    const reading = readKeys(config);
    if (reading.problems.length > 0) {
      for (const { message } of reading.problems) log.error({}, legible(message));
      log.error({}, 'control keys not loaded; keeping the keys in force');
      onLoad?.(false);
      return;
    }
    if (reading.hasOpenEnd && !this.#hasOpenEnd) {
      if (!hasWaited) {
        this.#waiting = clock.after(WHOLE_WAIT_MS, () => faults.run('watch', () => this.#load(true)));
        return;
      }
      const reason = 'has no end of line after its last line, as if it had been cut short';
      log.warn({}, `control keys not loaded: ${config.controlKeysFile} ${reason}; keeping the keys in force`);
      onLoad?.(false);
      return;
    }
    this.#hasOpenEnd = reading.hasOpenEnd;
    this.access.replace(reading.table);
    onLoad?.(true);
    this.#announce(reading);
  }

  #stopWaiting(): void {
    this.#options.clock.clear(this.#waiting);
    this.#waiting = undefined;
  }

  #announce({ table, warnings }: KeysReading): void {
    for (const warning of warnings) this.#options.log.warn({}, legible(warning));
    const ids = table.keys.slice(0, MAX_LISTED).map(({ id }) => id);
    this.#options.log.info({ ids }, `control keys loaded: ${table.keys.length}`);
  }
}
