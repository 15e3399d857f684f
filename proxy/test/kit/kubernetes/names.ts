/** Names, labels and annotations of Kubernetes manifests: rules of the API server that the published types do not have. */

/** RFC 1123 subdomain: the name of most objects. */
const name = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelKey = /^([a-z0-9][-a-z0-9.]{0,252}\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?$/;

interface Metadata {
  readonly name?: unknown;
  readonly generateName?: unknown;
  readonly labels?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, unknown>>;
}

function wrongMetadata({ labels = {}, annotations = {} }: Metadata, path: string): string[] {
  return [
    ...Object.entries(labels).flatMap(([key, value]) =>
      labelKey.test(key) && labelValue.test(String(value)) ? [] : [`${path}/labels/${key}: not a label: ${value}`],
    ),
    ...Object.keys(annotations).flatMap((key) =>
      labelKey.test(key) ? [] : [`${path}/annotations/${key}: not the name of an annotation`],
    ),
  ];
}

/** @returns names and labels, of the object and of the pods that it makes, that an API server refuses, with their paths */
export function wrongNames(manifest: object): string[] {
  const { metadata = {}, spec } = manifest as { metadata?: Metadata; spec?: { template?: { metadata?: Metadata } } };
  const own = metadata.name ?? metadata.generateName;
  return [
    ...(typeof own === 'string' && own.length <= 253 && name.test(own) ? [] : [`/metadata/name: not a name: ${own}`]),
    ...wrongMetadata(metadata, '/metadata'),
    ...wrongMetadata(spec?.template?.metadata ?? {}, '/spec/template/metadata'),
  ];
}
