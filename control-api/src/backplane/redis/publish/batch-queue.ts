/** Sends messages into Redis in batches, one after the other, and repeats a batch whose fate is unknown. */
import { type ControlError, refusalWith, unavailable } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Acceptance, Message } from '../../backplane.js';
import { FOREIGN_KEY, type RedisEvents } from '../events.js';
import { BATCH_CHARS, BATCH_MESSAGES, BATCH_PARTS, PUBLISH_PATIENCE_MS, RETRY_MS } from '../limits.js';

/** A message on its way into Redis. */
export interface BatchEntry {
  readonly message: Message;
  /** That of the item, given or made; one made for a recover. */
  readonly id: string;
  readonly payload: string;
}

/** All messages of one channel in a batch. Accepted as a whole or not at all, and only once however often it is sent. */
export interface BatchPart {
  /** Grows from batch to batch of a node. */
  readonly batch: number;
  /** The channel; undefined for recovers. */
  readonly channel: string | undefined;
  readonly entries: readonly BatchEntry[];
}

/** What a {@link BatchQueue} is made of. */
export interface BatchQueueOptions {
  /** Sends a part; resolves with an acceptance per entry. Rejects with the error of Redis or of the connection. */
  readonly send: (part: BatchPart) => Promise<readonly Acceptance[]>;
  /** Since when Redis is away, in ms by the monotonic clock. */
  readonly awaySince: () => number | undefined;
  /** Calls once when Redis is there. */
  readonly whenReady: (run: () => void) => void;
  /** The connection is not what it seems. */
  readonly restart: () => void;
  /** Numbers the batches of a node. */
  readonly nextBatch: () => number;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly log: Log;
}

/** What became of a batch. */
interface BatchResult {
  readonly acceptances: ReadonlyMap<BatchEntry, Acceptance>;
  /** Why some entries have no acceptance; undefined where all have one. */
  readonly refusal: ControlError | undefined;
}

/** A part that did not get through. */
interface Failure {
  readonly part: BatchPart;
  readonly error: unknown;
}

interface Call {
  readonly entries: readonly BatchEntry[];
  readonly since: number;
  readonly resolve: (acceptances: readonly Acceptance[]) => void;
  readonly reject: (error: ControlError) => void;
}

/**
 * One batch is in progress at a time, and takes what was published meanwhile along next: so the order of calls holds,
 * however often a batch has to be repeated. A batch that stays broken longer than the patience is given up.
 */
export class BatchQueue {
  readonly #options: BatchQueueOptions;
  #waiting: Call[] = [];
  #isSending = false;
  #closed: ControlError | undefined;

  constructor(options: BatchQueueOptions) {
    this.#options = options;
  }

  /** Resolves with an acceptance per entry; rejects with ERR_BACKPLANE_UNAVAILABLE or ERR_BACKPLANE_CLOSED. */
  publish(entries: readonly BatchEntry[]): Promise<readonly Acceptance[]> {
    if (this.#closed) return Promise.reject(this.#closed);
    const { clock, awaySince } = this.#options;
    const now = clock.monotonic();
    const away = awaySince();
    if (away !== undefined && now - away >= PUBLISH_PATIENCE_MS) return Promise.reject(unavailable('Redis is away.'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entries, since: now, resolve, reject });
      // At the end of the tick, so that what is published within it travels together.
      if (!this.#isSending) {
        this.#isSending = true;
        queueMicrotask(() => this.#sendNext());
      }
    });
  }

  /** Rejects what waits; a batch in progress is not waited for. */
  close(error: ControlError): void {
    this.#closed = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #sendNext(): void {
    const calls = this.#takeCalls();
    if (calls.length === 0) {
      this.#isSending = false;
      return;
    }
    const entries = calls.flatMap((call) => call.entries);
    const since = calls.reduce((first, call) => Math.min(first, call.since), Number.POSITIVE_INFINITY);
    this.#sendBatch(entries, since).then(
      (result) => {
        for (const call of calls) complete(call, result);
        this.#sendNext();
      },
      (error: unknown) => {
        for (const { reject } of calls) reject(this.#closed ?? unavailable('Redis failed.', error));
        this.#sendNext();
      },
    );
  }

