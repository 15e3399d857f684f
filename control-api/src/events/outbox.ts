/** The events that wait for their receiver: a bounded queue, sent in order and in batches, again and again until they are taken. */
import { randomUUID } from 'node:crypto';
import { CauseLog } from '../runtime/bounded-logs.js';
import type { Clock } from '../runtime/clock.js';
import type { Containment } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import type { CustomerEvent, EventType } from './event.js';
import { EventQueue } from './event-queue.js';
import type { EventReceiver, PostResult } from './receiver.js';

/**
 * Milliseconds before a post is sent again, the first time; doubled each time up to {@link LAST_RETRY_MS}, and shortened by up to a
 * quarter, at random, so that nodes do not keep in step.
 *
 * @limit {s} before a post of events is sent again, the first time; doubled each time up to `LAST_RETRY_MS`
 * @over –
 */
export const FIRST_RETRY_MS = 100;

/**
 * @limit {s} as the longest such pause
 * @over –
 */
export const LAST_RETRY_MS = 20_000;

/**
 * Milliseconds for which a batch is sent again that is answered with 400 to 499, but for 408, 425 and 429: the receiver is there, and does
 * not want it. As long as a receiver needs to be repaired, with all others behind it.
 *
 * @limit {min} for which a batch of events is sent that is refused with 4xx
 * @over it is dropped, counted and logged
 */
export const REFUSED_MS = 10 * 60_000;

/**
 * Milliseconds after which a batch is not sent again, whatever it is answered.
 *
 * @limit a day for which a batch of events is sent again
 * @over it is dropped, counted and logged
 */
export const GIVEN_UP_MS = 24 * 60 * 60_000;

/** Answers of the 4xx that say no more than "not now" (RFC 9110 §15.5, RFC 8470, RFC 6585). */
const NOT_NOW: ReadonlySet<number> = new Set([408, 425, 429]);

/** The receiver wants no more, ever. */
const GONE = 410;

/**
 * Why an event never arrives. `full`: it was the oldest of too many; `refused`, `given-up`: see {@link REFUSED_MS} and
 * {@link GIVEN_UP_MS}; `stopped`: the receiver has answered 410; `shutdown`: the node ended before it could be sent.
 */
export type EventDropReason = 'full' | 'refused' | 'given-up' | 'stopped' | 'shutdown';

/** Counts what is sent; implemented by the metrics. */
export interface EventCounts {
  eventsSent(type: EventType, count: number): void;
  eventsDropped(reason: EventDropReason, count: number): void;
  /** A post was answered with 2xx, with another status, or not at all. */
  eventsPosted(result: 'taken' | 'refused' | 'failed'): void;
}

/** What an {@link Outbox} is made of. */
export interface OutboxOptions {
  readonly receiver: EventReceiver;
  /** Events of one post at most; at least 1. */
  readonly batchMax: number;
  /** How long an event may wait for others to go with it, in ms. */
  readonly batchWait: number;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  readonly counts: EventCounts;
  readonly log: Log;
  readonly faults: Containment;
}

