/**
 * The file and the environment as given options: raw values with the places they were found at. Names are looked up in the
 * option table, unknown ones reported.
 */
import { dirname } from 'node:path';
import type { ConfigProblem } from '../errors.js';
import { isPushpinConf, obsoleteKey, type PushpinEntry, readPushpinConf } from './files/pushpin-conf.js';
import { parseYaml } from './files/yaml-file.js';
import { envName, type Option } from './option.js';
import { nearestKey, nearestPushpinKey, optionByKey, optionByPushpinKey, options } from './table.js';

/** Where an option was given. */
export interface Where {
  readonly source: 'flag' | 'environment' | 'yaml' | 'pushpin' | 'program';
  /** As written there: `--port`, `HOLDFAST_HTTP_PORT`, `http_port`, `runner.http_port`. */
  readonly name: string;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  /** Absolute; what a relative path in this value is relative to, unless the option says otherwise. */
  readonly baseDir: string;
}

/** One raw value of one option, with the place it was found at. */
export interface GivenOption {
  readonly option: Option;
  /** Text, or what YAML made of it. */
  readonly raw: unknown;
  readonly where: Where;
}

/** The options that one source gives, by key. */
export type GivenOptions = ReadonlyMap<string, GivenOption>;

/** `file:line: key` or just the key: the beginning of every error and warning line. */
export function placeOf(where: Omit<Where, 'source' | 'baseDir'>): string {
  if (where.file === undefined) return where.name;
  return `${where.file}${where.line === undefined ? '' : `:${where.line}`}: ${where.name}`;
}

