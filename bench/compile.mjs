// Compiles the bench's C programs when a run needs them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';

const sources = path.join(root, 'bench/c');
/** Where the programs and the JSON of a run go; not under version control. */
export const outputFolder = path.join(root, 'tmp/bench');

/** @typedef {{ load: string, origin: string, limit: string }} Programs  paths of executables */

/**
 * Compiles what is older than its sources.
 *
 * @returns {Programs}
 * @throws {Error} without a C compiler, or with what it complains of
 */
export function compilePrograms() {
  mkdirSync(outputFolder, { recursive: true });
  return { load: compile('load'), origin: compile('origin'), limit: compile('limit') };
}

/** True when `cc` can be run. */
export function hasCompiler() {
  return spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** @param {string} name */
function compile(name) {
  const program = path.join(outputFolder, name);
  if (isCurrent(program)) return program;
  const done = spawnSync('cc', ['-O2', '-Wall', '-o', program, path.join(sources, `${name}.c`)], { encoding: 'utf8' });
  if (done.error) throw new Error(`no C compiler (cc): ${done.error.message}`);
  if (done.status !== 0) throw new Error(`cc ${name}.c: ${done.stderr}`);
  return program;
}

/** @param {string} program */
function isCurrent(program) {
  try {
    const made = statSync(program).mtimeMs;
    return readdirSync(sources).every((file) => statSync(path.join(sources, file)).mtimeMs < made);
  } catch {
    return false;
  }
}
