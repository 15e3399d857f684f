// Owns: the table of a run: one block for each work, a row for each target, ratios beside the figures, and loud lines
// for what is missing. Does not own: medians (summary).
import { Summary } from './summary.mjs';
import { targets } from './targets.mjs';
import { isHoldfast } from './work.mjs';
import { works } from './works.mjs';

/** @typedef {{ machine: import('./machine.mjs').Machine, options: import('./options.mjs').Options, missing: Record<string, string>, records: import('./summary.mjs').RunRecord[], hundredThousand?: import('./hundred-thousand.mjs').Crowd[] }} Results  as in the JSON file */
/** @typedef {{ title: string, head: string[], rows: string[][], warnings: string[] }} Block */

/** What is divided by, in the head of a column. */
const short = {
  limit: 'limit',
  direct: 'direct',
  pushpin: 'Pushpin',
  nchan: 'Nchan',
  'http-proxy': 'http-proxy',
  nginx: 'nginx',
};

/** @param {number | undefined} value @param {number} digits */
function shown(value, digits) {
  return value === undefined
    ? '-'
    : value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/**
 * @param {Results} results
 * @returns {Block[]}
 */
export function blocksOf(results) {
  const summary = new Summary(results.records);
  return summary.works.flatMap((name) => {
    const work = works.get(name);
    return (work?.tables ?? [])
      .map((table) => blockOf(results, summary, name, table))
      .filter((block) => block.rows.length > 0);
  });
}

/**
 * @param {Results} results
 * @param {Summary} summary
 * @param {string} work
 * @param {import('./work.mjs').Table} table
 * @returns {Block}
 */
function blockOf({ missing }, summary, work, table) {
  const warnings = [];
  /** @type {string[][]} */
  const rows = [];
  for (const target of targets) {
    const problems = summary.problems(work, target.name);
    if (problems.length > 0) warnings.push(`!! ${target.title}: ${problems.join('; ')}`);
    if (summary.value(work, target.name, table.primary) !== undefined) rows.push(rowOf(summary, work, table, target));
    else if (problems.length > 0) rows.push([target.title, '!! FAILED']);
    else if (missing[target.name] !== undefined && isExpected(target, table))
      rows.push([target.title, '!! NOT IN THIS RUN']);
  }
  const ratios = table.baselines.map((name) => `÷ ${short[/** @type {keyof typeof short} */ (name)]}`);
  return { title: table.title, head: ['', ...table.columns.map(({ title }) => title), ...ratios], rows, warnings };
}

/** Whether a reader would look for its row. @param {import('./target.mjs').Target} target @param {import('./work.mjs').Table} table */
function isExpected(target, table) {
  return table.baselines.includes(target.name) || isHoldfast(target);
}

/**
 * @param {Summary} summary
 * @param {string} work
 * @param {import('./work.mjs').Table} table
 * @param {import('./target.mjs').Target} target
 */
function rowOf(summary, work, table, { name, title, asksOrigin }) {
  return [
    table.primary === 'openUs' && !asksOrigin ? `${title} (asks no origin)` : title,
    ...table.columns.map(({ key, digits }) => shown(summary.value(work, name, key), digits)),
    ...table.baselines.map((baseline) => shown(summary.ratio(work, table.primary, name, baseline), 2)),
  ];
}

/** What a target's reason is that the command line left out. */
export const NOT_ASKED_FOR = 'not asked for';

/** One loud line for each target that is not there, and one for those that nobody asked for. @param {Pick<Results, 'missing'>} results @returns {string[]} */
export function missingLines({ missing }) {
  const absent = targets.filter(({ name }) => missing[name] !== undefined);
  const unwanted = absent.filter(({ name }) => missing[name] === NOT_ASKED_FOR).map(({ title }) => title);
  return [
    ...absent
      .filter(({ name }) => missing[name] !== NOT_ASKED_FOR)
      .map(({ name, title }) => `!! ${title} is NOT IN THIS RUN: ${missing[name]}`),
    ...(unwanted.length > 0 ? [`!! NOT IN THIS RUN, because not asked for: ${unwanted.join('; ')}`] : []),
  ];
}

/** @param {Block} block @returns {string} for a terminal */
export function blockText({ title, head, rows, warnings }) {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return [`\n== ${title}`, ...all.map(line), ...warnings].join('\n');
}

/** @param {Block} block @returns {string} for a page */
export function blockMarkdown({ title, head, rows, warnings }) {
  const line = (/** @type {string[]} */ row) => `| ${head.map((_, column) => row[column] ?? '').join(' | ')} |`;
  const rule = `| --- |${' ---: |'.repeat(head.length - 1)}`;
  return [`### ${title}`, '', line(head), rule, ...rows.map(line), ...warnings.map((text) => `\n${text}`)].join('\n');
}
