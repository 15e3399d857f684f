/** What the container of a node finds in its pod: the files of its volumes, its variables and its arguments, in a folder. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Manifest } from './chart.js';

/** Where the chart mounts everything. */
const HOME = '/etc/holdfast';

/** The arguments and variables of a node, with paths in the folder. */
export interface Start {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Writes the volumes of a pod into a folder, each where it is mounted.
 *
 * @param secrets  what Secrets have, by key; a variable from a Secret gets its content by its key too
 * @param directory  stands for `/etc/holdfast`, in what is written as well
 * @throws Error when a volume names a ConfigMap that is not among the manifests, or a key that Secrets do not have
 */
export function writePod(
  pod: Manifest,
  manifests: readonly Manifest[],
  secrets: Readonly<Record<string, string>>,
  directory: string,
): Start {
  const [container] = pod.containers;
  const here = (text: string) => text.replaceAll(HOME, directory);
  const secretOf = (key: string) => {
    const content = secrets[key];
    if (content === undefined) throw new Error(`no Secret has ${key}`);
    return content;
  };
  for (const { name, mountPath } of container.volumeMounts) {
    const { configMap, secret } = pod.volumes.find((volume: Manifest) => volume.name === name);
    const folder = here(mountPath);
    mkdirSync(folder, { recursive: true });
    const map = manifests.find(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMap?.name);
    if (configMap && !map) throw new Error(`no ConfigMap ${configMap.name}`);
    for (const [file, text] of Object.entries<string>(map?.data ?? {})) writeFileSync(join(folder, file), here(text));
    for (const { key, path } of secret?.items ?? []) writeFileSync(join(folder, path), secretOf(key));
  }
  const variables: readonly (readonly [string, string])[] = container.env.map(
    ({ name, value, valueFrom }: Manifest) => [
      name,
      value === undefined ? secretOf(valueFrom.secretKeyRef.key) : here(value),
    ],
  );
  return { args: container.args.map(here), env: Object.fromEntries(variables) };
}
