/**
 * Loading the configuration: find the file, read the sources, resolve the options. All problems are reported at once. Called
 * by the command and by `startNode`, before anything is started; routes are loaded later, by `../routes/routes-source.ts`.
 */
import { dirname, resolve } from 'node:path';
import { stopTimeoutWarnings } from '../config/checks/stop-timeout.js';
import { parseCommandLine } from '../config/command-line.js';
import { type Config, printConfig, toConfig } from '../config/config.js';
import { CONFIG_FILE_MAX, KeyReader, readWhole, SECRET_FILE_MAX, whyUnread } from '../config/files/read-file.js';
import { type NodeOptions, objectSource } from '../config/node-options.js';
import { type ResolveContext, type Resolved, resolveOptions } from '../config/resolve.js';
import {
  environmentSource,
  type FileFormat,
  fileFormat,
  pushpinSource,
  type Source,
  targetSource,
  yamlSource,
} from '../config/sources.js';
import { ConfigError } from '../errors.js';
import { legible } from '../runtime/legible.js';

/**
 * Where a configuration file is looked for without `--config`, in this order; relative to the working directory.
 * Pushpin's own directory is not among them: a Pushpin on the same machine is not ours to follow unasked.
 */
export const configSearch: readonly string[] = [
  './holdfast.yaml',
  './config/holdfast.yaml',
  './config/pushpin.conf',
  './pushpin.conf',
  '/etc/holdfast/holdfast.yaml',
];

/** Where Pushpin looks, for the command of that name; the last is the directory that is built into its packages. */
export const pushpinSearch: readonly string[] = [
  './config/pushpin.conf',
  './pushpin.conf',
  './examples/config/pushpin.conf',
  '/etc/pushpin/pushpin.conf',
];

/** What the loader is given; nothing is taken from the process. */
export interface LoadInput {
  /** Arguments after the program's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** For `--version`. */
  readonly version: string;
  /** Whether standard output is a terminal, for `log_format: auto`. */
  readonly isTerminal?: boolean;
  /** Replaces `configSearch`. */
  readonly search?: readonly string[];
}

/** A configuration that can be used. */
export interface LoadedConfig {
  readonly command: 'run' | 'check-config' | 'print-config';
  readonly config: Config;
  /** One line each, for the log. */
  readonly warnings: readonly string[];
  /** Undefined: no file was given or found. */
  readonly source: { readonly file: string; readonly format: FileFormat } | undefined;
  /** The effective values as YAML without secrets, for `print-config`. */
  print(): string;
  /** The same for those who may look at a node, without what may hold secrets. */
  show(): string;
}

/** What the command line asked for: text to print, or a configuration to use. */
export type LoadResult =
  | LoadedConfig
  | { readonly command: 'help' | 'version' | 'curve-keys' | 'curve-keys'; readonly text: string };

interface ConfigFile {
  readonly file: string;
  readonly text: string;
}

function readText(path: string): string {
  return readWhole(path, CONFIG_FILE_MAX).toString('utf8');
}

function readSecret(path: string): string {
  return readWhole(path, SECRET_FILE_MAX).toString('utf8');
}

function unreadable(file: string, cause: unknown): ConfigError {
  const message = `cannot read ${file}: ${whyUnread(cause)}`;
  return new ConfigError([{ code: 'ERR_CONFIG_FILE', message, file }], { cause });
}

/** The named file, which must be readable, or the first of the search that exists. */
function findFile(named: string | undefined, input: LoadInput): ConfigFile | undefined {
  for (const candidate of named === undefined ? (input.search ?? configSearch) : [named]) {
    const file = resolve(input.cwd, candidate);
    try {
      return { file, text: readText(file) };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (named !== undefined || (code !== 'ENOENT' && code !== 'ENOTDIR')) throw unreadable(file, error);
    }
  }
  return undefined;
}

function fileSource({ file, text }: ConfigFile, format: FileFormat): Source {
  return format === 'yaml' ? yamlSource(text, file) : pushpinSource(text, file, readText);
}

/** Resolves sources, highest precedence first. @throws ConfigError with every problem found */
function resolveAll(
  sources: readonly Source[],
  context: Pick<ResolveContext, 'cwd' | 'configDir' | 'format'>,
): Resolved {
  const keys = new KeyReader(context.configDir);
  const resolved = resolveOptions(sources, { ...context, readFile: readSecret, keys });
  const [problem, ...problems] = resolved.problems;
  if (problem !== undefined) throw new ConfigError([problem, ...problems]);
  return resolved;
}

/**
 * The configuration of options that a program gives: no file and no environment beside them. `directory` is absolute; paths are
 * relative to it.
 * @throws ConfigError with every problem found, one line each
 */
export function configOf(
  options: NodeOptions,
  directory: string,
  isTerminal: boolean,
): Pick<LoadedConfig, 'config' | 'warnings' | 'show'> {
  const source = objectSource(options, directory);
  const resolved = resolveAll([source], { cwd: directory, configDir: directory, format: undefined });
  return {
    config: toConfig(resolved, { configDir: directory, isTerminal }),
    warnings: resolved.warnings.map(legible),
    show: () => printConfig(resolved, true),
  };
}

/**
 * Loads the configuration. Precedence: flag, environment, file, `HOLDFAST_TARGET`, default.
 * @throws ConfigError with every problem found, one line each
 */
export function loadConfig(input: LoadInput): LoadResult {
  const { cwd, env } = input;
  const line = parseCommandLine(input.argv, input);
  if (!('flags' in line)) return line;
  const found = findFile(line.config ?? (env.HOLDFAST_CONFIG || undefined), input);
  const format = found === undefined ? undefined : fileFormat(found.text);
  const sources: Source[] = [{ given: line.flags, problems: [], warnings: [] }, environmentSource(env, cwd)];
  if (found !== undefined && format !== undefined) sources.push(fileSource(found, format));
  sources.push(targetSource(env, cwd));
  const configDir = found === undefined ? cwd : dirname(found.file);
  const resolved = resolveAll(sources, { cwd, configDir, format });
  return {
    command: line.command,
    config: toConfig(resolved, { configDir, isTerminal: input.isTerminal ?? false }),
    warnings: [...resolved.warnings, ...stopTimeoutWarnings(env, resolved.options)].map(legible),
    source: found === undefined || format === undefined ? undefined : { file: found.file, format },
    print: () => printConfig(resolved),
    show: () => printConfig(resolved, true),
  };
}
