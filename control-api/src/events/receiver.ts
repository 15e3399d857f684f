/** The customer's URL: one signed POST at a time, and what is answered. The only place from which events leave. */
import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as requestPlain } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import type { Clock } from '../runtime/clock.js';
import { type EventKey, signatures } from './signature.js';

/**
 * Milliseconds for one post, from the connection to the end of the answer.
 *
 * @limit {s} for a post of events
 * @over it has failed, and is sent again
 */
export const POST_MS = 10_000;

/**
 * Bytes of an answer that are read, for the connection to be used again; nothing of them is looked at.
 *
 * @limit {KiB} of the answer to a post of events
 * @over the connection is closed; the status counts
 */
export const ANSWER_BYTES = 64 * 1024;

/**
 * Bytes of the head of an answer.
 *
 * @limit {KiB} of head of the answer to a post of events
 * @over it has failed, and is sent again
 */
export const ANSWER_HEAD_BYTES = 16 * 1024;

/** What became of a post: the status, or why there is none, in the system's code or words. */
export type PostResult = { readonly status: number } | { readonly error: string };

/** Takes posts of events. */
export interface EventReceiver {
  /** Where it is, for logs: nothing that only the receiver should see. */
  readonly name: string;
  /** Sends one body under an id, which is the same whenever the same body is sent. Never rejects. */
  post(id: string, body: string): Promise<PostResult>;
  /** Breaks off what is under way. */
  close(): void;
}

/** What an {@link HttpReceiver} is made of. */
export interface HttpReceiverOptions {
  /** http or https. */
  readonly url: string;
  readonly keys: readonly EventKey[];
  readonly clock: Clock;
}

/**
 * {@link EventReceiver} over HTTP. Only the configured URL is called: redirects are not followed. The certificate of a server is checked
 * against the authorities that Node.js knows, `NODE_EXTRA_CA_CERTS` among them. One connection at most.
 */
export class HttpReceiver implements EventReceiver {
  readonly name: string;
  readonly #url: URL;
  readonly #keys: readonly EventKey[];
  readonly #clock: Clock;
  readonly #agent: PlainAgent | TlsAgent;
  readonly #request: typeof requestPlain;

  constructor({ url, keys, clock }: HttpReceiverOptions) {
    this.#url = new URL(url);
    this.#keys = keys;
    this.#clock = clock;
    const isTls = this.#url.protocol === 'https:';
    this.#agent = new (isTls ? TlsAgent : PlainAgent)({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#request = isTls ? requestTls : requestPlain;
    this.name = this.#url.origin + this.#url.pathname;
  }

  post(id: string, body: string): Promise<PostResult> {
    // The time of this attempt, and not of the first: receivers refuse what is older than some minutes.
    const timestamp = Math.floor(this.#clock.wall() / 1_000);
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'Holdfast',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signatures(this.#keys, id, timestamp, body),
    };
    return new Promise((resolve) => {
      let outgoing: ClientRequest | undefined;
      let status: number | undefined;
      const end = (error: string) => {
        this.#clock.clear(timer);
        outgoing?.destroy();
        resolve(status === undefined ? { error } : { status });
      };
      const timer = this.#clock.after(POST_MS, () => end('no answer in time'));
      try {
        outgoing = this.#request(this.#url, {
          method: 'POST',
          headers,
          agent: this.#agent,
          maxHeaderSize: ANSWER_HEAD_BYTES,
        });
      } catch (error) {
        end(reasonOf(error));
        return;
      }
      outgoing.on('error', (error) => end(reasonOf(error)));
      outgoing.on('response', (incoming) => {
        status = incoming.statusCode ?? 0;
        passOver(
          incoming,
          () => end('broken off'),
          () => {
            this.#clock.clear(timer);
            resolve({ status: status ?? 0 });
          },
        );
      });
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Reads an answer to its end, for `done`; `cut` is called where it is too long, or breaks off. */
function passOver(incoming: IncomingMessage, cut: () => void, done: () => void): void {
  let size = 0;
  incoming.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > ANSWER_BYTES) cut();
  });
  incoming.on('error', cut);
  incoming.on('aborted', cut);
  incoming.on('end', done);
}

/** A code of the system or of TLS, else the message. */
function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
