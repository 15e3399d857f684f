/** An origin's answer that waits until the callback that it asks for is made or ended: what then takes it is asked for its sink. */
import type { RawHeaders } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import type { AnswerSink } from '../origin/port.js';
import { BUFFERED_BODY_MAX } from './body-sinks.js';
import { type CallbackOutcome, orderFailure } from './callback-order.js';
import type { Exchange } from './exchange.js';

type WaitingExchange = Pick<Exchange, 'fail' | 'brokenOff' | 'resume' | 'isOver'>;

/** Calls `proceed` once an order is carried out; fails the request where that was not possible, or `proceed` throws. Never rejects. */
export async function whenOrdered(
  exchange: Pick<Exchange, 'fail' | 'isOver'>,
  outcome: Promise<CallbackOutcome>,
  proceed: () => void,
): Promise<void> {
  const failure = orderFailure(await outcome);
  if (exchange.isOver) return;
  try {
    if (failure === undefined) proceed();
    else exchange.fail(failure);
  } catch (error) {
    exchange.fail(error as Error);
  }
}

/** Keeps the body meanwhile, and holds the origin back where that is more than a little. */
export class CallbackSink implements AnswerSink {
  readonly #exchange: WaitingExchange;
  #buffered: Buffer[] = [];
  #bytes = 0;
  #end: { readonly trailers: RawHeaders | undefined } | undefined;
  /** Undefined while it waits. */
  #inner: AnswerSink | undefined;

  /** `proceed` gives what takes the answer from then on. */
  constructor(exchange: WaitingExchange, outcome: Promise<CallbackOutcome>, proceed: () => AnswerSink) {
    this.#exchange = exchange;
    void whenOrdered(exchange, outcome, () => this.#open(proceed()));
  }

  onData(chunk: Buffer): boolean {
    if (this.#inner !== undefined) return this.#inner.onData(chunk);
    this.#buffered.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < BUFFERED_BODY_MAX;
  }

  onEnd(trailers?: RawHeaders): void {
    if (this.#inner !== undefined) this.#inner.onEnd(trailers);
    else this.#end = { trailers };
  }

  onError(error: OriginError): void {
    if (this.#inner !== undefined) {
      this.#inner.onError(error);
      return;
    }
    this.#exchange.brokenOff(error);
    // Nothing has gone to the client.
    this.#exchange.fail(error);
  }

  #open(inner: AnswerSink): void {
    this.#inner = inner;
    const buffered = this.#buffered;
    this.#buffered = [];
    let hasRoom = true;
    for (const chunk of buffered) hasRoom = inner.onData(chunk);
    if (this.#end !== undefined) inner.onEnd(this.#end.trailers);
    else if (hasRoom) this.#exchange.resume();
  }
}
