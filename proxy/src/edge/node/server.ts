/** The HTTP servers under the node edge: their options and certificates, and the connections that they close at once. */
import { createServer, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Containment } from '@holdfast/control-api';
import type { Options } from '../../config/table.js';
import type { Descriptors } from '../../runtime/descriptors.js';
import type { BoundListener, EdgeEvents, Listener } from '../port.js';
import type { TlsCertificates } from '../tls-certificates.js';
import { createTlsServer } from '../tls-server.js';
import { NodeConnection } from './connection.js';

/** The limits that node itself keeps. */
export type ServerLimits = Pick<Options, 'clientBufferSize' | 'clientKeepAliveTimeout' | 'clientHeaderTimeout'>;

/** A server without TLS; it does not listen yet. */
export function createHttp(limits: ServerLimits): Server {
  return createServer(optionsOf(limits));
}

/** A server with TLS. `onSocket` gets each connection before its handshake. */
export function createTls(
  limits: ServerLimits,
  certificates: TlsCertificates,
  faults: Containment,
  onSocket: (socket: Socket) => void,
): Server {
  const options = { ...optionsOf(limits), handshakeTimeout: limits.clientHeaderTimeout };
  // A route decides whether it needs a certificate.
  return createTlsServer({ options, certificates, requiresClients: false, faults, onSocket });
}

function optionsOf({ clientBufferSize, clientKeepAliveTimeout, clientHeaderTimeout }: ServerLimits): ServerOptions {
  return {
    maxHeaderSize: clientBufferSize,
    keepAliveTimeout: clientKeepAliveTimeout,
    headersTimeout: clientHeaderTimeout,
    // By default node checks its time limits every 30 s only.
    connectionsCheckingInterval: Math.min(5_000, Math.ceil(clientHeaderTimeout / 4)),
    // An upload may take as long as it moves; what bounds it is the origin's inactivity limit.
    requestTimeout: 0,
    // Node's own answer to a missing Host has no text: `request-check` gives one.
    requireHostHeader: false,
    insecureHTTPParser: false,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  };
}

/**
 * Closes connections beyond `max`, and counts them as refused. Not by node's own limit, which would hand a
 * connection from one full process to the next for ever. Call it before the edge makes its connections. A
 * connection that node takes once more, as after a hold, is not a new one.
 */
export function limitConnections(server: Server, max: number, events: EdgeEvents): void {
  let open = 0;
  server.prependListener('connection', (socket: Socket) => {
    if (NodeConnection.of(socket) !== undefined) return;
    open++;
    socket.once('close', () => open--);
    if (open <= max) return;
    socket.destroy();
    events.connectionRefused();
  });
}

/** Turns new connections away where the file descriptors that are left are kept for other things. */
export function keepReserve(server: Server, descriptors: Descriptors, events: EdgeEvents): void {
  server.prependListener('connection', (socket: Socket) => {
    if (socket.destroyed || NodeConnection.of(socket) !== undefined || descriptors.admits('client')) return;
    socket.destroy();
    events.descriptorsShort();
  });
}

/** The listener as it is bound: with the real port. */
export function boundTo(listener: Listener, server: Server): BoundListener {
  if (listener.path !== undefined) return { ...listener, url: `unix:${listener.path}` };
  const { port, address, family } = server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  return { ...listener, port, url: `${listener.tls ? 'https' : 'http'}://${host}:${port}` };
}
