/** Owns: a request body of the node edge. Does not own: where its bytes go. */
import type { IncomingMessage } from 'node:http';
import type { BodySink, ClientBody } from './edge.js';

/** A body carried by node's `IncomingMessage`. Node itself sees to it that the declared length is kept. */
export class NodeBody implements ClientBody {
  readonly length: number | undefined;
  readonly #message: IncomingMessage;
  #onRead: (() => void) | undefined;
  #started = false;

  /** `onRead` is called once when the body is first asked for: the moment for `100 Continue`. */
  constructor(message: IncomingMessage, length: number | undefined, onRead?: () => void) {
    this.#message = message;
    this.length = length;
    this.#onRead = onRead;
  }

  /** Whether anybody has asked for the body. */
  get started(): boolean {
    return this.#started;
  }

  read(sink: BodySink): void {
    this.#started = true;
    this.#onRead?.();
    this.#onRead = undefined;
    let open = true;
    const finish = (ended: boolean) => {
      if (!open) return;
      open = false;
      if (ended) sink.onEnd();
      else sink.onAbort();
    };
    this.#message.on('data', (chunk: Buffer) => sink.onData(chunk));
    this.#message.on('end', () => finish(true));
    this.#message.on('error', () => finish(false));
    this.#message.on('close', () => finish(false));
  }

  pause(): void {
    this.#message.pause();
  }

  resume(): void {
    this.#message.resume();
  }
}
