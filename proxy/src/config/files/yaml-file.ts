/**
 * Holdfast's own file format: a YAML (or JSON) mapping, flat or with groups: `redis: {url: …}` and `redis.url: …` are
 * `redis_url`. What the keys mean is in the option table. The only importer of yaml.
 */
import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';

let loaded: typeof Yaml | undefined;

/** The library, loaded with the first text: a node that is configured by flags, or by a pushpin.conf, needs none. */
function library(): typeof Yaml {
  loaded ??= createRequire(import.meta.url)('yaml') as typeof Yaml;
  return loaded;
}

/** A key with its plain value (text, number, boolean, list, null, …). A mapping is not a value: its keys are. */
export interface YamlEntry {
  readonly key: string;
  readonly value: unknown;
  /** 1-based. */
  readonly line: number;
}

/** What a file holds. With problems the entries are incomplete and must not be used. */
export interface YamlFile {
  readonly entries: readonly YamlEntry[];
  readonly problems: readonly { readonly line: number; readonly reason: string }[];
}

/** Groups within groups; no key has so many parts, and aliases may lead in circles. */
const MAX_DEPTH = 4;

/**
 * Levels of lists and mappings. The library calls itself for each, and so far down that the stack ends, V8 does not throw but
 * ends the process where a regular expression is compiled there: found with 20,000 levels, one time in some thousands.
 *
 * @limit {} levels of lists and mappings of a configuration file
 * @over refused
 */
const MAX_NESTING = 64;

/** Syntax errors that are reported for one file; one leads to many. */
const MAX_PROBLEMS = 20;

/**
 * Keys of a file; ten times as many as there are options. Aliases of groups can multiply them without end.
 *
 * @limit {} keys of a configuration file, with aliases followed
 * @over refused
 */
const MAX_ENTRIES = 2_000;

/** Reads YAML 1.2 text. Never throws: syntax errors and repeated keys come back as problems. */
export function parseYaml(text: string): YamlFile {
  try {
    return readYaml(text);
  } catch (error) {
    // Of the library itself: aliases can nest what they stand for.
    const reason = error instanceof RangeError ? 'nested too deeply' : (error as Error).message;
    return { entries: [], problems: [{ line: 1, reason }] };
  }
}

/** The offset at which the text nests too deeply; undefined when it does not. Only collects tokens, and calls nothing anew. */
function tooDeepAt(text: string): number | undefined {
  const { Lexer, Parser } = library();
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > MAX_NESTING) return parser.offset;
  }
  return undefined;
}

function readYaml(text: string): YamlFile {
  const { isAlias, isMap, isScalar, LineCounter, parseDocument } = library();
  const deep = tooDeepAt(text);
  if (deep !== undefined) {
    const line = text.slice(0, deep).split('\n').length;
    return { entries: [], problems: [{ line, reason: `nested too deeply: more than ${MAX_NESTING} levels` }] };
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // 'silent' would pass over a second document.
    logLevel: 'error',
    // The library compares each key with all before it; here they are looked up.
    uniqueKeys: false,
  });
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line);
  const found = document.errors.slice(0, MAX_PROBLEMS);
  const problems = found.map((error) => ({ line: lineAt(error.pos[0]), reason: error.message }));
  if (problems.length > 0 || document.contents === null) return { entries: [], problems };
  const { contents } = document;
  if (!isMap(contents)) {
    if (isScalar(contents) && contents.value === null) return { entries: [], problems };
    return { entries: [], problems: [{ line: 1, reason: 'expected `key: value` lines' }] };
  }
  const entries: YamlEntry[] = [];
  const seen = new Set<string>();
  const problem = (line: number, reason: string): YamlFile => ({ entries: [], problems: [{ line, reason }] });
  let refused: YamlFile | undefined;
  const collect = (map: Yaml.YAMLMap, group: string, depth: number): void => {
    for (const { key, value } of map.items) {
      if (refused !== undefined) return;
      const line = lineAt(isScalar(key) ? key.range?.[0] : undefined);
      const name = group + nameOf(key);
      const node = isAlias(value) ? value.resolve(document) : value;
      if (isMap(node) && node.items.length > 0) {
        if (depth === MAX_DEPTH) refused = problem(line, `${name} is nested too deeply`);
        else collect(node, `${name}_`, depth + 1);
      } else if (seen.has(name)) refused = problem(line, `${name} is given twice`);
      else if (seen.size === MAX_ENTRIES) refused = problem(line, `more than ${MAX_ENTRIES} keys`);
      else {
        seen.add(name);
        // Aliases are resolved only now: an unknown one, or a bomb of them, throws here.
        const plain = (value as { toJS?: (doc: typeof document) => unknown } | null)?.toJS?.(document) ?? null;
        entries.push({ key: name, value: plain, line });
      }
    }
  };
  try {
    collect(contents, '', 1);
  } catch (error) {
    return problem(1, (error as Error).message);
  }
  return refused ?? { entries, problems };
}

