/**
 * A worker's end in the primary: its share of the backplane, spoken to over a port.
 *
 * Owns: carrying out what the worker says, in order, and what goes back. Does not own: the worker's process, how much may
 * wait for it (the transport), the backplane.
 */

import { ControlError } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Backplane, BackplaneListener, Gap, Message } from '../backplane.js';
import { historyOf } from '../history.js';
import type { LinkPort } from './link-port.js';
import {
  decodeMessage,
  encodeMessage,
  type MessageEncoder,
  type PageWord,
  type PrimaryWord,
  type WorkerWord,
} from './link-words.js';

/** How often the state of the backplane is looked at, for workers to know it, in ms. */
const TROUBLE_CHECK_MS = 500;

/** Roughly what a word takes beside its content, in bytes. */
const WORD_BYTES = 64;

/** What a {@link WorkerLink} is made of. */
export interface WorkerLinkOptions {
  /** For this worker alone; not yet started, and closed with the link. */
  readonly share: Backplane;
  readonly port: LinkPort;
  /** One for all links of a hub. */
  readonly encoder: MessageEncoder;
  readonly clock: Clock;
}

/**
 * Serves one worker. Only items of channels that the worker has interest in are sent to it; all that there is to tell it
 * within one turn of the event loop goes in one post.
 */
export class WorkerLink implements BackplaneListener {
  readonly #share: Backplane;
  readonly #port: LinkPort;
  readonly #encoder: MessageEncoder;
  readonly #clock: Clock;
  #words: PrimaryWord[] = [];
  #bytes = 0;
  #told: string | undefined;
  #timer: unknown;
  #isClosed = false;

  constructor({ share, port, encoder, clock }: WorkerLinkOptions) {
    this.#share = share;
    this.#port = port;
    this.#encoder = encoder;
    this.#clock = clock;
    port.listen(
      (words) => {
        for (const word of words as readonly WorkerWord[]) this.#take(word);
      },
      () => void this.close(),
    );
    this.#watch();
  }

  onMessage(message: Message): void {
    const bytes = this.#encoder.encode(message);
    this.#say(['message', bytes], bytes.length);
  }

  onGap(gap: Gap): void {
    this.#say(['gap', gap], gap.channel.length);
  }

  /** Withdraws the worker's interest; it is told nothing more. May be called again. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#words = [];
    this.#clock.clear(this.#timer);
    return this.#share.close();
  }

  #take(word: WorkerWord): void {
    switch (word[0]) {
      case 'start':
        this.#answer(word[1], this.#share.start(this));
        break;
      case 'subscribe':
        this.#answer(word[1], this.#share.subscribe(word[2]));
        break;
      case 'unsubscribe':
        this.#share.unsubscribe(word[1]);
        break;
      case 'publish':
        this.#answer(word[1], this.#share.publish(word[2].map(decodeMessage)));
        break;
      case 'read':
        this.#answer(word[1], this.#read(word), pageBytes);
        break;
      case 'head':
        this.#answer(word[1], historyOf(this.#share)?.head(word[2]));
        break;
      case 'close':
        this.#answer(word[1], this.#share.close());
    }
  }

  async #read([, , channel, start, limit]: WorkerWord & readonly ['read', ...unknown[]]): Promise<unknown> {
    const page = await historyOf(this.#share)?.read(channel, start, limit);
    return page && { ...page, messages: page.messages.map(encodeMessage) };
  }

  #answer(n: number, answer: Promise<unknown> | undefined, bytesOf: (value: unknown) => number = () => 0): void {
    if (answer === undefined) this.#say(['done', n, undefined], 0);
    else {
      answer.then(
        (value) => this.#say(['done', n, value], bytesOf(value)),
        (error: Error) => {
          const code = error instanceof ControlError ? error.code : 'ERR_BACKPLANE_UNAVAILABLE';
          this.#say(['failed', n, code, error.message], error.message.length);
        },
      );
    }
  }

  #say(word: PrimaryWord, bytes: number): void {
    if (this.#isClosed) return;
    if (this.#words.length === 0) setImmediate(() => this.flush());
    this.#words.push(word);
    this.#bytes += bytes + WORD_BYTES;
  }

  /** Posts what there is to tell now: for who tells the worker something by another way that must not come before it. */
  flush(): void {
    const [words, bytes] = [this.#words, this.#bytes];
    this.#words = [];
    this.#bytes = 0;
    if (words.length > 0) this.#port.post(words, bytes);
  }

  #watch(): void {
    const { trouble } = this.#share;
    if (trouble !== this.#told) {
      this.#told = trouble;
      this.#say(['trouble', trouble], trouble?.length ?? 0);
    }
    this.#timer = this.#clock.after(TROUBLE_CHECK_MS, () => this.#watch());
  }
}

/** Bytes of a page of history, or of none. */
function pageBytes(page: unknown): number {
  return (page as PageWord | undefined)?.messages.reduce((sum, { length }) => sum + length, 0) ?? 0;
}
