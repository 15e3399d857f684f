/** What manifests that are applied together name of each other: each name is there, and each selector finds something. */
import { type Manifest, podsOf } from './chart.js';

type Labels = Readonly<Record<string, string>>;

const matches = (selector: Labels, labels: Labels = {}) =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);

/** Pods with their labels: those of workloads, and single ones. */
function allPods(manifests: readonly Manifest[]): { labels: Labels; pod: Manifest }[] {
  return manifests.flatMap((manifest) =>
    podsOf(manifest).map((pod) => ({
      labels: (manifest.kind === 'Pod' ? manifest.metadata : manifest.spec.template.metadata).labels,
      pod,
    })),
  );
}

const portsOf = (pod: Manifest): Manifest[] => pod.containers.flatMap(({ ports = [] }: Manifest) => ports);
const hasPort = (pod: Manifest, port: unknown) =>
  portsOf(pod).some(({ name, containerPort }) => name === port || containerPort === port);

function ofPod(pod: Manifest, manifests: readonly Manifest[]): string[] {
  const volumes: Manifest[] = pod.volumes ?? [];
  const own = (kind: string, name: string) =>
    manifests.some((each) => each.kind === kind && each.metadata.name === name);
  const claims = manifests.flatMap(({ spec }) => spec?.volumeClaimTemplates ?? []);
  const names = [...volumes, ...claims.map(({ metadata }: Manifest) => metadata)].map(({ name }: Manifest) => name);
  const account = pod.serviceAccountName;
  return [
    ...(account && account !== 'default' && !own('ServiceAccount', account) ? [`no ServiceAccount ${account}`] : []),
    ...volumes
      .filter(({ configMap }) => configMap && !own('ConfigMap', configMap.name))
      .map(({ configMap }) => `no ConfigMap ${configMap.name}`),
    ...pod.containers.flatMap((container: Manifest) => [
      ...(container.volumeMounts ?? [])
        .filter(({ name }: Manifest) => !names.includes(name))
        .map(({ name }: Manifest) => `no volume ${name}`),
      ...repeated(container.volumeMounts, 'mountPath'),
      ...repeated(container.env, 'name'),
      ...repeated(container.ports, 'name'),
      ...['livenessProbe', 'readinessProbe', 'startupProbe']
        .map((probe) => container[probe]?.httpGet?.port)
        .filter((port) => port !== undefined && !hasPort(pod, port))
        .map((port) => `no port ${port} for a probe`),
    ]),
  ];
}

function repeated(list: readonly Manifest[] = [], key: string): string[] {
  const values = list.map((each) => each[key]);
  return values.filter((value, index) => values.indexOf(value) < index).map((value) => `${key} ${value} twice`);
}

/** What a manifest says of others. */
function ofManifest(manifest: Manifest, manifests: readonly Manifest[]): string[] {
  const { kind, spec = {} } = manifest;
  const pods = allPods(manifests);
  const services = manifests.filter((each) => each.kind === 'Service');
  const serviceWith = (name: string, port: Manifest) =>
    services.some(
      (each) =>
        each.metadata.name === name && each.spec.ports.some((own: Manifest) => own.name === port || own.port === port),
    );
  const selected = (selector: Labels) => pods.filter(({ labels }) => matches(selector, labels));
  switch (kind) {
    case 'Service': {
      const found = selected(spec.selector);
      if (found.length === 0) return ['selects no pod'];
      return spec.ports
        .map(({ port, targetPort = port }: Manifest) => targetPort)
        .filter((port: unknown) => !found.every(({ pod }) => hasPort(pod, port)))
        .map((port: unknown) => `no port ${port} in the pods`);
    }
    case 'PodDisruptionBudget':
      return selected(spec.selector.matchLabels).length > 0 ? [] : ['selects no pod'];
    case 'NetworkPolicy': {
      const found = selected(spec.podSelector.matchLabels);
      if (found.length === 0) return ['selects no pod'];
      return spec.ingress
        .flatMap(({ ports }: Manifest) => ports)
        .filter(({ port }: Manifest) => !found.every(({ pod }) => hasPort(pod, port)))
        .map(({ port }: Manifest) => `no port ${port} in the pods`);
    }
    case 'HorizontalPodAutoscaler':
    case 'ScaledObject': {
      const { apiVersion, kind: of, name } = spec.scaleTargetRef;
      const is = manifests.some((m) => m.apiVersion === apiVersion && m.kind === of && m.metadata.name === name);
      return is ? [] : [`no ${of} ${name}`];
    }
    case 'ServiceMonitor': {
      const found = services.filter(({ metadata }) => matches(spec.selector.matchLabels, metadata.labels));
      return spec.endpoints
        .filter(
          ({ port }: Manifest) => !found.some(({ spec: { ports } }) => ports.some((p: Manifest) => p.name === port)),
        )
        .map(({ port }: Manifest) => `no Service with port ${port}`);
    }
    case 'Ingress':
      return spec.rules
        .flatMap(({ http }: Manifest) => http.paths)
        .map(({ backend }: Manifest) => backend.service)
        .filter(({ name, port }: Manifest) => !serviceWith(name, port.name ?? port.number))
        .map(({ name, port }: Manifest) => `no Service ${name} with port ${port.name ?? port.number}`);
    case 'HTTPRoute':
      return spec.rules
        .flatMap(({ backendRefs }: Manifest) => backendRefs)
        .filter(({ name, port }: Manifest) => !serviceWith(name, port))
        .map(({ name, port }: Manifest) => `no Service ${name} with port ${port}`);
    default: {
      const { selector, template } = spec;
      const labels = selector?.matchLabels;
      return labels && template && !matches(labels, template.metadata.labels) ? ['selects not its own pods'] : [];
    }
  }
}

/**
 * @param manifests  all that is applied into one namespace; Secrets, Gateways and AnalysisTemplates may be others'
 * @returns names that lead nowhere, one line each with kind and name of the manifest
 */
export function looseReferences(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap((manifest) =>
    [...ofManifest(manifest, manifests), ...podsOf(manifest).flatMap((pod) => ofPod(pod, manifests))].map(
      (fault) => `${manifest.kind} ${manifest.metadata.name}: ${fault}`,
    ),
  );
}
