/** Where the route table comes from: lines of the configuration or a file, loaded again when the file changes. */
import { resolve } from 'node:path';
import { type Containment, uncontained } from '@holdfast/control-api';
import type { RoutesConfig } from '../config/config.js';
import { KeyReader, ROUTES_FILE_MAX, readWhole, SECRET_FILE_MAX, whyUnread } from '../config/files/read-file.js';
import { RoutesError } from '../errors.js';
import { guess, legible } from '../runtime/legible.js';
import { pollFile, type WatchFile } from './file-watch.js';
import { routeProps, targetProps } from './property-table.js';
import { type Route, toRoute } from './route.js';
import { RouteTable } from './route-table.js';
import { parseRouteLines, parseRoutesFile, type RouteLine, type RouteSection } from './routes-file.js';

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
  /** Called with whether the routes could be loaded, each time that this is decided. */
  readonly onLoad?: (isLoaded: boolean) => void;
  readonly readFile?: ReadFile;
  readonly watchFile?: WatchFile;
  /** Calls `run` after so many ms, unless the result is called before. */
  readonly after?: (ms: number, run: () => void) => () => void;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

type ReadFile = (path: string, max: number) => Buffer;

/**
 * How long a file that seems to be half written is given until it is read once more, in ms.
 *
 * @limit {s} between two reads of a routes file that seems half written, once
 * @over the routes in force stay, and the log says so
 */
export const WHOLE_WAIT_MS = 1_000;

/**
 * Warnings of one routes file; a file that is full of such properties has made its point.
 *
 * @limit {} warnings of unknown properties in a routes file
 * @over the others are not named
 */
export const PROP_WARNINGS_MAX = 100;

function afterReal(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, ms).unref();
  return () => clearTimeout(timer);
}

/** A table and what was wrong with lines that are not in it. */
export interface RoutesReading {
  readonly table: RouteTable;
  readonly errors: readonly RoutesError[];
  /** What is doubtful about lines that are in it, and about the table as a whole: one line each. */
  readonly warnings: readonly string[];
  /** Absolute paths of the files with keys that its lines name: for signing, and for TLS to origins. */
  readonly keyFiles: { readonly signing: Iterable<string>; readonly tls: Iterable<string> };
  /** The last line of the file has no end of line: it may be no more than the beginning of one. */
  readonly hasOpenEnd: boolean;
}

/**
 * Reads routes once; also the whole of `holdfast check-config` as far as routes are concerned. Bad lines are left out.
 * @throws RoutesError ERR_CONFIG_ROUTES_FILE when the file cannot be read
 */
export function readRoutes(config: RoutesConfig, readFile: ReadFile = readWhole): RoutesReading {
  const keys = new KeyReader(config.routesDir, (path) => readFile(path, SECRET_FILE_MAX));
  const { routes: lines = [], routesfile } = config;
  const file = routesfile === undefined ? '' : readRoutesFile(routesfile, readFile);
  const text = routesfile === undefined ? parseRouteLines(lines) : parseRoutesFile(file);
  const routes: Route[] = [];
  const errors = [...text.errors];
  for (const line of text.lines) {
    try {
      routes.push(toRoute(line, (text) => keys.read(text, 'sign'), config, keys.tokenKeys));
    } catch (error) {
      if (!(error instanceof RoutesError)) throw error;
      errors.push(error);
    }
  }
  const keyFiles = { signing: keys.files, tls: clientKeys(routes) };
  const hasOpenEnd = file.slice(file.lastIndexOf('\n') + 1).trim() !== '';
  const table = new RouteTable(routes);
  const warnings = [...unknownProps(text.lines).map(legible), ...table.warnings];
  return { table, warnings, errors: errors.sort((a, b) => a.line - b.line), keyFiles, hasOpenEnd };
}

function clientKeys(routes: readonly Route[]): readonly string[] {
  const files = new Set<string>();
  for (const { targets } of routes)
    for (const target of targets)
      if (target.kind === 'http' && target.clientKey !== undefined) files.add(resolve(target.clientKey));
  return [...files];
}

function readRoutesFile(file: string, readFile: ReadFile): string {
  try {
    return readFile(file, ROUTES_FILE_MAX).toString('utf8');
  } catch (cause) {
    const at = { line: 0, column: 0 };
    const reason = `cannot read routes file ${file}: ${whyUnread(cause)}`;
    throw new RoutesError(reason, at, { code: 'ERR_CONFIG_ROUTES_FILE', cause });
  }
}

/**
 * Warnings of properties that mean nothing, with what may have been meant: one for each, with its place, in the order of the
 * lines. Such properties are passed over, as in Pushpin, whose files may have some.
 */
export function unknownProps(lines: readonly RouteLine[]): string[] {
  const warnings: string[] = [];
  for (const { line, condition, targets } of lines) {
    warnings.push(...unknownIn(condition, line, 'a route', routeProps, 'a target', targetProps));
    for (const target of targets) {
      warnings.push(...unknownIn(target, line, 'a target', targetProps, 'a route', routeProps));
    }
    if (warnings.length > PROP_WARNINGS_MAX) {
      return [
        ...warnings.slice(0, PROP_WARNINGS_MAX),
        `line ${line}: more properties without a meaning; of the rest nothing is said`,
      ];
    }
  }
  return warnings;
}

function unknownIn(
  { props }: RouteSection,
  line: number,
  whose: string,
  known: readonly string[],
  other: string,
  others: readonly string[],
): string[] {
  const unknown = props.filter(({ name }) => !known.includes(name));
  return unknown.map(({ name, column }) => {
    const place = `line ${line}, column ${column}: property`;
    if (!others.includes(name)) return `${place} of ${whose} unknown, ignored: ${guess(name, known)}`;
    return `${place} '${name}' ignored: it is one of ${other}, and stands with ${whose}`;
  });
}