/** A key that is no scalar is shown as it is written, and is none of ours. */
function nameOf(key: unknown): string {
  return String(library().isScalar(key) ? key.value : key).replaceAll('.', '_');
}

/** An entry of a list file: the members of one mapping. */
export interface YamlListEntry {
  /** 1-based. */
  readonly line: number;
  readonly members: ReadonlyMap<string, { readonly value: unknown; readonly line: number }>;
}

/** What a list file holds. With problems the entries are incomplete and must not be used. */
export interface YamlList {
  readonly entries: readonly YamlListEntry[];
  readonly problems: readonly { readonly line: number; readonly reason: string }[];
}

/**
 * Reads YAML 1.2 text that is a list of flat mappings. The file may hold secrets: what is said of it quotes nothing. So the texts of
 * the library, which may, are not used. Never throws.
 */
export function parseYamlList(text: string): YamlList {
  try {
    return readYamlList(text);
  } catch {
    return { entries: [], problems: [{ line: 1, reason: 'it cannot be read' }] };
  }
}

function readYamlList(text: string): YamlList {
  const { isMap, isScalar, isSeq, LineCounter, parseDocument } = library();
  const wrong = (line: number, reason: string): YamlList => ({ entries: [], problems: [{ line, reason }] });
  const deep = tooDeepAt(text);
  if (deep !== undefined) return wrong(text.slice(0, deep).split('\n').length, 'nested too deeply');
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'error',
    uniqueKeys: false,
  });
  const lineAt = (node: unknown) => {
    const { range } = (node ?? {}) as { readonly range?: readonly number[] | null };
    return range?.[0] === undefined ? 1 : lines.linePos(range[0]).line;
  };
  // A tag that is not known is a warning; a key that begins with ! would lose its first word unseen.
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) return wrong(lines.linePos(error.pos[0]).line, `it is not valid YAML (${error.code})`);
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return { entries: [], problems: [] };
  if (!isSeq(contents)) return wrong(lineAt(contents), 'expected a list: `- id: …` for each entry');
  const entries: YamlListEntry[] = [];
  for (const item of contents.items) {
    if (!isMap(item)) return wrong(lineAt(item), `entry ${entries.length + 1}: expected \`name: value\` lines`);
    const members = new Map<string, { readonly value: unknown; readonly line: number }>();
    for (const { key, value } of item.items) {
      const line = lineAt(key);
      const at = `entry ${entries.length + 1}`;
      const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined;
      if (name === undefined) return wrong(line, `${at}: the name of a member is no text`);
      if (members.has(name)) return wrong(line, `${at}: ${name.slice(0, MAX_SHOWN)} is given twice`);
      if (members.size === MAX_MEMBERS) return wrong(line, `${at}: more than ${MAX_MEMBERS} members`);
      const alias = aliasIn(value);
      if (alias !== undefined) {
        const reason = 'a text that begins with * or & has to be in quotes';
        return wrong(lineAt(alias), `${at}: ${name.slice(0, MAX_SHOWN)}: ${reason}`);
      }
      const plain = (value as { toJS?: (doc: typeof document) => unknown } | null)?.toJS?.(document) ?? null;
      members.set(name, { value: plain, line });
    }
    entries.push({ line: lineAt(item), members });
  }
  return { entries, problems: [] };
}

/** Members of one entry of a list; more than any has. */
const MAX_MEMBERS = 100;

/** Characters of the name of a member that are shown. */
const MAX_SHOWN = 100;

/** The alias or anchor that a value is or holds: none is taken, as what is meant is mostly a text that begins so. */
function aliasIn(value: unknown): unknown {
  const { isAlias, isMap, isNode, isSeq } = library();
  if (isAlias(value) || (isNode(value) && 'anchor' in value && value.anchor !== undefined)) return value;
  if (isSeq(value)) return value.items.map(aliasIn).find((one) => one !== undefined);
  return isMap(value) ? value.items.map((pair) => aliasIn(pair.value)).find((one) => one !== undefined) : undefined;
}

/** One `key: value` entry of YAML text, with its newline. */
export function formatYamlEntry(key: string, value: unknown): string {
  return library().stringify({ [key]: value }, { lineWidth: 0 });
}
