/** The primary's end of the link to one worker: its share of the backplane, over a port. */

import { ControlError } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import type { Backplane, BackplaneListener, Gap, Message } from '../backplane.js';
import { historyOf } from '../history.js';
import {
  decodeMessage,
  encodeMessage,
  type LinkPort,
  type MessageEncoder,
  type PageMessage,
  type PrimaryMessage,
  type WorkerMessage,
} from './messages.js';

/** How often the state of the backplane is looked at, for workers to know it, in ms. */
const AVAILABILITY_CHECK_MS = 500;

/** Roughly what a message takes beside its content, in bytes. */
const MESSAGE_BYTES = 64;

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
 * Serves one worker. Only items of channels that the worker has interest in are sent to it; what is sent within one
 * turn of the event loop goes in one post.
 */
export class WorkerLink implements BackplaneListener {
  readonly #share: Backplane;
  readonly #port: LinkPort;
  readonly #encoder: MessageEncoder;
  readonly #clock: Clock;
  #outgoing: PrimaryMessage[] = [];
  #bytes = 0;
  #sentReason: string | undefined;
  #timer: unknown;
  #isClosed = false;

  constructor({ share, port, encoder, clock }: WorkerLinkOptions) {
    this.#share = share;
    this.#port = port;
    this.#encoder = encoder;
    this.#clock = clock;
    port.listen(
      (messages) => {
        for (const message of messages as readonly WorkerMessage[]) this.#handle(message);
      },
      () => void this.close(),
    );
    this.#watch();
  }

  onMessage(message: Message): void {
    const bytes = this.#encoder.encode(message);
    this.#send(['message', bytes], bytes.length);
  }

  onGap(gap: Gap): void {
    this.#send(['gap', gap], gap.channel.length);
  }

  /** Withdraws the worker's interest; nothing more is sent to it. May be called again. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#outgoing = [];
    this.#clock.clear(this.#timer);
    return this.#share.close();
  }

  #handle(message: WorkerMessage): void {
    switch (message[0]) {
      case 'start':
        this.#answer(message[1], this.#share.start(this));
        break;
      case 'subscribe':
        this.#answer(message[1], this.#share.subscribe(message[2]));
        break;
      case 'unsubscribe':
        this.#share.unsubscribe(message[1]);
        break;
      case 'publish':
        this.#answer(message[1], this.#share.publish(message[2].map(decodeMessage)));
        break;
      case 'read':
        this.#answer(message[1], this.#read(message), pageBytes);
        break;
      case 'head':
        this.#answer(message[1], historyOf(this.#share)?.head(message[2]));
        break;
      case 'close':
        this.#answer(message[1], this.#share.close());
    }
  }

  async #read([, , channel, start, limit]: WorkerMessage & readonly ['read', ...unknown[]]): Promise<unknown> {
    const page = await historyOf(this.#share)?.read(channel, start, limit);
    return page && { ...page, messages: page.messages.map(encodeMessage) };
  }

  #answer(n: number, answer: Promise<unknown> | undefined, bytesOf: (value: unknown) => number = () => 0): void {
    if (answer === undefined) this.#send(['done', n, undefined], 0);
    else {
      answer.then(
        (value) => this.#send(['done', n, value], bytesOf(value)),
        (error: Error) => {
          const code = error instanceof ControlError ? error.code : 'ERR_BACKPLANE_UNAVAILABLE';
          this.#send(['failed', n, code, error.message], error.message.length);
        },
      );
    }
  }

  #send(message: PrimaryMessage, bytes: number): void {
    if (this.#isClosed) return;
    if (this.#outgoing.length === 0) setImmediate(() => this.flush());
    this.#outgoing.push(message);
    this.#bytes += bytes + MESSAGE_BYTES;
  }

  /** Posts what waits, now: for a caller that is about to reach the worker on another way, which must not overtake it. */
  flush(): void {
    const [messages, bytes] = [this.#outgoing, this.#bytes];
    this.#outgoing = [];
    this.#bytes = 0;
    if (messages.length > 0) this.#port.post(messages, bytes);
  }

  #watch(): void {
    const { unavailableReason } = this.#share;
    if (unavailableReason !== this.#sentReason) {
      this.#sentReason = unavailableReason;
      this.#send(['unavailable', unavailableReason], unavailableReason?.length ?? 0);
    }
    this.#timer = this.#clock.after(AVAILABILITY_CHECK_MS, () => this.#watch());
  }
}

/** Bytes of a page of history, or of none. */
function pageBytes(page: unknown): number {
  return (page as PageMessage | undefined)?.messages.reduce((sum, { length }) => sum + length, 0) ?? 0;
}
