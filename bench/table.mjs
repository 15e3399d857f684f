// From the records of a run to medians and ratios, and to the tables that show them.
import { targets, works } from './catalog.mjs';
import { isHoldfast } from './work.mjs';

/**
 * @typedef {object} RunRecord
 * @property {string} work
 * @property {string} target
 * @property {number} round
 * @property {Record<string, number>} values
 * @property {readonly string[]} problems
 * @property {unknown} [detail]
 */

/** Medians over the rounds of one work. */
export class Summary {
  #records;

  /** @param {readonly RunRecord[]} records */
  constructor(records) {
    this.#records = records.filter(({ values }) => values !== undefined);
  }

  /**
   * @param {string} work
   * @param {string} target
   * @param {string} key
   * @returns {number | undefined} undefined when no round has it
   */
  value(work, target, key) {
    const values = this.#records
      .filter((record) => record.work === work && record.target === target)
      .map((record) => record.values[key])
      .filter((value) => Number.isFinite(value))
      .sort((a, b) => a - b);
    const middle = Math.floor(values.length / 2);
    return values.length % 2 === 1
      ? values[middle]
      : values.length === 0
        ? undefined
        : (values[middle - 1] + values[middle]) / 2;
  }

  /**
   * @param {string} work
   * @param {string} key
   * @param {string} target
   * @param {string} baseline
   */
  ratio(work, key, target, baseline) {
    const [value, base] = [this.value(work, target, key), this.value(work, baseline, key)];
    return value === undefined || base === undefined || base <= 0 ? undefined : value / base;
  }

  /** Of all rounds, each once. @param {string} work @param {string} target @returns {string[]} */
  problems(work, target) {
    const records = this.#records.filter((record) => record.work === work && record.target === target);
    return [...new Set(records.flatMap(({ problems }) => problems))];
  }

  /** Works with a record, in order. @returns {string[]} */
  get works() {
    return [...new Set(this.#records.map(({ work }) => work))];
  }
}

/** @typedef {{ machine: import('./results.mjs').Machine | import('./results.mjs').Machine[], options: import('./options.mjs').Options, missing: Record<string, string>, records: import('./table.mjs').RunRecord[], hundredThousand?: import('./hundred-thousand.mjs').Crowd[] }} Results  as in the JSON file */
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
