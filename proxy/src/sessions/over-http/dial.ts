/**
 * Owns: how the requests of one session come to an origin that is asked over HTTP: which of the client's header fields
 * they have, and by which connections they go. Does not own: when they are made, or their content.
 */
import type { Containment } from '@holdfast/control-api';
import { headerValue, type RawHeaders } from '@holdfast/grip';
import { isGripField } from '../../origin/headers.js';
import type { OriginCall, OriginHandler } from '../../origin/port.js';
import type { HttpTarget } from '../../routes/target.js';
import type { Clock } from '../../runtime/clock.js';
import type { Dial, DialParts } from '../session-parts.js';
import type { HttpOriginParts } from './origin.js';

/** What the requests of all sessions have in common. */
export interface HttpDialParts extends DialParts {
  /** Longest message in bytes of a session whose origin speaks GRIP, and of any other. */
  readonly maxGripMessage: number;
  readonly maxMessage: number;
}

/** One session and the target that it goes to. */
export class HttpDial implements HttpOriginParts {
  readonly #dial: Dial;
  readonly #target: HttpTarget;
  readonly #parts: HttpDialParts;

  constructor(dial: Dial, target: HttpTarget, parts: HttpDialParts) {
    this.#dial = dial;
    this.#target = target;
    this.#parts = parts;
  }

  get clock(): Clock {
    return this.#parts.clock;
  }

  get faults(): Containment | undefined {
    return this.#parts.faults;
  }

  get random(): () => number {
    return this.#parts.random;
  }

  get connectionId(): string {
    return this.#dial.connectionId;
  }

  get offersGrip(): boolean {
    return this.#dial.extension !== '';
  }

  get oneEvent(): boolean {
    return this.#target.oneEvent;
  }

  get maxMessage(): number {
    return this.offersGrip ? this.#parts.maxGripMessage : this.#parts.maxMessage;
  }

  dispatch(extra: RawHeaders, body: Buffer | null, handler: OriginHandler): OriginCall {
    const { request, route, standing } = this.#dial;
    const { forwarder, originOf } = this.#parts;
    const { path, host: asked, clientAddress, clientCertificate } = request;
    const headersOf = withoutEventsFields(request.headers);
    const own = { path, host: asked, headers: headersOf, clientAddress, clientCertificate, websocket: true };
    const { host, path: asPath, headers } = forwarder.forward(own, route, standing, this.#target);
    headers.push(...extra);
    if (headerValue(headers, 'accept-encoding') === undefined) headers.push('Accept-Encoding', 'identity');
    return originOf(this.#target, route, host).dispatch({ method: 'POST', path: asPath, headers, body }, handler);
  }
}

/**
 * A client's handshake fields that mean something else in WebSocket-over-HTTP: they are the proxy's to set, so that no
 * client can pass for another session or set its own meta.
 */
const EVENTS_FIELDS = new Set([
  'accept',
  'accept-encoding',
  'content-length',
  'content-type',
  'sec-websocket-extensions',
]);

function withoutEventsFields(headers: RawHeaders): string[] {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const lower = (headers[i] as string).toLowerCase();
    if (!EVENTS_FIELDS.has(lower) && !isGripField(lower)) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return kept;
}
