/**
 * Where the route table comes from: lines of the configuration or a file, loaded again when the file changes.
 *
 * Owns: the current table, and that a bad new one never replaces a good old one. Does not own: matching, signals.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseSigKey } from '@holdfast/grip';
import type { RoutesConfig } from '../config/config.js';
import { RoutesError } from '../config/errors.js';
import { parseRouteLines, parseRoutesFile } from '../config/routes-file.js';
import { pollFile, type WatchFile } from './file-watch.js';
import { type ReadSigKey, type Route, toRoute } from './route.js';
import { RouteTable } from './route-table.js';

/** What a source says, with levels as in pino. */
export interface RoutesLog {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What a source uses of its surroundings; only tests give other than the log. */
export interface RoutesSurroundings {
  readonly log: RoutesLog;
  /** Called with every table that has come into force after the first. */
  readonly onReload?: (table: RouteTable) => void;
  readonly readFile?: (path: string) => Buffer;
  readonly watchFile?: WatchFile;
}

/** A table and what was wrong with lines that are not in it. */
export interface RoutesReading {
  readonly table: RouteTable;
  readonly errors: readonly RoutesError[];
}

/**
 * Reads routes once; also the whole of `holdfast check-config` as far as routes are concerned. Bad lines are left out.
 * @throws RoutesError ERR_CONFIG_ROUTES_FILE when the file cannot be read
 */
export function readRoutes(config: RoutesConfig, readFile: (path: string) => Buffer = readFileSync): RoutesReading {
  const readSigKey: ReadSigKey = (text) => parseSigKey(text, (path) => readFile(resolve(config.baseDir, path)));
  const text =
    config.file === undefined ? parseRouteLines(config.lines) : parseRoutesFile(readRoutesFile(config.file, readFile));
  const routes: Route[] = [];
  const errors = [...text.errors];
  for (const line of text.lines) {
    try {
      routes.push(toRoute(line, readSigKey, config.prefixSeparator));
    } catch (error) {
      if (!(error instanceof RoutesError)) throw error;
      errors.push(error);
    }
  }
  return { table: new RouteTable(routes), errors: errors.sort((a, b) => a.line - b.line) };
}

function readRoutesFile(file: string, readFile: (path: string) => Buffer): string {
  try {
    return readFile(file).toString('utf8');
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const at = { line: 0, column: 0 };
    throw new RoutesError(`cannot read routes file ${file}: ${reason}`, at, { code: 'ERR_CONFIG_ROUTES_FILE', cause });
  }
}

/** The current route table. Requests that are under way keep the route they have. */
export class RoutesSource {
  private current: RouteTable;
  private readonly stopWatching: () => void;

  /**
   * Loads the routes and starts to watch the file. Bad lines are logged and left out, as in Pushpin.
   * @throws RoutesError ERR_CONFIG_ROUTES_FILE when the file cannot be read
   */
  constructor(
    private readonly config: RoutesConfig,
    private readonly surroundings: RoutesSurroundings,
  ) {
    // First watch, then read: a change in between is noticed.
    const watch = surroundings.watchFile ?? pollFile;
    this.stopWatching = config.file === undefined ? () => {} : watch(config.file, () => this.changed());
    try {
      const { table, errors } = readRoutes(config, surroundings.readFile);
      for (const error of errors) surroundings.log.warn(`${this.place(error)}, line skipped`);
      this.current = table;
    } catch (error) {
      this.stopWatching();
      throw error;
    }
    this.announce(this.current);
  }

  /** The table in force. Look it up for every request; it is replaced as a whole. */
  get table(): RouteTable {
    return this.current;
  }

  /**
   * Loads the file again, on SIGHUP for example. The new table comes into force only if every line is good; otherwise
   * the old one stays, and the log says so. Returns whether the new table is in force.
   */
  reload(): boolean {
    const { log, onReload, readFile } = this.surroundings;
    let reading: RoutesReading;
    try {
      reading = readRoutes(this.config, readFile);
    } catch (error) {
      if (!(error instanceof RoutesError)) throw error;
      log.error(`${error.message}; keeping the routes in force`);
      return false;
    }
    for (const error of reading.errors) log.warn(this.place(error));
    if (reading.errors.length > 0) {
      log.error(`routes not loaded because of ${reading.errors.length} bad lines; keeping the routes in force`);
      return false;
    }
    this.current = reading.table;
    this.announce(reading.table);
    onReload?.(reading.table);
    return true;
  }

  /** Stops watching. The table stays usable. */
  close(): void {
    this.stopWatching();
  }

  private changed(): void {
    this.surroundings.log.info('routes file changed, reloading');
    this.reload();
  }

  private announce(table: RouteTable): void {
    for (const warning of table.warnings) this.surroundings.log.warn(`routes: ${warning}`);
    this.surroundings.log.info(`routes loaded with ${table.routes.length} entries`);
  }

  private place(error: RoutesError): string {
    return `${this.config.file ?? 'routes'}: ${error.message}`;
  }
}
