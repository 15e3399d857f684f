/** HTTP responses that wait for SockJS frames or stream them, and how each transport writes a frame. */
import type { ResponseHandler } from '../edge/port.js';
import type { ReceivingTransport } from './sockjs-path.js';
import { PLAIN, type SockJsResponse } from './sockjs-response.js';

/** How a transport writes. */
export interface TransportForm {
  readonly contentType: string;
  /** What comes before the first frame of an answer that goes on; undefined when each answer is one frame. */
  readonly prelude: string | undefined;
  /** A frame on the wire. */
  wrap(frame: string): string;
}

const SCRIPT = 'application/javascript; charset=UTF-8';

/** Browsers show nothing of a stream before so many bytes have come (protocol 0.3, "XhrStreaming"). */
const PRELUDE_BYTES = 2_048;

const xhr: TransportForm = { contentType: SCRIPT, prelude: undefined, wrap: (frame) => `${frame}\n` };

const xhrStreaming: TransportForm = {
  contentType: SCRIPT,
  prelude: `${'h'.repeat(PRELUDE_BYTES)}\n`,
  wrap: (frame) => `${frame}\n`,
};

const eventsource: TransportForm = {
  contentType: 'text/event-stream',
  prelude: '\r\n',
  // The client decodes events as URIs; line breaks within a frame are escaped by JSON.
  wrap: (frame) => `data: ${frame.replaceAll('%', '%25')}\r\n\r\n`,
};

/** A call of a function that the client has named, with a text. */
export const jsonp = (callback: string): TransportForm => ({
  contentType: SCRIPT,
  prelude: undefined,
  // The comment keeps the callback's name from being read as the beginning of another format (CVE-2014-4671).
  wrap: (frame) => `/**/${callback}(${JSON.stringify(frame)});\r\n`,
});

const htmlfile = (callback: string): TransportForm => ({
  contentType: 'text/html; charset=UTF-8',
  prelude: `${htmlHead(callback).padEnd(PRELUDE_BYTES)}\r\n\r\n`,
  // No frame may close the script element.
  wrap: (frame) => `<script>\np(${JSON.stringify(frame).replaceAll('<', '\\u003c')});\n</script>\r\n`,
});

const htmlHead = (callback: string) => `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.${callback};
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`;

/** The form of a transport; undefined when it calls back and the request names no function. */
export function transportForm(transport: ReceivingTransport, callback: string | undefined): TransportForm | undefined {
  switch (transport) {
    case 'xhr':
      return xhr;
    case 'xhr_streaming':
      return xhrStreaming;
    case 'eventsource':
      return eventsource;
    case 'jsonp':
      return callback === undefined ? undefined : jsonp(callback);
    case 'htmlfile':
      return callback === undefined ? undefined : htmlfile(callback);
  }
}

/**
 * Bytes of frames after which a stream ends, so that the browser can let go of them: the client asks for the next.
 *
 * @limit SockJS: {} bytes of one streaming answer
 * @over it ends, the client asks for the next
 */
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

  /** Sets the handler of its events. */
  setHandler(handler: ReceiverHandler): void {
    this.#handler = handler;
    this.#response.setHandler(this);
  }

  /** Starts a stream ahead of its first frame: the client and intermediaries see that it is there. */
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

  /** The session ended without a close frame: 410 if nothing has been sent, else the stream is broken off. */
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
