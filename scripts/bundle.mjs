// node scripts/bundle.mjs FOLDER: writes the code of the holdfast package as it is published, of what has been built: a few files,
// each of many modules. Node looks up, reads and links every module by itself, which for the 500 of a node takes a third of its start
// (bench/start.mjs).
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './setup.mjs';

/**
 * The workspaces whose code goes into the files, by the name that the code has for them. Packages of others stay imports: what
 * is installed of them, and its version, must be there for an operator's tools to see.
 */
export const within = new Map([
  ['@holdfast/grip', 'grip'],
  ['@holdfast/control-api', 'control-api'],
]);

/** The modules that are asked for by path from outside of the code: by the commands in bin, by node:cluster, and by those who embed a node. */
const entries = [
  'index.js',
  'cli.js',
  'app/load-config.js',
  'app/workers/worker.js',
  'commands/publish.js',
  'runtime/start-up.js',
];

/**
 * Bundles proxy/dist, which must have been built, into `to`: the entries at their paths, shared code beside them in `to` itself,
 * so that what looks for a file of the package from there finds it (proxy/src/package-files.ts). Names of functions
 * stay, for stack traces.
 *
 * @param {string} to  a folder; files in it that have none of the names stay
 */
export function bundleCode(to) {
  // Not there yet when a script that imports this file starts in a fresh clone.
  const { buildSync } = createRequire(import.meta.url)('esbuild');
  const dist = path.join(root, 'proxy', 'dist');
  buildSync({
    entryPoints: entries.map((entry) => path.join(dist, entry)),
    outbase: dist,
    outdir: to,
    chunkNames: '[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    alias: Object.fromEntries([...within].map(([name, folder]) => [name, path.join(root, folder, 'dist', 'index.js')])),
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , folder] = process.argv;
  if (folder === undefined) throw new Error('usage: node scripts/bundle.mjs FOLDER');
  bundleCode(path.resolve(folder));
}
