/** One callback on the node that keeps it: asks its server whether it wants it, and sends the items that wait, one after the other. */

import type { CauseLog } from '../runtime/bounded-logs.js';
import type { Clock } from '../runtime/clock.js';
import type { WebhookAnswer } from '../webhooks/exchange.js';
import { type EventKey, readEventKeys, signedFields } from '../webhooks/signature.js';
import { pauseAfter, readRetryAfter } from './back-off.js';
import type { Callback, CallbackRecord, CallbackStatus } from './callback.js';
import { CallbackReader, type ItemMeaning } from './callback-request.js';
import { challengeOf, isConfirmed, isRefused } from './challenge.js';
import type { HostSlots } from './host-slots.js';
import type { CallbackWork, QueuedItem } from './store.js';

/** Milliseconds before a callback tries again what its store could not do. */
export const STORE_RETRY_MS = 1_000;

/** Its server wants no more, ever. */
const GONE = 410;

/** Why a callback has ended by itself. `gone`: its server has answered 410. `closed`: an item has closed it. */
export type CallbackEnd = 'gone' | 'expired' | 'closed';

/** Why an item does not reach a callback: too many waited, its format cannot be read, or a filter could not be run. */
export type CallbackDrop = 'backlog' | 'unreadable' | 'filter-failed';

/** Counts what is sent, and passes on what the customer is to know. Must not throw. */
export interface CallbackReports {
  /** A request was answered with 2xx, with another status, or not at all; `challenge` of those that ask for confirmation. */
  asked(kind: 'item' | 'challenge', result: 'taken' | 'refused' | 'failed'): void;
  dropped(callback: Callback, reason: CallbackDrop, count: number): void;
  parked(callback: Callback, status: CallbackStatus): void;
  ended(callback: Callback, reason: CallbackEnd): void;
}

/** A request as it is sent. */
export interface CallbackCall {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly string[];
  readonly body?: Buffer;
  readonly readsBody?: boolean;
}

/** What all senders of a node share. */
export interface SenderDeps {
  readonly work: CallbackWork;
  /** Ends a callback in the store, unless it was made anew; resolves with what has ended. */
  readonly remove: (id: string, version: number) => Promise<CallbackRecord | undefined>;
  readonly send: (call: CallbackCall) => Promise<WebhookAnswer>;
  readonly slots: HostSlots;
  /** How long attempts may fail before a callback is parked, in ms. */
  readonly patience: number;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  readonly reports: CallbackReports;
  readonly causes: CauseLog;
}

/** Works while there is something to send, and has neither timer nor promise otherwise. */
export class CallbackSender {
  readonly #deps: SenderDeps;
  #record: CallbackRecord;
  #reader: CallbackReader;
  #keys: readonly EventKey[];
  #isOver = false;
  /** Of the last item that was taken: should the store not have noted that, it need not be sent again. */
  #taken: string | undefined;
  /** Something has happened since the store was last asked. */
  #isWoken = false;
  #running: Promise<void> | undefined;
  /** Ends the pause under way. */
  #wake = () => {};

  constructor(record: CallbackRecord, deps: SenderDeps) {
    this.#deps = deps;
    this.#record = record;
    this.#reader = new CallbackReader(record.callback);
    this.#keys = readEventKeys(record.callback.secret);
  }

  get callback(): Callback {
    return this.#record.callback;
  }

  get status(): CallbackStatus {
    return this.#record.status;
  }

  /** The callback was made anew: what was found out about it before does not count. */
  renew(record: CallbackRecord): void {
    this.#record = record;
    this.#reader = new CallbackReader(record.callback);
    this.#keys = readEventKeys(record.callback.secret);
    this.#wake();
    this.look();
  }

  /** Items may have come, or its time may be over. */
  look(): void {
    this.#isWoken = true;
    if (this.#isOver || this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // What came between its last look and now.
      if (this.#isWoken && !this.#isOver) this.look();
    });
  }

