/** Opens the control port, and explains failures to do so. */
import type { AddressInfo, Server } from 'node:net';
import { ControlError, type ControlErrorCode } from '../errors.js';

/** Where a server listens: a numeric address, and the port the system chose if 0 was asked for. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

const reasons: Readonly<Record<string, readonly [ControlErrorCode, string]>> = {
  EADDRINUSE: ['ERR_CONTROL_PORT_IN_USE', 'another process already listens there'],
  EACCES: ['ERR_CONTROL_PORT_DENIED', 'this process has no permission to listen there'],
  EADDRNOTAVAIL: ['ERR_CONTROL_ADDRESS', 'the host is not an address of this machine'],
  ENOTFOUND: ['ERR_CONTROL_ADDRESS', 'the host name cannot be resolved'],
};

/**
 * Listens on TCP `host:port`. Rejects with a `ControlError` that names both: ERR_CONTROL_PORT_IN_USE,
 * ERR_CONTROL_PORT_DENIED, ERR_CONTROL_ADDRESS or ERR_CONTROL_LISTEN.
 */
export function listen(server: Server, host: string, port: number): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const fail = (error: NodeJS.ErrnoException) => reject(listenError(error, host, port));
    server.once('error', fail);
    server.listen({ host, port }, () => {
      server.off('error', fail);
      const { address, port: actual } = server.address() as AddressInfo;
      resolve({ address, port: actual });
    });
  });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): ControlError {
  const [code, reason] = reasons[error.code ?? ''] ?? ['ERR_CONTROL_LISTEN', error.message];
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return new ControlError(code, `The control API cannot listen on ${where}: ${reason}.`, { cause: error });
}
