// Compiles the bench's C programs when a run needs them.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';

const sources = path.join(root, 'bench/c');
/** Where the programs and the JSON of a run go; not under version control. */
export const outputFolder = path.join(root, 'tmp/bench');

/** @typedef {{ load: string, origin: string, limit: string, speaksTls: boolean }} Programs  paths of executables, and whether the load speaks TLS */

/** Of the load alone, where there is OpenSSL to compile it with. */
const WITH_TLS = ['-DBENCH_TLS', '-lssl', '-lcrypto'];

/**
 * Compiles what is older than its sources.
 *
 * @returns {Programs}
 * @throws {Error} without a C compiler, or with what it complains of
 */
export function compilePrograms() {
  mkdirSync(outputFolder, { recursive: true });
  const speaksTls = hasOpenssl();
  const load = speaksTls ? compile('load', 'load-tls', WITH_TLS) : compile('load');
  return { load, origin: compile('origin'), limit: compile('limit'), speaksTls };
}

/** True when there are the headers and libraries of OpenSSL. */
function hasOpenssl() {
  const include = '#include <openssl/ssl.h>\nint main(void) { return SSL_CTX_new(TLS_client_method()) == NULL; }\n';
  const output = path.join(outputFolder, 'has-openssl');
  return spawnSync('cc', ['-x', 'c', '-', '-o', output, ...WITH_TLS], { input: include }).status === 0;
}

/** True when `cc` can be run. */
export function hasCompiler() {
  return spawnSync('cc', ['--version'], { stdio: 'ignore' }).status === 0;
}

/** @param {string} name @param {string} [output] @param {readonly string[]} [flags] */
function compile(name, output = name, flags = []) {
  const program = path.join(outputFolder, output);
  if (isCurrent(program)) return program;
  const args = ['-O2', '-Wall', '-o', program, path.join(sources, `${name}.c`), ...flags];
  const done = spawnSync('cc', args, { encoding: 'utf8' });
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
