// The bench: starts each target in turn on this machine, does the same work with each, several rounds in which they take
// turns, prints one table and writes it all as JSON. bench/README.md describes the parts and options.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parts, targets } from './catalog.mjs';
import { compilePrograms, hasCompiler, outputFolder } from './compile.mjs';
import { goalResults } from './goals.mjs';
import { crowdLines, crowdRecords, runCrowd } from './hundred-thousand.mjs';
import { HUNDRED_THOUSAND, readOptions, usage } from './options.mjs';
import { OriginProcess } from './origin.mjs';
import { stopAll } from './process.mjs';
import { describeMachine, joined, machineLines, resultsFile, writeResults } from './results.mjs';
import { blocksOf, blockText, missingLines, NOT_ASKED_FOR } from './table.mjs';
import { placesOf } from './work-profile.mjs';

/** Exit status without a C compiler: nothing was measured, and nothing is wrong with Holdfast. */
const NO_COMPILER = 77;

/** @param {string} text */
function loud(text) {
  console.log(`!! ${text}`);
}

/**
 * Starts each target once: what cannot run here is said at the beginning, not after an hour.
 *
 * @param {readonly import('./target.mjs').Target[]} chosen
 * @param {import('./compile.mjs').Programs} programs
 * @returns {Promise<Record<string, string>>} name to reason, of those that cannot
 */
async function findMissing(chosen, programs) {
  /** @type {Record<string, string>} */
  const missing = {};
  const origin = await OriginProcess.start(programs.origin);
  for (const target of targets) {
    const absent = chosen.includes(target) ? target.missing() : NOT_ASKED_FOR;
    try {
      if (absent === undefined) await (await target.start({ programs, originPort: origin.port })).stop();
    } catch (error) {
      missing[target.name] = `does not start: ${error instanceof Error ? error.message : error}`;
    }
    if (absent === NOT_ASKED_FOR) missing[target.name] = absent;
    else if (absent !== undefined) missing[target.name] = `${absent} is not installed`;
  }
  await origin.stop();
  return missing;
}

/**
 * @param {import('./work.mjs').Work} work
 * @param {import('./work.mjs').Task} task
 * @param {number} round
 * @returns {Promise<import('./table.mjs').RunRecord>}
 */
async function runOne(work, task, round) {
  const about = { work: work.name, target: task.target.name, round };
  const start = Date.now();
  /** @type {import('./work.mjs').Outcome} */
  let outcome;
  try {
    outcome = await work.run(task);
  } catch (error) {
    outcome = { values: {}, problems: [error instanceof Error ? error.message : String(error)] };
  }
  const figures = Object.entries(outcome.values).map(([key, value]) => `${key} ${value.toPrecision(4)}`);
  console.log(
    `${work.name} · ${task.target.name} · round ${round + 1} (${((Date.now() - start) / 1_000).toFixed(1)} s): ${figures.join(', ')}`,
  );
  for (const problem of outcome.problems) loud(`${work.name} · ${task.target.name}: ${problem}`);
  return { ...about, ...outcome };
}

/** @template T @param {readonly T[]} list @param {number} by @returns {T[]} */
function rotated(list, by) {
  const at = list.length === 0 ? 0 : by % list.length;
  return [...list.slice(at), ...list.slice(0, at)];
}

/**
 * @param {import('./options.mjs').Options} options
 * @param {import('./compile.mjs').Programs} programs
 * @param {readonly import('./target.mjs').Target[]} present
 */
async function runRounds(options, programs, present) {
  const chosen = options.parts.flatMap((name) => parts[name] ?? []);
  const records = [];
  for (let round = 0; round < options.rounds; round++) {
    for (const work of chosen) {
      if (work.isLong && round > 0) continue;
      for (const target of rotated(present.filter(work.suits), round))
        records.push(await runOne(work, { target, programs, options }, round));
    }
  }
  return records;
}

/** None of a run whose figures mean nothing. @param {import('./table.mjs').Results} results */
function goalsOf({ options, records, hundredThousand = [] }) {
  return options.isSmoke ? [] : goalResults([...records, ...crowdRecords(hundredThousand)]);
}

/** @param {import('./table.mjs').Results} results */
function show(results) {
  for (const block of blocksOf(results)) console.log(blockText(block));
  for (const crowd of results.hundredThousand ?? [])
    console.log(['', `== ${crowd.target}`, ...crowdLines(crowd)].join('\n'));
  for (const { title, lines } of placesOf(results.records))
    console.log(['', `== Where: ${title}`, ...lines].join('\n'));
  const goals = goalsOf(results).map(({ line }) => line);
  if (goals.length > 0) console.log(['', '== Goals', ...goals].join('\n'));
  console.log(['', ...missingLines(results), ...machineLines(results.machine)].join('\n'));
}

/** @param {import('./options.mjs').Options} options @returns {Promise<import('./table.mjs').Results>} */
async function measure(options) {
  const machine = describeMachine();
  const programs = compilePrograms();
  const chosen = targets.filter(({ name }) => options.targets.includes(name));
  const missing = await findMissing(chosen, programs);
  for (const line of missingLines({ missing })) console.log(line);
  const present = chosen.filter(({ name }) => missing[name] === undefined);
  const records = await runRounds(options, programs, present);
  const hundredThousand = [];
  if (options.parts.includes(HUNDRED_THOUSAND)) {
    for (const target of present.filter(({ hasWorkers }) => hasWorkers))
      hundredThousand.push(await runCrowd(target, programs, options));
  }
  return { machine, options, missing, records, hundredThousand };
}

/** @param {string} file @returns {import('./table.mjs').Results} */
function readResults(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** @param {readonly string[]} argv */
async function main(argv) {
  if (argv.includes('--help')) return console.log(usage);
  const options = readOptions(argv);
  if (options.from === undefined && !hasCompiler()) {
    loud('there is no C compiler (cc) here: nothing can be measured');
    process.exitCode = NO_COMPILER;
    return;
  }
  const results = options.from === undefined ? await measure(options) : joined(options.from.map(readResults));
  const file = options.json ?? path.join(outputFolder, 'results.json');
  if (options.from === undefined) writeFileSync(file, `${JSON.stringify(results)}\n`);
  show(results);
  if (options.from === undefined) console.log(`all of it: ${file}`);
  if (options.checks && goalsOf(results).some(({ isMet }) => !isMet)) process.exitCode = 1;
  if (options.writesResults) writeResults(results);
  if (options.writesResults) console.log(`written: ${resultsFile}`);
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
  process.once(signal, () => stopAll().then(() => process.exit(1)));
}

main(process.argv.slice(2)).catch(async (error) => {
  loud(error instanceof Error ? error.message : String(error));
  await stopAll();
  process.exit(1);
});