/**
 * Sends events in the order in which they are offered, one post at a time: a batch that is not taken keeps those behind it waiting, and
 * none overtakes another. An event may arrive twice, under the same `webhook-id`, where the answer to its post is lost.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #causes: CauseLog;
  readonly #queue = new EventQueue();
  /** Events of the post under way. */
  #underWay = 0;
  #state: 'open' | 'closing' | 'stopped' | 'closed' = 'open';
  #timer: unknown;
  #isSending = false;
  /** Ends the pause under way. */
  #wake = () => {};
  /** By the monotonic clock; only while it closes. */
  #deadline = Number.POSITIVE_INFINITY;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#causes = new CauseLog(options.log, options.clock);
  }

  /** Events that wait, those of a post under way included. */
  get waiting(): number {
    return this.#queue.size + this.#underWay;
  }

  /** Takes an event; drops the oldest where there are too many. */
  offer(event: CustomerEvent): void {
    if (this.#state === 'stopped' || this.#state === 'closed') {
      this.#options.counts.eventsDropped(this.#state === 'stopped' ? 'stopped' : 'shutdown', 1);
      return;
    }
    const dropped = this.#queue.push(event.type, JSON.stringify(event), this.#underWay);
    if (dropped > 0) this.#drop('full', dropped, 'too many events wait: the oldest are dropped');
    this.#arm();
  }

  /** Sends what waits, for so many ms at most; what is left then is dropped. Resolves when nothing is sent any more. Never rejects. */
  async close(withinMs: number): Promise<void> {
    if (this.#state === 'open') this.#state = 'closing';
    const { clock } = this.#options;
    this.#deadline = clock.monotonic() + withinMs;
    this.#wake();
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.after(withinMs, resolve);
    });
    await Promise.race([this.#idle(), late]);
    clock.clear(timer);
    const left = this.waiting;
    if (this.#state !== 'stopped') this.#state = 'closed';
    clock.clear(this.#timer);
    this.#wake();
    this.#options.receiver.close();
    if (left > 0) this.#drop('shutdown', left, 'the node ends before its events are sent');
    this.#queue.clear();
  }

  /** Resolves when nothing waits. */
  #idle(): Promise<void> {
    this.#options.clock.clear(this.#timer);
    this.#timer = undefined;
    if (this.#isSending) return new Promise((resolve) => (this.#whenIdle = resolve));
    if (this.#queue.size === 0) return Promise.resolve();
    return this.#send();
  }

  #whenIdle = () => {};

  /** Sends at once where there is a whole batch, else when the first event has waited for others. */
  #arm(): void {
    if (this.#isSending || this.#queue.size === 0) return;
    const { batchMax, batchWait, clock, faults } = this.#options;
    const send = () => {
      clock.clear(this.#timer);
      this.#timer = undefined;
      faults.watch('timer', this.#send());
    };
    if (this.#queue.size >= batchMax || this.#state === 'closing') send();
    else this.#timer ??= clock.after(batchWait, send);
  }

  /** Until less than a batch is left. */
  async #send(): Promise<void> {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      do await this.#deliver();
      while (this.#isSendable && (this.#queue.size >= this.#options.batchMax || this.#state === 'closing'));
    } finally {
      this.#isSending = false;
      this.#whenIdle();
      if (this.#state === 'open') this.#arm();
    }
  }

  get #isSendable(): boolean {
    return this.#queue.size > 0 && this.#mayPost;
  }

  get #mayPost(): boolean {
    return this.#state === 'open' || this.#state === 'closing';
  }

  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Sends one batch until it is taken, or is not to be sent any more. */
  async #deliver(): Promise<void> {
    const { receiver, batchMax, clock, counts } = this.#options;
    const batch = this.#queue.take(batchMax);
    this.#underWay = batch.types.length;
    const id = `evt_${randomUUID().replaceAll('-', '')}`;
    const body = `{"events":[${batch.texts.join(',')}]}`;
    const since = clock.monotonic();
    for (let attempt = 0; this.#mayPost; attempt++) {
      const result = await receiver.post(id, body);
      // Its end has been counted already.
      if (this.#isClosed) return;
      if ('status' in result && result.status >= 200 && result.status < 300) {
        counts.eventsPosted('taken');
        for (const [type, count] of countByType(batch.types)) counts.eventsSent(type, count);
        break;
      }
      counts.eventsPosted('status' in result ? 'refused' : 'failed');
      if ('status' in result && result.status === GONE) {
        this.#stop();
        return;
      }
      const why = this.#whyGivenUp(result, clock.monotonic() - since);
      if (why !== undefined) {
        this.#drop(why, batch.types.length, 'events are not taken: the batch is dropped', result);
        break;
      }
      this.#causes.warn(
        'not taken',
        { ...this.#about(result), attempt: attempt + 1 },
        'events are not taken, and sent again',
      );
      await this.#pause(attempt);
    }
    if (!this.#isClosed) this.#underWay = 0;
  }

  #whyGivenUp(result: PostResult, tried: number): EventDropReason | undefined {
    if (tried >= GIVEN_UP_MS) return 'given-up';
    if ('error' in result) return undefined;
    const { status } = result;
    return status >= 400 && status < 500 && !NOT_NOW.has(status) && tried >= REFUSED_MS ? 'refused' : undefined;
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#options;
    const whole = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 20), LAST_RETRY_MS);
    const left = this.#deadline - clock.monotonic();
    const ms = Math.max(1, Math.min(Math.round(whole * (1 - random() / 4)), left));
    return new Promise((resolve) => {
      const timer = clock.after(ms, resolve);
      this.#wake = () => {
        clock.clear(timer);
        resolve();
      };
    });
  }

  #stop(): void {
    const { log, receiver } = this.#options;
    const dropped = this.waiting;
    this.#state = 'stopped';
    this.#underWay = 0;
    this.#queue.clear();
    this.#options.counts.eventsDropped('stopped', dropped);
    log.error(
      { receiver: receiver.name, status: GONE, dropped },
      'the receiver of events wants no more: none are sent until the next start',
    );
  }

  #drop(reason: EventDropReason, count: number, message: string, result?: PostResult): void {
    this.#options.counts.eventsDropped(reason, count);
    this.#causes.warn(reason, { ...this.#about(result), reason, dropped: count }, message);
  }

  #about(result: PostResult | undefined): object {
    return { receiver: this.#options.receiver.name, ...result, waiting: this.waiting };
  }
}

function countByType(types: readonly EventType[]): ReadonlyMap<EventType, number> {
  const counts = new Map<EventType, number>();
  for (const type of types) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}
