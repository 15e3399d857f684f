/** The certificate that a client has shown on a connection of the node edge. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** Those that were read, by connection: a certificate is the same for all its requests. */
const read = new WeakMap<TLSSocket, string | undefined>();

/**
 * The bytes of the certificate in base64; undefined without one. One that does not count has been turned away before there was a
 * request.
 */
export function clientCertificate(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  if (read.has(socket)) return read.get(socket);
  const certificate = socket.authorized ? socket.getPeerX509Certificate()?.raw.toString('base64') : undefined;
  read.set(socket, certificate);
  return certificate;
}
