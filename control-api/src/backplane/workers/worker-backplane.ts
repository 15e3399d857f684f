/**
 * The backplane of a worker process: the primary's, over a link.
 *
 * Owns: this worker's interest, and what it waits for. Does not own: the other end (worker-link.ts), the transport.
 */
import { ControlError, type ControlErrorCode } from '../../errors.js';
import type { Log } from '../../runtime/log.js';
import type { Acceptance, Backplane, BackplaneListener, Message, Position } from '../backplane.js';
import type { History, HistoryPage, HistoryStart } from '../history.js';
import { refusalOf } from '../refusal.js';
import type { LinkPort } from './link-port.js';
import {
  decodeMessage,
  encodeMessage,
  type PageWord,
  type PrimaryWord,
  type PublishWord,
  type WorkerWord,
} from './link-words.js';

/** What a {@link WorkerBackplane} is made of. */
export interface WorkerBackplaneOptions {
  readonly port: LinkPort;
  /** Whether the backplane of the primary keeps any. */
  readonly history: boolean;
  readonly log: Log;
}

interface Waiting {
  resolve(answer: unknown): void;
  reject(error: ControlError): void;
}

/** Roughly what a word takes beside its content, in bytes. */
const WORD_BYTES = 64;

/**
 * {@link Backplane} of one worker. Interest is never live on return of `subscribe`, but after a round trip; it has been
 * posted by then, with all that was asked before it. The rest of what is asked within one callback goes in one post.
 */
export class WorkerBackplane implements Backplane {
  /** Only where the primary's backplane keeps history; see `historyOf`. */
  readonly read?: History['read'];
  readonly head?: History['head'];
  readonly #port: LinkPort;
  readonly #log: Log;
  /** Channel → what its `subscribe` waits for; undefined once it is live. */
  readonly #interest = new Map<string, Promise<void> | undefined>();
  readonly #waiting = new Map<number, Waiting>();
  #state: 'new' | 'starting' | 'live' | 'closed' = 'new';
  #listener: BackplaneListener | undefined;
  #words: WorkerWord[] = [];
  #bytes = 0;
  #count = 0;
  #trouble: string | undefined;
  #isLost = false;
  #closing: Promise<void> | undefined;

  constructor({ port, history, log }: WorkerBackplaneOptions) {
    this.#port = port;
    this.#log = log;
    if (history) {
      this.read = (channel, start, limit) => this.#refusal() ?? this.#read(channel, start, limit);
      this.head = (channel) => this.#refusal() ?? this.#head(channel);
    }
    port.listen(
      (words) => this.#hear(words as readonly PrimaryWord[]),
      () => this.#lose(),
    );
  }

  async start(listener: BackplaneListener): Promise<void> {
    if (this.#state === 'closed') return this.#refusal();
    if (this.#state !== 'new') {
      throw new ControlError('ERR_BACKPLANE_STARTED', 'The backplane is already started.');
    }
    this.#state = 'starting';
    this.#listener = listener;
    await this.#ask((n) => ['start', n]);
    if (this.#state === 'starting') this.#state = 'live';
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    return this.#refusal() ?? this.#publish(messages);
  }

  subscribe(channel: string): Promise<void> | undefined {
    const refusal = this.#refusal();
    if (refusal !== undefined) return refusal;
    if (this.#interest.has(channel)) return this.#interest.get(channel);
    const pending: Promise<void> = this.#ask((n) => ['subscribe', n, channel], channel.length).then(
      () => {
        if (this.#interest.get(channel) === pending) this.#interest.set(channel, undefined);
      },
      (error) => {
        if (this.#interest.get(channel) === pending) this.#interest.delete(channel);
        throw error;
      },
    );
    this.#interest.set(channel, pending);
    // Before anything that the caller does next, such as an answer that lets its client publish, can be seen by anybody.
    this.#flush();
    return pending;
  }

  unsubscribe(channel: string): void {
    if (this.#interest.delete(channel)) this.#say(['unsubscribe', channel], channel.length);
  }

  close(): Promise<void> {
    this.#state = 'closed';
    this.#listener = undefined;
    this.#interest.clear();
    this.#closing ??= this.#ask((n) => ['close', n]).then(
      () => {},
      () => {},
    );
    return this.#closing;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  async #publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    const encoded = messages.map(encodeMessage);
    const bytes = encoded.reduce((sum, { length }) => sum + length, 0);
    return (await this.#ask((n) => ['publish', n, encoded], bytes)) as PublishWord;
  }

  async #read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    const page = (await this.#ask((n) => ['read', n, channel, start, limit])) as PageWord | undefined;
    return page && ({ ...page, messages: page.messages.map(decodeMessage) } as HistoryPage);
  }

  async #head(channel: string): Promise<Position | undefined> {
    return (await this.#ask((n) => ['head', n, channel])) as Position | undefined;
  }

  #ask(word: (n: number) => WorkerWord, bytes = 0): Promise<unknown> {
    if (this.#isLost) return Promise.reject(lost());
    const n = ++this.#count;
    const answer = new Promise((resolve, reject) => this.#waiting.set(n, { resolve, reject }));
    this.#say(word(n), bytes);
    return answer;
  }

  #say(word: WorkerWord, bytes: number): void {
    if (this.#words.length === 0) queueMicrotask(() => this.#flush());
    this.#words.push(word);
    this.#bytes += bytes + WORD_BYTES;
  }

  #flush(): void {
    if (this.#words.length === 0) return;
    const [words, bytes] = [this.#words, this.#bytes];
    this.#words = [];
    this.#bytes = 0;
    if (!this.#isLost) this.#port.post(words, bytes);
  }

  #hear(words: readonly PrimaryWord[]): void {
    for (const word of words) {
      switch (word[0]) {
        case 'message':
          this.#tell(decodeMessage(word[1]));
          break;
        case 'gap':
          if (this.#interest.has(word[1].channel)) this.#guard('a gap', (listener) => listener.onGap(word[1]));
          break;
        case 'done':
          this.#take(word[1])?.resolve(word[2]);
          break;
        case 'failed':
          this.#take(word[1])?.reject(new ControlError(word[2] as ControlErrorCode, word[3]));
          break;
        case 'trouble':
          this.#trouble = word[1];
      }
    }
  }

  #take(n: number): Waiting | undefined {
    const waiting = this.#waiting.get(n);
    this.#waiting.delete(n);
    return waiting;
  }

  #tell(message: Message): void {
    if (message.type === 'item' && !this.#interest.has(message.item.channel)) return;
    this.#guard(message.type, (listener) => listener.onMessage(message));
  }

  #guard(type: string, call: (listener: BackplaneListener) => void): void {
    try {
      if (this.#listener !== undefined) call(this.#listener);
    } catch (error) {
      this.#log.error({ err: error, type }, 'delivery of a message failed');
    }
  }

  #lose(): void {
    this.#isLost = true;
    this.#trouble = lost().message;
    for (const { reject } of this.#waiting.values()) reject(lost());
    this.#waiting.clear();
  }

  #refusal(): Promise<never> | undefined {
    if (this.#state === 'live') return undefined;
    return Promise.reject(refusalOf(this.#state === 'closed'));
  }
}

function lost(): ControlError {
  return new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'The primary process has gone.');
}
