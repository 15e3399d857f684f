/** The base of classes that change what a client response is given. */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import type { ClientResponse, ResponseHandler } from './port.js';
import type { StreamPiece } from './stream-piece.js';

/** Decorates a `ClientResponse`: passes every call on; a subclass overrides those that it changes. */
export class ResponseWrapper implements ClientResponse {
  protected readonly inner: ClientResponse;

  constructor(inner: ClientResponse) {
    this.inner = inner;
  }

  setHandler(handler: ResponseHandler): void {
    this.inner.setHandler(handler);
  }

  writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    this.inner.writeHead(head, length, flush);
  }

  writeInformation(head: ResponseHead): void {
    this.inner.writeInformation(head);
  }

  write(chunk: Buffer): boolean {
    return this.inner.write(chunk);
  }

  end(chunk?: Buffer, trailers?: RawHeaders): void {
    this.inner.end(chunk, trailers);
  }

  abort(discard?: boolean): void {
    this.inner.abort(discard);
  }

  push(piece: StreamPiece): void {
    this.inner.push(piece);
  }

  goIdle(): void {
    this.inner.goIdle?.();
  }

  get waiting(): number {
    return this.inner.waiting;
  }

  get bodyBytes(): number {
    return this.inner.bodyBytes;
  }
}
