/**
 * Owns: how a session's origin is spoken to: which kind of socket a target gets, and the headers of its handshake.
 * Does not own: the sockets.
 */
import { randomUUID } from 'node:crypto';
import type { Log } from '@holdfast/control-api';
import type { Clock } from '../clock.js';
import { connectOptions, isBlocked } from '../origin/connect-options.js';
import type { Forwarder } from '../origin/forwarder.js';
import type { Origin } from '../origin/origin.js';
import type { Route } from '../routes/route.js';
import type { HttpTarget, Target } from '../routes/target.js';
import type { SocketSettings } from '../websocket/ws-socket.js';
import type { OriginSocket, OriginSocketOwner } from './origin-socket.js';
import type { Dial } from './session-parts.js';
import { WsOrigin } from './ws-origin.js';

/** Longest body, in bytes, of a refusal that is relayed to the client. */
const MAX_REFUSAL = 100_000;

/** What a dialer is given. */
export interface DialerParts {
  readonly clock: Clock;
  readonly random: () => number;
  readonly forwarder: Forwarder;
  readonly originOf: (target: Target, route: Route, host: string) => Origin;
  readonly log: Log;
}

/** Makes origin sockets. */
export class SessionDialer {
  readonly #parts: DialerParts;
  readonly #settings: SocketSettings;
  readonly #connectTimeout: number;

  /** `connectTimeout` in ms. */
  constructor(parts: DialerParts, settings: SocketSettings, { connectTimeout }: { connectTimeout: number }) {
    this.#parts = parts;
    this.#settings = settings;
    this.#connectTimeout = connectTimeout;
  }

  /** Starts the handshake with one target. */
  readonly dial = (dial: Dial, target: Target, owner: OriginSocketOwner): OriginSocket => {
    if (target.kind === 'test') throw new Error('not yet');
    return this.#websocket(dial, target, owner);
  };

  #websocket(dial: Dial, target: HttpTarget, owner: OriginSocketOwner): OriginSocket {
    const { host, path, headers } = this.#parts.forwarder.forward(dial.request, dial.route, dial.standing, target);
    const request = {
      secure: target.ssl,
      host: target.host,
      port: target.port,
      path,
      headers,
      extension: dial.extension,
      connect: { ...(target.ssl ? { servername: serverName(host) } : {}), ...connectOptions(target) },
      connectTimeout: this.#connectTimeout,
      maxBody: MAX_REFUSAL,
    };
    return new WsOrigin(request, this.#settings, owner, isBlocked(target));
  }
}

/** The name for TLS in a Host value: without the port; empty for an address. */
function serverName(host: string): string {
  const name = host.replace(/:\d+$/, '');
  return /^[\d.]+$|^\[/.test(name) ? '' : name;
}

export const newConnectionId = randomUUID;
