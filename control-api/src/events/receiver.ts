/** The customer's URL: one signed POST at a time, and what is answered. The only place from which events leave. */
import { Agent as PlainAgent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { Clock } from '../runtime/clock.js';
import { exchange } from '../webhooks/exchange.js';
import { type EventKey, signedFields } from '../webhooks/signature.js';

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
  readonly #agent: PlainAgent;

  constructor({ url, keys, clock }: HttpReceiverOptions) {
    this.#url = new URL(url);
    this.#keys = keys;
    this.#clock = clock;
    const Agent = this.#url.protocol === 'https:' ? TlsAgent : PlainAgent;
    this.#agent = new Agent({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.name = this.#url.origin + this.#url.pathname;
  }

  async post(id: string, body: string): Promise<PostResult> {
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'Holdfast',
      ...signedFields(this.#keys, id, this.#clock, body),
    };
    const request = { url: this.#url, method: 'POST', headers, body, agent: this.#agent };
    const answer = await exchange(request, this.#clock);
    return 'error' in answer ? answer : { status: answer.status };
  }

  close(): void {
    this.#agent.destroy();
  }
}
