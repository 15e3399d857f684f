/** The filters that ask a server about an item: http-check and http-modify. */
import { headerValue, type Item, type ResponseHead, wireFromText } from '@holdfast/grip';
import type { OriginError } from '../errors.js';
import type { AnswerSink, OriginCall, OriginHandler } from '../origin/port.js';
import type { Clock, Timer } from '../runtime/clock.js';
import { KeptBytes } from '../runtime/kept-bytes.js';
import type { AskedPlace, LinkClient } from './link-client.js';
import type { LinkScope } from './link-scope.js';

/**
 * How long a server may take to answer, in ms.
 *
 * @limit {s} for a filter's answer
 * @over the filter fails: the item is skipped, counted and logged
 */
const TIMEOUT_MS = 10_000;

/**
 * Longest answer in bytes.
 *
 * @limit {} bytes of a filter's answer
 * @over the filter fails: the item is skipped, counted and logged
 */
const MAX_ANSWER = 100_000;

/**
 * Requests to one URL in a second; more wait for the next.
 *
 * @limit {} requests of filters a second to one URL
 * @over the others wait for the next second
 */
const RATE = 100;

/**
 * How many requests to one URL may wait for their second; one more fails at once.
 *
 * @limit {} requests of filters that wait for one URL
 * @over the filter fails
 */
const MAX_WAITING = 10_000;

/** What is asked. */
export interface HttpFilterQuestion {
  readonly filter: 'http-check' | 'http-modify';
  /** What the URL in the connection's meta is relative to. */
  readonly scope: LinkScope;
  readonly subMeta: ReadonlyMap<string, string>;
  readonly item: Item;
  readonly lastIds: ReadonlyMap<string, string>;
  readonly content: Buffer;
}

/** The answer: the content to go on with, or that the item is not to be delivered. */
export type HttpFilterAnswer = { readonly drop: true } | { readonly drop: false; readonly content: Buffer };

/** Asks servers. One for a node: the rate is kept per URL. */
export class HttpFilters {
  readonly #client: LinkClient;
  readonly #clock: Clock;
  readonly #sent = new Map<string, number>();
  readonly #waiting = new Map<string, (() => void)[]>();
  #tick: Timer | undefined;

  constructor(client: LinkClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Asks; rejects with the text of the error that filters report. */
  async ask(question: HttpFilterQuestion): Promise<HttpFilterAnswer> {
    const named = question.subMeta.get('url');
    if (named === undefined || named === '') throw new Error('missing url value');
    let place = this.#place(named, question);
    const turn = this.#turn(place.url);
    if (turn !== undefined) {
      await turn;
      // The routes may have been reloaded meanwhile.
      place = this.#place(named, question);
    }
    const { head, body } = await this.#request(place, question);
    const action = headerValue(head.headers, 'action')?.trim();
    if (head.status !== 200 && head.status !== 204) {
      throw new Error(`unexpected network request status: code=${head.status}`);
    }
    if (action === 'drop') return { drop: true };
    const replaced = question.filter === 'http-modify' && head.status === 200;
    return { drop: false, content: replaced ? body : question.content };
  }

  #place(named: string, { scope }: HttpFilterQuestion): AskedPlace {
    const place = this.#client.place(named, scope);
    if (place.kind === 'nowhere') throw new Error(`invalid url value: ${place.reason}`);
    return place;
  }

  /** Waits until the URL may be asked once more. */
  #turn(url: string): Promise<void> | undefined {
    const sent = this.#sent.get(url) ?? 0;
    this.#tick ??= this.#clock.after(1_000, () => this.#refill());
    if (sent < RATE) {
      this.#sent.set(url, sent + 1);
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const queue = this.#waiting.get(url) ?? [];
      if (queue.length >= MAX_WAITING) {
        reject(new Error(`more than ${MAX_WAITING} network requests wait for this url`));
        return;
      }
      queue.push(resolve);
      this.#waiting.set(url, queue);
    });
  }

  #refill(): void {
    this.#tick = undefined;
    this.#sent.clear();
    for (const [url, queue] of this.#waiting) {
      const now = queue.splice(0, RATE);
      this.#sent.set(url, now.length);
      if (queue.length === 0) this.#waiting.delete(url);
      for (const go of now) go();
    }
    if (this.#sent.size > 0) this.#tick = this.#clock.after(1_000, () => this.#refill());
  }

  #request(place: AskedPlace, question: HttpFilterQuestion): Promise<{ head: ResponseHead; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const kept = new KeptBytes();
      let head: ResponseHead | undefined;
      const stop = (error: Error) => {
        this.#clock.clear(timer);
        call.abort();
        reject(error);
      };
      const handler: OriginHandler & AnswerSink = {
        onInformation() {},
        onHead: (received) => {
          head = received;
          return handler;
        },
        onData: (chunk) => {
          kept.add(chunk);
          if (kept.length > MAX_ANSWER) stop(new Error(`network response exceeded ${MAX_ANSWER} bytes`));
          return true;
        },
        onEnd: () => {
          this.#clock.clear(timer);
          resolve({ head: head as ResponseHead, body: kept.whole() });
        },
        onError: (error: OriginError) => {
          this.#clock.clear(timer);
          reject(new Error(`network request failed: ${error.message}`));
        },
      };
      const call: OriginCall = this.#client.read(
        {
          marks: question.scope,
          isPerItem: true,
          method: 'POST',
          place,
          headers: [
            'Sub-Meta',
            headerJson(Object.fromEntries(question.subMeta)),
            'Pub-Meta',
            headerJson(question.item.meta),
          ],
          lastIds: question.lastIds,
          body: question.filter === 'http-modify' ? question.content : Buffer.alloc(0),
        },
        handler,
      );
      const timer = this.#clock.after(TIMEOUT_MS, () => stop(new Error('network request failed: timeout')));
    });
  }
}

/** JSON for a header field. JSON escapes all control characters but one. */
function headerJson(value: object): string {
  return wireFromText(JSON.stringify(value)).replaceAll('\x7f', '\\u007f');
}
