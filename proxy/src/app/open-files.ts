/** Whether the process may open as many files as `client_maxconn` allows it clients: said once, at the start. */
import type { Config } from '../config/config.js';
import { optionByKey } from '../config/table.js';
import { Descriptors } from '../runtime/descriptors.js';
import { listenersOf } from './compose/compose.js';

/** What is said; at `warn` where the operator has chosen `client_maxconn`, and relies on it. */
export interface OpenFilesNotice {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const DEFAULT = optionByKey('client_maxconn')?.default;

/**
 * The notice where `limit`, of each of the `processes` that serve clients, is less than the clients of all listeners need,
 * with what is kept from clients. Undefined where it is enough, or not known (infinite).
 */
export function openFilesNotice(config: Config, processes: number, limit: number): OpenFilesNotice | undefined {
  const { clientMaxconn } = config;
  const listeners = listenersOf(config).length;
  const clients = listeners * Math.ceil(clientMaxconn / processes);
  if (limit - reserveOf(limit) >= clients) return undefined;
  const needed = limitFor(clients, limit);
  const room = Math.max(0, limit - reserveOf(limit));
  const fitting = Math.max(1, Math.floor(room / listeners) * processes);
  const message =
    `open files: ${processes > 1 ? 'each worker' : 'this process'} may have ${limit}, but ${needed} are needed for the clients ` +
    `that client_maxconn (${clientMaxconn}) allows on ${listeners} client listener${listeners > 1 ? 's' : ''}: set LimitNOFILE or ` +
    `ulimit -n to ${needed} or more, or client_maxconn to ${fitting}; until then clients beyond ${room} are turned away`;
  const level = clientMaxconn === DEFAULT ? 'info' : 'warn';
  return { level, message, fields: { limit, needed, option: 'client_maxconn' } };
}

/** The next limit that leaves room for so many clients beside its reserve, which grows with it, in steps. */
function limitFor(clients: number, from: number): number {
  let limit = Math.max(clients, from);
  while (limit - reserveOf(limit) < clients) limit = clients + reserveOf(limit);
  return limit;
}

function reserveOf(limit: number): number {
  return new Descriptors(limit, () => ({ open: 0, isSlow: false })).reserve;
}
