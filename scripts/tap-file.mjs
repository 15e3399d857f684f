// Runs one compiled test file within its time limit, reads its TAP, and says what came of it.
import { spawn } from 'node:child_process';
import { root } from './setup.mjs';

/** A file that hangs must not hold up the run for ever; on a slow machine the slowest one, the bench, takes four minutes. */
const FILE_LIMIT_MS = 10 * 60_000;
/** Output kept of a file for its failure report, in characters: enough for a stack, bounded for a log loop. */
const NOISE_LIMIT = 20_000;

/**
 * @typedef {{ title: string, detail: string }} Failure
 * @typedef {{ passed: number, skipped: number, failures: Failure[], noise: string, ms: number }} FileResult
 */

/**
 * Counts one TAP stream into `result`.
 *
 * A test is a subtest that has no subtests of its own, or an assertion outside any such. Assertions
 * inside a test are not counted: one behaviour counts as one, however many lines check it.
 *
 * @param {import('tap-parser').Parser} parser
 * @param {string[]} titles  names of the enclosing subtests
 * @param {FileResult} result
 */
function countTests(parser, titles, result) {
  const suite = { subtests: 0, /** @type {import('tap-parser').Result[]} */ assertions: [] };
  /** @type {{ inner: { subtests: number, assertions: import('tap-parser').Result[] }, failuresBefore: number } | undefined} */
  let open;
  parser.on('child', (child) => {
    suite.subtests += 1;
    open = { inner: countTests(child, [...titles, child.name], result), failuresBefore: result.failures.length };
  });
  parser.on('assert', (point) => {
    if (!open) {
      suite.assertions.push(point);
      if (titles.length === 0) countPoint(point, titles, result);
      return;
    }
    const { inner, failuresBefore } = open;
    open = undefined;
    if (inner.subtests === 0) {
      countPoint(point, titles, result, inner.assertions);
      return;
    }
    for (const loose of inner.assertions) countPoint(loose, [...titles, point.name], result);
    // A suite can fail by itself, for instance when a subtest outlives it.
    if (!point.ok && result.failures.length === failuresBefore) countPoint(point, titles, result);
  });
  return suite;
}

/**
 * @param {import('tap-parser').Result} point
 * @param {string[]} titles
 * @param {FileResult} result
 * @param {import('tap-parser').Result[]} assertions  those inside the test, which tell why it failed
 */
function countPoint(point, titles, result, assertions = []) {
  if (point.skip || point.todo) result.skipped += 1;
  else if (point.ok) result.passed += 1;
  else {
    const causes = assertions.filter((assertion) => !assertion.ok && !assertion.todo);
    const detail = causes.length > 0 ? causes.map((cause) => `${cause.name}\n${describe(cause)}`) : [describe(point)];
    result.failures.push({ title: [...titles, point.name].join(' > '), detail: detail.join('\n') });
  }
}

/** @param {import('tap-parser').Result} point */
function describe(point) {
  const { diff, at, stack, source, ...rest } = point.diag ?? {};
  const place = at?.fileName ? `at ${at.fileName}:${at.lineNumber}:${at.columnNumber}` : '';
  const lines = [typeof diff === 'string' ? diff : JSON.stringify(rest, null, 2), stack ?? place];
  return lines
    .filter((line) => line && line !== '{}')
    .join('\n')
    .trimEnd();
}

/**
 * Runs a test file in its own process and process group, so that on a timeout whatever it started
 * ends with it.
 *
 * @param {string} file  compiled test, path from the root
 * @param {typeof import('tap-parser').Parser} Parser  passed in, because it may be imported only after npm has installed it
 * @param {Record<string, string>} [env]  added to the environment
 * @returns {Promise<FileResult>} a crash, a timeout, a broken TAP stream and a file without a single test each
 *   appear as a failure
 */
export function runTestFile(file, Parser, env = {}) {
  const started = Date.now();
  /** @type {FileResult} */
  const result = { passed: 0, skipped: 0, failures: [], noise: '', ms: 0 };
  const parser = new Parser();
  countTests(parser, [], result);
  /** @param {string} text */
  const note = (text) => {
    result.noise = (result.noise + text).slice(-NOISE_LIMIT);
  };
  parser.on('extra', note);

  return new Promise((resolve) => {
    const child = spawn(process.execPath, [file], {
      cwd: root,
      // In seconds; tap gives a file 30 otherwise, which a busy machine can take for any of them.
      env: { TAP_TIMEOUT: String(FILE_LIMIT_MS / 1000), ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
    });
    running.add(child);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child);
    }, FILE_LIMIT_MS);
    child.stdout.pipe(/** @type {any} */ (parser));
    child.stderr.setEncoding('utf8').on('data', note);
    const streamRead = new Promise((done) => parser.on('complete', done));
    child.on('close', async (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      const tap = await streamRead;
      result.ms = Date.now() - started;
      const problem = fileProblem(tap, result, timedOut, code, signal);
      if (problem) result.failures.push({ title: '(whole file)', detail: problem });
      resolve(result);
    });
  });
}

/** What is wrong with the file as a whole, beyond the failures already counted; '' when nothing is. */
function fileProblem(tap, result, timedOut, code, signal) {
  if (timedOut) return `did not end within ${FILE_LIMIT_MS / 60_000} minutes, or left a process behind`;
  if (signal) return `ended by ${signal}`;
  if (result.failures.length > 0) return '';
  if (tap.bailout) return `bailed out: ${tap.bailout}`;
  if (code !== 0) return `exit code ${code}`;
  if (!tap.ok) return `incomplete TAP: ${JSON.stringify(tap.failures)}`;
  if (result.passed + result.skipped > 0) return '';
  // `1..0 # reason` skips the whole file on purpose; tap also writes it for a file without tests.
  if (tap.plan?.skipAll && tap.plan.comment !== 'no tests found') {
    result.skipped += 1;
    return '';
  }
  return 'ran no test';
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** @param {import('node:child_process').ChildProcess} child */
function killGroup(child) {
  if (child.pid === undefined) return;
  try {
    process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

/** Ends all test files that still run, with what they started; for Ctrl-C. */
export function killRunningFiles() {
  for (const child of running) killGroup(child);
}
