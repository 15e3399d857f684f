/** Owns: what the operator is told when a listener cannot be bound. Does not own: binding. */

import { EdgeError } from './errors.js';
import type { Listener } from './port.js';

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
