/** What every edge needs in order to listen: socket files and their owners, free ports, and errors in one line. */
import { chmodSync, chownSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import type { Listen } from '../config/types/listen.js';
import { EdgeError } from '../errors.js';
import type { BoundListener, Listener } from './port.js';

/**
 * Longest path of a unix socket on Linux, in bytes; a longer one would be cut off, and the rest of it bound.
 *
 * @limit {} bytes of the path of a unix socket
 * @over the start fails
 */
const MAX_SOCKET_PATH = 107;

/** The failure of a `listen` in one line that names the address; `error` is that of the system call. */
export function listenError(error: NodeJS.ErrnoException, listener: Listener): EdgeError {
  const where = listener.path ?? `${listener.host ?? '0.0.0.0'}:${listener.port}`;
  if (error.code === 'EADDRINUSE') {
    return new EdgeError('ERR_EDGE_PORT_IN_USE', `cannot listen on ${where}: it is in use`, { cause: error });
  }
  const why =
    error.code === 'EACCES' ? 'no permission' : error.code === 'EADDRNOTAVAIL' ? 'no such address' : error.message;
  return new EdgeError('ERR_EDGE_LISTEN', `cannot listen on ${where}: ${why}`, { cause: error });
}

/** A listener as it is bound: to the real port, at the address that is shown. A unix socket has neither. */
export function boundTo(listener: Listener, address: string, port: number): BoundListener {
  if (listener.path !== undefined) return { ...listener, url: `unix:${listener.path}` };
  const host = address.includes(':') ? `[${address}]` : address;
  return { ...listener, port, url: `${listener.tls === true ? 'https' : 'http'}://${host}:${port}` };
}

/** The first versions of node whose servers share a port by themselves (`reusePort`), by their major version; later ones do. */
const REUSES_PORTS_SINCE: Readonly<Record<number, number>> = { 22: 12, 23: 1 };

/**
 * Whether servers of node can each bind the same port (SO_REUSEPORT), among which the kernel then divides connections. Only Linux
 * divides them evenly.
 */
export function nodeReusesPorts(version = process.versions.node, platform: string = process.platform): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return platform === 'linux' && (major > 23 || minor >= (REUSES_PORTS_SINCE[major] ?? Number.POSITIVE_INFINITY));
}

/**
 * The ports of these addresses, 0 being any, for processes that are to bind the same ones; in order. All are bound at the same time
 * and were free a moment ago. Where each process binds them beside the others (SO_REUSEPORT), nothing else keeps it off the port of
 * another node, or of another listener.
 * @throws EdgeError when one is in use, there is none, or no such address
 */
export async function freePorts(wanted: readonly Pick<Listen, 'host' | 'port'>[]): Promise<number[]> {
  const servers = wanted.map(() => createServer());
  const bind = (server: Server, { host, port }: Pick<Listen, 'host' | 'port'>) =>
    new Promise<number>((resolve, reject) => {
      server.once('error', (error) => reject(listenError(error, { host, port })));
      server.listen({ host, port, exclusive: true }, () => resolve((server.address() as AddressInfo).port));
    });
  const bound = await Promise.allSettled(servers.map((server, i) => bind(server, wanted[i] as Listen)));
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve()))));
  return bound.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/**
 * Makes way for a socket file: removes one that a dead process left behind, which would make every `listen` fail.
 * Resolves to whether the path is free; a socket that answers is in use, and so is the path of any other file.
 * @throws EdgeError when the path is too long
 */
export async function prepareSocketFile(path: string): Promise<boolean> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    const text = `cannot listen on ${path}: the path is longer than ${MAX_SOCKET_PATH} bytes`;
    throw new EdgeError('ERR_EDGE_LISTEN', text);
  }
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return true;
  if (!file.isSocket()) return false;
  const stale = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => resolve(false));
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    probe.once('close', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
  if (stale) rmSync(path, { force: true });
  return stale;
}

/** Gives a bound socket's file the permissions and the owner of its listener. */
export function applySocketOwner(listener: Listener): void {
  const path = listener.path as string;
  if (listener.mode !== undefined) chmodSync(path, listener.mode);
  if (listener.user !== undefined || listener.group !== undefined) {
    const owner = resolveOwner(listener.user, listener.group);
    chownSync(path, owner.uid, owner.gid);
  }
}

/**
 * Removes the file of a socket that no longer listens, so that clients are refused at once. A file that cannot be removed
 * stays; the next process that listens there replaces it.
 */
export function removeSocketFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its directory may not be ours any more.
  }
}

/** Numeric owner of a file; -1 leaves that part as it is (chown(2)). */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Looks names up in /etc/passwd and /etc/group; throws an `EdgeError` for an unknown one. */
export function resolveOwner(user: string | undefined, group: string | undefined): Owner {
  return {
    uid: user === undefined ? -1 : idOf('/etc/passwd', user),
    gid: group === undefined ? -1 : idOf('/etc/group', group),
  };
}

function idOf(file: string, name: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const fields = line.split(':');
    if (fields[0] === name) return Number(fields[2]);
  }
  throw new EdgeError('ERR_EDGE_LISTEN', `no such name in ${file}: ${name}`);
}

/**
 * Has a server of node listen, as a listener says. With `isShared` other
 * processes have the same listeners: each binds the port beside the others where node can do that, else a primary has bound it, as it has
 * bound unix sockets. Rejects with an EdgeError.
 */
export async function listenOn(server: Server, listener: Listener, isShared: boolean): Promise<BoundListener> {
  const { host = '0.0.0.0', port = 0, path } = listener;
  if (path !== undefined && !isShared) await prepareSocketFile(path);
  const shared = isShared && nodeReusesPorts() ? { reusePort: true } : {};
  await new Promise<void>((resolve, reject) => {
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, listener)));
    if (path !== undefined) server.listen(path, () => resolve());
    else server.listen({ ...shared, host, port, backlog: BACKLOG }, () => resolve());
  });
  if (path !== undefined) applySocketOwner(listener);
  const bound = server.address() as AddressInfo;
  return boundTo(listener, bound.address, bound.port);
}

/** Connections that wait to be accepted: after a restart all clients come back at once. */
const BACKLOG = 4_096;
