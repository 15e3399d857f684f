/** An origin whose requests wait until the test takes them, one by one, and answers by hand: as much and when it wants. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { until } from '../kit/until.js';

/** Header fields of an answer; a list stands for several fields of one name. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

/** A whole answer. */
export interface PulledAnswer {
  readonly status?: number;
  readonly reason?: string;
  readonly headers?: Fields;
  readonly body?: string | Buffer;
}

/** One request, whole, in the hands of the test. */
export class Asked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Names in lower case. */
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The other side has given this request up. */
  gone = false;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, body: Buffer, response: ServerResponse) {
    this.method = request.method ?? '';
    this.url = request.url ?? '';
    this.headers = request.headers;
    this.rawHeaders = request.rawHeaders;
    this.body = body;
    this.#response = response;
    response.on('close', () => {
      this.gone = !response.writableFinished;
    });
  }

  /** All `Grip-Last` fields, in order. */
  get lastIds(): string[] {
    return this.rawHeaders.filter((_, i, all) => i % 2 === 1 && all[i - 1]?.toLowerCase() === 'grip-last');
  }

  /** Answers whole. */
  answer({ status = 200, reason, headers = {}, body = '' }: PulledAnswer): void {
    this.#head(status, { ...headers, 'Content-Length': String(Buffer.byteLength(body)) }, reason);
    this.#response.end(body);
  }

  /** Sends the head of a chunked answer, and the first part of its body if there is one. */
  begin(headers: Fields, part?: string | Buffer): void {
    this.#head(200, headers);
    this.#response.flushHeaders();
    if (part !== undefined) this.write(part);
  }

  /** Sends a further part of the body. False when the other side does not take it all. */
  write(part: string | Buffer): boolean {
    return this.#response.write(part);
  }

  /** Resolves when what was written has been taken. */
  drained(): Promise<void> {
    return new Promise((resolve) => this.#response.once('drain', resolve));
  }

  /** Completes an answer that was begun. */
  end(part?: string): void {
    this.#response.end(part);
  }

  /** Cuts the connection, before the answer or in the middle of it. */
  breakOff(): void {
    this.#response.destroy();
  }

  /** Waits until the other side has given this request up. */
  async abandoned(): Promise<void> {
    await until('end of the request', () => this.gone);
  }

  #head(status: number, headers: Fields, reason?: string): void {
    for (const [name, value] of Object.entries(headers)) {
      this.#response.setHeader(name, typeof value === 'string' ? value : [...value]);
    }
    if (reason === undefined) this.#response.writeHead(status);
    else this.#response.writeHead(status, reason);
  }
}

/** A server on a port of its own, cut off at the end of the test. */
export class PullOrigin {
  readonly port: number;
  /** All requests so far, in the order in which they were whole. */
  readonly all: Asked[];
  readonly #waiting: Asked[] = [];
  readonly #takers: ((asked: Asked) => void)[] = [];

  private constructor(port: number, all: Asked[]) {
    this.port = port;
    this.all = all;
  }

  static async open(t: Test): Promise<PullOrigin> {
    const all: Asked[] = [];
    let origin: PullOrigin | undefined;
    const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
      const chunks: Buffer[] = [];
      response.on('error', () => {});
      request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
      request.on('end', () => origin?.take(new Asked(request, Buffer.concat(chunks), response)));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    origin = new PullOrigin((server.address() as AddressInfo).port, all);
    return origin;
  }

  /** A request that has come. */
  take(asked: Asked): void {
    this.all.push(asked);
    const taker = this.#takers.shift();
    if (taker === undefined) this.#waiting.push(asked);
    else taker(asked);
  }

  /** The next request that no one has taken yet. */
  next(): Promise<Asked> {
    const asked = this.#waiting.shift();
    return asked === undefined ? new Promise((resolve) => this.#takers.push(resolve)) : Promise.resolve(asked);
  }

  /** How many requests have come that no one has taken. */
  get untaken(): number {
    return this.#waiting.length;
  }
}
