/** A client response that keeps what is written, and whose client is played by the test. */

import { headerValue, type RawHeaders, type ResponseHead } from '@holdfast/grip';
import type { ClientResponse, ResponseHandler } from '../../dist/edge/port.js';

/** An answer in the making. */
export class FakeResponse implements ClientResponse {
  status = 0;
  headers: RawHeaders = [];
  length: number | undefined;
  text = '';
  /** Body bytes by write. */
  readonly chunks: string[] = [];
  state: 'open' | 'ended' | 'aborted' | 'gone' = 'open';
  /** Bytes that the client is to be thought of as not having taken. */
  waiting = 0;
  /** What `write` returns. */
  takes = true;
  bodyBytes = 0;
  #owner: ResponseHandler | undefined;

  setHandler(handler: ResponseHandler): void {
    this.#owner = handler;
  }

  writeHead(head: ResponseHead, length: number | undefined): void {
    if (this.status !== 0) throw new Error('a second head');
    this.status = head.status;
    this.headers = head.headers;
    this.length = length;
  }

  writeInformation(): void {}

  write(chunk: Buffer): boolean {
    if (this.status === 0) throw new Error('no head');
    if (this.state !== 'open') throw new Error(`written when ${this.state}`);
    this.#add(chunk);
    return this.takes;
  }

  end(chunk?: Buffer): void {
    if (this.state !== 'open') throw new Error(`ended when ${this.state}`);
    if (chunk !== undefined) this.#add(chunk);
    if (this.length !== undefined && this.bodyBytes > 0 && this.length !== this.bodyBytes) throw new Error('length');
    this.state = 'ended';
  }

  abort(): void {
    this.state = 'aborted';
  }

  push(): void {
    throw new Error('nothing is pushed here');
  }

  /** The value of a header field. */
  header(name: string): string | undefined {
    return headerValue(this.headers, name);
  }

  /** The client goes away. */
  leave(): void {
    this.state = 'gone';
    this.#owner?.onGone();
  }

  /** The client has taken what was written. */
  drain(): void {
    this.takes = true;
    this.waiting = 0;
    this.#owner?.onWritable();
  }

  #add(chunk: Buffer): void {
    this.chunks.push(chunk.toString());
    this.text += chunk.toString();
    this.bodyBytes += chunk.length;
  }
}
