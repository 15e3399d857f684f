/** Owns: the file of a unix socket: what is done before and after it is bound. Does not own: binding. */
import { chmodSync, chownSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { EdgeError } from './errors.js';
import type { Listener } from './port.js';
import { resolveOwner } from './unix-owner.js';

/**
 * What Linux takes as the path of a unix socket, in bytes; more would be cut off, and what remains be bound to.
 *
 * @limit {} bytes of the path of a unix socket
 * @over the start fails
 */
const MAX_SOCKET_PATH = 107;

/**
 * Makes way for a socket file: one that a dead process left behind, which would make `listen` fail for ever, is removed.
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
export function ownSocketFile(listener: Listener): void {
  const path = listener.path as string;
  if (listener.mode !== undefined) chmodSync(path, listener.mode);
  if (listener.user !== undefined || listener.group !== undefined) {
    const owner = resolveOwner(listener.user, listener.group);
    chownSync(path, owner.uid, owner.gid);
  }
}

/**
 * Removes the file of a socket that listens no more: who connects is told that nobody is there. One that cannot be removed
 * stays; it is replaced by the next who listens there.
 */
export function removeSocketFile(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Its directory may not be ours any more.
  }
}
