/** The Helm charts of deploy/ as manifests, rendered by scripts/chart. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { root } from '../child.js';

/** Laid over the values of the chart. */
export type Values = Readonly<Record<string, unknown>>;

/** A manifest of any kind, of which each check reads what it is about. */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Manifest = any;

/** What became of a set of values: texts by the chart's files, or why the templates refused it. */
export interface Rendered {
  readonly files: Readonly<Record<string, string>>;
  readonly error: string;
}

/** The folder of the chart. */
export const chart = join(root, 'deploy', 'helm', 'holdfast');

/** What is rendered where it is not {@link chart} in the namespace `push`. */
export interface Release {
  readonly folder?: string;
  readonly namespace?: string;
}

/** Renders sets of values by name, all in one process, as the release `holdfast`. */
export async function renderChart<Name extends string>(
  sets: Readonly<Record<Name, Values>>,
  { folder = chart, namespace = 'push' }: Release = {},
): Promise<Readonly<Record<Name, Rendered>>> {
  const { renderChart: render } = await import(join(root, 'scripts', 'chart', 'render.mjs'));
  const named = Object.entries<Values>(sets).map(([name, values]) => ({ name, values }));
  return render(named, { Name: 'holdfast', Namespace: namespace, Service: 'Helm' }, folder);
}

/** Reads YAML of several documents, and throws what is wrong with it; documents with comments alone are left out. */
export function readManifests(text: string): Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS();
    })
    .filter(Boolean);
}

/** All manifests of a set, those of tests included. Throws what the templates refused. */
export function manifestsOf({ files, error }: Rendered): Manifest[] {
  if (error) throw new Error(error);
  return Object.entries(files)
    .filter(([file]) => file.endsWith('.yaml'))
    .flatMap(([, text]) => readManifests(text));
}

/** The specifications of all pods that a manifest makes. */
export function podsOf({ kind, spec }: Manifest): Manifest[] {
  if (kind === 'Pod') return [spec];
  return spec?.template?.spec?.containers ? [spec.template.spec] : [];
}
