/** Owns: one HTTP response that waits for frames or streams them. Does not own: the session that they are of. */
import type { ResponseHandler } from '../edge/port.js';
import { PLAIN, type SockJsResponse } from './sockjs-response.js';
import type { TransportForm } from './transport-form.js';

/** Bytes of frames after which a stream ends, so that the browser can let go of them: the client asks for the next. */
export const MAX_STREAM_BYTES = 131_072;

/** A session that has a receiver. Nothing is called after the receiver's last frame. */
export interface ReceiverHandler {
  /** It is `ready` again. */
  receiverWritable(): void;
  /** The client has gone. */
  receiverGone(): void;
}

/** A client's request to receive. Polls take one frame, streams many. */
export class Receiver implements ResponseHandler {
  readonly #response: SockJsResponse;
  readonly #form: TransportForm;
  #handler: ReceiverHandler | undefined;
  #begun = false;
  #bytes = 0;
  #full = false;
  #over = false;

  constructor(response: SockJsResponse, form: TransportForm) {
    this.#response = response;
    this.#form = form;
  }

  /** Says who is told of what becomes of it. */
  setHandler(handler: ReceiverHandler): void {
    this.#handler = handler;
    this.#response.setHandler(this);
  }

  /** Starts a stream ahead of its first frame: the client and what is between learn that it is there. */
  begin(): void {
    const { prelude, contentType } = this.#form;
    if (prelude === undefined || this.#begun) return;
    this.#begun = true;
    this.#response.writeHead({ status: 200, reason: 'OK', headers: ['Content-Type', contentType] }, undefined);
    this.#full = !this.#response.write(Buffer.from(prelude));
  }

  /** Whether a frame can be given now. */
  get ready(): boolean {
    return !this.#full && !this.#over;
  }

  /** Bytes that the client has not taken yet, those of an answer that is complete included. */
  get waiting(): number {
    return this.#response.waiting;
  }

  /** Sends a frame; false when it was the last that this receiver takes. */
  give(frame: string): boolean {
    const text = this.#form.wrap(frame);
    if (this.#form.prelude === undefined) {
      this.#over = true;
      this.#response.answer(200, this.#form.contentType, text);
      return false;
    }
    this.begin();
    const chunk = Buffer.from(text);
    this.#bytes += chunk.length;
    if (this.#bytes >= MAX_STREAM_BYTES) {
      this.#over = true;
      this.#response.end(chunk);
      return false;
    }
    this.#full = !this.#response.write(chunk);
    return true;
  }

  /** Sends a frame after which none comes. */
  giveLast(frame: string): void {
    if (!this.give(frame)) return;
    this.#over = true;
    this.#response.end();
  }

  /** The session is gone without a word for the client: 410 if nothing has been sent, else the stream is broken off. */
  terminate(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#begun) this.#response.abort();
    else this.#response.answer(410, PLAIN, 'Session terminated\n');
  }

  onWritable(): void {
    this.#full = false;
    if (!this.#over) this.#handler?.receiverWritable();
  }

  onGone(): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler?.receiverGone();
  }
}
