/** Charts rendered by scripts/chart/render.go, as `helm template` does, and the manifests that come of it. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { root } from '../../kit/child.js';

// biome-ignore lint/suspicious/noExplicitAny: manifests of many kinds, of which each check reads what it is about
export type Manifest = any;

export type Values = Readonly<Record<string, unknown>>;

/** What became of one set of values: files by their names, or why there are none. */
export interface Rendered {
  readonly files: Readonly<Record<string, string>>;
  readonly error: string;
}

/**
 * Renders a chart with several sets of values.
 *
 * @param chart  path from the root
 * @param sets  values by the name of the set; they lie over the chart's own
 * @param namespace  of the release, whose name is `holdfast`
 */
export function render<Name extends string>(
  chart: string,
  sets: Readonly<Record<Name, Values>>,
  namespace: string,
): Readonly<Record<Name, Rendered>> {
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOFLAGS: '' };
  const job = {
    chart: join(root, chart),
    release: { Name: 'holdfast', Namespace: namespace, Service: 'Helm' },
    sets: Object.entries(sets).map(([name, values]) => ({ name, values })),
  };
  const cwd = join(root, 'scripts', 'chart');
  const run = spawnSync('go', ['run', 'render.go'], { cwd, env, input: JSON.stringify(job), encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`render.go: ${run.error ?? run.stderr}`);
  return JSON.parse(run.stdout);
}

/** The manifests in a text. @throws Error for what is no YAML */
export function manifestsIn(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() ?? [];
  });
}

/** The manifests of a set of values. @throws Error where it was refused */
export function manifestsOf({ files, error }: Rendered): Manifest[] {
  if (error) throw new Error(error);
  return Object.entries(files).flatMap(([file, text]) => (file.endsWith('.yaml') ? manifestsIn(text) : []));
}
