/** An answer whose body is compressed where that is allowed and the client prefers it, decided on its head. */
import { headerValues, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import { checkedHeaders } from '../edge/client-headers.js';
import {
  type ClientRequest,
  type ClientResponse,
  type ResponseHandler,
  ResponseWrapper,
  type StreamPiece,
} from '../edge/port.js';
import type { Codec } from '../http/codings.js';
import { type Compression, encodedHead, forbidsTransform, notModifiedHead, varyingHead } from './compression.js';
import { type EncodedBody, EncoderBody, type EncoderOwner } from './encoder-body.js';
import { GzipStream } from './gzip.js';

/** A head that waits, to the end of this turn at most, for the body: one that is there whole is encoded whole. */
interface Kept {
  /** As it is without compression. */
  readonly head: ResponseHead;
  readonly length: number | undefined;
  readonly codec: Codec;
  /** Of a body whose length is not known: it may be all of it. */
  first: Buffer | undefined;
}

/** The last wrapper before the response of the edge: all others see plain text. */
export class CompressedResponse extends ResponseWrapper implements ResponseHandler, EncoderOwner {
  readonly #request: ClientRequest;
  readonly #accept: string | undefined;
  readonly #compression: Compression;
  #handler: ResponseHandler | undefined;
  #kept: Kept | undefined;
  #body: EncodedBody | undefined;
  #over = false;
  /** Of a body that was encoded whole. */
  #wholeBytes: number | undefined;

  /** `accept`: what the client says, undefined where it says nothing. */
  constructor(inner: ClientResponse, request: ClientRequest, accept: string | undefined, compression: Compression) {
    super(inner);
    this.#request = request;
    this.#accept = accept;
    this.#compression = compression;
  }

  override setHandler(handler: ResponseHandler): void {
    if (!this.#over) this.#handler = handler;
    this.inner.setHandler(this);
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    if (this.#over) return;
    // A head that goes out at once is that of a stream that is held.
    if (flush === true) this.#openStream(head, length);
    else if (this.#compression.isForAnswers) this.#openAnswer(head, length);
    else this.inner.writeHead(head, length);
  }

  override write(chunk: Buffer): boolean {
    if (this.#over) return true;
    if (this.#kept !== undefined && this.#kept.first === undefined) {
      this.#kept.first = chunk;
      return true;
    }
    this.#begin();
    return this.#body === undefined ? this.inner.write(chunk) : this.#body.write(chunk);
  }

  override push(piece: StreamPiece): void {
    if (this.#over) return;
    this.#begin();
    if (this.#body === undefined) this.inner.push(piece);
    else this.#body.push(piece);
  }

  override end(chunk?: Buffer, trailers?: RawHeaders): void {
    if (this.#over) return;
    // A body of known length has no trailers, and so one that has some is not sent whole.
    if (trailers !== undefined && trailers.length > 0) this.#begin();
    this.#over = true;
    this.#handler = undefined;
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined) this.#answerWhole(kept, joined(kept.first, chunk));
    else if (this.#body === undefined) this.inner.end(chunk, trailers);
    else this.#body.end(chunk, trailers);
  }

  override abort(discard = false): void {
    if (this.#over) return;
    this.#over = true;
    this.#handler = undefined;
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept !== undefined && !discard) {
      this.inner.writeHead(kept.head, kept.length);
      if (kept.first !== undefined) this.inner.write(kept.first);
    }
    if (this.#body === undefined) this.inner.abort(discard);
    else this.#body.abort(discard);
  }

  override get waiting(): number {
    return this.#body === undefined ? super.waiting : this.#body.waiting;
  }

  /** Before compression: the compressed size is known too late. */
  override get bodyBytes(): number {
    return this.#wholeBytes ?? (this.#body === undefined ? super.bodyBytes : this.#body.bodyBytes);
  }

  get id(): string {
    return this.#request.id;
  }

  onWritable(): void {
    if (this.#body === undefined || this.#body.writable()) this.#handler?.onWritable();
  }

  onGone(): void {
    this.#leave()?.onGone();
  }

  encoderWritable(): void {
    this.#handler?.onWritable();
  }

  /** The edge ends its own answer afterwards, where the handler has not. */
  fault(error: unknown): void {
    const handler = this.#handler;
    if (handler?.fault !== undefined) handler.fault(error);
    else handler?.onGone();
    this.#leave();
  }

  #leave(): ResponseHandler | undefined {
    const handler = this.#handler;
    this.#over = true;
    this.#handler = undefined;
    this.#kept = undefined;
    this.#body?.free();
    return handler;
  }

  #openStream(head: ResponseHead, length: number | undefined): void {
    const { compressible, pieces } = this.#compression;
    const isPlain = !this.#compression.isForStream(this.#accept) || !compressible.stream(head);
    if (isPlain || length !== undefined || forbidsTransform(this.#request.headers)) {
      this.inner.writeHead(head, length, true);
      return;
    }
    this.inner.writeHead(encodedHead(head, 'gzip'), undefined, true);
    this.#body = new GzipStream(this.inner, pieces);
  }

  #openAnswer(head: ResponseHead, length: number | undefined): void {
    const { headers, method } = this.#request;
    if (head.status === 304) this.inner.writeHead(notModifiedHead(head, headers), length);
    else if (!this.#compression.compressible.answer(head, length)) this.inner.writeHead(head, length);
    else {
      const varying = varyingHead(head);
      const codec = forbidsTransform(headers) ? undefined : this.#compression.codecFor(this.#accept);
      if (codec === undefined) this.inner.writeHead(varying, length);
      // The length would be that of the answer to a GET (RFC 9110 §8.6), which is not known.
      else if (method === 'HEAD') this.inner.writeHead(varying, undefined);
      else this.#keep({ head: varying, length, codec, first: undefined });
    }
  }

  #keep(kept: Kept): void {
    // What is wrong with it has to be said now.
    checkedHeaders(kept.head, 'final');
    this.#kept = kept;
    queueMicrotask(() => this.#compression.faults.run('client', () => this.#begin(), this));
  }

  /** The body does not come whole: sends the head that was kept, and encodes the body as it comes. */
  #begin(): void {
    const kept = this.#kept;
    if (kept === undefined) return;
    this.#kept = undefined;
    const { head, length, codec, first } = kept;
    if (this.#compression.enter()) {
      this.inner.writeHead(encodedHead(head, codec.coding), undefined);
      const { faults, leave } = this.#compression;
      this.#body = new EncoderBody(this.inner, codec.stream(), this, faults, leave);
    } else this.inner.writeHead(head, length);
    // Its writer got true, so it may write on: no more than one chunk is taken this way.
    if (first !== undefined) (this.#body ?? this.inner).write(first);
  }

  #answerWhole({ head, length, codec }: Kept, body: Buffer | undefined): void {
    const { compressMin, faults } = this.#compression;
    const plain = () => {
      this.inner.writeHead(head, length);
      this.inner.end(body);
    };
    if (body === undefined || body.length < compressMin || (length !== undefined && body.length !== length)) {
      plain();
      return;
    }
    this.#wholeBytes = body.length;
    this.#compression.encode(body, codec, (encoded) => {
      faults.run('client', () => {
        if (encoded === undefined) plain();
        else {
          this.inner.writeHead(encodedHead(head, codec.coding), encoded.length);
          this.inner.end(encoded);
        }
      });
    });
  }
}

function joined(first: Buffer | undefined, last: Buffer | undefined): Buffer | undefined {
  return first === undefined || last === undefined ? (first ?? last) : Buffer.concat([first, last]);
}

/** The response to answer on: the same one where nothing of it could ever be compressed. */
export function compressed(request: ClientRequest, response: ClientResponse, compression: Compression): ClientResponse {
  // Programs that old may say what they cannot do.
  const values = request.version === '1.0' ? [] : headerValues(request.headers, 'accept-encoding');
  if (values.length === 0 && !compression.isForAnswers) return response;
  return new CompressedResponse(response, request, values.length === 0 ? undefined : values.join(','), compression);
}
