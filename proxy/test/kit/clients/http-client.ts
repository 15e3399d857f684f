/** An HTTP client that shows an answer while it is still coming, decoded if it is asked to; bytes below HTTP: `raw-client`. */
import {
  type Agent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest, type RequestOptions as TlsRequestOptions } from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import type { Test } from 'tap';
import { until } from '../until.js';

/** What to ask. Without an agent each request has a connection of its own. */
export interface Asking {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
  /** The address to connect from; the system's choice if left out. */
  readonly localAddress?: string;
  /** TLS: the authority that is trusted, and the server name if it is not the URL's. */
  readonly ca?: string | Buffer;
  readonly servername?: string;
  /** Keeps the bytes of the body, and shows its text decoded, of gzip or br. */
  readonly decodes?: boolean;
}

const decoders = { gzip: createGunzip, br: createBrotliDecompress } as const;

/** An answer whose head has come. */
export class Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  /** The body so far. */
  text = '';
  /** Of an answer that is decoded: the body as it came, so far, and what it is decoded. */
  readonly #encoded: Buffer[] = [];
  readonly #decoded: Buffer[] = [];
  readonly #message: IncomingMessage;
  readonly #end: Promise<'complete' | 'broken'>;

  constructor(message: IncomingMessage, decodes = false) {
    this.#message = message;
    this.status = message.statusCode ?? 0;
    this.reason = message.statusMessage ?? '';
    this.headers = message.headers;
    this.rawHeaders = message.rawHeaders;
    const decoder = decodes ? decoders[message.headers['content-encoding'] as keyof typeof decoders]?.() : undefined;
    const utf8 = new StringDecoder('utf8');
    const show = (bytes: Buffer) => {
      if (decodes) this.#decoded.push(bytes);
      this.text += utf8.write(bytes);
    };
    message.on('data', (bytes: Buffer) => {
      if (decodes) this.#encoded.push(bytes);
      if (decoder === undefined) show(bytes);
      else decoder.write(bytes);
    });
    const decoded = new Promise<boolean>((resolve) => {
      decoder?.on('data', show).on('end', () => resolve(true));
      decoder?.on('error', () => resolve(false));
      if (decoder === undefined) resolve(true);
    });
    this.#end = new Promise((resolve) => {
      message.on('error', () => resolve('broken'));
      message.on('close', () => {
        decoder?.end();
        if (!message.complete) resolve('broken');
        else void decoded.then((isWhole) => resolve(isWhole ? 'complete' : 'broken'));
      });
    });
  }

  /** Of an answer that is decoded: all bytes of the body so far as they came. */
  get bytes(): Buffer {
    return Buffer.concat(this.#encoded);
  }

  /** The same, decoded. */
  get body(): Buffer {
    return Buffer.concat(this.#decoded);
  }

  /** Waits until the body so far contains, or matches, what is given. */
  async until(part: string | RegExp): Promise<void> {
    let from = 0;
    const found = () => {
      if (typeof part !== 'string') return part.test(this.text);
      const place = this.text.indexOf(part, from);
      from = Math.max(0, this.text.length - part.length);
      return place >= 0;
    };
    await until(`body with ${part}`, found, () => `so far: ${JSON.stringify(this.text)}`);
  }

  /** Waits for the end: `broken` when the body, or the coding of it, stopped short. */
  end(): Promise<'complete' | 'broken'> {
    return this.#end;
  }

  /** Stops reading: what comes stays in the buffers of the connection, until they are full. */
  stall(): void {
    this.#message.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#message.resume();
  }

  /** Goes away. */
  drop(): void {
    this.#message.destroy();
  }
}

/** Asks and resolves when the head of the answer has come. The connection goes with the test. */
export function open(t: Test, url: string, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, agent = false, ca, servername, decodes, localAddress } = asking;
  const options: RequestOptions & TlsRequestOptions = { method, headers, agent };
  if (ca !== undefined) options.ca = ca;
  if (localAddress !== undefined) options.localAddress = localAddress;
  if (servername !== undefined) options.servername = servername;
  const request = url.startsWith('https:') ? httpsRequest(url, options) : httpRequest(url, options);
  t.teardown(() => request.destroy());
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (message) => resolve(new Answer(message, decodes)));
    request.end(body);
  });
}

/** Asks and resolves when the answer is whole. */
export async function ask(t: Test, url: string, asking: Asking = {}): Promise<Answer> {
  const answer = await open(t, url, asking);
  if ((await answer.end()) === 'broken') throw new Error(`answer broke off after ${JSON.stringify(answer.text)}`);
  return answer;
}

/** Asks with this Accept-Encoding, none where it is undefined, and decodes the answer; resolves when its head has come. */
export function openEncoded(t: Test, url: string, accept: string | undefined, asking: Asking = {}): Promise<Answer> {
  const headers = accept === undefined ? { ...asking.headers } : { ...asking.headers, 'Accept-Encoding': accept };
  return open(t, url, { ...asking, headers, decodes: true });
}

/** The same; resolves when the answer has ended, be it whole or not. */
export async function askEncoded(...args: Parameters<typeof openEncoded>): Promise<Answer> {
  const answer = await openEncoded(...args);
  await answer.end();
  return answer;
}
