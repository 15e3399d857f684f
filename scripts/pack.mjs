// npm run pack [-- folder]: writes the npm packages as tarballs, which install and run alone: holdfast has grip and control-api
// within it, their code in its own files (bundle.mjs) and their types in a folder, for bundled dependencies that are workspaces
// lose their own dependencies. What it writes is what is published:
//
//   npm publish ./tmp/packages/holdfast-<version>.tgz --provenance --access public
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { bundleCode, within } from './bundle.mjs';
import { build, installPackages, root } from './setup.mjs';

/** @typedef {{ name: string, file: string, size: number, unpackedSize: number, entryCount: number }} Tarball  `size` in bytes */

/** The folders of the packages, lowest first. */
const folders = ['grip', 'control-api', 'proxy'];

/** @param {string} folder @returns {Record<string, any>} */
function readManifest(folder) {
  return JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8'));
}

/** Code and types, without source maps: there are no sources in the package that they could lead to. @param {string} file */
const isPublished = (file) => !/\.(map|tsbuildinfo)$/.test(file);
/** Types alone, of what is bundled. @param {string} file */
const isType = (file) => isPublished(file) && !file.endsWith('.js');

/**
 * Copies what a package has been built to; takes out the lines that name source maps.
 *
 * @param {string} folder @param {string} to @param {(file: string) => boolean} filter
 */
function copyBuild(folder, to, filter) {
  cpSync(path.join(root, folder, 'dist'), to, { recursive: true, filter });
  for (const file of codeIn(to)) {
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(/^\/\/# sourceMappingURL=.*\n?/gm, ''));
  }
}

/** @param {string} folder @returns {string[]} */
function codeIn(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter((file) => /\.(js|d\.ts)$/.test(file)).map((file) => path.join(folder, file));
}

/**
 * Makes imports of the packages within lead to their place in this one.
 *
 * @param {string} stage
 * @throws {Error} for an import that it does not understand
 */
function linkWithin(stage) {
  for (const file of codeIn(stage)) {
    const text = readFileSync(file, 'utf8');
    const linked = text.replace(/(\bfrom |\bimport\(|\bimport )["'](@holdfast\/[\w-]+)["']/g, (whole, before, name) => {
      const folder = within.get(name);
      if (folder === undefined) return whole;
      const entry = path.relative(path.dirname(file), path.join(stage, 'within', folder, 'index.js'));
      return `${before}'${entry.startsWith('.') ? entry : `./${entry}`}'`;
    });
    const left = /^(?!\s*(?:\*|\/)).*['"]@holdfast\/.*$/m.exec(linked);
    if (left !== null) throw new Error(`${file}: not understood: ${left[0]}`);
    if (linked !== text) writeFileSync(file, linked);
  }
}

/**
 * The manifest as it is published: where the root names the repository of all packages, that is added, and what only a checkout needs is left out.
 *
 * @param {string} folder
 */
function publishedManifest(folder) {
  const { repository, homepage } = readManifest('.');
  const { scripts: _, ...own } = readManifest(folder);
  const places = repository && { repository: { ...repository, directory: folder }, homepage };
  const manifest = { ...own, ...places };
  if (folder !== 'proxy') return manifest;
  const all = folders.map(readManifest);
  const merged = (/** @type {string} */ kind) => {
    const entries = all.flatMap((one) => Object.entries(one[kind] ?? {})).filter(([name]) => !within.has(name));
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  const files = [...own.files, 'within', 'openapi.yaml'];
  return {
    ...manifest,
    files,
    dependencies: merged('dependencies'),
    optionalDependencies: merged('optionalDependencies'),
  };
}

/**
 * Fills a folder with a package as it is published.
 *
 * @param {string} folder @param {string} stage
 */
async function fillStage(folder, stage) {
  mkdirSync(stage, { recursive: true });
  cpSync(path.join(root, 'LICENSE'), path.join(stage, 'LICENSE'));
  cpSync(path.join(root, folder, 'README.md'), path.join(stage, 'README.md'));
  // Of holdfast itself too: who installs that gets the others within, without their folders.
  const api = path.join(root, 'control-api', 'openapi.yaml');
  if (folder === 'proxy' || folder === 'control-api') cpSync(api, path.join(stage, 'openapi.yaml'));
  if (folder === 'proxy') await fillCommand(stage);
  else copyBuild(folder, path.join(stage, 'dist'), isPublished);
  writeFileSync(path.join(stage, 'package.json'), `${JSON.stringify(publishedManifest(folder), null, 2)}\n`);
}

/** What only the package of the commands has. @param {string} stage */
async function fillCommand(stage) {
  for (const own of ['bin', 'ui']) cpSync(path.join(root, 'proxy', own), path.join(stage, own), { recursive: true });
  copyBuild('proxy', path.join(stage, 'dist'), isType);
  for (const inner of within.values()) copyBuild(inner, path.join(stage, 'within', inner), isType);
  linkWithin(stage);
  await bundleCode(path.join(stage, 'dist'));
}

/**
 * The package of the commands as it is published, where it finds the npm packages of this checkout; for test runs, which start the
 * commands from there. Each process has a folder for itself, so that two runs do not take it from each other.
 *
 * @returns {Promise<string>} its folder, which goes with the process
 */
export async function stageHoldfast() {
  const cache = path.join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const stage = mkdtempSync(path.join(cache, 'holdfast-'));
  process.once('exit', () => rmSync(stage, { recursive: true, force: true }));
  // Tests run it as users other than the one who made it.
  chmodSync(stage, 0o755);
  await fillStage('proxy', stage);
  return stage;
}

/**
 * Packs what is built. Nothing in the checkout changes but `to`, so that it may run beside tests.
 *
 * @param {string} to  a folder, made if it is missing
 * @returns {Promise<Tarball[]>} holdfast last
 */
export async function packPackages(to) {
  mkdirSync(to, { recursive: true });
  const stages = mkdtempSync(path.join(tmpdir(), 'holdfast-pack-'));
  try {
    for (const folder of folders) await fillStage(folder, path.join(stages, folder));
    const args = [
      'pack',
      ...folders.map((folder) => `./${folder}`),
      '--json',
      '--ignore-scripts',
      '--pack-destination',
      to,
    ];
    const report = JSON.parse(
      execFileSync('npm', args, { cwd: stages, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }),
    );
    // npm 12 reports by name.
    const packed = /** @type {any[]} */ (Array.isArray(report) ? report : Object.values(report));
    return packed.map(({ name, filename, size, unpackedSize, entryCount }) => {
      return { name, file: path.join(to, path.basename(filename)), size, unpackedSize, entryCount };
    });
  } finally {
    rmSync(stages, { recursive: true, force: true });
  }
}

async function main() {
  const [argument] = process.argv.slice(2);
  if (argument === '--refuse') {
    console.error('A workspace is not packed as it is: npm run pack, in the root, writes the tarballs.');
    process.exitCode = 1;
    return;
  }
  installPackages();
  build();
  for (const { name, file, size, unpackedSize, entryCount } of await packPackages(
    path.resolve(argument ?? path.join(root, 'tmp', 'packages')),
  )) {
    const kB = (/** @type {number} */ bytes) => `${Math.ceil(bytes / 1000)} kB`;
    console.log(
      `${name}: ${path.relative(process.cwd(), file)} (${kB(size)}, unpacked ${kB(unpackedSize)}, ${entryCount} files)`,
    );
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
