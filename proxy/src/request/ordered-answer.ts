/** An answer that waits until the callback that it asks for is made or ended. */
import { RequestError } from '../errors.js';
import type { CallbackOutcome } from './callback-order.js';
import type { Exchange } from './exchange.js';

/** Calls `make` once an order is carried out, unless the client has gone; where it was not, or `make` throws, the answer has failed. */
export function whenOrdered(exchange: Exchange, outcome: Promise<CallbackOutcome>, make: () => void): void {
  const made = outcome.then((known) => {
    if (!exchange.isDeciding) return;
    const failure = orderFailure(known);
    try {
      if (failure === undefined) make();
      else exchange.fail(failure);
    } catch (error) {
      exchange.fail(error as Error);
    }
  });
  exchange.deps.holds.subscriber.faults.watch('origin', made, exchange);
}

/** The error with which the client is answered where an order was not carried out; undefined where it was. */
function orderFailure(outcome: CallbackOutcome): RequestError | undefined {
  if (outcome.result === 'done') return undefined;
  const code = outcome.result === 'refused' ? 'ERR_REQUEST_CALLBACK' : 'ERR_REQUEST_CALLBACK_UNAVAILABLE';
  return new RequestError(code, outcome.reason);
}
