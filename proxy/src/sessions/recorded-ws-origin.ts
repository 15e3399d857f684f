/** A WebSocket to an origin whose handshake is recorded as a span: from its beginning to its answer. */
import type { Containment, Span } from '@holdfast/control-api';
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import { ABORTED, endByStatus } from '../tracing/origin-traces.js';
import type { DialRequest } from '../websocket/ws-handshakes.js';
import type { SocketSettings } from '../websocket/ws-library.js';
import type { OriginHandshakeOwner } from './origin-socket.js';
import { WsOrigin } from './ws-origin.js';

/** Differs from its base in nothing but that. */
export class RecordedWsOrigin extends WsOrigin {
  readonly #span: Span;

  constructor(
    span: Span,
    dial: DialRequest,
    settings: SocketSettings,
    handshake: OriginHandshakeOwner,
    refusal?: OriginError,
    faults?: Containment,
  ) {
    super(dial, settings, recorded(handshake, span), refusal, faults);
    this.#span = span;
  }

  override abort(): void {
    this.#span.end({}, ABORTED);
    super.abort();
  }
}

function recorded(owner: OriginHandshakeOwner, span: Span): OriginHandshakeOwner {
  return {
    originAccepted(headers: RawHeaders): void {
      endByStatus(span, 101);
      owner.originAccepted(headers);
    },
    originRejected(head: ResponseHead, body: Buffer): void {
      endByStatus(span, head.status);
      owner.originRejected(head, body);
    },
    originFailed(error: OriginError): void {
      span.end({}, error.code);
      owner.originFailed(error);
    },
  };
}
