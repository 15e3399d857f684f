// Binaries of versions of Node that Holdfast runs on, for tests. They come from npm, and stay in node_modules/.cache: as
// dependencies they would put another `node` before that of every npm script.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './setup.mjs';

/** The versions that are fetched, by major. */
const versions = { 20: '20.20.2', 22: '22.23.5', 24: '24.22.3' };

/** The majors that are tested. */
export const nodeMajors = /** @type {(keyof typeof versions)[]} */ (Object.keys(versions).map(Number));

/**
 * The path of a binary; it is fetched where this process has another version, and the platform is Linux.
 *
 * @param {keyof typeof versions} major
 * @returns {string}
 * @throws {Error} when npm cannot install it
 */
export function nodeBinary(major) {
  if (process.versions.node.split('.')[0] === String(major)) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const folder = path.join(root, 'node_modules', '.cache', 'holdfast-nodes', versions[major]);
  const binary = path.join(folder, 'node_modules', name, 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
  ];
  execFileSync('npm', [...args, `${name}@${versions[major]}`], { cwd: folder, stdio: ['ignore', 2, 2] });
  return binary;
}
