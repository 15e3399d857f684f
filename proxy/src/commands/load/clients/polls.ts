/** Clients that ask again and again: long polls, over connections that are kept. */
import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { MAX_TEXT } from './readers.js';
import {
  type End,
  type Ending,
  errorEnding,
  headersOf,
  type Listener,
  makeRequest,
  statusEnding,
  type Target,
} from './transport.js';

/** A long poll that was sent, and is not answered for so long, is held, in ms. */
const HELD_AFTER_MS = 1_000;

/**
 * What comes sooner than this was not held, in ms: an answer without an item, after which the client waits before it asks again, and
 * the end of a kept connection.
 */
const TOO_SOON_MS = 100;
const PAUSE_MS = 1_000;

/** The connections that long polls share: each uses one at a time, and keeps it for the next request. */
export function makePollAgent({ url }: Target): HttpAgent {
  const options = {
    keepAlive: true,
    maxSockets: Number.POSITIVE_INFINITY,
    maxFreeSockets: Number.POSITIVE_INFINITY,
  };
  return url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
}

/** One client: it asks again as soon as it is answered, until it is ended or something fails. */
class Poll {
  readonly #target: Target;
  readonly #options: RequestOptions;
  readonly #listener: Listener;
  #request: ClientRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isHeld = false;
  #isOver = false;

  constructor(target: Target, agent: HttpAgent, client: number, listener: Listener) {
    this.#target = target;
    const headers = headersOf(target, { Accept: '*/*', 'Accept-Encoding': 'identity' });
    this.#options = { agent, headers, ...target.own.address(client) };
    this.#listener = listener;
  }

  ask(isRepeat = false): void {
    const request = makeRequest(this.#target, this.#options);
    const asked = performance.now();
    this.#request = request;
    request.on('error', (error) => {
      if (this.#isOver || this.#request !== request) return;
      // The server may close a kept connection while the next request is on its way to it.
      const isStale = request.reusedSocket && performance.now() - asked < TOO_SOON_MS;
      if (isStale && !isRepeat) this.ask(true);
      else this.#over(errorEnding(error));
    });
    request.on('finish', () => {
      if (!this.#isHeld && !this.#isOver) this.#timer = setTimeout(() => this.#hold(), HELD_AFTER_MS);
    });
    request.on('response', (response) => this.#take(response, asked));
    request.end();
  }

  #hold(): void {
    if (!this.#isHeld) this.#listener.held();
    this.#isHeld = true;
  }

  #take(response: IncomingMessage, asked: number): void {
    clearTimeout(this.#timer);
    response.on('error', (error) => this.#over(errorEnding(error)));
    if ((response.statusCode ?? 0) > 299) {
      this.#over(statusEnding(response));
      return;
    }
    this.#hold();
    let text = '';
    response.setEncoding('latin1');
    response.on('data', (piece: string) => {
      if (text.length < MAX_TEXT) text += piece;
    });
    response.on('end', () => {
      if (this.#isOver) return;
      const hasItem = this.#listener.text(text);
      // The library keeps the connection for the next request after this turn.
      if (hasItem || performance.now() - asked > TOO_SOON_MS) setImmediate(() => this.#isOver || this.ask());
      else this.#timer = setTimeout(() => this.ask(), PAUSE_MS);
    });
  }

  #over(ending: Ending): void {
    if (this.#isOver) return;
    this.end();
    this.#listener.ended(ending);
  }

  end(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#request?.destroy();
  }
}

/** Starts a client that polls. */
export function openPoll(target: Target, agent: HttpAgent, client: number, listener: Listener): End {
  const poll = new Poll(target, agent, client, listener);
  poll.ask();
  return () => poll.end();
}
