/**
 * What goes around a streamed body on its way to an origin: the head before it, which undici keeps back until the first byte, and
 * trailers behind it, of which undici has none.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { RawHeaders } from '@holdfast/grip';

/**
 * undici publishes each head, as it is to be written, on this documented channel, and writes it with the line that says how the
 * body is framed, in front of the first byte. Where none has come within `HEAD_MS` the head is written here, and left out there.
 */
const HEADS = 'undici:client:sendHeaders';

/**
 * How long the head of an upload waits for the first byte of its body, in ms. Nearly all bodies come right behind the head of the
 * client, and share a segment with it: one for the head alone, for each upload of 100 KB, cost 30 % more CPU.
 */
const HEAD_MS = 5;

/** The message of `HEADS`. */
interface HeadMessage {
  readonly request: { readonly body: unknown };
  /** The head without the framing of the body and the empty line. */
  readonly headers: string;
  readonly socket: Socket;
}

/** What undici writes behind a chunked body. */
const LAST_CHUNK = '\r\n0\r\n\r\n';

/** How a body is framed: by the value of its Content-Length, or in chunks. */
export interface Framing {
  readonly length: string | undefined;
  /** Of a chunked body, once it has ended; left out: there will be none. The caller has checked them. */
  readonly trailers?: (() => RawHeaders) | undefined;
}

/** The body whose head undici is about to publish. */
let expected: { readonly body: Readable; readonly framing: Framing } | undefined;

/** Once for all: to come and go with each upload would have V8 compile undici anew each time. */
let isSubscribed = false;

/** Call it within undici's `onConnect`, in the turn in which the head is published, for a body that is a stream. */
export function frameUpload(body: Readable, framing: Framing): void {
  if (!isSubscribed) subscribe(HEADS, onHead);
  isSubscribed = true;
  expected = { body, framing };
}

function onHead(message: unknown): void {
  if (expected === undefined) return;
  const { body, framing } = expected;
  expected = undefined;
  const { request, headers, socket } = message as HeadMessage;
  // Where undici does not do as above all stays as it does.
  if (request.body === body && typeof headers === 'string') new Upload(socket, headers, framing).begin();
}

/**
 * `waiting`: nothing is written. `early`: the head was written here, and undici has not written it. `first`: its next write
 * is the size of the first chunk, behind a line end that is not wanted. `passing`: all passes, up to the last chunk.
 */
type State = 'waiting' | 'early' | 'first' | 'passing';

/** The writing of one request. */
class Upload {
  readonly #socket: Socket;
  readonly #head: string;
  readonly #framing: Framing;
  readonly #write: Socket['write'];
  /** How much had been written to the socket before. */
  readonly #before: number;
  #state: State = 'waiting';

  constructor(socket: Socket, head: string, framing: Framing) {
    this.#socket = socket;
    this.#head = head;
    this.#framing = framing;
    this.#write = socket.write;
    this.#before = socket.bytesWritten;
  }

  begin(): void {
    // Others are let alone, as long as nothing is late.
    if (this.#framing.trailers !== undefined) this.#intercept();
    // A turn more: where one takes long, the first byte may have come and not been read yet.
    setTimeout(() => setImmediate(() => this.#sendHead()), HEAD_MS);
  }

  #sendHead(): void {
    const socket = this.#socket;
    if (this.#state !== 'waiting' || socket.destroyed || socket.bytesWritten !== this.#before) return;
    this.#intercept();
    const { length } = this.#framing;
    this.#state = 'early';
    const framing = length === undefined ? 'transfer-encoding: chunked' : `content-length: ${length}`;
    this.#pass(`${this.#head}${framing}\r\n\r\n`, 'latin1');
  }

  #take(...written: Parameters<Socket['write']>): boolean {
    const [data] = written as unknown as [string | Uint8Array];
    const isHead = typeof data === 'string' && data.startsWith(this.#head);
    switch (this.#state) {
      case 'waiting':
        // Of a body that has ended without a byte there is no chunk, and so nothing behind it.
        this.#release();
        if (isHead && data.endsWith('chunked\r\n') && this.#framing.trailers !== undefined) this.#intercept();
        return this.#pass(...written);
      case 'early':
        if (!isHead) {
          this.#release();
          return this.#pass(...written);
        }
        if (this.#framing.length !== undefined) {
          this.#release();
          return true;
        }
        if (data.endsWith('chunked\r\n')) {
          this.#state = 'first';
          return true;
        }
        return this.#end(LAST_CHUNK.slice(2));
      case 'first':
        this.#release();
        if (this.#framing.trailers !== undefined) this.#intercept();
        return this.#pass((data as string).slice(2), 'latin1');
      case 'passing':
        return data === LAST_CHUNK ? this.#end(LAST_CHUNK) : this.#pass(...written);
    }
  }

  #end(lastChunk: string): boolean {
    this.#release();
    let lines = '';
    const trailers = this.#framing.trailers?.() ?? [];
    for (let i = 0; i < trailers.length; i += 2) lines += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
    return this.#pass(`${lastChunk.slice(0, -2)}${lines}\r\n`, 'latin1');
  }

  /** All that is written to the socket comes here first. */
  #intercept(): void {
    this.#socket.write = ((...written: Parameters<Socket['write']>) => this.#take(...written)) as Socket['write'];
  }

  /** The socket writes by itself again. */
  #release(): void {
    this.#state = 'passing';
    this.#socket.write = this.#write;
  }

  #pass(...written: Parameters<Socket['write']>): boolean {
    return this.#write.apply(this.#socket, written);
  }
}
