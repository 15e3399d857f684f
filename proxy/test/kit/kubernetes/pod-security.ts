/** The *restricted* Pod Security Standard of Kubernetes: what a namespace that enforces it refuses of a pod. */
import type { Manifest } from './chart.js';

const volumeKinds = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];
const safeSysctls = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_syncookies',
];

function ofContainer(container: Manifest, pod: Manifest): string[] {
  const own = container.securityContext ?? {};
  const ofPod = pod.securityContext ?? {};
  const seccomp = (own.seccompProfile ?? ofPod.seccompProfile)?.type;
  const checks: readonly (readonly [boolean, string])[] = [
    [own.privileged === true, 'privileged'],
    [own.allowPrivilegeEscalation !== false, 'allowPrivilegeEscalation is not false'],
    [!(own.capabilities?.drop ?? []).includes('ALL'), 'capabilities.drop has not ALL'],
    [(own.capabilities?.add ?? []).some((name: string) => name !== 'NET_BIND_SERVICE'), 'capabilities.add'],
    [(own.runAsNonRoot ?? ofPod.runAsNonRoot) !== true, 'runAsNonRoot is not true'],
    [(own.runAsUser ?? ofPod.runAsUser) === 0, 'runAsUser is 0'],
    [seccomp !== 'RuntimeDefault' && seccomp !== 'Localhost', 'seccompProfile'],
    [(own.procMount ?? 'Default') !== 'Default', 'procMount'],
    [(own.windowsOptions ?? ofPod.windowsOptions)?.hostProcess === true, 'hostProcess'],
    [(container.ports ?? []).some(({ hostPort }: Manifest) => hostPort), 'hostPort'],
  ];
  return checks.filter(([isBroken]) => isBroken).map(([, what]) => `${container.name}: ${what}`);
}

/** @returns what breaks the standard in the specification of a pod, its init containers included; empty when it passes */
export function restrictedViolations(pod: Manifest): string[] {
  const containers = [...(pod.initContainers ?? []), ...pod.containers, ...(pod.ephemeralContainers ?? [])];
  const sysctls: { name: string }[] = pod.securityContext?.sysctls ?? [];
  return [
    ...['hostNetwork', 'hostPID', 'hostIPC'].filter((name) => pod[name] === true),
    ...sysctls.filter(({ name }) => !safeSysctls.includes(name)).map(({ name }) => `sysctl ${name}`),
    ...(pod.volumes ?? [])
      .filter((volume: Manifest) => !volumeKinds.some((kind) => kind in volume))
      .map(({ name }: Manifest) => `volume ${name}`),
    ...containers.flatMap((container) => ofContainer(container, pod)),
  ];
}
