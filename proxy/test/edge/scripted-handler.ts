/** An `EdgeHandler` that hands each request to the test, which answers by hand. */
import type {
  BodySink,
  ClientHandshake,
  ClientRequest,
  ClientResponse,
  EdgeHandler,
  ResponseHandler,
} from '../../dist/edge/port.js';

/** What a client's body came to. */
export interface ReadBody {
  readonly bytes: Buffer;
  readonly end: 'end' | 'abort';
}

/** One request in the test's hands. Owns its response until the test says otherwise. */
export class Taken implements ResponseHandler {
  readonly request: ClientRequest;
  readonly response: ClientResponse;
  writables = 0;
  gones = 0;
  /** Body bytes received. */
  bodyBytes = 0;

  constructor(request: ClientRequest, response: ClientResponse) {
    this.request = request;
    this.response = response;
    response.setHandler(this);
  }

  onWritable(): void {
    this.writables++;
  }

  onGone(): void {
    this.gones++;
  }

  /** Reads the body to its end. */
  read(): Promise<ReadBody> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      const sink: BodySink = {
        onData: (chunk) => {
          chunks.push(chunk);
          this.bodyBytes += chunk.length;
        },
        onEnd: () => resolve({ bytes: Buffer.concat(chunks), end: 'end' }),
        onAbort: () => resolve({ bytes: Buffer.concat(chunks), end: 'abort' }),
      };
      this.request.body?.read(sink);
    });
  }

  /** Answers with status 200. */
  answer(body: string, headers: readonly string[] = []): void {
    const bytes = Buffer.from(body);
    this.response.writeHead({ status: 200, reason: 'OK', headers }, bytes.length);
    this.response.end(bytes);
  }

  /** Starts an answer with status 200; of unknown length unless one is given. */
  start(length?: number, flush = false): void {
    this.response.writeHead({ status: 200, reason: 'OK', headers: [] }, length, flush);
  }
}

/** Collects requests in the order of their coming. */
export class ScriptedHandler implements EdgeHandler {
  /** Requests that no `next` has taken. */
  readonly waiting: Taken[] = [];
  /** How many requests have come in all. */
  count = 0;
  #wakers: (() => void)[] = [];

  onRequest(request: ClientRequest, response: ClientResponse): void {
    this.count++;
    this.waiting.push(new Taken(request, response));
    this.#wakers.shift()?.();
  }

  /** Handshakes have a contract of their own. */
  onWebSocket(_request: ClientRequest, { response }: ClientHandshake): void {
    response.abort();
  }

  /** The next request. */
  async next(): Promise<Taken> {
    while (this.waiting.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wakers.push(resolve);
      });
    }
    return this.waiting.shift() as Taken;
  }
}
