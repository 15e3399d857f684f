// npm run kustomize [-- --check]: writes deploy/kustomize/base from the chart with its default values, so that the two cannot
// differ. With --check it fails when a file is out of date. Needs Go with sprig.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseAllDocuments, stringify } from 'yaml';
import { root } from '../setup.mjs';
import { renderChart } from './render.mjs';

const base = path.join(root, 'deploy', 'kustomize', 'base');
const head = '# From deploy/helm/holdfast with its default values, by `npm run kustomize`: edit that.\n';
/** Labels that say that Helm manages an object. */
const helms = ['app.kubernetes.io/managed-by', 'helm.sh/chart'];

/**
 * A manifest of the chart without what is Helm's or a release's: overlays name the namespace, and kustomize makes the pods
 * follow holdfast.yaml by the name of its ConfigMap.
 *
 * @param {any} manifest  changed in place
 */
function withoutHelm({ metadata, spec }) {
  delete metadata.namespace;
  for (const label of helms) delete metadata.labels[label];
  const annotations = spec?.template?.metadata?.annotations;
  if (annotations === undefined) return;
  delete annotations['checksum/config'];
  if (Object.keys(annotations).length === 0) delete spec.template.metadata.annotations;
}

/** @returns {Map<string, string>} the text of each generated file of the base, by its path */
export function baseFiles() {
  const release = { Name: 'holdfast', Namespace: 'default', Service: 'kustomize' };
  const { files, error } = /** @type {import('./render.mjs').Outcome} */ (
    renderChart([{ name: 'base', values: {} }], release).base
  );
  if (error) throw new Error(error);
  const manifests = Object.entries(files)
    .filter(([file]) => /^templates\/[^/]+\.yaml$/.test(file))
    .flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS()))
    .filter(Boolean);
  /** @type {Map<string, string>} */
  const texts = new Map();
  for (const manifest of manifests) {
    withoutHelm(manifest);
    const { kind, data } = manifest;
    if (data?.['holdfast.yaml'] !== undefined) {
      texts.set(path.join(base, 'holdfast.yaml'), `${head}${data['holdfast.yaml']}`);
      continue;
    }
    const file = path.join(base, `${kind === 'ConfigMap' ? 'routes' : kind.toLowerCase()}.yaml`);
    if (texts.has(file)) throw new Error(`two manifests for ${file}`);
    texts.set(file, `${head}${stringify(manifest, { lineWidth: 0 })}`);
  }
  return texts;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const check = process.argv.includes('--check');
  for (const [file, text] of baseFiles()) {
    const name = path.relative(root, file);
    let current = '';
    try {
      current = readFileSync(file, 'utf8');
    } catch {}
    if (current === text) continue;
    if (check) {
      console.error(`${name} is out of date: npm run kustomize`);
      process.exitCode = 1;
    } else {
      writeFileSync(file, text);
      console.log(`wrote ${name}`);
    }
  }
}
