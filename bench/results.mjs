// Owns: bench/RESULTS.md, made from the JSON of a run. Does not own: bench/next-gains.md, which is written by hand and
// added at the end.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';
import { goalLines } from './goals.mjs';
import { crowdLines } from './hundred-thousand.mjs';
import { machineLine } from './machine.mjs';
import { blockMarkdown, blocksOf, missingLines } from './table.mjs';
import { placesOf } from './work-profile.mjs';

const nextGains = path.join(root, 'bench/next-gains.md');
export const resultsFile = path.join(root, 'bench/RESULTS.md');

/** @param {import('./table.mjs').Results} results */
export function resultsPage(results) {
  const { machine, options, hundredThousand = [] } = results;
  const { holds, size, items, rounds } = options;
  const goals = goalLines(results.records);
  return [
    '# Results',
    'Made by `npm run bench -- --results`; [README.md](README.md) says what each figure means. Only the ratios mean anything on another machine.',
    `${machineLine(machine)}.`,
    `${holds.toLocaleString('en-US')} holds, ${size}-byte items, ${items} of them; medians of ${rounds} rounds in which the targets took turns.`,
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
