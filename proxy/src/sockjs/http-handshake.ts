/** Owns: the request that opens a session over HTTP, as the handshake it is to the rest of the proxy. */
import type { ClientHandshake, ClientResponse } from '../edge/port.js';
import type { MessageSocket } from '../websocket/message-socket.js';
import type { HttpSession } from './http-session.js';
import { Receiver } from './receiver.js';
import type { SockJsResponse } from './sockjs-response.js';
import type { TransportForm } from './transport-form.js';

/** A refusal goes out as the answer of the request. Header fields of an acceptance have no place: it is a frame. */
export class HttpHandshake implements ClientHandshake {
  readonly #response: SockJsResponse;
  readonly #form: TransportForm;
  readonly #session: HttpSession;

  constructor(response: SockJsResponse, form: TransportForm, session: HttpSession) {
    this.#response = response;
    this.#form = form;
    this.#session = session;
  }

  get response(): ClientResponse {
    return this.#response;
  }

  accept(): MessageSocket | undefined {
    if (this.#response.over) return undefined;
    this.#session.open(new Receiver(this.#response, this.#form));
    return this.#session;
  }
}
