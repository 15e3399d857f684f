/**
 * Owns: an HTTP client that shows an answer while it is still coming. Does not own: bytes below HTTP (`raw-client`).
 */
import {
  type Agent,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestOptions,
} from 'node:http';
import { request as httpsRequest, type RequestOptions as TlsRequestOptions } from 'node:https';
import type { Test } from 'tap';
import { until } from '../until.js';

/** What to ask. Without an agent each request has a connection of its own. */
export interface Asking {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
  readonly agent?: Agent;
  /** TLS: the authority that is trusted, and the server name if it is not the URL's. */
  readonly ca?: string | Buffer;
  readonly servername?: string;
}

/** An answer whose head has come. */
export class Answer {
  readonly status: number;
  readonly reason: string;
  readonly headers: IncomingMessage['headers'];
  readonly rawHeaders: readonly string[];
  /** The body so far. */
  text = '';
  readonly #message: IncomingMessage;
  readonly #end: Promise<'complete' | 'broken'>;

  constructor(message: IncomingMessage) {
    this.#message = message;
    this.status = message.statusCode ?? 0;
    this.reason = message.statusMessage ?? '';
    this.headers = message.headers;
    this.rawHeaders = message.rawHeaders;
    message.setEncoding('utf8').on('data', (text: string) => {
      this.text += text;
    });
    this.#end = new Promise((resolve) => {
      message.on('error', () => resolve('broken'));
      message.on('close', () => resolve(message.complete ? 'complete' : 'broken'));
    });
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

  /** Waits for the end: `broken` when the body stopped short. */
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
  const { method = 'GET', headers = {}, body, agent = false, ca, servername } = asking;
  const options: RequestOptions & TlsRequestOptions = { method, headers, agent };
  if (ca !== undefined) options.ca = ca;
  if (servername !== undefined) options.servername = servername;
  const request = url.startsWith('https:') ? httpsRequest(url, options) : httpRequest(url, options);
  t.teardown(() => request.destroy());
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (message) => resolve(new Answer(message)));
    request.end(body);
  });
}

/** Asks and resolves when the answer is whole. */
export async function ask(t: Test, url: string, asking: Asking = {}): Promise<Answer> {
  const answer = await open(t, url, asking);
  if ((await answer.end()) === 'broken') throw new Error(`answer broke off after ${JSON.stringify(answer.text)}`);
  return answer;
}
