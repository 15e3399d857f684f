/** The link between a worker's backplane and its primary: the primary's end. */
import { ControlError } from '../../errors.js';
import type { Clock } from '../../runtime/clock.js';
import {
  type Backplane,
  type BackplaneListener,
  type Gap,
  historyOf,
  type Message,
  prefixInterestOf,
} from '../backplane.js';
import { decodeBatch, encodeBatch, machineNow, type PrimaryMessage, type WorkerMessage } from './link-batch.js';
import { decodeMessage, encodeMessage, type MessageEncoder } from './message-bytes.js';
import { OfferedClaims } from './offered-claims.js';
import { TurnEnd } from './turn-end.js';

/** One end of a connection that keeps order and loses nothing while both ends live. */
export interface LinkPort {
  /** Sends bytes, which are not to be changed any more; never throws. */
  post(batch: Buffer): void;
  /** Calls `received` with the bytes of each post of the other end, `closed` once when that end has gone. To be called once. */
  listen(received: (batch: unknown) => void, closed: () => void): void;
}

/** How often the state of the backplane is looked at, for workers to know it, in ms. */
const AVAILABILITY_CHECK_MS = 500;

/** What a {@link WorkerLink} is made of. */
export interface WorkerLinkOptions {
  /** For this worker alone; not yet started, and closed with the link. */
  readonly share: Backplane;
  readonly port: LinkPort;
  /** One for all links of a hub. */
  readonly encoder: MessageEncoder;
  readonly clock: Clock;
  /** One for all links of a hub. Left out: one for this link alone. */
  readonly turn?: TurnEnd;
}

/**
 * Serves one worker. Only items of channels that the worker has interest in are sent to it; what is sent within one
 * turn of the event loop goes in one post.
 */
export class WorkerLink implements BackplaneListener {
  readonly claims = true;
  readonly #share: Backplane;
  readonly #port: LinkPort;
  readonly #encoder: MessageEncoder;
  readonly #clock: Clock;
  readonly #turn: TurnEnd;
  readonly #offered: OfferedClaims;
  #outgoing: PrimaryMessage[] = [];
  #sentReason: string | undefined;
  #timer: unknown;
  #isClosed = false;

  constructor({ share, port, encoder, clock, turn = new TurnEnd() }: WorkerLinkOptions) {
    this.#turn = turn;
    this.#share = share;
    this.#port = port;
    this.#encoder = encoder;
    this.#clock = clock;
    this.#offered = new OfferedClaims(clock);
    port.listen(
      (batch) => {
        for (const message of decodeBatch<WorkerMessage>(batch as Buffer)) this.#handle(message);
      },
      () => void this.close(),
    );
    this.#watch();
  }

  onMessage(message: Message): void {
    if (message.type === 'item' && message.claim !== undefined) {
      const { claim, ...plain } = message;
      const n = this.#offered.offer(claim);
      if (n !== undefined) this.#send(['one', n, this.#encoder.encode(plain)]);
      return;
    }
    this.#send(['message', this.#encoder.encode(message)]);
  }

  onGap(gap: Gap): void {
    this.#send(['gap', gap]);
  }

  /** Withdraws the worker's interest; nothing more is sent to it. May be called again. */
  close(): Promise<void> {
    this.#isClosed = true;
    this.#outgoing = [];
    this.#offered.close();
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
      case 'subscribe-prefix':
        this.#answer(message[1], prefixInterestOf(this.#share)?.subscribePrefix(message[2]));
        break;
      case 'unsubscribe-prefix':
        prefixInterestOf(this.#share)?.unsubscribePrefix(message[1]);
        break;
      case 'publish':
        this.#answer(message[1], this.#share.publish(message[2].map(decodeMessage)));
        break;
      case 'read':
        this.#answer(message[1], this.#read(message));
        break;
      case 'head':
        this.#answer(message[1], this.#head(message[2], message[3]));
        break;
      case 'remove':
        this.#answer(message[1], historyOf(this.#share)?.remove(message[2]));
        break;
      case 'take':
        this.#answer(message[1], this.#offered.take(message[2]));
        break;
      case 'pass':
        this.#offered.pass(message[1]);
        break;
      case 'close':
        this.#answer(message[1], this.#share.close());
    }
  }

  /** What was under way to here is a part of how long ago it is. */
  #head(channel: string, at: number | undefined): Promise<unknown> | undefined {
    return historyOf(this.#share)?.head(channel, at === undefined ? undefined : Math.max(0, machineNow() - at));
  }

  async #read([, , channel, start, limit]: WorkerMessage & readonly ['read', ...unknown[]]): Promise<unknown> {
    const page = await historyOf(this.#share)?.read(channel, start, limit);
    return page && { ...page, messages: page.messages.map(encodeMessage) };
  }

  #answer(n: number, answer: Promise<unknown> | undefined): void {
    if (answer === undefined) this.#send(['done', n, undefined]);
    else {
      answer.then(
        (value) => this.#send(['done', n, value]),
        (error: Error) => {
          const code = error instanceof ControlError ? error.code : 'ERR_BACKPLANE_UNAVAILABLE';
          this.#send(['failed', n, code, error.message]);
        },
      );
    }
  }

  #send(message: PrimaryMessage): void {
    if (this.#isClosed) return;
    if (this.#outgoing.push(message) === 1) this.#turn.postLater(this.#flush);
  }

  /** Posts what waits, now: for a caller that is about to reach the worker on another way, which must not overtake it. */
  flush(): void {
    if (this.#outgoing.length === 0) return;
    const messages = this.#outgoing;
    this.#outgoing = [];
    this.#port.post(encodeBatch(messages));
  }

  readonly #flush = (): void => this.flush();

  #watch(): void {
    const { unavailableReason } = this.#share;
    if (unavailableReason !== this.#sentReason) {
      this.#sentReason = unavailableReason;
      this.#send(['unavailable', unavailableReason]);
    }
    this.#timer = this.#clock.after(AVAILABILITY_CHECK_MS, () => this.#watch());
  }
}
