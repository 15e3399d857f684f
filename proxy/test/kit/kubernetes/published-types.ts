/**
 * Kubernetes manifests held against the types that are published for their kinds, as packages of npm: what an API server
 * would refuse of their form. Two looks at each, because each sees what the other does not: the validator of the package has
 * patterns, bounds and required fields; its TypeScript types know all fields, so that a field that nobody reads is found.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { root } from '../child.js';
import { wrongNames } from './names.js';

/** A manifest, and where it is from for messages: a file, or a file and its values. */
export interface Sourced {
  readonly from: string;
  readonly manifest: unknown;
}

/** What every manifest has. */
interface Kind {
  readonly apiVersion: string;
  readonly kind: string;
}

/** A class of the packages; `validate` throws an error whose message has a path for each fault. */
type Model = new (manifest: object) => { validate(): void };

/** Packages by the group of a kind; the groups of Kubernetes itself are in `kubernetes-models`. */
const packages: Readonly<Record<string, string>> = {
  'external-secrets.io': '@kubernetes-models/external-secrets',
  'gateway.networking.k8s.io': '@kubernetes-models/gateway-api',
  'keda.sh': '@kubernetes-models/keda',
  'monitoring.coreos.com': '@kubernetes-models/prometheus-operator',
};

/** Argo CD and Argo Rollouts share a group. */
const argoCd = new Set(['Application', 'ApplicationSet', 'AppProject']);

/**
 * Versions whose types are those of another. external-secrets.io/v1 took over all fields of v1beta1; the package that has
 * it needs a newer Node than this repository.
 */
const typedAs: Readonly<Record<string, string>> = { 'external-secrets.io/v1': 'external-secrets.io/v1beta1' };

/** @returns the module of a kind's type, or undefined where the manifest does not say what it is */
function moduleOf(manifest: unknown): (Kind & { readonly module: string }) | undefined {
  const { apiVersion: version, kind } = (manifest ?? {}) as Partial<Kind>;
  if (typeof version !== 'string' || !/^[\w./-]+$/.test(version)) return undefined;
  if (typeof kind !== 'string' || !/^\w+$/.test(kind)) return undefined;
  const apiVersion = typedAs[version] ?? version;
  const [group = ''] = apiVersion.split('/');
  const argo = argoCd.has(kind) ? '@kubernetes-models/argo-cd' : '@kubernetes-models/argo-rollouts';
  const name = group === 'argoproj.io' ? argo : (packages[group] ?? 'kubernetes-models');
  return { apiVersion, kind, module: `${name}/${apiVersion}/${kind}` };
}

/** @returns the class of a kind, or undefined where no package has it */
async function modelOf(module: string, kind: string): Promise<Model | undefined> {
  try {
    return ((await import(module)) as Record<string, Model>)[kind];
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ERR_MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined;
    throw error;
  }
}

/** @returns what the validator of the kind's package finds, each with the path in the manifest */
function wrongValues(Model: Model, manifest: object): string[] {
  try {
    new Model(manifest).validate();
    return [];
  } catch (error) {
    return (error as Error).message.split(', data').map((line) => line.replace(/^data/, ''));
  }
}

/** A line of a literal in TypeScript, and the path of the value that begins there. */
interface Line {
  readonly text: string;
  readonly path: string;
}

function literal(value: unknown, path: string, before: string): Line[] {
  if (typeof value !== 'object' || value === null) return [{ text: `${before}${JSON.stringify(value)},`, path }];
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  const inner = Array.isArray(value)
    ? value.flatMap((each, index) => literal(each, `${path}/${index}`, ''))
    : Object.entries(value).flatMap(([key, each]) => literal(each, `${path}/${key}`, `[${JSON.stringify(key)}]: `));
  return [{ text: `${before}${open}`, path }, ...inner, { text: `${close},`, path }];
}

/** @returns what the compiler says of literals with the types of their kinds, by the index of the manifest */
async function wrongTypes(typed: readonly { module: string; kind: string; manifest: object }[]): Promise<string[][]> {
  const found: string[][] = typed.map(() => []);
  const lines = typed.flatMap(({ module, kind, manifest }, index) => [
    { index, path: '', text: `export const m${index}: import('${module}').I${kind}[] = [` },
    ...literal(manifest, '', '').map((line) => ({ ...line, index })),
    { index, path: '', text: '];' },
  ]);
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-kubernetes-'));
  try {
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    writeFileSync(join(directory, 'manifests.ts'), lines.map(({ text }) => text).join('\n'));
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--pretty', 'false', '--module', 'nodenext'];
    const compiler = join(root, 'node_modules', '.bin', 'tsc');
    const child = spawn(compiler, [...flags, 'manifests.ts'], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
    const output = await text(child.stdout);
    const status = await ended;
    for (const [, line, message = ''] of output.matchAll(/^manifests\.ts\((\d+),\d+\): error (.*)$/gm)) {
      const { index = 0, path = '' } = lines[Number(line) - 1] ?? {};
      found[index]?.push(`${path}: ${message.slice(0, 300)}`);
    }
    if (status !== 0 && found.flat().length === 0) throw new Error(`tsc ended with ${status}: ${output}`);
    return found;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * All that is wrong with the form of manifests, in one run for all of them, since the compiler reads large types.
 *
 * @returns one line for each fault: where the manifest is from, its kind, the path in it, and what is wrong; empty when
 *   an API server with the definitions of these kinds would take them all
 */
export async function wrongManifests(manifests: readonly Sourced[]): Promise<string[]> {
  const complaints: string[] = [];
  const typed: { from: string; module: string; kind: string; manifest: object }[] = [];
  for (const { from, manifest } of manifests) {
    const type = moduleOf(manifest);
    if (type === undefined) {
      complaints.push(`${from}: a manifest without apiVersion and kind: ${JSON.stringify(manifest)?.slice(0, 100)}`);
      continue;
    }
    const { module, kind, apiVersion } = type;
    const each = { from: `${from}: ${kind}`, module, kind, manifest: { ...(manifest as object), apiVersion } };
    const model = await modelOf(module, kind);
    if (model === undefined) {
      complaints.push(`${each.from}: no published type (${module})`);
      continue;
    }
    const wrong = [...wrongValues(model, each.manifest), ...wrongNames(each.manifest)];
    complaints.push(...wrong.map((fault) => `${each.from}: ${fault}`));
    typed.push(each);
  }
  const faults = await wrongTypes(typed);
  return [
    ...complaints,
    ...typed.flatMap(({ from }, index) => (faults[index] ?? []).map((fault) => `${from}: ${fault}`)),
  ];
}
