// npm test [-- part-of-a-path ...]: sets a checkout up, runs the compiled test files side by side and
// ends on the line `N passed, N failed`, with `, N skipped` when there are any. What counts as a test
// is said in tap-file.mjs. Exit code 0 only when something ran and nothing failed.
import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { stageHoldfast } from './pack.mjs';
import { build, installPackages, root } from './setup.mjs';
import { withSourcePlaces } from './source-places.mjs';
import { ensureSystemPackages, isCalledBy } from './system-packages.mjs';
import { bundleTap } from './tap-bundle.mjs';
import { killRunningFiles, runTestFile } from './tap-file.mjs';

/** @typedef {{ source: string, compiled: string, edge?: string }} TestFile  paths from the root; with TEST_EDGE where there is an edge */

/**
 * Tests of the whole command that run once more with `edge: uws`, as they show what it is there for, or what its own code decides.
 * The others run with the edge that they name, or with the default one. Paths from the root.
 */
const withUws = [
  'proxy/test/e2e/codings/compression.test.ts',
  'proxy/test/e2e/holds/compressed-streams.test.ts',
  'proxy/test/e2e/holds/fan-out.test.ts',
  'proxy/test/e2e/holds/item-limits.test.ts',
  'proxy/test/e2e/holds/links.test.ts',
  'proxy/test/e2e/holds/slow-reader.test.ts',
  'proxy/test/e2e/proxy/cross-origin.test.ts',
  'proxy/test/e2e/proxy/origin-connections.test.ts',
  'proxy/test/e2e/proxy/origin-trust.test.ts',
];

/**
 * Lists tests by their TypeScript source, never by what lies in dist-test: a compiled file whose
 * source was removed stays there and must not run.
 *
 * @param {string[]} filters  a file is taken when its source path holds any of them; none takes all
 * @returns {TestFile[]}
 */
function findTests(filters) {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'node_modules')
    .flatMap(({ name }) => testsIn(path.join(name, 'test')).map((file) => ({ name, file })))
    .map(({ name, file }) => ({
      source: path.posix.join(name, 'test', file),
      compiled: path.posix.join(name, 'dist-test', file.replace(/\.ts$/, '.js')),
    }))
    .filter(({ source }) => filters.length === 0 || filters.some((part) => source.includes(part)))
    .sort((a, b) => a.source.localeCompare(b.source))
    .flatMap((file) => (withUws.includes(file.source) ? [file, { ...file, edge: 'uws' }] : [file]));
}

/** @param {string} folder */
function testsIn(folder) {
  try {
    return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.test.ts'))
      .map((file) => file.split(path.sep).join('/'));
  } catch {
    return [];
  }
}

/** @param {TestFile} file */
const nameOf = ({ source, edge }) => (edge === undefined ? source : `${source} with edge: ${edge}`);

/** Files at a time for each core: many wait for a timer or for another process most of the time. */
const LANES_PER_CORE = 1.5;

/**
 * Runs the files side by side and prints a line for each as it ends.
 *
 * @param {TestFile[]} files
 */
async function runAll(files) {
  const { Parser } = await import('tap-parser');
  const total = { passed: 0, skipped: 0, /** @type {string[]} */ reports: [], failed: 0 };
  const queue = [...files];
  const lane = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const result = await runTestFile(file.compiled, Parser, file.edge === undefined ? {} : { TEST_EDGE: file.edge });
      total.passed += result.passed;
      total.skipped += result.skipped;
      total.failed += result.failures.length;
      const word = result.failures.length > 0 ? 'FAIL' : 'ok  ';
      const skips = result.skipped > 0 ? `, ${result.skipped} skipped` : '';
      console.log(`${word} ${nameOf(file)} (${result.passed} passed${skips}, ${(result.ms / 1000).toFixed(1)} s)`);
      if (result.failures.length > 0) total.reports.push(report(file, result));
    }
  };
  await Promise.all(Array.from({ length: Math.ceil(availableParallelism() * LANES_PER_CORE) }, lane));
  return total;
}

/**
 * @param {TestFile} file
 * @param {import('./tap-file.mjs').FileResult} result
 */
function report(file, result) {
  const indent = (/** @type {string} */ text) => text.replace(/^/gm, '    ');
  const failures = result.failures.map(({ title, detail }) => `  ${title}\n${indent(detail)}`);
  const noise = result.noise.trim() === '' ? [] : [`  output of the file:\n${indent(result.noise.trimEnd())}`];
  return withSourcePlaces([`FAIL ${nameOf(file)}`, ...failures, ...noise].join('\n'));
}

/** @param {{ passed: number, failed: number, skipped: number }} total */
function finish({ passed, failed, skipped }) {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

async function main() {
  installPackages();
  const missing = ensureSystemPackages();
  build();
  // Read by proxy/test/kit/child.ts: the commands run as they are published, and start sooner than 500 files do.
  process.env.TEST_PACKAGE = await stageHoldfast();
  const unknown = withUws.filter((source) => !existsSync(path.join(root, source)));
  if (unknown.length > 0) throw new Error(`to be run with edge: uws, but not there: ${unknown.join(', ')}`);
  const found = findTests(process.argv.slice(2));
  bundleTap(new Set(found.map(({ source }) => source.split('/', 1)[0] ?? '')));
  const cannotRun = found.filter(({ source }) => missing.some((entry) => isCalledBy(source, entry)));
  for (const { source } of cannotRun) console.log(`skip ${source} (a system package is missing, see above)`);
  const total = await runAll(found.filter((file) => !cannotRun.includes(file)));
  if (total.reports.length > 0) console.log(`\n${total.reports.join('\n\n')}\n`);
  if (total.passed + total.failed === 0) console.log('No test was executed.');
  finish({ ...total, skipped: total.skipped + cannotRun.length });
}

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.once(signal, () => {
    killRunningFiles();
    process.exit(1);
  });
}

main().catch((error) => {
  console.log(error.message);
  finish({ passed: 0, failed: 1, skipped: 0 });
});