/** The options that one source gives, with what is wrong or doubtful about it as a whole. */
export interface Source {
  readonly given: GivenOptions;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** Which of the two formats a configuration file has. */
export type FileFormat = 'yaml' | 'pushpin';

/** Told by content, not by name. */
export function fileFormat(text: string): FileFormat {
  return isPushpinConf(text) ? 'pushpin' : 'yaml';
}

/** The options of a Holdfast YAML file. An unknown key is a problem; a key without a value counts as absent. */
export function yamlSource(text: string, file: string): Source {
  const given = new Map<string, GivenOption>();
  const { entries, problems } = parseYaml(text);
  const found: ConfigProblem[] = problems.map(({ line, reason }) => ({
    code: 'ERR_CONFIG_SYNTAX',
    message: `${file}:${line}: ${reason.replace(/\s*\n\s*/g, ' ')}`,
    file,
    line,
  }));
  for (const { key, value, line } of entries) {
    const option = optionByKey(key);
    const where: Where = { source: 'yaml', name: key.slice(0, MAX_NAME), file, line, baseDir: dirname(file) };
    if (option === undefined) {
      const message = `${placeOf(where)}: unknown key; did you mean ${nearestKey(where.name)}?`;
      found.push({ code: 'ERR_CONFIG_UNKNOWN_KEY', message, key, file, line });
    } else if (value !== null) given.set(key, { option, raw: value, where });
  }
  return { given, problems: found, warnings: [] };
}

/** Characters of an unknown key that are shown. */
const MAX_NAME = 100;

/** Keys of no use of which something is said; a shipped file has some dozens. */
const MAX_WARNINGS = 100;

function pushpinWarning(entry: PushpinEntry): string | undefined {
  const reason = obsoleteKey(entry.name);
  if (reason === '') return undefined;
  const text =
    reason === undefined
      ? `unknown key, ignored; did you mean ${nearestPushpinKey(entry.name)}?`
      : `ignored: ${reason}`;
  return `${placeOf(entry)}: ${text}`;
}

/** What several Pushpin keys of an option give: the first listed, or all of them joined. */
function givenBy(option: Option, entries: readonly PushpinEntry[], baseDir: string): GivenOption {
  const names = [...(option.pushpin ?? []), `holdfast.${option.key}`];
  const ordered = entries.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  const first = ordered[0] as PushpinEntry;
  const raw = option.pushpinAdds === true ? [...new Set(ordered.map(({ value }) => value))].join(',') : first.value;
  return { option, raw, where: { source: 'pushpin', name: first.name, file: first.file, line: first.line, baseDir } };
}

/** The options of a pushpin.conf. Unknown and obsolete keys are warnings: people carry old files. */
export function pushpinSource(text: string, file: string, readFile: (path: string) => string): Source {
  const baseDir = dirname(file);
  const fallback = (key: string) => String(optionByKey(key)?.default);
  const conf = readPushpinConf(text, file, {
    baseDir,
    readFile,
    defaults: { libdir: fallback('libdir'), rundir: fallback('rundir'), ipc_prefix: fallback('ipc_prefix') },
    verbatim: new Set(
      options.flatMap((option) =>
        option.type === 'secret' ? [...(option.pushpin ?? []), `holdfast.${option.key}`] : [],
      ),
    ),
  });
  const warnings: string[] = [];
  const found = new Map<Option, PushpinEntry[]>();
  let unknown = 0;
  for (const entry of conf.entries) {
    const option = optionByPushpinKey(entry.name);
    if (option !== undefined) {
      const same = found.get(option);
      if (same === undefined) found.set(option, [entry]);
      else same.push(entry);
      continue;
    }
    const warning = unknown < MAX_WARNINGS ? pushpinWarning(entry) : undefined;
    if (warning !== undefined) warnings.push(warning);
    unknown++;
  }
  if (unknown > MAX_WARNINGS)
    warnings.push(`${file}: ${unknown} keys are of no use here; of the others nothing is said`);
  const problems = conf.problems.map(
    ({ reason, line, file }): ConfigProblem => ({
      code: 'ERR_CONFIG_FILE',
      message: `${file}:${line}: ${reason}`,
      file,
      line,
    }),
  );
  const given = new Map([...found].map(([option, entries]) => [option.key, givenBy(option, entries, baseDir)]));
  return { given, problems, warnings };
}

/** The variable of the one target of all requests, for the image: its entry point gets it from Pushpin's `target`. */
const TARGET = 'HOLDFAST_TARGET';

/** The variable in which what stops the node says how long it waits before it kills; see `checks/stop-timeout.ts`. */
export const STOP_TIMEOUT = 'HOLDFAST_STOP_TIMEOUT';

/** Variables of Holdfast that are no options. */
const notOptions: ReadonlySet<string> = new Set(['HOLDFAST_CONFIG', TARGET, STOP_TIMEOUT]);

/**
 * The route of `HOLDFAST_TARGET`, as the image of Pushpin makes it. It has to be the last of all sources, so that routes that are
 * given anywhere win.
 */
export function targetSource(env: Readonly<Record<string, string | undefined>>, cwd: string): Source {
  const target = env[TARGET];
  const option = optionByKey('routes');
  const given = new Map<string, GivenOption>();
  if (target && option !== undefined)
    given.set('routes', {
      option,
      raw: [`* ${target},over_http`],
      where: { source: 'environment', name: TARGET, baseDir: cwd },
    });
  return { given, problems: [], warnings: [] };
}

/** Kubernetes sets these, unasked, for a Service whose name begins with holdfast. */
const serviceLink = /^HOLDFAST_(.*_)?(SERVICE_(HOST|PORT)(_|$)|PORT_\d+_)/;
/** One of them may have the name of an option: a Service holdfast-admin makes HOLDFAST_ADMIN_PORT=tcp://10.0.0.1:9090. */
const serviceAddress = /^(tcp|udp|sctp):\/\//;

/**
 * The options of the environment: `HOLDFAST_<KEY>`. An empty variable counts as absent, since container tools set those
 * for values they do not have. Unknown ones are warnings.
 */
export function environmentSource(env: Readonly<Record<string, string | undefined>>, cwd: string): Source {
  const byName = new Map(options.map((option) => [envName(option), option]));
  const given = new Map<string, GivenOption>();
  const warnings: string[] = [];
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('HOLDFAST_') || notOptions.has(name) || raw === undefined || raw === '') continue;
    const option = byName.get(name);
    if (option === undefined && serviceLink.test(name)) continue;
    if (name.endsWith('_PORT') && serviceAddress.test(raw)) continue;
    if (option !== undefined) {
      given.set(option.key, { option, raw, where: { source: 'environment', name, baseDir: cwd } });
      continue;
    }
    const nearest = nearestKey(name.slice('HOLDFAST_'.length).toLowerCase());
    warnings.push(`${name}: unknown variable, ignored; did you mean HOLDFAST_${nearest.toUpperCase()}?`);
  }
  return { given, problems: [], warnings };
}
