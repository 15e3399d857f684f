/**
 * The file and the environment as settings: names looked up in the option table, unknown ones reported.
 *
 * Does not own the file formats (`yaml-file.ts`, `pushpin-conf.ts`), nor which surface wins.
 */
import { dirname } from 'node:path';
import type { ConfigProblem } from './errors.js';
import { isPushpinConf, type PushpinEntry, readPushpinConf } from './files/pushpin-conf.js';
import { parseYaml } from './files/yaml-file.js';
import { envName, type Option } from './option.js';
import { obsoleteKey } from './options/obsolete.js';
import { placeOf, type Setting, type Settings, type Where } from './setting.js';
import { nearestKey, nearestPushpinKey, optionByKey, optionByPushpinKey, options } from './table.js';

/** The settings of one surface, with what is wrong or doubtful about it as a whole. */
export interface Surface {
  readonly settings: Settings;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

/** Which of the two formats a configuration file has. */
export type FileFormat = 'yaml' | 'pushpin';

/** Told by content, not by name. */
export function fileFormat(text: string): FileFormat {
  return isPushpinConf(text) ? 'pushpin' : 'yaml';
}

/** Settings of a Holdfast YAML file. An unknown key is a problem; a key without a value counts as absent. */
export function yamlSurface(text: string, file: string): Surface {
  const settings = new Map<string, Setting>();
  const { entries, problems } = parseYaml(text);
  const found: ConfigProblem[] = problems.map(({ line, reason }) => ({
    code: 'ERR_CONFIG_SYNTAX',
    message: `${file}:${line}: ${reason.replace(/\s*\n\s*/g, ' ')}`,
    file,
    line,
  }));
  for (const { key, value, line } of entries) {
    const option = optionByKey(key);
    const where: Where = { surface: 'yaml', name: key.slice(0, MAX_NAME), file, line, baseDir: dirname(file) };
    if (option === undefined) {
      const message = `${placeOf(where)}: unknown key; did you mean ${nearestKey(where.name)}?`;
      found.push({ code: 'ERR_CONFIG_UNKNOWN_KEY', message, key, file, line });
    } else if (value !== null) settings.set(key, { option, raw: value, where });
  }
  return { settings, problems: found, warnings: [] };
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

/** The one setting that several Pushpin keys of an option make: the first listed, or all of them joined. */
function settingOf(option: Option, entries: readonly PushpinEntry[], baseDir: string): Setting {
  const names = [...(option.pushpin ?? []), `holdfast.${option.key}`];
  const ordered = entries.toSorted((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  const first = ordered[0] as PushpinEntry;
  const raw = option.pushpinAdds === true ? [...new Set(ordered.map(({ value }) => value))].join(',') : first.value;
  return { option, raw, where: { surface: 'pushpin', name: first.name, file: first.file, line: first.line, baseDir } };
}

/** Settings of a pushpin.conf. Unknown and obsolete keys are warnings: people carry old files. */
export function pushpinSurface(text: string, file: string, readFile: (path: string) => string): Surface {
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
  const settings = new Map([...found].map(([option, entries]) => [option.key, settingOf(option, entries, baseDir)]));
  return { settings, problems, warnings };
}

/** Kubernetes sets these, unasked, for a Service whose name begins with holdfast. */
const serviceLink = /^HOLDFAST_(.*_)?(SERVICE_(HOST|PORT)(_|$)|PORT_\d+_)/;
/** One of them may have the name of an option: a Service holdfast-admin makes HOLDFAST_ADMIN_PORT=tcp://10.0.0.1:9090. */
const serviceAddress = /^(tcp|udp|sctp):\/\//;

/**
 * Settings of the environment: `HOLDFAST_<KEY>`. An empty variable counts as absent, since container tools set those
 * for values they do not have. Unknown ones are warnings.
 */
export function environmentSurface(env: Readonly<Record<string, string | undefined>>, cwd: string): Surface {
  const byName = new Map(options.map((option) => [envName(option), option]));
  const settings = new Map<string, Setting>();
  const warnings: string[] = [];
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith('HOLDFAST_') || name === 'HOLDFAST_CONFIG' || raw === undefined || raw === '') continue;
    const option = byName.get(name);
    if (option === undefined && serviceLink.test(name)) continue;
    if (name.endsWith('_PORT') && serviceAddress.test(raw)) continue;
    if (option !== undefined) {
      settings.set(option.key, { option, raw, where: { surface: 'environment', name, baseDir: cwd } });
      continue;
    }
    const nearest = nearestKey(name.slice('HOLDFAST_'.length).toLowerCase());
    warnings.push(`${name}: unknown variable, ignored; did you mean HOLDFAST_${nearest.toUpperCase()}?`);
  }
  return { settings, problems: [], warnings };
}
