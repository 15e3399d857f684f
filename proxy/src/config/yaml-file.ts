/**
 * Holdfast's own file format: a flat YAML (or JSON) mapping.
 *
 * Owns: text ⇄ keys and plain values, with line numbers. Does not own: what the keys mean. The only importer of yaml.
 */
import { isMap, isScalar, LineCounter, parseDocument, stringify } from 'yaml';

/** A top-level key with its plain value (text, number, boolean, list, null, …). */
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
    const entries = contents.items.map(({ key, value }) => ({
      key: String(isScalar(key) ? key.value : key),
      value: (value as { toJS?: (doc: typeof document) => unknown } | null)?.toJS?.(document) ?? null,
      line: lineAt(isScalar(key) ? key.range?.[0] : undefined),
    }));
    return { entries, problems };
  } catch (error) {
    // Aliases are resolved only now: an unknown one, or a bomb of them, is found here.
    return { entries: [], problems: [{ line: 1, reason: (error as Error).message }] };
  }
}

/** One `key: value` entry of YAML text, with its newline. */
export function formatYamlEntry(key: string, value: unknown): string {
  return stringify({ [key]: value }, { lineWidth: 0 });
}
