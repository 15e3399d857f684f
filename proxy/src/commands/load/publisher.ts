/**
 * Publishes the items of a load run, each when it is due and in order: there is one call at a time, and what becomes due meanwhile
 * goes together in the next one. So a slow control API delays items, which are timed from when they were due, and never reorders them.
 */
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { setTimeout as delay } from 'node:timers/promises';
import { LoadError } from '../../errors.js';
import { oneLine } from '../../runtime/legible.js';
import { now } from './clients/crowd.js';
import { errorEnding, type Kind } from './clients/transport.js';
import { Recorder } from './histogram.js';
import { dueOf, markText, type Schedule } from './mark.js';

/**
 * Items, and bytes of their content, of one call.
 *
 * @limit {} items in one call of `holdfast load` to the control API, and 400,000 bytes of content
 * @over the others follow in the next call
 */
export const MAX_BATCH = 500;
const MAX_BATCH_BYTES = 400_000;

/**
 * Milliseconds for the control API to answer.
 *
 * @limit {s} for a publish of `holdfast load` to be answered
 * @over it is sent again, with the same ids
 */
export const ANSWER_TIMEOUT_MS = 10_000;

/** Waits before what was not accepted is sent again, in ms. */
const RETRY_AFTER_MS = [100, 400, 1_500];

/**
 * Items that were not accepted after all retries.
 *
 * @limit {} items of `holdfast load` that the control API refuses
 * @over the run ends
 */
export const MAX_UNPUBLISHED = 1_000;

/** Bytes of a refusal that are read. */
const MAX_ANSWER = 10_000;

/** Where and as whom; asked before each call, for tokens expire. */
export type Control = () => { readonly url: URL; readonly authorization: string | undefined };

/** What is published. */
export interface Items {
  readonly schedule: Schedule;
  readonly channel: string;
  readonly kind: Kind;
  /** Of the content, in bytes. */
  readonly size: number;
}

/** The content of an item in the format that its kind of client takes. */
function formatsOf(kind: Kind, text: string): object {
  if (kind === 'ws') return { 'ws-message': { content: text } };
  if (kind === 'poll') return { 'http-response': { body: `${text}\n` } };
  return { 'http-stream': { content: kind === 'sse' ? `data: ${text}\n\n` : `${text}\n` } };
}

/** One run of publishes. */
export class ItemPublisher {
  /** Items that were accepted. */
  published = 0;
  /** Numbers of those that were not. */
  readonly unpublished: number[] = [];
  /** From when an item was due to when it was accepted. */
  readonly acceptance = new Recorder();
  /** What the control API said last when it did not accept. */
  complaint: string | undefined;
  readonly #control: Control;
  readonly #agent: HttpAgent;
  readonly #timeout: number;

  constructor(control: Control, timeout = ANSWER_TIMEOUT_MS) {
    this.#control = control;
    this.#timeout = timeout;
    const options = { keepAlive: true, maxSockets: 1 };
    this.#agent = control().url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /**
   * Publishes an item that no client counts, to see that it can be done, before any client is there.
   * @throws LoadError ERR_LOAD_PUBLISH with what the control API says
   */
  async check(items: Items): Promise<void> {
    const fault = await this.#post([itemOf(items, 0)]);
    if (fault !== undefined)
      throw new LoadError('ERR_LOAD_PUBLISH', `cannot publish to ${this.#control().url}: ${fault}`);
  }

  /** Resolves after the last item, or when `signal` aborts, or when too many were not accepted. Returns the last number that was due. */
  async run(items: Items, signal: AbortSignal): Promise<number> {
    const { schedule, size } = items;
    const most = Math.max(1, Math.min(MAX_BATCH, Math.floor(MAX_BATCH_BYTES / size)));
    let next = 1;
    while (next <= schedule.last && !signal.aborted && this.unpublished.length < MAX_UNPUBLISHED) {
      const wait = dueOf(schedule, next) - now();
      if (wait > 0) await delay(wait, undefined, { signal }).catch(() => {});
      const due = Math.min(Math.floor((now() - schedule.first) / schedule.every) + 1, schedule.last, next + most - 1);
      if (due < next) continue;
      await this.#publish(items, next, due);
      next = due + 1;
    }
    return next - 1;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #publish(items: Items, from: number, to: number): Promise<void> {
    const batch = Array.from({ length: to - from + 1 }, (_, at) => itemOf(items, from + at));
    let fault = await this.#post(batch);
    for (const wait of RETRY_AFTER_MS) {
      if (fault === undefined) break;
      await delay(wait);
      fault = await this.#post(batch);
    }
    const accepted = now();
    for (let number = from; number <= to; number++) {
      if (fault === undefined) this.acceptance.add(accepted - dueOf(items.schedule, number));
      else this.unpublished.push(number);
    }
    if (fault === undefined) this.published += batch.length;
    else this.complaint = fault;
  }

  /** What went wrong, in a line. */
  #post(items: readonly object[]): Promise<string | undefined> {
    const { url, authorization } = this.#control();
    const body = JSON.stringify({ items });
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
      ...(authorization !== undefined && { Authorization: authorization }),
    };
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve) => {
      const signal = AbortSignal.timeout(this.#timeout);
      const failed = (error: Error) => resolve(signal.aborted ? 'no answer in time' : errorEnding(error).reason);
      const request = open(url, { method: 'POST', headers, agent: this.#agent, signal }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          if (text.length < MAX_ANSWER) text += piece;
        });
        response.on('error', failed);
        response.on('end', () => {
          const { statusCode = 0 } = response;
          const isAccepted = statusCode >= 200 && statusCode <= 299;
          resolve(isAccepted ? undefined : oneLine(`${statusCode} ${text.trim().slice(0, 200)}`.trim()));
        });
      });
      request.on('error', failed);
      request.end(body);
    });
  }
}

function itemOf({ schedule, channel, kind, size }: Items, number: number): object {
  const formats = formatsOf(kind, markText(schedule, number, size));
  return { channel, id: `load-${schedule.run}-${number}`, formats };
}
