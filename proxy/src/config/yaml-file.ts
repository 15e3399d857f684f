/**
 * Holdfast's own file format: a YAML (or JSON) mapping, flat or with groups: `redis: {url: …}` and `redis.url: …` are
 * `redis_url`.
 *
 * Owns: text ⇄ keys and plain values, with line numbers. Does not own: what the keys mean. The only importer of yaml.
 */
import { isAlias, isMap, isScalar, LineCounter, parseDocument, stringify, type YAMLMap } from 'yaml';

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

/** Reads YAML 1.2 text. Never throws: syntax errors and repeated keys come back as problems. */
export function parseYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line);
  const problems = document.errors.map((error) => ({ line: lineAt(error.pos[0]), reason: error.message }));
  if (problems.length > 0 || document.contents === null) return { entries: [], problems };
  const { contents } = document;
  if (!isMap(contents)) {
    if (isScalar(contents) && contents.value === null) return { entries: [], problems };
    return { entries: [], problems: [{ line: 1, reason: 'expected `key: value` lines' }] };
  }
  try {
    const entriesOf = (map: YAMLMap, group: string, depth = 0): YamlEntry[] =>
      map.items.flatMap(({ key, value }) => {
        if (depth === MAX_DEPTH) throw new Error(`${group.slice(0, -1)} is nested too deeply`);
        const name = group + String(isScalar(key) ? key.value : key).replaceAll('.', '_');
        const node = isAlias(value) ? value.resolve(document) : value;
        if (isMap(node) && node.items.length > 0) return entriesOf(node, `${name}_`, depth + 1);
        const plain = (value as { toJS?: (doc: typeof document) => unknown } | null)?.toJS?.(document) ?? null;
        return [{ key: name, value: plain, line: lineAt(isScalar(key) ? key.range?.[0] : undefined) }];
      });
    const entries = entriesOf(contents, '');
    const repeated = entries.find(({ key }, i) => entries.findIndex((entry) => entry.key === key) < i);
    if (repeated === undefined) return { entries, problems };
    return { entries: [], problems: [{ line: repeated.line, reason: `${repeated.key} is given twice` }] };
  } catch (error) {
    // Aliases are resolved only now: an unknown one, or a bomb of them, is found here.
    return { entries: [], problems: [{ line: 1, reason: (error as Error).message }] };
  }
}

/** One `key: value` entry of YAML text, with its newline. */
export function formatYamlEntry(key: string, value: unknown): string {
  return stringify({ [key]: value }, { lineWidth: 0 });
}
