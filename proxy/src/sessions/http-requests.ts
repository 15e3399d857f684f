/**
 * Owns: the requests of one session to an origin that is asked over HTTP: their header fields, and that there is one at a
 * time. Does not own: when they are made, or what the answers mean.
 */
import { encodeWsEvents, type RawHeaders, type WsEvent } from '@holdfast/grip';
import type { Clock } from '../clock.js';
import type { Origin, OriginRequest } from '../origin/origin.js';
import { answerBodyMax, EVENTS_TYPE } from './http-events.js';
import { type ExchangeOwner, HttpExchange } from './http-exchange.js';
import { HttpMeta } from './http-meta.js';

/** What requests are made of. */
export interface HttpRequestParts {
  /**
   * Makes method (POST), path and headers of a request, signed as of now; called for every attempt. The headers are the
   * client's handshake fields as they go to this origin, without Upgrade, Accept, Content-Length, Content-Type,
   * Connection-Id, Meta-* and Content-Bytes-*, followed by `extra`: flat pairs.
   */
  readonly request: (extra: RawHeaders) => Omit<OriginRequest, 'body'>;
  readonly origin: Origin;
  readonly clock: Clock;
  /** Gives numbers from 0 to below 1. */
  readonly random: () => number;
  /** Names the session to the origin: the same in all of its requests, and no other session's. */
  readonly connectionId: string;
  /** Whether the `grip` extension is offered, in every request: not on `no_grip` routes, nor for trusted clients. */
  readonly offersGrip: boolean;
  /** Longest message in bytes, in either direction. */
  readonly maxMessage: number;
}

/** Makes requests and keeps the session's meta, which every one of them carries. */
export class HttpRequests {
  readonly meta = new HttpMeta();
  readonly #parts: HttpRequestParts;
  #exchange: HttpExchange | undefined;

  constructor(parts: HttpRequestParts) {
    this.#parts = parts;
  }

  /** Whether a request is under way, or waits to be repeated. */
  get busy(): boolean {
    return this.#exchange !== undefined;
  }

  /**
   * Sends events. `replayed` of their content bytes the origin has seen before. With `repeats`, a request that finds no
   * connection is made again, with the same content.
   */
  send(events: readonly WsEvent[], replayed: number, repeats: boolean, owner: ExchangeOwner): void {
    const { request, origin, clock, random, maxMessage } = this.#parts;
    const encoded = encodeWsEvents(events);
    const body = encoded.length === 0 ? null : encoded;
    const exchange = new HttpExchange(
      {
        origin,
        clock,
        random,
        make: () => ({ ...request(this.#extra(replayed)), body }),
        repeats,
        bodyMax: (head) => answerBodyMax(head, maxMessage),
      },
      {
        exchangeAnswered: (answer) => {
          this.#exchange = undefined;
          owner.exchangeAnswered(answer);
        },
        exchangeFailed: (error) => {
          this.#exchange = undefined;
          owner.exchangeFailed(error);
        },
      },
    );
    this.#exchange = exchange;
    exchange.start();
  }

  /** Gives up what is under way; its owner hears nothing. */
  abort(): void {
    this.#exchange?.abort();
    this.#exchange = undefined;
  }

  #extra(replayed: number): string[] {
    const { connectionId, offersGrip } = this.#parts;
    const extra = ['Accept', EVENTS_TYPE, 'Connection-Id', connectionId, 'Content-Type', EVENTS_TYPE];
    if (replayed > 0) extra.push('Content-Bytes-Replayed', String(replayed));
    extra.push(...this.meta.headers);
    if (offersGrip) extra.push('Sec-WebSocket-Extensions', 'grip');
    return extra;
  }
}
