/**
 * Reading a pushpin.conf: INI sections, `include`, and the `{libdir}` family of substitutions; and the keys that have no use
 * here. What the others mean is in the option table. The only importer of ini.
 */
import { basename, resolve } from 'node:path';
import { parse } from 'ini';

/** One value of a pushpin.conf or of a file it includes. */
export interface PushpinEntry {
  /** `section.key`. */
  readonly name: string;
  readonly value: string;
  readonly file: string;
  /** 1-based. */
  readonly line: number;
}

/** What a file and its includes hold. A problem is an include that cannot be read. */
export interface PushpinConf {
  readonly entries: readonly PushpinEntry[];
  readonly problems: readonly { readonly file: string; readonly line: number; readonly reason: string }[];
}

/** Whether text is INI rather than YAML: its first line that is neither blank nor comment is a section or `key=value`. */
export function isPushpinConf(text: string): boolean {
  const first = text.split(/\r?\n/).find((line) => /\S/.test(line) && !/^\s*[#;]/.test(line));
  return first !== undefined && /^\uFEFF?\s*(\[[^\]]+\]\s*$|[\w.-]+\s*=)/.test(first);
}

/**
 * Quotes every value as JSON, which the ini library undoes exactly: otherwise it would end a value at `;` or `#`,
 * and both occur in keys and passwords. Values that already stand in quotes are left to the library.
 */
function quoteValue(value: string): string {
  return /^".*"$/.test(value) && value.length > 1 ? value : JSON.stringify(value);
}

/** `key=value`; no pattern, which a long line of spaces would keep busy. */
function pairIn(line: string): { readonly key: string; readonly value: string } | undefined {
  const at = line.indexOf('=');
  const key = line.slice(0, Math.max(at, 0)).trim();
  return key === '' || key.startsWith('#') || key.startsWith(';')
    ? undefined
    : { key, value: line.slice(at + 1).trim() };
}

/** The entries of one text, in file order; a later value of the same key replaces an earlier one. */
function parseSections(text: string, file: string): Map<string, PushpinEntry> {
  const places = new Map<string, number>();
  let section = '';
  const quoted = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line, index) => {
      const header = /^\s*\[([^\]]*)\]\s*$/.exec(line);
      const pair = pairIn(line);
      if (header !== null) {
        // The library would read dots in a section name as nesting.
        section = (header[1] as string).trim();
        return `[${section.replaceAll('.', '\\.')}]`;
      }
      if (pair === undefined) return '';
      places.set(`${section}.${pair.key}`, index + 1);
      return `${pair.key}=${quoteValue(pair.value)}`;
    });
  const sections = parse(quoted.join('\n'), { bracketedArray: false });
  const entries = new Map<string, PushpinEntry>();
  for (const [name, line] of places) {
    const at = name.indexOf('.');
    const scope = at === 0 ? sections : (sections[name.slice(0, at)] as Record<string, unknown> | undefined);
    const value: unknown = scope?.[name.slice(at + 1)];
    // With brackets off, the library makes a list of a key that is given more than once.
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined) entries.set(name, { name, value: String(last), file, line });
  }
  return entries;
}

/**
 * Reads a pushpin.conf. The file named by `global.include` gives defaults for it; a missing `internal.conf`, which only
 * wires Pushpin's processes together, is no problem. Every `{libdir}`, `{rundir}` and `{ipc_prefix}` is replaced, with
 * `defaults` for what the file does not set; values of keys in `verbatim` (secrets) are left as they are.
 */
export function readPushpinConf(
  text: string,
  file: string,
  options: {
    readonly baseDir: string;
    readonly readFile: (path: string) => string;
    readonly defaults: { readonly libdir: string; readonly rundir: string; readonly ipc_prefix: string };
    readonly verbatim: ReadonlySet<string>;
  },
): PushpinConf {
  const main = parseSections(text, file);
  const problems: { file: string; line: number; reason: string }[] = [];
  const lookUp = (name: keyof typeof options.defaults, entries: ReadonlyMap<string, PushpinEntry>) =>
    entries.get(`global.${name}`)?.value ?? options.defaults[name];
  const substitute = (value: string, entries: ReadonlyMap<string, PushpinEntry>) =>
    value.replace(/\{(libdir|rundir|ipc_prefix)\}/g, (_, name: keyof typeof options.defaults) => lookUp(name, entries));

  const include = main.get('global.include');
  let entries = main;
  if (include !== undefined && include.value !== '') {
    const path = resolve(options.baseDir, substitute(include.value, main));
    try {
      entries = new Map([...parseSections(options.readFile(path), path), ...main]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || basename(path) !== 'internal.conf')
        problems.push({ file, line: include.line, reason: `cannot include ${path}: ${code ?? String(error)}` });
    }
  }
  const substituted = [...entries.values()].map((entry) =>
    options.verbatim.has(entry.name) ? entry : { ...entry, value: substitute(entry.value, entries) },
  );
  return { entries: substituted, problems };
}

/** How Pushpin's processes find and reach each other: means nothing here, and is in every shipped file. */
const wiring = [
  /^runner\.services$/,
  /^global\.include$/,
  /^proxy\.(command|stats)_spec$/,
  /^(proxy|handler)\.(connmgr|condure|m2a|zurl|handler|intreq|proxy|retry|ws_control|inspect|accept|stats_proxy)_.*specs?$/,
];

/** Keys of old or rare features, with what a reader should know. */
const retired: readonly (readonly [RegExp, string])[] = [
  [/^runner\.\w+_bin$/, 'Holdfast has no helper programs'],
  [/^proxy\.(updates_check|organization_name)$/, 'Holdfast never reports to anybody'],
  [/^handler\.state_spec$/, 'external session state is not supported'],
  [/^handler\.share_all$/, 'sharing of requests is not supported'],
];

/** Undefined: the key is unknown. Empty: pass over it. Otherwise why it has no effect. `name` is `section.key`. */
export function obsoleteKey(name: string): string | undefined {
  if (wiring.some((pattern) => pattern.test(name))) return '';
  return retired.find(([pattern]) => pattern.test(name))?.[1];
}