  /** Sends nothing more; resolves when nothing is under way. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    await this.#running;
  }

  get #isExpired(): boolean {
    return this.callback.expires <= this.#deps.clock.wall();
  }

  async #run(): Promise<void> {
    while (this.#isWoken && !this.#isOver) {
      this.#isWoken = false;
      try {
        while (!this.#isOver && (await this.#step()));
      } catch (error) {
        // The store is away, or Redis answers what it should not: nothing of the callback is lost.
        this.#deps.causes.warn('store', { callback: this.callback.id, err: error }, 'a callback cannot be seen to');
        await this.#pause(STORE_RETRY_MS);
        this.#isWoken = true;
      }
    }
  }

  /** One attempt; false where there is nothing to do before the next look. */
  async #step(): Promise<boolean> {
    const { state } = this.status;
    if (!this.#deps.work.keeps(this.callback.id)) return false;
    if (this.#isExpired) return this.#end('expired');
    if (state === 'parked') return false;
    return state === 'pending' ? this.#confirm() : this.#deliver();
  }

  /** Asks the server whether it wants the callback. */
  async #confirm(): Promise<boolean> {
    const { clock, reports, send } = this.#deps;
    const { url, text } = challengeOf(this.callback, clock);
    const { version } = this.#record;
    const call = { method: 'GET', url, headers: ['User-Agent', 'Holdfast'], readsBody: true };
    const answer = await this.#placed(() => send(call));
    if (answer === undefined) return false;
    reports.asked('challenge', resultOf(answer));
    if (this.#record.version !== version) return true;
    if (isConfirmed(answer, text)) {
      await this.#note({ ...this.status, state: 'active', confirmed: true, failures: 0, failingSince: undefined });
      return true;
    }
    const wrong = 'status' in answer && isSuccess(answer.status) ? 'the challenge was not answered' : errorOf(answer);
    return isRefused(answer, text) ? this.#park(wrong) : this.#fail(answer, wrong);
  }

  /** Sends the oldest item that waits. */
  async #deliver(): Promise<boolean> {
    const attempt = await this.#placed(() => this.#attempt());
    if (attempt === undefined) return false;
    if (attempt === 'next') return true;
    if (attempt === 'closed') return this.#end('closed');
    const { version, answer } = attempt;
    // What it has come to is for one that was made anew meanwhile to find out.
    if (this.#record.version !== version) return true;
    // Broken off by the end of the node: that is no fault of the server.
    if (this.#isOver && 'error' in answer) return false;
    if ('status' in answer && answer.status === GONE) return this.#end('gone');
    return this.#fail(answer, errorOf(answer));
  }

  /**
   * In a place for a request: reads the oldest item, and sends it. Undefined where none waits, `next` where it is done with; else the
   * answer of a server that has not taken it.
   */
  async #attempt(): Promise<
    undefined | 'next' | 'closed' | { readonly version: number; readonly answer: WebhookAnswer }
  > {
    const { work, reports, send } = this.#deps;
    const { version, callback } = this.#record;
    const { id } = callback;
    const next = await work.next(id);
    if (next === undefined) return undefined;
    const { item, lost } = next;
    if (lost > 0) await this.#lose(lost);
    const meaning = item.key === this.#taken ? undefined : this.#read(item);
    if (meaning?.kind !== 'request') {
      await work.done(id, item);
      return meaning?.kind === 'close' ? 'closed' : 'next';
    }
    if (this.#isOver || !work.keeps(id)) return undefined;
    const answer = await send(this.#callOf(item, meaning));
    reports.asked('item', resultOf(answer));
    if (!('status' in answer) || !isSuccess(answer.status)) return { version, answer };
    this.#taken = item.key;
    await this.#noteTaken(item, version);
    return 'next';
  }

  #callOf(item: QueuedItem, { method, url, headers, body }: Extract<ItemMeaning, { kind: 'request' }>): CallbackCall {
    const signed = signedFields(this.#keys, this.#reader.idOf(item), this.#deps.clock, body);
    const fields = Object.entries(signed).flatMap(([name, value]) => [name, String(value)]);
    return { method, url, headers: [...headers, ...fields], ...(body.length > 0 && { body }) };
  }

  /** Acts once there is a place for a request; undefined where nothing may be sent any more. */
  async #placed<T>(act: () => Promise<T>): Promise<T | undefined> {
    const { slots, work } = this.#deps;
    const { host } = new URL(this.callback.url);
    await slots.enter(host);
    try {
      return this.#isOver || !work.keeps(this.callback.id) ? undefined : await act();
    } finally {
      slots.leave(host);
    }
  }

  /** Until the store knows: what it does not know would be sent again, though the answer has come. */
  async #noteTaken(item: QueuedItem, version: number): Promise<void> {
    const { work } = this.#deps;
    const { id } = this.callback;
    for (let isDone = false; !isDone; ) {
      try {
        await work.done(id, item);
        isDone = true;
      } catch (error) {
        this.#deps.causes.warn('store', { callback: id, err: error }, 'that an item was taken cannot be noted');
        if (this.#isOver || !work.keeps(id)) return;
        await this.#pause(STORE_RETRY_MS);
      }
    }
    if (this.status.failures > 0 && this.#record.version === version) {
      await this.#note({ ...this.status, failures: 0, failingSince: undefined });
    }
  }

  #read(item: QueuedItem): ItemMeaning {
    const { message } = item;
    try {
      if (message !== undefined) return this.#reader.read(message.item);
      this.#drop('unreadable', 1);
    } catch (error) {
      this.#drop('filter-failed', 1, error);
    }
    return { kind: 'nothing' };
  }

  async #fail(answer: WebhookAnswer, error: string): Promise<boolean> {
    const { clock, patience, random, causes } = this.#deps;
    const now = clock.wall();
    const failures = this.status.failures + 1;
    const failingSince = this.status.failingSince ?? now;
    if (failures > 1 && now - failingSince >= patience) return this.#park(error);
    await this.#note({ ...this.status, failures, failingSince, error, errorAt: now });
    const retryAfter = 'status' in answer ? readRetryAfter(answer.retryAfter, now) : undefined;
    const pause = pauseAfter(failures, retryAfter, random());
    causes.warn(
      'not taken',
      { callback: this.callback.id, error, failures, pause },
      'a callback is not taken, and sent again',
    );
    await this.#pause(pause);
    return true;
  }

  async #park(error: string): Promise<boolean> {
    const { clock, reports, causes } = this.#deps;
    const { status, callback } = this;
    const failures = status.failures + 1;
    await this.#note({ ...status, state: 'parked', failures, error, errorAt: clock.wall() });
    causes.warn('parked', { callback: callback.id, error, failures }, 'a callback is parked until it is made anew');
    reports.parked(callback, this.status);
    return false;
  }

