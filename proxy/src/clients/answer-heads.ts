/** Changes in the final heads of answers to clients, whoever answers. Interim answers are left as they are. */
import type { RawHeaders, ResponseHead } from '@holdfast/grip';
import { type ClientHandshake, type ClientResponse, ResponseWrapper } from '../edge/port.js';

/** Gives header fields in the place of others, which it leaves as they are. */
export type HeadChange = (headers: RawHeaders) => RawHeaders;

/** An answer whose final head is changed. */
export class ChangedHead extends ResponseWrapper {
  readonly #change: HeadChange;

  constructor(inner: ClientResponse, change: HeadChange) {
    super(inner);
    this.#change = change;
  }

  get readsBody(): boolean {
    return this.inner.readsBody === true;
  }

  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    super.writeHead({ ...head, headers: this.#change(head.headers) }, length, flush);
  }
}

/** A handshake whose answer is changed, be it accepted or refused. */
export function changedHandshake(handshake: ClientHandshake, change: HeadChange): ClientHandshake {
  return {
    response: new ChangedHead(handshake.response, change),
    accept: (headers, extensions) => handshake.accept(change(headers), extensions),
  };
}
