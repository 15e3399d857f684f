/** A client response that is kept in memory. */
import type { ResponseHead } from '@holdfast/grip';
import type { ClientResponse, ResponseHandler, StreamPiece } from '../../dist/edge/port.js';

/** Everything that was written. */
export class MemoryResponse implements ClientResponse {
  head: ResponseHead | undefined;
  length: number | undefined;
  chunks: Buffer[] = [];
  end_: 'end' | 'abort' | undefined;
  /** What `write` says. */
  takes = true;
  readonly waiting = 0;

  setHandler(_handler: ResponseHandler): void {}

  writeHead(head: ResponseHead, length: number | undefined): void {
    if (this.head !== undefined) throw new Error('a second head');
    this.head = head;
    this.length = length;
  }

  writeInformation(): void {}

  write(chunk: Buffer): boolean {
    if (this.head === undefined || this.end_ !== undefined) throw new Error('a body out of place');
    this.chunks.push(chunk);
    return this.takes;
  }

  push(piece: StreamPiece): void {
    this.write(piece.payload);
  }

  end(chunk?: Buffer): void {
    if (chunk !== undefined) this.write(chunk);
    if (this.end_ !== undefined) throw new Error('a second end');
    this.end_ = 'end';
  }

  abort(): void {
    this.end_ ??= 'abort';
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get bodyBytes(): number {
    return this.body.length;
  }
}
