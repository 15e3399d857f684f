// The table of values in the chart's README, from values.yaml: each value with its default and the comment above it. Which maps
// are the chart's, and are shown key by key, is said by values.schema.json: those that take no other keys.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { isMap, isNode, isScalar, parseDocument } from 'yaml';
import { chart } from './render.mjs';

/** @typedef {{ type?: string, additionalProperties?: unknown, properties?: Record<string, Schema> }} Schema */
/** @typedef {{ key: string, value: string, comment: string }} Row */

const page = path.join(chart, 'README.md');
const [begin, end] = ['<!-- values: from values.yaml, by `npm run docs` -->', '<!-- end of values -->'];

/**
 * The values of the chart, in the order of values.yaml.
 *
 * @returns {Row[]} with `a.b` as key; maps of the chart's own, which have no default, before what is in them
 * @throws {Error} when a value has no comment or the schema has no such value
 */
export function chartValues() {
  const schema = JSON.parse(readFileSync(path.join(chart, 'values.schema.json'), 'utf8'));
  const document = parseDocument(readFileSync(path.join(chart, 'values.yaml'), 'utf8'));
  /** @type {Row[]} */
  const rows = [];
  walk(document.contents, schema, '', '', rows);
  return rows;
}

/** @param {unknown} map @param {Schema} schema @param {string} prefix @param {string} first  comment of the first key @param {Row[]} rows */
function walk(map, schema, prefix, first, rows) {
  if (!isMap(map)) throw new Error(`values.yaml: ${prefix} is no map`);
  for (const [index, { key, value }] of map.items.entries()) {
    if (!isScalar(key)) throw new Error(`values.yaml: a key of ${prefix} is no text`);
    const name = `${prefix}${key.value}`;
    const inner = schema.properties?.[String(key.value)];
    if (inner === undefined) throw new Error(`values.schema.json: ${name} is missing`);
    const own =
      inner.additionalProperties === false && inner.type === 'object' && isMap(value) && value.items.length > 0;
    // The comment of the first key of a map is the map's own to the parser.
    const above = key.commentBefore ?? (index === 0 ? first : '');
    const inside = isMap(value) ? (value.commentBefore ?? '') : '';
    const comment = above.trim().replace(/\s*\n\s*/g, ' ');
    if (!own && comment === '') throw new Error(`values.yaml: ${name} has no comment`);
    const shown = own ? '' : `\`${JSON.stringify(toJson(value))}\``;
    rows.push({ key: name, value: shown, comment });
    if (own) walk(value, inner, `${name}.`, inside, rows);
  }
}

/** @param {unknown} node  of the parser @returns {unknown} */
function toJson(node) {
  return isNode(node) ? node.toJSON() : null;
}

/** @returns {string} the chart's README with the table of today */
export function renderValues() {
  const text = readFileSync(page, 'utf8');
  const [before, after] = [text.indexOf(begin), text.indexOf(end)];
  if (before < 0 || after < before) throw new Error(`${page}: no place for the values`);
  const cell = (/** @type {string} */ words) => words.replaceAll('|', '\\|');
  const rows = chartValues()
    .filter(({ comment }) => comment !== '')
    .map(({ key, value, comment }) => `| \`${key}\` | ${cell(value)} | ${cell(comment)} |`);
  const table = ['| value | default | what it is |', '| --- | --- | --- |', ...rows].join('\n');
  return `${text.slice(0, before)}${begin}\n\n${table}\n\n${text.slice(after)}`;
}
