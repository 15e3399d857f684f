/** Listeners of one configuration that want the same port; ports that other processes have are found when they are opened. */
import { isIPv6 } from 'node:net';
import { formatListen, type Listen } from '../types/listen.js';

/** One listener, and the option that it comes from. */
export interface NamedListen extends Listen {
  readonly option: string;
}

/** Of a ZeroMQ spec such as `tcp://127.0.0.1:5560`; undefined where it is no TCP port. */
export function listenOfSpec(spec: string): Listen | undefined {
  const match = /^tcp:\/\/(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(spec);
  if (match === null) return undefined;
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '*' ? '0.0.0.0' : host, port: Number(match[3]) };
}

/** One line for each pair of listeners of which the second could not be opened. */
export function portConflicts(listens: readonly NamedListen[]): string[] {
  const conflicts: string[] = [];
  for (const [at, one] of listens.entries()) {
    const other = listens.slice(0, at).find((earlier) => overlap(earlier, one));
    if (other === undefined) continue;
    conflicts.push(
      other.option === one.option
        ? `${one.option}: ${formatListen(other)} and ${formatListen(one)} are the same port: leave one out`
        : `${other.option} (${formatListen(other)}) and ${one.option} (${formatListen(one)}) want the same port: change one`,
    );
  }
  return conflicts;
}

/** Port 0 is any free one. An address of all interfaces takes the port of each, `::` that of IPv4 too. */
function overlap(one: Listen, other: Listen): boolean {
  if (one.port !== other.port || one.port <= 0) return false;
  if (one.host.toLowerCase() === other.host.toLowerCase()) return true;
  if (one.host === '::' || other.host === '::') return true;
  const [all, single] = one.host === '0.0.0.0' ? [one, other] : [other, one];
  return all.host === '0.0.0.0' && !isIPv6(single.host);
}
