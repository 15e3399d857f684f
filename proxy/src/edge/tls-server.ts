/** Node's HTTPS server over a directory of certificates: that of the node edge, and that of the control API. */
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Containment } from '@holdfast/control-api';
import type { TicketKeys } from './ticket-keys.js';
import type { KeyPair, TlsCertificates } from './tls-certificates.js';

/** What a server with TLS is made of. */
export interface TlsServerParts {
  readonly options: ServerOptions;
  /** Looked up for each client; its policy is that of the server. */
  readonly certificates: TlsCertificates;
  /** Of clients, where the policy asks them for certificates: whether one without a certificate that counts is turned away. */
  readonly requiresClients: boolean;
  readonly faults: Containment;
  /** Left out: sessions are resumed at this server only, until its certificate changes. */
  readonly tickets?: TicketKeys | undefined;
  /** Gets each connection before its handshake. */
  readonly onSocket: (socket: Socket) => void;
}

/** Makes a server that looks up a certificate for each client; it does not listen yet. */
export function createTlsServer({
  options,
  certificates,
  requiresClients,
  faults,
  tickets,
  onSocket,
}: TlsServerParts): Server {
  const { asksClients, terms } = certificates.policy;
  const server: Server = createServer({
    ...options,
    ...terms.context,
    ...tickets?.options,
    ...(asksClients && { requestCert: true, rejectUnauthorized: requiresClients }),
    SNICallback: (name, done) => {
      let context: KeyPair['context'] | undefined;
      faults.run('client', () => {
        context = certificates.find(name, portOf(server))?.context;
      });
      done(null, context);
    },
  });
  // Clients without SNI get the server's own certificate: refreshed here, ahead of node's listener that starts the
  // handshake.
  let current: KeyPair | undefined;
  server.prependListener('connection', (socket: Socket) => {
    onSocket(socket);
    const pair = certificates.default(portOf(server));
    if (pair === undefined || pair === current) return;
    current = pair;
    server.setSecureContext({ ...pair.options, ...tickets?.options });
    tickets?.serve(server);
  });
  tickets?.serve(server);
  if (asksClients) {
    server.prependListener('secureConnection', (socket: TLSSocket) => {
      const shows = socket.getPeerX509Certificate() !== undefined;
      // Node counts a resumed session without a certificate as authorized.
      if (shows ? socket.authorized : !requiresClients) return;
      certificates.policy.onRefused(socket.remoteAddress ?? '', String(socket.authorizationError));
      socket.destroy();
    });
  }
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}
