// npm run lint, second half: folders import downwards only; every library from npm is imported by exactly one source file,
// so that changing a library is a change of one file; and JSON of others is parsed in one place, within bounds. Directions
// of packages, and cycles of files, are checked by Biome (biome.json).
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { root } from './setup.mjs';

const packages = ['grip', 'control-api', 'proxy'];

/**
 * The folders of each package, lowest layer first, with the files of its root that have a layer. A file imports from lower
 * layers, from its own folder with what is in it, and from the other files of the root; never from a folder beside it in its
 * layer.
 *
 * @type {Record<string, string[][]>}
 */
const layers = {
  grip: [['errors.ts'], ['wire'], ['filters'], ['instruct'], ['ws'], ['item']],
  'control-api': [
    ['runtime', 'tracing'],
    ['http', 'stats', 'backplane', 'webhooks'],
    ['auth', 'cluster', 'zmq'],
    ['occupancy'],
    ['presence'],
    ['views', 'events'],
    ['callbacks'],
  ],
  proxy: [
    ['runtime'],
    ['errors.ts'],
    ['http', 'websocket'],
    ['config'],
    ['edge', 'routes', 'commands'],
    ['compression', 'admin', 'cross-origin', 'origin'],
    ['answers', 'channels', 'clients', 'decoding', 'tracing'],
    ['links', 'sockjs', 'direct'],
    ['delivery'],
    ['history'],
    ['holds', 'sessions'],
    ['xmpp'],
    ['request'],
    ['telemetry'],
    ['app'],
  ],
};

/** @param {string} file  from the root @returns {string | undefined} its folder below `src`, or itself where it has a layer */
function layeredPart(file) {
  const [name = '', , part = ''] = file.split(path.sep);
  return layers[name]?.some((parts) => parts.includes(part)) || file.split(path.sep).length > 3 ? part : undefined;
}

/** @param {string} file @param {string} specifier @returns {string | undefined} what is wrong with the import */
function wrongDirection(file, specifier) {
  if (!specifier.startsWith('.')) return undefined;
  const target = path.join(path.dirname(file), specifier).replace(/\.js$/, '.ts');
  const [from, to] = [layeredPart(file), layeredPart(target)];
  if (from === undefined || to === undefined || from === to) return undefined;
  const order = layers[file.split(path.sep, 1)[0] ?? ''] ?? [];
  const level = (/** @type {string} */ folder) => order.findIndex((folders) => folders.includes(folder));
  const [above, below] = [level(from), level(to)];
  if (above < 0 || below < 0)
    return `${file}: the folder ${above < 0 ? from : to} has no layer (scripts/check-imports.mjs)`;
  return below < above ? undefined : `${file} imports ${specifier}: ${from} may not use ${to}`;
}
const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')`, `import.meta.resolve('x')` and `require('x')`, types included. */
const imports = /(?:\bfrom|\bimport|\bimport\s*\(|\bimport\.meta\.resolve\s*\(|\brequire\s*\()\s*(['"`])([^'"`\n]+)\1/g;

/** @param {string} specifier @returns {string | undefined} the npm package it names, undefined when it is none of them */
function libraryOf(specifier) {
  if (specifier.startsWith('.') || specifier.startsWith('@holdfast/') || isBuiltin(specifier)) return undefined;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** @param {string} name @returns {string[]} TypeScript sources of a package, paths from the root */
function sourcesOf(name) {
  return readdirSync(path.join(root, name, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.join(name, 'src', file));
}

/**
 * Where JSON.parse may stand: in the one reader for JSON of others, for a file that comes with the package, and for what another
 * process of the same node has written.
 */
const parsers = new Set(
  ['grip/src/wire/json.ts', 'proxy/src/package-files.ts', 'control-api/src/backplane/workers/message-bytes.ts'].map(
    (file) => path.join(...file.split('/')),
  ),
);

/** @type {string[]} */
const complaints = [];
/** @type {Map<string, Set<string>>} library → files that import it */
const importers = new Map();
for (const file of packages.flatMap(sourcesOf)) {
  const code = readFileSync(path.join(root, file), 'utf8').replace(comments, '');
  for (const [, , specifier] of code.matchAll(imports)) {
    const wrong = wrongDirection(file, specifier);
    if (wrong !== undefined) complaints.push(wrong);
    const library = libraryOf(specifier);
    if (library) importers.set(library, (importers.get(library) ?? new Set()).add(file));
  }
  if (/\bJSON\.parse\b/.test(code) && !parsers.has(file)) {
    complaints.push(`${file} parses JSON without bounds: readJson of @holdfast/grip has them`);
  }
}

for (const [library, files] of importers) {
  if (files.size > 1) complaints.push(`${library} has ${files.size} importers: ${[...files].sort().join(', ')}`);
}
for (const name of packages) {
  const { dependencies = {} } = JSON.parse(readFileSync(path.join(root, name, 'package.json'), 'utf8'));
  for (const library of Object.keys(dependencies)) {
    if (library.startsWith('@holdfast/') || importers.has(library)) continue;
    complaints.push(`${library} is a dependency of ${name} that nothing imports`);
  }
}
for (const complaint of complaints) console.error(complaint);
process.exitCode = complaints.length > 0 ? 1 : 0;
