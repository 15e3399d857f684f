/** Pages of lists that several processes and nodes have parts of: merging them in the order of their keys, and cursors. */
import { isLongName } from '@holdfast/grip';

/** A part of a list: rows in the order of their keys, each key once. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows come after the last of these; then there is at least one. */
  readonly more: boolean;
}

/**
 * Rows of one page, where a request does not say how many.
 *
 * @limit {} rows of a page, unless the request has a `limit`
 * @over further pages
 */
export const PAGE_ROWS = 100;

/**
 * @limit {} rows of a page that a request may ask for
 * @over 400
 */
export const MAX_PAGE_ROWS = 1_000;

/** What a list has rows of. */
export interface RowKind<Row> {
  readonly keyOf: (row: Row) => string;
  /** Two rows with the same key in one. */
  readonly join: (one: Row, other: Row) => Row;
}

/**
 * The first `limit` rows of several pages that began after the same key. What lies behind the end of a page that has more is left
 * out, for that page may have rows before it.
 */
export function mergePages<Row>(pages: readonly Page<Row>[], limit: number, { keyOf, join }: RowKind<Row>): Page<Row> {
  let end: string | undefined;
  for (const { rows, more } of pages) {
    const last = more ? rows.at(-1) : undefined;
    if (last !== undefined && (end === undefined || keyOf(last) < end)) end = keyOf(last);
  }
  const merged = new Map<string, Row>();
  for (const { rows } of pages) {
    for (const row of rows) {
      const key = keyOf(row);
      if (end !== undefined && key > end) break;
      const known = merged.get(key);
      merged.set(key, known === undefined ? row : join(known, row));
    }
  }
  const keys = [...merged.keys()].sort(byCodeUnits);
  const rows = keys.slice(0, limit).map((key) => merged.get(key) as Row);
  return { rows, more: end !== undefined || rows.length < keys.length };
}

/** The order of keys, which does not depend on a language. */
export function byCodeUnits(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** Reads a page that a node or process answered; undefined where it, or a row, is none. `readRow` gives undefined for what is no row. */
export function readPage<Row>(answer: unknown, readRow: (row: unknown) => Row | undefined): Page<Row> | undefined {
  const { rows, more } = (answer ?? {}) as { readonly rows?: unknown; readonly more?: unknown };
  if (!Array.isArray(rows) || typeof more !== 'boolean' || (more && rows.length === 0)) return undefined;
  const read: Row[] = [];
  for (const row of rows as readonly unknown[]) {
    const known = readRow(row);
    if (known === undefined) return undefined;
    read.push(known);
  }
  return { rows: read, more };
}

/** The cursor that leads to what comes after a key: opaque to clients, and fit for a URL. */
export function cursorOf(key: string): string {
  return Buffer.from(key).toString('base64url');
}

/** The key of a cursor; undefined where it is none. */
export function readCursor(cursor: string): string | undefined {
  const key = Buffer.from(cursor, 'base64url').toString();
  return key === '' || isLongName(key) || cursorOf(key) !== cursor ? undefined : key;
}
