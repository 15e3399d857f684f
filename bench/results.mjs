// What a run shows beside its tables: the machine that it was made on, and bench/RESULTS.md.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';
import { goalResults } from './goals.mjs';
import { crowdLines, crowdRecords } from './hundred-thousand.mjs';
import { blockMarkdown, blocksOf, missingLines } from './table.mjs';
import { placesOf } from './work-profile.mjs';

/** @typedef {ReturnType<typeof describeMachine>} Machine */

export function describeMachine() {
  const cores = cpus();
  const commit = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' });
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    commit: commit.status === 0 ? commit.stdout.trim() : 'unknown',
    /** Of the minute before the run; on an idle machine near 0. */
    loadBefore: loadavg()[0],
    date: new Date().toISOString().slice(0, 10),
  };
}

/** A line for each run. @param {Machine | Machine[]} machines */
export function machineLines(machines) {
  return [machines].flat().map(machineLine);
}

/** @param {Machine & { readonly rounds?: number }} machine  `rounds` of runs that were joined */
function machineLine({ cpu, cores, memoryGb, kernel, node, commit, loadBefore, date, rounds }) {
  const times = rounds === undefined ? '' : `; ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`;
  return `${cpu}, ${cores} cores, ${memoryGb} GB; Linux ${kernel}; Node ${node}; Holdfast ${commit}; ${date}; load before the run ${loadBefore?.toFixed(2)}${times}`;
}

/**
 * Several runs as one, each of parts of the bench: of a work that several have, the last one counts, so that the figures of a work are
 * those of one run.
 *
 * @param {readonly import('./table.mjs').Results[]} runs  at least one
 * @returns {import('./table.mjs').Results}
 */
export function joined(runs) {
  const last = /** @type {import('./table.mjs').Results} */ (runs.at(-1));
  const of = new Map(runs.flatMap((run) => run.records.map(({ work }) => [work, run])));
  const missing = Object.entries(last.missing).filter(([name]) => runs.every((run) => run.missing[name] !== undefined));
  return {
    ...last,
    machine: runs.flatMap(({ machine, options: { rounds } }) => [machine].flat().map((one) => ({ rounds, ...one }))),
    missing: Object.fromEntries(missing),
    records: runs.flatMap((run) => run.records.filter(({ work }) => of.get(work) === run)),
    hundredThousand: runs.map(({ hundredThousand = [] }) => hundredThousand).findLast((list) => list.length > 0) ?? [],
  };
}

/** Written by hand; added at the end of the page. */
const nextGains = path.join(root, 'bench/next-gains.md');
export const resultsFile = path.join(root, 'bench/RESULTS.md');

/** @param {import('./table.mjs').Results} results */
export function resultsPage(results) {
  const { machine, options, hundredThousand = [] } = results;
  const { holds, size, items, rounds } = options;
  const records = [...results.records, ...crowdRecords(hundredThousand)];
  const goals = goalResults(records).map(({ line }) => line);
  return [
    '# Results',
    'Made by `npm run bench -- --results`; [README.md](README.md) says what each figure means. Only the ratios mean anything on another machine.',
    machineLines(machine)
      .map((line) => `${line}.`)
      .join('\n'),
    ...(Array.isArray(machine)
      ? ['Each part of the bench was one of these runs, in which its targets took turns.']
      : []),
    `${holds.toLocaleString('en-US')} holds, ${size}-byte items, ${items} of them; medians of ${Array.isArray(machine) ? 'the' : rounds} rounds in which the targets took turns, and one of what takes minutes.`,
    ...missingLines(results),
    ...(goals.length > 0 ? ['## Goals', ['```', ...goals, '```'].join('\n')] : []),
    '## Figures',
    ...blocksOf(results).map(blockMarkdown),
    ...hundredThousand.flatMap((crowd) => [
      `### ${crowd.clients.toLocaleString('en-US')} clients at once: ${crowd.target}`,
      ['```', ...crowdLines(crowd), '```'].join('\n'),
    ]),
    ...placesOf(results.records).map(({ title, lines }) =>
      [`### Where: ${title}`, '', '```', ...lines, '```'].join('\n'),
    ),
    ...(existsSync(nextGains) ? [readFileSync(nextGains, 'utf8').trim()] : []),
  ]
    .join('\n\n')
    .concat('\n');
}

/** @param {import('./table.mjs').Results} results */
export function writeResults(results) {
  writeFileSync(resultsFile, resultsPage(results));
}
