/** An `OriginHandler` that records what it is called with. */
import type { ResponseHead } from '@holdfast/grip';
import type { OriginError } from '../../dist/errors.js';
import type { AnswerSink, OriginHandler } from '../../dist/origin/port.js';

/** Records one answer. */
export class RecordingHandler implements OriginHandler, AnswerSink {
  readonly information: ResponseHead[] = [];
  head: ResponseHead | undefined;
  length: number | undefined;
  bytes = 0;
  /** What `onData` returns. */
  accepts = true;
  #chunks: Buffer[] = [];
  #wake = () => {};
  #end: OriginError | 'end' | undefined;

  onInformation(head: ResponseHead): void {
    this.information.push(head);
  }

  onHead(head: ResponseHead, length: number | undefined): AnswerSink {
    this.head = head;
    this.length = length;
    this.#wake();
    return this;
  }

  onData(chunk: Buffer): boolean {
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
    return this.accepts;
  }

  onEnd(): void {
    this.#over('end');
  }

  onError(error: OriginError): void {
    this.#over(error);
  }

  /** Whether no call will follow. */
  get over(): boolean {
    return this.#end !== undefined;
  }

  get body(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  /** How the answer ended. */
  async ended(): Promise<OriginError | 'end'> {
    while (this.#end === undefined) await this.#event();
    return this.#end;
  }

  /** The head, as soon as it is there. */
  async headed(): Promise<ResponseHead> {
    while (this.head === undefined) await this.#event();
    return this.head;
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #over(end: OriginError | 'end'): void {
    if (this.#end !== undefined) throw new Error('an answer ended twice');
    this.#end = end;
    this.#wake();
  }
}