  /** The calls of the next batch: whole ones, in order. */
  #takeCalls(): Call[] {
    let messages = 0;
    let chars = 0;
    const count = this.#waiting.findIndex(({ entries }, i) => {
      messages += entries.length;
      for (const { payload } of entries) chars += payload.length;
      return i > 0 && (messages > BATCH_MESSAGES || chars > BATCH_CHARS);
    });
    return this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
  }

  /** Sends the parts until each has got through, or has been refused for good. */
  async #sendBatch(entries: readonly BatchEntry[], since: number): Promise<BatchResult> {
    const acceptances = new Map<BatchEntry, Acceptance>();
    let refusal: ControlError | undefined;
    let missing = partsOf(entries, this.#options.nextBatch());
    for (;;) {
      const failures = await this.#attempt(missing, acceptances);
      const [passing, refused] = divide(failures);
      if (refused !== undefined) refusal ??= refusalBy(refused);
      const [first] = passing;
      if (first === undefined) return { acceptances, refusal };
      if (this.#closed) return { acceptances, refusal: this.#closed };
      if (passing.some(({ error }) => needsRestart(error))) this.#options.restart();
      if (!(await this.#pause(since + PUBLISH_PATIENCE_MS))) {
        const text = `Redis did not accept a message in time: ${messageOf(first.error)}`;
        return { acceptances, refusal: refusal ?? unavailable(text, first.error) };
      }
      this.#options.events.publishRetried();
      missing = passing.map(({ part }) => part);
    }
  }

  async #attempt(parts: readonly BatchPart[], acceptances: Map<BatchEntry, Acceptance>): Promise<Failure[]> {
    const failures: Failure[] = [];
    for (let i = 0; i < parts.length; i += BATCH_PARTS) {
      const group = parts.slice(i, i + BATCH_PARTS);
      const results = await Promise.allSettled(group.map((part) => this.#options.send(part)));
      for (const [j, part] of group.entries()) {
        const result = results[j];
        if (result?.status === 'fulfilled') {
          for (const [k, entry] of part.entries.entries()) acceptances.set(entry, result.value[k] as Acceptance);
        } else failures.push({ part, error: result?.reason });
      }
    }
    return failures;
  }

  /** Resolves with true when it is worth trying again, with false when the patience is over. */
  #pause(until: number): Promise<boolean> {
    const { clock, whenReady, awaySince } = this.#options;
    const left = until - clock.monotonic();
    if (left <= 0) return Promise.resolve(false);
    return new Promise((resolve) => {
      const timer = clock.after(left, () => resolve(false));
      const go = () =>
        whenReady(() => {
          clock.clear(timer);
          resolve(true);
        });
      if (awaySince() !== undefined) go();
      else clock.after(Math.min(RETRY_MS, left), go);
    });
  }
}

/** A call whose entries were all accepted has nothing to do with what was refused to others. */
function complete({ entries, resolve, reject }: Call, { acceptances, refusal }: BatchResult): void {
  const own = entries.map((entry) => acceptances.get(entry));
  if (refusal === undefined || !own.includes(undefined)) resolve(own as Acceptance[]);
  else reject(refusalWith(refusal, own));
}

/** Those that may get through yet, and one that will not, if there is any. */
function divide(failures: readonly Failure[]): readonly [passing: Failure[], refused: Failure | undefined] {
  return [failures.filter(({ error }) => canPass(error)), failures.find(({ error }) => !canPass(error))];
}

function refusalBy({ part, error }: Failure): ControlError {
  const whose = part.channel === undefined ? 'a recover' : `a message of channel ${JSON.stringify(part.channel)}`;
  const why = messageOf(error);
  const hint = why.startsWith('WRONGTYPE') ? `; ${FOREIGN_KEY}` : '';
  return unavailable(`Redis refused ${whose}: ${why}${hint}`, error);
}

/** Messages by channel, in the order of first appearance. */
function partsOf(entries: readonly BatchEntry[], batch: number): BatchPart[] {
  const byChannel = new Map<string | undefined, BatchEntry[]>();
  for (const entry of entries) {
    const channel = entry.message.type === 'item' ? entry.message.item.channel : undefined;
    const part = byChannel.get(channel);
    if (part) part.push(entry);
    else byChannel.set(channel, [entry]);
  }
  return [...byChannel].map(([channel, list]) => ({ batch, channel, entries: list }));
}

/** Replies of Redis that pass with time; any error that is not a reply comes from the connection, and passes too. */
const PASSING =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|OOM|UNBLOCKED|-?MISCONF)\b/;

function canPass(error: unknown): boolean {
  return !(error instanceof Error) || error.name !== 'ReplyError' || PASSING.test(error.message);
}

/** A command without answer, or a master that is one no more. */
function needsRestart(error: unknown): boolean {
  return error instanceof Error && (error.message === 'Command timed out' || error.message.startsWith('READONLY'));
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
