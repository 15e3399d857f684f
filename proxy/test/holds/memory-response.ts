/** Owns: a client that only listens: what is written to it is kept. Does not own: what it does with it. */
import type { ClientResponse, StreamPiece } from '../../dist/edge/port.js';

/** A response without a connection. */
export class MemoryResponse implements ClientResponse {
  text = '';
  ended = false;
  readonly waiting = 0;
  readonly bodyBytes = 0;

  setHandler(): void {}

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
