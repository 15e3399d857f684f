/** Options of client connections that the kernel copies from the socket that listens, by names that node does not document. */
import type { Server } from 'node:net';

/** What node sets on each connection by these two, and where it has them. */
interface Settings {
  noDelay?: boolean;
  keepAlive?: boolean;
  keepAliveInitialDelay?: number;
  _handle?: {
    setNoDelay?(on: boolean): number;
    setKeepAlive?(on: boolean, seconds: number): number;
  } | null;
}

/**
 * Sets on the listening socket what `noDelay` and `keepAlive` of the server have node set on every connection: five system calls
 * for each, where Linux copies it to those that it accepts. To be called once `server` listens. False, with nothing changed, where
 * that cannot be: on other systems, on unix sockets, and where another process listens. Nothing depends on it but these calls, so it is
 * none of the paths that are probed and reported.
 */
export function setOnListener(server: Server): boolean {
  const settings = server as Server & Settings;
  const { _handle: handle, noDelay, keepAlive, keepAliveInitialDelay } = settings;
  if (process.platform !== 'linux' || noDelay !== true || keepAlive !== true) return false;
  if (!handle?.setNoDelay || !handle.setKeepAlive || typeof keepAliveInitialDelay !== 'number') return false;
  // Node has made seconds of it.
  if (handle.setNoDelay(true) !== 0 || handle.setKeepAlive(true, keepAliveInitialDelay) !== 0) return false;
  settings.noDelay = false;
  settings.keepAlive = false;
  return true;
}
