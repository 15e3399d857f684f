/** Owns: a client that takes encoded answers, and shows them decoded while they come. Does not own: what is asked. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import type { Test } from 'tap';
import { until } from '../until.js';

/** An answer whose head has come. */
export class EncodedAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The body as it came, so far. */
  readonly raw: Buffer[] = [];
  /** The body decoded, so far. */
  text = '';
  readonly #message: IncomingMessage;
  readonly #end: Promise<'complete' | 'broken'>;

  constructor(message: IncomingMessage) {
    this.#message = message;
    this.status = message.statusCode ?? 0;
    this.headers = message.headers;
    const coding = message.headers['content-encoding'];
    const decoder = coding === 'gzip' ? createGunzip() : coding === 'br' ? createBrotliDecompress() : undefined;
    const show = (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
    };
    message.on('data', (bytes: Buffer) => {
      this.raw.push(bytes);
      if (decoder === undefined) show(bytes);
      else decoder.write(bytes);
    });
    decoder?.on('data', show);
    const decoded = new Promise<boolean>((resolve) => {
      decoder?.on('end', () => resolve(true)).on('error', () => resolve(false));
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

  /** All bytes so far as they came. */
  get bytes(): Buffer {
    return Buffer.concat(this.raw);
  }

  /** Waits until the decoded body so far contains this. */
  async until(part: string): Promise<void> {
    await until(
      `body with ${part}`,
      () => this.text.includes(part),
      () => `so far: ${JSON.stringify(this.text)}`,
    );
  }

  /** Waits for the end: `broken` when the body, or the coding of it, stopped short. */
  end(): Promise<'complete' | 'broken'> {
    return this.#end;
  }

  stall(): void {
    this.#message.pause();
  }

  resume(): void {
    this.#message.resume();
  }

  drop(): void {
    this.#message.destroy();
  }
}

/** Asks with this Accept-Encoding, none where it is undefined; resolves when the head of the answer has come. */
export function openEncoded(
  t: Test,
  url: string,
  accept: string | undefined,
  { method = 'GET', headers = {} }: { method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<EncodedAnswer> {
  const all = accept === undefined ? headers : { ...headers, 'Accept-Encoding': accept };
  const request = httpRequest(url, { method, headers: all, agent: false });
  t.teardown(() => request.destroy());
  return new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (message) => resolve(new EncodedAnswer(message)));
    request.end();
  });
}

/** The same; resolves when the answer has ended. */
export async function askEncoded(...args: Parameters<typeof openEncoded>): Promise<EncodedAnswer> {
  const answer = await openEncoded(...args);
  await answer.end();
  return answer;
}
