// Brings a checkout to the point where it can run: npm packages as the lock file says, then the
// TypeScript build; npm test, npm run demo and .ci/run all start here.
// Imports nothing from npm, because on a fresh clone nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The root of the checkout, without a trailing slash. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * Runs a command in the root and waits for it. Its output goes to stderr, so that the stdout of a
 * script holds only what that script reports.
 *
 * @param {string} command
 * @param {string[]} args
 * @throws {Error} when it cannot be started or exits other than 0
 */
export function runStep(command, args) {
  const line = [command === process.execPath ? 'node' : command, ...args].join(' ');
  process.stderr.write(`> ${line}\n`);
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (done.error) throw new Error(`${line}: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`${line}: exit ${done.status ?? done.signal}`);
}

/**
 * True when node_modules holds exactly what package-lock.json asks for. npm writes what it really
 * installed to node_modules/.package-lock.json, so two JSON files are compared and no package is
 * opened. Optional packages may be absent: they are the binaries of other systems.
 */
export function packagesAreCurrent() {
  const installedFile = path.join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return false;
  const wanted = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(installedFile, 'utf8')).packages;
  return Object.entries(wanted).every(([place, entry]) => {
    if (place === '') return true;
    const found = installed[place];
    if (!found) return Boolean(entry.optional || entry.devOptional);
    return found.version === entry.version && found.integrity === entry.integrity && found.link === entry.link;
  });
}

/**
 * Installs the npm packages when they are missing or differ from the lock file. `npm ci` refuses a lock
 * file that was written behind a registry mirror without the binaries of every system; the plain
 * install takes the same versions from it, and --no-save keeps it as it is.
 */
export function installPackages() {
  if (packagesAreCurrent()) return;
  const quiet = ['--no-audit', '--no-fund'];
  try {
    runStep('npm', ['ci', ...quiet]);
  } catch (error) {
    process.stderr.write(`WARNING: ${error instanceof Error ? error.message : error}; trying npm install\n`);
    runStep('npm', ['install', '--no-save', ...quiet]);
  }
}

/** Type checks and compiles all packages and their tests; a build that is up to date takes no time. */
export function build() {
  runStep(process.execPath, [path.join('node_modules', 'typescript', 'bin', 'tsc'), '-b']);
}
