/** A client that only listens: what is written to it is kept. */
import type { ClientRequest, ClientResponse, ResponseHandler, StreamPiece } from '../../dist/edge/port.js';

/** A response without a connection. */
export class MemoryResponse implements ClientResponse {
  text = '';
  ended = false;
  readonly waiting = 0;
  readonly bodyBytes = 0;
  #handler: ResponseHandler | undefined;

  setHandler(handler: ResponseHandler): void {
    this.#handler = handler;
  }

  /** Its connection breaks. */
  gone(): void {
    this.#handler?.onGone();
  }

  writeHead(): void {}

  writeInformation(): void {}

  write(chunk: Buffer): boolean {
    this.text += chunk.toString();
    return true;
  }

  push(piece: StreamPiece): void {
    this.text += piece.payload.toString();
  }

  end(): void {
    this.ended = true;
  }

  abort(): void {
    this.ended = true;
  }
}

/** What such a client asks. */
export function memoryRequest(headers: readonly string[] = []): ClientRequest {
  return {
    id: 'x',
    method: 'GET',
    path: '/',
    host: 'test',
    version: '1.1',
    headers,
    secure: false,
    clientAddress: '127.0.0.1',
    body: undefined,
  };
}
