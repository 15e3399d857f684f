// npm run lint, second half: every library from npm is imported by exactly one source file, so that
// changing a library is a change of one file; and JSON of others is parsed in one place, within bounds. Directions and
// cycles are checked by Biome (biome.json).
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { root } from './setup.mjs';

const packages = ['grip', 'control-api', 'proxy'];
const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
/** `import … from 'x'`, `export … from 'x'`, `import 'x'`, `import('x')` and `require('x')`, types included. */
const imports = /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*(['"`])([^'"`\n]+)\1/g;

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

/** Where JSON.parse may stand: at the door for JSON of others, and for a file that comes with the package. */
const parsers = new Set(['grip/src/json.ts', 'proxy/src/version.ts'].map((file) => path.join(...file.split('/'))));

/** @type {string[]} */
const complaints = [];
/** @type {Map<string, Set<string>>} library → files that import it */
const importers = new Map();
for (const file of packages.flatMap(sourcesOf)) {
  const code = readFileSync(path.join(root, file), 'utf8').replace(comments, '');
  for (const [, , specifier] of code.matchAll(imports)) {
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
