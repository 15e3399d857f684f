/** Chooses how a session's origin is spoken to: which kind of socket a target gets, and the headers of its handshake. */

import type { Options } from '../config/table.js';
import { blockedError, noDescriptorError, type OriginError } from '../errors.js';
import { pathBehind } from '../http/request-path.js';
import { connectOptions, isBlocked } from '../origin/connect-options.js';
import { INTERIM_MAX } from '../origin/http-call.js';
import type { HttpTarget, Target } from '../routes/target.js';
import { withoutRoot } from '../routes/target.js';
import type { SocketSettings } from '../websocket/ws-library.js';
import type { OriginHandshakeOwner, OriginSocket } from './origin-socket.js';
import { HttpDial, type HttpDialParts } from './over-http/dial.js';
import { HttpOrigin } from './over-http/origin.js';
import { type Dial, type DialParts, MAX_REFUSAL } from './session-parts.js';
import { TestSocket } from './test-socket.js';
import { WsOrigin } from './ws-origin.js';

/**
 * What a GRIP origin may add to a message of the greatest length, in bytes: the prefix that is taken off again. So a
 * message of an origin that does not speak GRIP may be longer by as much.
 */
const PREFIX_MARGIN = 1_024;

/** How long a handshake with an origin may take: to connect, and then to answer, without `originTimeout` for ever. */
export type DialTimeouts = Pick<Options, 'originConnectTimeout'> & Partial<Pick<Options, 'originTimeout'>>;

/** Makes origin sockets. */
export class SessionDialer {
  readonly #parts: DialParts;
  readonly #settings: SocketSettings;
  readonly #timeouts: DialTimeouts;
  readonly #http: HttpDialParts;
  readonly #admits: () => boolean;

  /** `admits` says whether another connection may be opened. */
  constructor(parts: DialParts, settings: SocketSettings, timeouts: DialTimeouts, admits: () => boolean = () => true) {
    this.#admits = admits;
    this.#parts = parts;
    this.#settings = settings;
    this.#timeouts = timeouts;
    const { websocketMessageMax } = settings;
    this.#http = { ...parts, maxMessage: websocketMessageMax, maxGripMessage: websocketMessageMax + PREFIX_MARGIN };
  }

  /** Starts the handshake with one target. */
  readonly dial = (dial: Dial, target: Target, owner: OriginHandshakeOwner): OriginSocket => {
    if (target.kind === 'test') {
      return new TestSocket(pathBehind(dial.route.pathBeg, dial.request.path), target, owner, this.#parts.faults);
    }
    return target.overHttp ? this.#overHttp(dial, target, owner) : this.#websocket(dial, target, owner);
  };

  #overHttp(dial: Dial, target: HttpTarget, owner: OriginHandshakeOwner): OriginSocket {
    const origin = new HttpOrigin(new HttpDial(dial, target, this.#http), owner);
    origin.start();
    return origin;
  }

  #websocket(dial: Dial, target: HttpTarget, owner: OriginHandshakeOwner): OriginSocket {
    const forwardable = { ...dial.request, websocket: true };
    const { host, path, headers } = this.#parts.forwarder.forward(forwardable, dial.route, dial.standing, target);
    const request = {
      secure: target.ssl,
      host: target.host,
      port: target.port,
      path,
      headers,
      extension: dial.extension,
      connect: { ...(target.ssl ? { servername: serverName(host) } : {}), ...connectOptions(target) },
      ...this.#timeouts,
      maxBody: MAX_REFUSAL,
      maxInterim: INTERIM_MAX,
    };
    return new WsOrigin(request, this.#socketSettings(dial), owner, this.#refusalOf(target), this.#parts.faults);
  }

  #refusalOf(target: HttpTarget): OriginError | undefined {
    if (isBlocked(target)) return blockedError();
    return this.#admits() ? undefined : noDescriptorError();
  }

  #socketSettings({ extension }: Dial): SocketSettings {
    const { websocketMessageMax } = this.#settings;
    return extension === ''
      ? this.#settings
      : { ...this.#settings, websocketMessageMax: websocketMessageMax + PREFIX_MARGIN };
  }
}

/** The name for TLS in a Host value: without the port and the dot of the root; empty for an address. */
function serverName(host: string): string {
  const name = withoutRoot(host.replace(/:\d+$/, ''));
  return /^[\d.]+$|^\[/.test(name) ? '' : name;
}
