/** A client's request as each target gets it: host, path and headers, whose rules are in `headers`, with the GRIP fields. */
import { formatGripLast, type RawHeaders, type ResponseHead, type SigKey, signGripSig } from '@holdfast/grip';
import type { Options } from '../config/table.js';
import type { RequestMarks } from '../edge/port.js';
import { type Route, rewritePath } from '../routes/route.js';
import type { Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
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
export interface Forwardable extends RequestMarks {
  readonly path: string;
  readonly host: string;
  readonly headers: RawHeaders;
  readonly clientAddress: string;
  /** DER in base64. */
  readonly clientCertificate?: string | undefined;
  /** As of a `ClientRequest`. */
  readonly hops?: readonly string[] | undefined;
  /** It says that its client takes trailers, and they can be passed. */
  readonly takesTrailers?: boolean;
  /** The request is a WebSocket's. */
  readonly websocket?: boolean;
  /** It goes to a host that is none of our targets: it has no `Grip-Sig`, and nothing by which we know the request. */
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
  readonly #clock: Clock;

  constructor(settings: ForwardSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
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
        clientCertificate: request.unsigned === true ? undefined : request.clientCertificate,
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
        requestId: request.unsigned === true ? undefined : request.requestId,
        trace: request.unsigned === true ? undefined : request.trace,
        grip: speaksGrip ? gripHeaders(route.sigIss ?? sigIss, key, lastIds, this.#clock) : [],
      },
      rules,
    );
    return { host, path: rewritePath(route, request.path), headers };
  }
}

/** What origins may ask of this proxy; GRIP libraries look into it. */
export const GRIP_FEATURE = [
  'status',
  'session',
  'link:next',
  'link:gone',
  'filter:skip-self',
  'filter:skip-users',
  'filter:require-sub',
  'filter:build-id',
  'filter:var-subst',
  'filter:http-check',
  'filter:http-modify',
].join(', ');

/**
 * `Grip-Sig`, `Grip-Feature` and `Grip-Last` for one request, signed as of this second and valid for an hour; unsigned without an
 * issuer or a key. `lastIds` maps unprefixed channel names to the last id known.
 */
export function gripHeaders(
  iss: string,
  key: SigKey | undefined,
  lastIds: ReadonlyMap<string, string> | undefined,
  clock: Clock,
): string[] {
  const headers: string[] = [];
  if (key !== undefined && iss !== '') {
    headers.push('Grip-Sig', signGripSig(iss, key, Math.floor(clock.wall() / 1000)));
  }
  headers.push('Grip-Feature', GRIP_FEATURE);
  for (const [channel, id] of lastIds ?? []) headers.push('Grip-Last', formatGripLast(channel, id));
  return headers;
}

/**
 * An interim head without the fields by which an origin speaks to its GRIP proxy: clients have no use for channels and links,
 * and in an interim answer they have no effect. The same object where there are none.
 */
export function withoutGrip(head: ResponseHead): ResponseHead {
  const { headers } = head;
  const others: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!/^grip-/i.test(headers[i] as string)) others.push(headers[i] as string, headers[i + 1] as string);
  }
  return others.length === headers.length ? head : { ...head, headers: others };
}
