// node scripts/bundle.mjs FOLDER: writes the code of the holdfast package as it is published, of what has been built: a few files,
// each of many modules. Node looks up, reads and links every module by itself, which for the 500 of a node takes a third of its start
// (bench/start.mjs).
import { readFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
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
 * Whether a package is one of CommonJS modules.
 *
 * @param {string} name @param {string} importer  the folder of who imports it
 */
function isCommonJs(name, importer) {
  const file = createRequire(path.join(importer, 'importer.js')).resolve(name);
  const folder = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file)?.[0];
  if (folder === undefined) throw new Error(`${name} is no package: ${file}`);
  const { type } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return file.endsWith('.cjs') || (file.endsWith('.js') && type !== 'module');
}

/**
 * Makes static imports of CommonJS packages calls of `require`. Node reads each such module that is imported for the names that it
 * exports, in JavaScript that gets hot enough to be compiled: a fifth of a start.
 *
 * @type {import('esbuild').Plugin}
 */
const requirePackages = {
  name: 'require packages',
  setup(build) {
    const namespace = 'required';
    build.onResolve({ filter: /^[^./]/ }, ({ path: name, kind, resolveDir }) => {
      if (kind !== 'import-statement' || isBuiltin(name) || within.has(name)) return undefined;
      return isCommonJs(name, resolveDir) ? { path: name, namespace } : undefined;
    });
    build.onLoad({ filter: /^/, namespace }, ({ path: name }) => ({
      contents: `module.exports = require(${JSON.stringify(name)});`,
      resolveDir: root,
    }));
  },
};

/**
 * Bundles proxy/dist, which must have been built, into `to`: the entries at their paths, shared code beside them in `to` itself,
 * so that what looks for a file of the package from there finds it (proxy/src/package-files.ts). Names of functions
 * stay, for stack traces.
 *
 * @param {string} to  a folder; files in it that have none of the names stay
 */
export async function bundleCode(to) {
  // Not there yet when a script that imports this file starts in a fresh clone.
  const { build } = await import('esbuild');
  const dist = path.join(root, 'proxy', 'dist');
  await build({
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
    plugins: [requirePackages],
    banner: {
      js: "import { createRequire as bundleRequire } from 'node:module';\nconst require = bundleRequire(import.meta.url);",
    },
    alias: Object.fromEntries([...within].map(([name, folder]) => [name, path.join(root, folder, 'dist', 'index.js')])),
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [, , folder] = process.argv;
  if (folder === undefined) throw new Error('usage: node scripts/bundle.mjs FOLDER');
  await bundleCode(path.resolve(folder));
}
