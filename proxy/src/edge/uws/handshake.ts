/** Answers the WebSocket handshakes of the uws edge. `handshake-check` decides which are valid. */
import { headerValues, type RawHeaders } from '@holdfast/grip';
import { extensionsNamed, type MessageSocket } from '../../websocket/message-socket.js';
import { acceptedHeaders } from '../handshake-check.js';
import type { ClientHandshake } from '../port.js';
import { headText, writeLines } from './head.js';
import type { UwsResponse } from './response.js';
import { UwsSocket, type UwsSocketData, type UwsSocketDeps } from './socket.js';

/** What the library needs for the 101: available within the request's handler only. */
export interface UwsOffer {
  readonly headers: RawHeaders;
  readonly key: string;
  readonly context: unknown;
}

/** A handshake that waits for its origin. */
export class UwsHandshake implements ClientHandshake {
  readonly response: UwsResponse;
  readonly #offer: UwsOffer;
  readonly #deps: UwsSocketDeps;

  constructor(response: UwsResponse, offer: UwsOffer, deps: UwsSocketDeps) {
    this.response = response;
    this.#offer = offer;
    this.#deps = deps;
  }

  accept(headers: RawHeaders, extensions?: string): MessageSocket | undefined {
    if (this.response.over) return undefined;
    const kept = acceptedHeaders(headers);
    if (extensions !== undefined) kept.push('Sec-WebSocket-Extensions', extensions);
    const text = headText({ status: 101, reason: 'Switching Protocols', headers: kept }, 'switch');
    const deflate = this.#deps.compression
      ? extensionsNamed(headerValues(this.#offer.headers, 'sec-websocket-extensions'), 'permessage-deflate').join(', ')
      : '';
    const answer = this.response.release();
    if (answer === undefined) return undefined;
    const socket = new UwsSocket(this.#deps, deflate !== '');
    const data: UwsSocketData = { socket };
    answer.cork(() => writeLines(answer, text, false));
    // Not in the cork, though the library then writes its fields one by one (360 µs a handshake instead of 180): at the end of
    // a cork it looks whether the answer was the last of its connection, in memory that the upgrade has freed. Whatever
    // has taken that memory meanwhile may make it close the new WebSocket. The subprotocol is among the origin's fields.
    answer.upgrade(data, this.#offer.key, '', deflate, this.#offer.context);
    return socket;
  }
}
