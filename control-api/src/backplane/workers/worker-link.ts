/** The link between a worker's backplane and its primary: what they send each other, and the primary's end. */
import { deserialize, serialize } from 'node:v8';
import { ControlError } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import {
  type Backplane,
  type BackplaneListener,
  type Gap,
  type HistoryStart,
  historyOf,
  type Message,
} from '../backplane.js';

/** One end of a connection that keeps order and loses nothing while both ends live. */
export interface LinkPort {
  /** Sends structured data; never throws. `bytes` is roughly how much it is, for the bound on what may wait. */
  post(message: unknown, bytes: number): void;
  /** Calls `message` for everything the other end posts, `closed` once when that end has gone. To be called once. */
  listen(message: (message: unknown) => void, closed: () => void): void;
}

/** From a worker; several in one post, to be taken in order. Numbers are those that the answers carry. */
export type WorkerMessage =
  | readonly ['start', number]
  | readonly ['subscribe', number, string]
  | readonly ['unsubscribe', string]
  | readonly ['publish', number, readonly Buffer[]]
  | readonly ['read', number, string, HistoryStart, number]
  | readonly ['head', number, string]
  | readonly ['close', number];

/** From the primary; several in one post. */
export type PrimaryMessage =
  | readonly ['message', Buffer]
  | readonly ['gap', Gap]
  /** The answer to the message of that number. Messages of a history page are bytes. */
  | readonly ['done', number, unknown]
  /** It failed, with the code of a `ControlError`, and its text. */
  | readonly ['failed', number, string, string]
  | readonly ['unavailable', string | undefined];

/** The answer to `read`, unless that is undefined. */
export interface PageMessage {
  readonly messages: readonly Buffer[];
  readonly end: { readonly epoch: string; readonly offset: number };
  readonly complete: boolean;
}

const NO_META: Readonly<Record<string, string>> = Object.freeze(Object.create(null));

/** A message as bytes, with all that it has. */
export function encodeMessage(message: Message): Buffer {
  return serialize(message);
}

/** The inverse of `encodeMessage`. */
export function decodeMessage(bytes: Buffer): Message {
  // Content stays a part of the bytes, and these are a part of all that was read at once: what is kept of one item would keep
  // all of it.
  const isPart = bytes.buffer.byteLength > 2 * bytes.length;
  const message = deserialize(isPart ? Buffer.from(bytes) : bytes) as Message;
  if (message.type === 'recover') return message;
  const { item } = message;
  // Meta has no prototype, so that only published names are found; the bytes do not carry that.
  const meta = Object.keys(item.meta).length === 0 ? NO_META : Object.setPrototypeOf(item.meta, null);
  return { ...message, item: { ...item, meta } };
}

/**
 * Encodes what is handed to several links one after the other only once. Remembers no more than the last message: a hub
 * gives each to all its shares before the next.
 */
export class MessageEncoder {
  #message: Message | undefined;
  #bytes: Buffer | undefined;

  /** The bytes of a message; not to be changed. */
  encode(message: Message): Buffer {
    if (this.#bytes === undefined || this.#message !== message) {
      this.#message = message;
      this.#bytes = encodeMessage(message);
    }
    return this.#bytes;
  }
}

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
