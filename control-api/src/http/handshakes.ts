/** The TLS handshakes under way on a listener. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** What becomes of them. */
export interface HandshakeEvents {
  /** From here on the connection of `raw` is that of `secure`. */
  done(raw: Socket, secure: TLSSocket): void;
  /** The client has gone, or has been turned away: `reason` is a code of OpenSSL, or what is wrong with its certificate. */
  failed(client: string | undefined, reason: string): void;
}

/** Finds the connection that a handshake was made on: Node shows both, but not which belong together. */
export class Handshakes {
  /** By the other end. */
  readonly #sockets = new Map<string, Socket>();

  constructor(server: Server, events: HandshakeEvents) {
    server.on('connection', (raw: Socket) => {
      const end = endOf(raw);
      this.#sockets.set(end, raw);
      raw.once('close', () => {
        if (this.#sockets.get(end) === raw) this.#sockets.delete(end);
      });
    });
    server.prependListener('secureConnection', (secure: TLSSocket) => {
      const end = endOf(secure);
      const raw = this.#sockets.get(end);
      this.#sockets.delete(end);
      if (raw !== undefined) events.done(raw, secure);
    });
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      const { authorizationError } = socket as { authorizationError: unknown };
      const reason = typeof authorizationError === 'string' ? authorizationError : (error.code ?? error.message);
      events.failed(socket.remoteAddress, reason);
    });
  }

  /** Cuts those that are not done. */
  cut(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }
}

const endOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress}:${remotePort}`;
