// What .github/workflows/release.yml needs of this repository.
//
//   node scripts/release.mjs check v0.1.0                           whether all versions are the one of the tag; writes it
//   node scripts/release.mjs chart tmp/chart ghcr.io/me/holdfast    copies the chart, with this image as its default
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './setup.mjs';

/** Each place that has the version, with the pattern that finds it. @type {[file: string, pattern: RegExp][]} */
const places = [
  ...['.', 'grip', 'control-api', 'proxy'].map(
    (folder) => /** @type {[string, RegExp]} */ ([path.join(folder, 'package.json'), /^ {2}"version": "(.*)",$/m]),
  ),
  ['deploy/helm/holdfast/Chart.yaml', /^version: (.*)$/m],
  ['deploy/helm/holdfast/Chart.yaml', /^appVersion: "(.*)"$/m],
  ['deploy/argocd/apps/values.yaml', /^holdfast:\n(?: .*\n)*? {2}version: (.*)$/m],
];

/**
 * @param {string} tag  `v` and a version
 * @returns {string} the version
 * @throws {Error} that says each place with another one
 */
export function checkVersions(tag) {
  const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1];
  if (version === undefined) throw new Error(`${tag} is not v and a version`);
  const wrong = places.flatMap(([file, pattern]) => {
    const found = pattern.exec(readFileSync(path.join(root, file), 'utf8'))?.[1];
    return found === version ? [] : [`${file}: ${found ?? 'no version'}`];
  });
  if (wrong.length > 0) throw new Error(`the tag says ${version}, but\n${wrong.join('\n')}`);
  return version;
}

/**
 * Copies the chart for publication: who installs it from a registry has no image of one's own.
 *
 * @param {string} to  a folder that is not there
 * @param {string} image  without tag
 */
export function copyChart(to, image) {
  if (!/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9._-]+)+$/.test(image)) throw new Error(`${image} is no image of a registry`);
  cpSync(path.join(root, 'deploy', 'helm', 'holdfast'), to, { recursive: true, errorOnExist: true, force: false });
  const file = path.join(to, 'values.yaml');
  const text = readFileSync(file, 'utf8');
  const line = /^(image:\n(?: .*\n)*? {2}repository: )holdfast$/m;
  if (!line.test(text)) throw new Error('values.yaml: image.repository is not where it was');
  writeFileSync(file, text.replace(line, `$1${image}`));
}

/** @param {string[]} args */
function main([command, first = '', second = '']) {
  try {
    if (command === 'check') console.log(checkVersions(first));
    else if (command === 'chart' && first !== '') copyChart(path.resolve(first), second);
    else throw new Error('release.mjs check <tag> | chart <folder> <image>');
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main(process.argv.slice(2));
