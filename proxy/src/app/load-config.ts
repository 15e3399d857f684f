/**
 * Loading the configuration: find the file, read the surfaces, settle the values, group them.
 *
 * Owns: the search for the file, and that all problems are reported at once. Called once, by the command, before
 * anything is started. Does not own: routes (`../routes/routes-source.ts` loads them with `config.routes`).
 */
import { dirname, resolve } from 'node:path';
import type { SigKey, SigKeyUse } from '@holdfast/grip';
import { legible } from '../config/checks/legible.js';
import { type Config, type SigKeys, toConfig } from '../config/config.js';
import { ConfigError, type ConfigProblem } from '../config/errors.js';
import { CONFIG_FILE_MAX, readWhole, SECRET_FILE_MAX, whyUnread } from '../config/files/read-file.js';
import { parseCommandLine } from '../config/flags/cli-options.js';
import { printConfig } from '../config/print.js';
import { type Settled, settle } from '../config/resolve.js';
import { placeOf } from '../config/setting.js';
import {
  environmentSurface,
  type FileFormat,
  fileFormat,
  pushpinSurface,
  type Surface,
  yamlSurface,
} from '../config/sources.js';
import { options } from '../config/table.js';
import { KeyReader } from '../config/values/keys.js';

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
}

/** What the command line asked for: text to print, or a configuration to use. */
export type LoadResult = LoadedConfig | { readonly command: 'help' | 'version'; readonly text: string };

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

function fileSurface({ file, text }: ConfigFile, format: FileFormat): Surface {
  return format === 'yaml' ? yamlSurface(text, file) : pushpinSurface(text, file, readText);
}

/** The options that hold keys, and what for. */
const keyUses = { sig_key: 'sign', upstream_key: 'verify', resume_key: 'sign' } as const satisfies Record<
  string,
  SigKeyUse
>;

/** Reads the keys once the values are settled; a bad one becomes a problem. */
function readKeys({ values, sources }: Settled, reader: KeyReader, problems: ConfigProblem[]): SigKeys {
  const keyOf = (key: keyof typeof keyUses): SigKey | undefined => {
    try {
      return reader.read(values[key], keyUses[key]);
    } catch (error) {
      const where = (sources.get(key) ?? sources.get(`${key}_file`))?.where;
      const place = where?.file === undefined ? key : placeOf(where);
      problems.push({ code: 'ERR_CONFIG_KEY', message: `${place}: ${(error as Error).message}`, key });
      return undefined;
    }
  };
  return { sigKey: keyOf('sig_key'), upstreamKey: keyOf('upstream_key'), resumeKey: keyOf('resume_key') };
}

/** The files that secrets came from. */
function secretFiles({ values, sources }: Settled, reader: KeyReader): readonly string[] {
  const named = options.filter(({ key, secretFor }) => secretFor !== undefined && sources.has(key));
  return [...named.map(({ key }) => String(values[key as keyof typeof values])), ...reader.files];
}

function routesDir(settled: Settled, configDir: string): string {
  const { routesfile } = settled.values;
  return routesfile === undefined ? (settled.sources.get('routes')?.where.baseDir ?? configDir) : dirname(routesfile);
}

function assertNone(problems: readonly ConfigProblem[]): void {
  const [first, ...others] = problems;
  if (first !== undefined) throw new ConfigError([first, ...others]);
}

/**
 * Loads the configuration. Precedence: flag, environment, file, default.
 * @throws ConfigError with every problem found, one line each
 */
export function loadConfig(input: LoadInput): LoadResult {
  const { cwd, env } = input;
  const line = parseCommandLine(input.argv, input);
  if (!('flags' in line)) return line;
  const found = findFile(line.config ?? (env.HOLDFAST_CONFIG || undefined), input);
  const format = found === undefined ? undefined : fileFormat(found.text);
  const surfaces = [environmentSurface(env, cwd)];
  if (found !== undefined && format !== undefined) surfaces.push(fileSurface(found, format));
  const problems = surfaces.flatMap((surface) => surface.problems);

  const configDir = found === undefined ? cwd : dirname(found.file);
  const layers = [line.flags, ...surfaces.map((surface) => surface.settings)];
  const settled = settle(layers, { cwd, configDir, format, readFile: readSecret });
  assertNone([...problems, ...settled.problems]);

  const reader = new KeyReader(configDir);
  const keys = readKeys(settled, reader, problems);
  assertNone(problems);
  const { values, sources } = settled;
  return {
    command: line.command,
    config: toConfig(values, {
      keys,
      keyFiles: secretFiles(settled, reader),
      isTerminal: input.isTerminal ?? false,
      routesDir: routesDir(settled, configDir),
    }),
    warnings: [...surfaces.flatMap((surface) => surface.warnings), ...settled.warnings].map(legible),
    source: found === undefined || format === undefined ? undefined : { file: found.file, format },
    print: () => printConfig(values, sources),
  };
}