/**
 * For the start of a node, which a line without its key must not survive: its requests would go by another line, signed with
 * another key or with none.
 * @throws RoutesError ERR_CONFIG_KEY for the first line whose key cannot be used
 */
export function assertKeys({ errors }: RoutesReading, { routesfile = 'routes' }: RoutesConfig): void {
  const bad = errors.find(({ code }) => code === 'ERR_CONFIG_KEY');
  if (bad === undefined) return;
  const at = { line: 0, column: 0 };
  throw new RoutesError(`${routesfile}: ${bad.message}`, at, { code: 'ERR_CONFIG_KEY', cause: bad });
}

/**
 * The current route table. Neither a bad new table nor one of half a file ever replaces a good old one. Requests that are under
 * way keep the route they have.
 */
export class RoutesSource {
  readonly #config: RoutesConfig;
  readonly #surroundings: RoutesSurroundings;
  #current: RouteTable;
  /** The file in force has it, and so may the next. */
  #hasOpenEnd: boolean;
  /** Gives up to read once more; undefined while that is not to be done. */
  #stopWaiting: (() => void) | undefined;
  readonly #stopWatching: () => void;

  /**
   * Loads the routes and starts to watch the file. Bad lines are logged and left out, as in Pushpin.
   * @throws RoutesError ERR_CONFIG_ROUTES_FILE when the file cannot be read
   */
  constructor(config: RoutesConfig, surroundings: RoutesSurroundings) {
    this.#config = config;
    this.#surroundings = surroundings;
    // First watch, then read: a change in between is noticed.
    const watch = surroundings.watchFile ?? pollFile;
    this.#stopWatching =
      config.routesfile === undefined
        ? () => {}
        : watch(config.routesfile, () => (surroundings.faults ?? uncontained).run('watch', () => this.#changed()));
    try {
      const { table, errors, warnings, hasOpenEnd } = readRoutes(config, surroundings.readFile);
      for (const error of errors) surroundings.log.warn(`${this.#place(error)}, line skipped`);
      this.#current = table;
      this.#hasOpenEnd = hasOpenEnd;
      this.#announce(table, warnings);
    } catch (error) {
      this.#stopWatching();
      throw error;
    }
  }

  /** The table in force. Look it up for every request; it is replaced as a whole. */
  get table(): RouteTable {
    return this.#current;
  }

  /**
   * Loads the file again, on SIGHUP for example. The new table comes into force only if every line is good; otherwise
   * the old one stays, and the log says so. So it does where the file has no routes any more, or ends within a line, as while
   * it is written: then it is read once more after a while. Returns whether the new table is in force.
   */
  reload(): boolean {
    this.#stopWaiting?.();
    this.#stopWaiting = undefined;
    return this.#load(false);
  }

  #load(hasWaited: boolean): boolean {
    const { log, onReload, onLoad, readFile } = this.#surroundings;
    let reading: RoutesReading;
    try {
      reading = readRoutes(this.#config, readFile);
    } catch (error) {
      if (!(error instanceof RoutesError)) throw error;
      log.error(`${error.message}; keeping the routes in force`);
      onLoad?.(false);
      return false;
    }
    const half = this.#halfOf(reading);
    if (half !== undefined) {
      if (!hasWaited) this.#waitForWhole();
      else {
        log.warn(`routes not loaded: ${this.#config.routesfile ?? 'routes'} ${half}; keeping the routes in force`);
        onLoad?.(false);
      }
      return false;
    }
    for (const error of reading.errors) log.warn(this.#place(error));
    if (reading.errors.length > 0) {
      log.error(`routes not loaded because of ${reading.errors.length} bad lines; keeping the routes in force`);
      onLoad?.(false);
      return false;
    }
    this.#current = reading.table;
    this.#hasOpenEnd = reading.hasOpenEnd;
    this.#announce(reading.table, reading.warnings);
    onReload?.(reading.table);
    onLoad?.(true);
    return true;
  }

  /** Stops watching. The table stays usable. */
  close(): void {
    this.#stopWaiting?.();
    this.#stopWatching();
  }

  #changed(): void {
    this.#surroundings.log.info('routes file changed, reloading');
    this.reload();
  }

  /** Why a file seems to be half written; undefined where it does not, or was no other when it was loaded. */
  #halfOf({ table, errors, hasOpenEnd }: RoutesReading): string | undefined {
    if (table.routes.length === 0 && errors.length === 0 && this.#current.routes.length > 0) {
      return 'has no routes any more (to have none, start with none)';
    }
    if (hasOpenEnd && !this.#hasOpenEnd) return 'has no end of line after its last line, as if it had been cut short';
    return undefined;
  }

  #waitForWhole(): void {
    const { after = afterReal, faults = uncontained } = this.#surroundings;
    this.#stopWaiting = after(WHOLE_WAIT_MS, () => {
      this.#stopWaiting = undefined;
      faults.run('watch', () => this.#load(true));
    });
  }

  #announce(table: RouteTable, warnings: readonly string[]): void {
    for (const warning of warnings) this.#surroundings.log.warn(`${this.#config.routesfile ?? 'routes'}: ${warning}`);
    const { routesfile: file } = this.#config;
    if (file !== undefined && table.routes.length === 0) {
      this.#surroundings.log.warn(`routes: ${file} has no routes: every request is answered 502`);
    }
    this.#surroundings.log.info(`routes loaded with ${table.routes.length} entries`);
  }

  #place(error: RoutesError): string {
    return `${this.#config.routesfile ?? 'routes'}: ${error.message}`;
  }
}
