/** Reads the PROXY protocol header of a listener's connections, before anything else does, and keeps what it says. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { AddressRanges, canonicalAddress } from '../../config/types/address-ranges.js';
import type { ProxyProtocolRule } from '../../config/types/listen.js';
import type { Clock } from '../../runtime/clock.js';
import { type ProxyHeader, readProxyHeader } from '../proxy-protocol.js';

/**
 * @limit {s} for a PROXY protocol header to be complete
 * @over connection closed
 */
export const PROXY_HEADER_MS = 3_000;

/** Who is at the other end of a connection, as its load balancer says. */
export interface ProxiedClient {
  /** Empty where the client came by a unix socket. */
  readonly address: string;
  readonly secure: boolean;
}

/** The collaborators. */
export interface ProxiedConnectionsDeps {
  readonly clock: Clock;
  /** A connection was closed for want of a header that could be taken; `peer` is its address. */
  readonly refused: (why: string, peer: string) => void;
}

/**
 * The connections of one listener. Every connection from the addresses that are named must begin with a header, and connections
 * from others are closed: whether there is one is never guessed, or clients could name themselves.
 */
export class ProxiedConnections {
  readonly #rule: ProxyProtocolRule;
  readonly #from: AddressRanges;
  readonly #deps: ProxiedConnectionsDeps;
  readonly #waiting = new Set<Socket>();
  readonly #clients = new WeakMap<Socket, ProxiedClient>();
  /** By the load balancer's end: a TLS socket does not say which connection it is on, but has the same end. */
  readonly #byPeer = new Map<string, ProxiedClient>();
  readonly #passed = new WeakSet<Socket>();

  constructor(rule: ProxyProtocolRule, deps: ProxiedConnectionsDeps) {
    this.#rule = rule;
    this.#from = new AddressRanges(rule.from);
    this.#deps = deps;
  }

  /** Puts itself before the listeners of `connection` that the server has now; later ones that are prepended come before. */
  guard(server: Server, secure: boolean): void {
    const listeners = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      const pass = () => {
        for (const listener of listeners) listener.call(server, socket);
        // TLS takes what has been read when it starts, and reads by itself.
        if (!secure) socket.resume();
      };
      // A connection that comes in again after a hold has had its header.
      if (socket.destroyed) return;
      if (this.#passed.has(socket)) pass();
      else this.#accept(socket, pass);
    });
  }

  /** What the header has said; undefined where it has not named a client. */
  clientOf(socket: Socket): ProxiedClient | undefined {
    return this.#clients.get(socket) ?? this.#byPeer.get(peerOf(socket));
  }

  /** Cuts the connections whose header is awaited. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #accept(socket: Socket, pass: () => void): void {
    const peer = canonicalAddress(socket.remoteAddress ?? '') ?? '';
    if (!this.#from.has(peer)) {
      socket.destroy();
      this.#deps.refused('its address is not one that may send PROXY protocol headers', peer);
      return;
    }
    let bytes: Buffer = Buffer.alloc(0);
    this.#waiting.add(socket);
    const refuse = (why: string) => {
      done();
      socket.destroy();
      this.#deps.refused(why, peer);
    };
    const timeout = this.#deps.clock.after(PROXY_HEADER_MS, () => refuse('the PROXY protocol header took too long'));
    const onEnd = () => refuse('it ended before the PROXY protocol header was complete');
    const onGone = () => done();
    const onData = (chunk: Buffer) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes, this.#rule.versions);
      if (header === 'malformed') refuse('it does not begin with a PROXY protocol header of a version that is taken');
      else if (header !== 'incomplete') {
        done();
        this.#keep(socket, header);
        socket.pause();
        if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length));
        pass();
      }
    };
    const done = () => {
      this.#deps.clock.clear(timeout);
      this.#waiting.delete(socket);
      socket.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone);
    };
    socket.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone);
  }

  #keep(socket: Socket, { address, secure }: ProxyHeader): void {
    this.#passed.add(socket);
    if (address === undefined) return;
    const client = { address: canonicalAddress(address) ?? '', secure };
    this.#clients.set(socket, client);
    const peer = peerOf(socket);
    this.#byPeer.set(peer, client);
    socket.once('close', () => {
      if (this.#byPeer.get(peer) === client) this.#byPeer.delete(peer);
    });
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
