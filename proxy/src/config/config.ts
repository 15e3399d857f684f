/** The configuration: as parts receive it, and as the YAML that `holdfast print-config` prints. */
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { formatYamlEntry } from './files/yaml-file.js';
import { optionName } from './option.js';
import { formatOption } from './parse-option.js';
import type { Resolved } from './resolve.js';
import type { GivenOptions } from './sources.js';
import { isIgnored, type Options, options } from './table.js';

/** The options under their names, with what several of them come to. Deeply frozen. Parts take a `Pick` of it. */
export interface Config extends Options {
  /** Absolute; what `file:` keys in routes are relative to. */
  readonly routesDir: string;
  /** Absolute paths of the files from which keys and other secrets were read. */
  readonly keyFiles: readonly string[];
  /** Absolute path of the file that `controlKey` was read from, which is read again at a reload. */
  readonly controlKeyFile: string | undefined;
  /** Where the log goes, by `logfile`, `logdir` and `merge_output`, and in what form, by `log_format`. */
  readonly logOutput: {
    /** Absolute; undefined is standard output. */
    readonly file: string | undefined;
    readonly format: 'text' | 'json';
  };
}

/** For the routes source: lines, or else a file. */
export type RoutesConfig = Pick<Config, 'routesDir'> &
  Partial<
    Pick<Config, 'routes' | 'routesfile' | 'prefixSeparator' | 'channelNameMax' | 'patternSeparator' | 'patternAll'>
  >;

/** What a configuration needs beyond the options. */
export interface ConfigContext {
  /** Absolute. */
  readonly configDir: string;
  /** Decides what `log_format: auto` means. */
  readonly isTerminal: boolean;
}

/** The configuration that resolved options come to; they must be without problems. */
export function toConfig({ options, given, keyFiles }: Resolved, { configDir, isTerminal }: ConfigContext): Config {
  const routesDir = routesDirOf(options, given, configDir);
  const { controlKeyFile } = options as { readonly controlKeyFile?: string };
  return freeze({ ...options, routesDir, keyFiles, controlKeyFile, logOutput: logOutputOf(options, isTerminal) });
}

function routesDirOf({ routesfile }: Options, given: GivenOptions, configDir: string): string {
  return routesfile === undefined ? (given.get('routes')?.where.baseDir ?? configDir) : dirname(routesfile);
}

function logOutputOf({ logfile, logdir, mergeOutput, logFormat }: Options, isTerminal: boolean): Config['logOutput'] {
  const file = logfile ?? (logdir === undefined || mergeOutput ? undefined : join(logdir, 'holdfast.log'));
  return { file, format: logFormat === 'auto' ? (isTerminal && file === undefined ? 'text' : 'json') : logFormat };
}

function freeze<T>(value: T): T {
  // The bytes of a key cannot be frozen: the language forbids it for views of buffers.
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}

/** How many processes serve clients; with one, it is the node's own. */
export function processesFor({ workers }: Pick<Config, 'workers'>): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

/** Lines of routes may have keys in them, and the query of a URL a token. */
const unshared: ReadonlySet<string> = new Set(['routes', 'events_url']);

/**
 * YAML that gives the same configuration when it is loaded, from whatever directory, without a warning. A secret appears as
 * a comment, or by the path of its file when it came from one; an option that the edge ignores as a comment too. With `isShared`
 * comments also stand for what may hold a secret among other things.
 */
export function printConfig({ options: values, given }: Resolved, isShared = false): string {
  const lines = ['# The effective configuration of holdfast. Secrets are left out.\n'];
  for (const option of options) {
    const { key } = option;
    const value = values[optionName(key) as keyof Options];
    const where = given.get(key)?.where;
    if (option.type === 'secret') {
      if (!given.has(`${key}_file`)) lines.push(`# ${key}: <redacted>${where === undefined ? ' (the default)' : ''}\n`);
    } else if (isShared && value !== undefined && unshared.has(key)) {
      lines.push(`# ${key}: <redacted>\n`);
    } else if (value !== undefined) {
      const entry = formatYamlEntry(key, formatOption(option, value));
      lines.push(isIgnored(option, values) ? `# no effect with edge: uws: ${entry}` : entry);
    }
  }
  return lines.join('');
}
