/** The initial body of a stream hold on its way from the origin; it waits, and the origin with it, until the hold is open. */

import type { OriginError } from '../errors.js';
import type { StreamHold } from '../holds/stream-hold.js';
import type { AnswerSink } from '../origin/port.js';
import type { Exchange } from './exchange.js';

/**
 * How much of a body is buffered before its hold is open, in bytes; then the origin is paused. A paused origin that breaks off
 * is not noticed.
 *
 * @limit {} bytes of a stream's first body that are read while its subscription is not live
 * @over the origin is held back
 */
export const BUFFERED_BODY_MAX = 65_536;

type SinkHold = Pick<StreamHold, 'write' | 'opened' | 'abandon' | 'isOver'>;
type SinkExchange = Pick<Exchange, 'resume' | 'bodyWhole' | 'brokenOff' | 'fail'>;

/** Writes into the hold. Before `open` it buffers what comes, but for a failure. */
export class StreamSink implements AnswerSink {
  readonly #hold: SinkHold;
  readonly #exchange: SinkExchange;
  /** Undefined once the hold is open. */
  #buffered: Buffer[] | undefined = [];
  #bytes = 0;
  #isWhole = false;

  constructor(hold: SinkHold, exchange: SinkExchange) {
    this.#hold = hold;
    this.#exchange = exchange;
  }

  /** The hold has written its head: what was buffered follows, and then what comes. */
  open(): void {
    const buffered = this.#buffered ?? [];
    this.#buffered = undefined;
    let hasRoom = true;
    for (const chunk of buffered) hasRoom = this.#hold.write(chunk);
    if (this.#isWhole) this.onEnd();
    else if (this.#bytes > 0 && hasRoom) this.#exchange.resume();
  }

  onData(chunk: Buffer): boolean {
    if (this.#buffered === undefined) return this.#hold.write(chunk);
    this.#buffered.push(chunk);
    this.#bytes += chunk.length;
    return this.#bytes < BUFFERED_BODY_MAX;
  }

  onEnd(): void {
    if (this.#buffered !== undefined) {
      this.#isWhole = true;
      return;
    }
    this.#hold.opened();
    this.#exchange.bodyWhole();
  }

  onError(error: OriginError): void {
    this.#exchange.brokenOff(error);
    const isOpen = this.#buffered === undefined;
    if (!isOpen) this.#buffered = [];
    if (this.#hold.isOver) return;
    this.#hold.abandon();
    // Nothing has gone to the client: it gets an answer.
    if (!isOpen) this.#exchange.fail(error);
  }
}
