/** Accepts the handshakes of WebSocket clients on node's sockets, once they have been checked. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { uncontained } from '@holdfast/control-api';
import { headerValue, headerValues, type RawHeaders } from '@holdfast/grip';
import { DirectWrites, streamBinding } from '../runtime/node-internals/direct-writes.js';
import { type LibraryServer, makeLibraryServer, type SocketSettings } from './ws-library.js';
import { WsSocket } from './ws-socket.js';

/** The part of a client's request that the library reads: building node's own list of its fields would cost more than the rest. */
interface Asked {
  readonly method: 'GET';
  readonly url: '/';
  readonly headers: Record<string, string | undefined>;
  /** Ours: the fields of the answer beside those of the handshake. */
  readonly answer: RawHeaders;
}

/** Accepts handshakes of clients. One for a process: it holds no connections. */
export class WsAcceptor {
  readonly #server: LibraryServer;
  readonly #compression: boolean;
  readonly #direct: DirectWrites;
  readonly #faults;

  /** `direct`: left out, by what this version of node has. `faults`: left out, nothing is contained. */
  constructor(settings: SocketSettings, direct = new DirectWrites(streamBinding()), faults = uncontained) {
    this.#faults = faults;
    this.#direct = direct;
    this.#compression = settings.allowCompression;
    this.#server = makeLibraryServer(settings);
    this.#server.on('headers', (lines, request) => {
      const { answer } = request as unknown as Asked;
      for (let i = 0; i < answer.length; i += 2) lines.push(`${answer[i]}: ${answer[i + 1]}`);
    });
    // With a listener `ws` leaves the answer to it: here, to `accept`.
    this.#server.on('wsClientError', () => {});
  }

  /**
   * Writes the 101 with these header fields beside those of the handshake; undefined when the client has gone. `asked` are
   * the fields of the handshake, which must have been checked before; `early` is what came after the request's head.
   */
  accept(asked: RawHeaders, wire: Socket, early: Buffer, answer: RawHeaders): WsSocket | undefined {
    let accepted: WsSocket | undefined;
    const upgrade = (offer: string | undefined) => {
      // Without the offer of subprotocols: that is between client and origin, and `ws` would judge it.
      const headers = {
        upgrade: 'websocket',
        'sec-websocket-key': headerValue(asked, 'sec-websocket-key'),
        'sec-websocket-version': '13',
        'sec-websocket-extensions': offer,
      };
      const request: Asked = { method: 'GET', url: '/', headers, answer };
      this.#server.handleUpgrade(request as unknown as IncomingMessage, wire, early, (socket) => {
        const bare = { stream: wire, direct: this.#direct, handle: this.#direct.handleOf(wire) };
        accepted = new WsSocket(socket, socket.extensions === '' ? bare : undefined, this.#faults);
      });
    };
    // Header fields are Latin-1, and `ws` writes the head as a string in the default encoding.
    wire.setDefaultEncoding('latin1');
    const offered = this.#compression ? headerValues(asked, 'sec-websocket-extensions') : [];
    upgrade(offered.length === 0 ? undefined : offered.join(', '));
    // What is left for `ws` to refuse is an offer of compression that it cannot take: it is declined (RFC 7692 §5.1).
    if (accepted === undefined && !wire.destroyed) upgrade(undefined);
    wire.setDefaultEncoding('utf8');
    if (accepted === undefined) wire.destroy();
    return accepted;
  }
}
