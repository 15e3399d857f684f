/** A request body of the node edge. */
import type { IncomingMessage } from 'node:http';
import type { BodySink, ClientBody } from '../port.js';

/** A body carried by node's `IncomingMessage`. Node itself enforces the declared length. */
export class NodeBody implements ClientBody {
  readonly length: number | undefined;
  readonly #message: IncomingMessage;
  readonly #faulted: (error: unknown) => void;
  #onRead: (() => void) | undefined;
  #dropped = false;
  #broken = false;
  #finish: ((ended: boolean) => void) | undefined;

  /**
   * `onRead` is called once when the body is first asked for: the moment for `100 Continue`. `faulted` takes what its reader
   * throws.
   */
  constructor(
    message: IncomingMessage,
    length: number | undefined,
    faulted: (error: unknown) => void,
    onRead?: () => void,
  ) {
    this.#message = message;
    this.#faulted = faulted;
    this.length = length;
    this.#onRead = onRead;
  }

  read(sink: BodySink): void {
    this.#onRead?.();
    this.#onRead = undefined;
    let open = true;
    const finish = (ended: boolean) => {
      if (!open) return;
      open = false;
      try {
        if (ended) sink.onEnd(this.#message.rawTrailers);
        else sink.onAbort();
      } catch (error) {
        this.#faulted(error);
      }
    };
    // A message that broke before it was read emits nothing any more.
    if (this.#broken || (this.#message.destroyed && !this.#message.readableEnded)) {
      queueMicrotask(() => finish(false));
      return;
    }
    this.#finish = finish;
    this.#message.on('data', (chunk: Buffer) => {
      if (!open || this.#dropped) return;
      try {
        sink.onData(chunk);
      } catch (error) {
        open = false;
        this.#faulted(error);
      }
    });
    this.#message.on('end', () => finish(true));
    this.#message.on('error', () => finish(false));
    this.#message.on('close', () => finish(false));
  }

  pause(): void {
    if (!this.#dropped) this.#message.pause();
  }

  resume(): void {
    this.#message.resume();
  }

  /** The rest will not come: the client has gone, or sent something malformed. */
  break(): void {
    this.#broken = true;
    this.#finish?.(false);
  }

  /**
   * Discards the rest, paused or not: the answer is complete, and the next request of the connection comes after this body.
   */
  drop(): void {
    this.#dropped = true;
    this.#message.resume();
  }
}