  async #end(reason: CallbackEnd): Promise<boolean> {
    const { remove, reports, causes } = this.#deps;
    const { callback, version } = this.#record;
    // On another node it may have been made anew, which this one does not know yet.
    if ((await remove(callback.id, version)) === undefined) return false;
    this.#isOver = true;
    if (reason !== 'closed') causes.warn(`ended ${reason}`, { callback: callback.id, reason }, 'a callback has ended');
    reports.ended(callback, reason);
    return false;
  }

  async #lose(count: number): Promise<void> {
    this.#drop('backlog', count);
    await this.#note({ ...this.status, lost: this.status.lost + count });
  }

  #drop(reason: CallbackDrop, count: number, error?: unknown): void {
    const { causes, reports } = this.#deps;
    causes.warn(reason, { callback: this.callback.id, reason, count, err: error }, 'a callback does not get an item');
    reports.dropped(this.callback, reason, count);
  }

  async #note(status: CallbackStatus): Promise<void> {
    const record = { ...this.#record, status };
    this.#record = record;
    await this.#deps.work.note(record.callback.id, record.version, status);
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#deps;
    // Its time may be over before: then it is the time for that.
    const left = Math.max(1, this.callback.expires - clock.wall());
    return new Promise((resolve) => {
      if (this.#isOver) return resolve();
      const timer = clock.after(Math.min(ms, left), resolve);
      this.#wake = () => {
        clock.clear(timer);
        resolve();
      };
    });
  }
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function resultOf(answer: WebhookAnswer): 'taken' | 'refused' | 'failed' {
  if ('error' in answer) return 'failed';
  return isSuccess(answer.status) ? 'taken' : 'refused';
}

function errorOf(answer: WebhookAnswer): string {
  return 'error' in answer ? answer.error : `status ${answer.status}`;
}
