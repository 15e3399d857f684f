/** Owns: the file of a unix socket, before and after it is listened on. Does not own: the listener. */
import { chmodSync, chownSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import type { Listener } from './edge.js';
import { EdgeError } from './errors.js';
import { resolveOwner } from './unix-owner.js';

/** What Linux takes as the path of a unix socket, in bytes; node would cut the rest off and bind to what remains. */
const MAX_SOCKET_PATH = 107;

/**
 * Removes a socket file that a dead process left behind, which would make `listen` fail for ever; one that answers is in use.
 * @throws EdgeError when the path is too long
 */
export async function preparePath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    const text = `cannot listen on ${path}: the path is longer than ${MAX_SOCKET_PATH} bytes`;
    throw new EdgeError('ERR_EDGE_LISTEN', text);
  }
  if (!statSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const stale = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => resolve(false));
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    probe.once('close', () => resolve(false));
    probe.once('connect', () => probe.destroy());
  });
  if (stale) rmSync(path, { force: true });
}

/** Gives the file of an open listener the mode and owner that it is to have. */
export function applyOwner(listener: Listener): void {
  const path = listener.path as string;
  if (listener.mode !== undefined) chmodSync(path, listener.mode);
  if (listener.user !== undefined || listener.group !== undefined) {
    const owner = resolveOwner(listener.user, listener.group);
    chownSync(path, owner.uid, owner.gid);
  }
}
