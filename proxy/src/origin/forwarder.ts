/** Turns a client's request into requests to targets: host, path and headers, whose rules are in `headers`. */
import type { RawHeaders } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import { type Route, rewritePath } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import type { GripHeaders } from './grip-headers.js';
import { type ForwardRules, requestHeaders } from './headers.js';

/** What is believed of the client; decided once per request. */
export interface ClientTrust {
  /** Its connection counts as TLS. */
  readonly secure: boolean;
  /** It is a GRIP proxy that signs with our `upstream_key`. */
  readonly trusted: boolean;
}

/** The settings of forwarding; the same for every request. */
export interface ForwardSettings extends Pick<Options, 'sigIss' | 'sigKey'> {
  readonly rules: ForwardRules;
}

/** What of a client's request goes to an origin. */
export interface Forwardable {
  readonly path: string;
  readonly host: string;
  readonly headers: RawHeaders;
  readonly clientAddress: string;
  /** As of a `ClientRequest`. */
  readonly hops?: readonly string[] | undefined;
  /** It says that its client takes trailers, and they can be passed. */
  readonly takesTrailers?: boolean;
  /** The request is a WebSocket's. */
  readonly websocket?: boolean;
  /** It goes to a host that is none of our targets: it has no `Grip-Sig`. */
  readonly unsigned?: boolean;
}

/** A request as a target is to get it. */
export interface Forwarded {
  /** Value of the Host header. */
  readonly host: string;
  readonly path: string;
  /** Host first; flat pairs. */
  readonly headers: string[];
}

/** Makes the requests for origins. */
export class Forwarder {
  readonly #settings: ForwardSettings;
  readonly #grip: GripHeaders;

  constructor(settings: ForwardSettings, grip: GripHeaders) {
    this.#settings = settings;
    this.#grip = grip;
  }

  /** Signed anew at every call. `lastIds` go out as `Grip-Last`. */
  forward(
    request: Forwardable,
    route: Route,
    trust: ClientTrust,
    target: Target,
    lastIds?: ReadonlyMap<string, string>,
  ): Forwarded {
    const clientHost = request.host === '' ? 'localhost' : request.host;
    const host = (target.kind === 'http' ? target.hostHeader : undefined) ?? route.asHost ?? clientHost;
    const { rules, sigIss, sigKey } = this.#settings;
    const speaksGrip = !trust.trusted && !route.noGrip;
    const key = request.unsigned === true ? undefined : (route.sigKey ?? sigKey);
    const headers = requestHeaders(
      {
        headers: request.headers,
        clientAddress: request.clientAddress,
        hops: request.hops,
        clientHost: request.host,
        host,
        secure: trust.secure,
        websocket: request.websocket ?? false,
        takesTrailers: request.takesTrailers ?? false,
        trusted: trust.trusted,
        routeHeaders: route.headers,
        origHeaders: route.origHeaders,
        speaksGrip,
        grip: speaksGrip ? this.#grip.make(route.sigIss ?? sigIss, key, lastIds) : [],
      },
      rules,
    );
    return { host, path: rewritePath(route, request.path), headers };
  }
}
