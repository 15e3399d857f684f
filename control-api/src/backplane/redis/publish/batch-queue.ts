/** Sends messages into Redis in batches, and repeats a batch whose fate is unknown. */
import { type ControlError, refusalWith, unavailable } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { Acceptance } from '../../backplane.js';
import { FOREIGN_KEY, type RedisEvents } from '../events.js';
import { BATCH_CHARS, BATCH_MESSAGES, BATCH_PARTS, PUBLISH_PATIENCE_MS, RETRY_MS } from '../limits.js';
import { type Batch, type BatchEntry, type BatchPart, batchesOf } from './batch.js';

/** What a {@link BatchQueue} is made of. */
export interface BatchQueueOptions {
  /**
   * Sends a batch; resolves, per part, with an acceptance per entry or with the error of Redis. Rejects with the error of Redis
   * or of the connection where that is the same for all parts, or where nothing is known of any.
   */
  readonly send: (batch: Batch) => Promise<readonly (readonly Acceptance[] | Error)[]>;
  /** Every part is a batch by itself: what belongs to several channels cannot be sent as one. */
  readonly divided: boolean;
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

/** What did not get through, and is to be sent once more: the same batch, unless something is known of some of its parts. */
interface Failure {
  readonly batch: Batch;
  readonly error: unknown;
}

/** Why some entries of a flight were not accepted; the first reason stands for all. */
interface Refused {
  why: ControlError | undefined;
}

interface Call {
  readonly entries: readonly BatchEntry[];
  readonly since: number;
  readonly resolve: (acceptances: readonly Acceptance[]) => void;
  readonly reject: (error: ControlError) => void;
}

/**
 * One flight is in progress at a time, and what was published meanwhile goes along with the next: so the order of calls holds,
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
      if (!this.#isSending) {
        this.#isSending = true;
        this.#sendSoon();
      }
    });
  }

  /** Rejects what waits; a batch in progress is not waited for. */
  close(error: ControlError): void {
    this.#closed = error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  /** When all that has arrived from publishers by now has been read, so that it travels together. */
  #sendSoon(): void {
    setImmediate(() => this.#sendNext());
  }

  #sendNext(): void {
    const calls = this.#takeCalls();
    if (calls.length === 0) {
      this.#isSending = false;
      return;
    }
    const since = calls.reduce((first, call) => Math.min(first, call.since), Number.POSITIVE_INFINITY);
    this.#sendAll(calls, since).then(
      (refusal) => {
        for (const call of calls) complete(call, refusal);
        this.#sendSoon();
      },
      (error: unknown) => {
        for (const { reject } of calls) reject(this.#closed ?? unavailable('Redis failed.', error));
        this.#sendSoon();
      },
    );
  }

  /** The calls of the next flight: whole ones, in order. */
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

  /**
   * Sends until each part has got through, or has been refused for good. What was accepted is written into the entries; resolves
   * with why some were not, undefined where all were.
   */
  async #sendAll(calls: readonly Call[], since: number): Promise<ControlError | undefined> {
    const { divided, nextBatch } = this.#options;
    const refused: Refused = { why: undefined };
    let missing = batchesOf(calls, divided, nextBatch);
    for (;;) {
      const failures = await this.#attempt(missing, refused);
      const [first] = failures;
      if (first === undefined) return refused.why;
      if (this.#closed) return this.#closed;
      if (failures.some(({ error }) => needsRestart(error))) this.#options.restart();
      if (!(await this.#pause(since + PUBLISH_PATIENCE_MS))) {
        return (
          refused.why ?? unavailable(`Redis did not accept a message in time: ${messageOf(first.error)}`, first.error)
        );
      }
      this.#options.events.publishRetried();
      // A batch that comes after one with a higher number is not accepted.
      missing = failures.map(({ batch }) => batch).sort((one, other) => one.number - other.number);
    }
  }

  /** Those that may get through yet. */
  async #attempt(batches: readonly Batch[], refused: Refused): Promise<Failure[]> {
    const failures: Failure[] = [];
    const atOnce = this.#options.divided ? BATCH_PARTS : 1;
    for (let i = 0; i < batches.length; i += atOnce) {
      const group = batches.slice(i, i + atOnce);
      const results = await Promise.allSettled(group.map((batch) => this.#options.send(batch)));
      let broken: Failure | undefined;
      for (const [j, batch] of group.entries()) {
        const result = results[j];
        if (result?.status === 'fulfilled') failures.push(...this.#take(batch, result.value, refused));
        else if (canPass(result?.reason)) {
          broken = { batch, error: result?.reason };
          failures.push(broken);
        } else refused.why ??= refusalBy(batch.parts[0], result?.reason);
      }
      if (broken === undefined) continue;
      // Each of the others would wait for its own answer.
      const { error } = broken;
      for (const batch of batches.slice(i + atOnce)) failures.push({ batch, error });
      break;
    }
    return failures;
  }

  /** Some parts of a batch may have been refused. Those are another batch: the result of this one is known. */
  #take({ parts }: Batch, results: readonly (readonly Acceptance[] | Error)[], refused: Refused): readonly Failure[] {
    let rest: BatchPart[] | undefined;
    let error: unknown;
    for (const [i, part] of parts.entries()) {
      const result = results[i];
      if (Array.isArray(result)) {
        for (const [k, entry] of part.entries.entries()) entry.acceptance = result[k];
      } else if (canPass(result)) {
        error ??= result;
        rest ??= [];
        rest.push(part);
      } else refused.why ??= refusalBy(part, result);
    }
    return rest === undefined ? [] : [{ batch: { number: this.#options.nextBatch(), parts: rest }, error }];
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
function complete({ entries, resolve, reject }: Call, refusal: ControlError | undefined): void {
  const own = entries.map(({ acceptance }) => acceptance);
  if (refusal === undefined || !own.includes(undefined)) resolve(own as Acceptance[]);
  else reject(refusalWith(refusal, own));
}

function refusalBy(part: BatchPart | undefined, error: unknown): ControlError {
  const channel = part?.channel;
  const whose = channel === undefined ? 'a recover' : `a message of channel ${JSON.stringify(channel)}`;
  const why = messageOf(error);
  const hint = why.startsWith('WRONGTYPE') ? `; ${FOREIGN_KEY}` : '';
  return unavailable(`Redis refused ${whose}: ${why}${hint}`, error);
}

/** Replies of Redis that pass with time; any error that is not a reply comes from the connection, and passes too. */
const PASSING =
  /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|OOM|UNBLOCKED|PREFIXES|-?MISCONF)\b/;

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
