/** Taps: the items of one channel as they pass, as lines of JSON for a client that watches it. */
import type { ServerResponse } from 'node:http';
import { itemToJson } from '@holdfast/grip';
import type { Backplane, BackplaneListener, Gap, Message } from '../backplane/backplane.js';
import { type Answer, answerTo, noMoreTaps } from '../http/answer.js';
import { type Clock, within } from '../runtime/clock.js';
import { ANSWER_WITHIN_MS } from './cluster-views.js';

/**
 * Bytes that may wait for a client that does not read; enough for an item of the largest size that is taken by default.
 * Then the tap is closed: an observer must not use more memory than a client.
 *
 * @limit {MiB} that wait for a tap
 * @over the tap ends with a line that says so
 */
export const TAP_QUEUE_BYTES = 1_048_576;

/** Milliseconds between signs of life, so that what lies between does not close a quiet connection. */
export const TAP_HEARTBEAT_MS = 15_000;

/**
 * @limit {s} for a tap to take its last line
 * @over connection cut
 */
export const TAP_END_MS = 5_000;

/**
 * Why the node ended a tap, as its last line says. `failed`: the backplane refused, though items had come; `revoked`: the key of the
 * client has been taken away or has expired.
 */
export type TapEnd = 'slow-client' | 'replaced' | 'shutdown' | 'failed' | 'revoked';

/** One client's lines of JSON; an empty line is a sign of life. */
export class ChannelTap implements BackplaneListener {
  readonly #channel: string;
  readonly #response: ServerResponse;
  readonly #share: Backplane;
  readonly #clock: Clock;
  readonly #isAllowed: () => boolean;
  #items = 0;
  #state: 'new' | 'open' | 'over' = 'new';
  #timer: unknown;

  /** `share` is this tap's alone, and not started; `isAllowed` is asked at every sign of life. */
  constructor(
    channel: string,
    response: ServerResponse,
    share: Backplane,
    clock: Clock,
    isAllowed: () => boolean = () => true,
  ) {
    this.#channel = channel;
    this.#response = response;
    this.#share = share;
    this.#clock = clock;
    this.#isAllowed = isAllowed;
  }

  /**
   * Resolves when the head is written: every item accepted from then on gets its line. Rejects with the `ControlError` of the
   * backplane, with nothing written; if items came before that, it is ended instead.
   */
  async open(): Promise<void> {
    this.#response.once('close', () => this.#leave());
    try {
      await this.#share.start(this);
      const live = this.#share.subscribe(this.#channel);
      if (live !== undefined) await within(this.#clock, ANSWER_WITHIN_MS, live);
    } catch (error) {
      if (this.#response.headersSent) {
        this.end('failed');
        return;
      }
      this.#leave();
      throw error;
    }
    this.#begin();
  }

  /** Items that it has shown. */
  get items(): number {
    return this.#items;
  }

  onMessage(message: Message): void {
    if (message.type !== 'item' || message.item.channel !== this.#channel) return;
    this.#items++;
    this.#line({ ...itemToJson(message.item), ...message.position, time: this.#time() });
  }

  onGap({ channel, reason, after, until }: Gap): void {
    if (channel === this.#channel) this.#line({ gap: { reason, after, until }, time: this.#time() });
  }

  /** Ends it with a last line, which the client may be slow to take. */
  end(reason: TapEnd): void {
    if (this.#state === 'over') return;
    this.#begin();
    this.#leave();
    // A client that opens taps and reads none of them must not exceed the limit.
    if (reason === 'replaced' && this.#response.writableLength > 0) {
      this.#response.destroy();
      return;
    }
    this.#response.end(`${JSON.stringify({ end: reason, time: this.#time() })}\n`);
    const cut = this.#clock.after(TAP_END_MS, () => this.#response.destroy());
    this.#response.once('close', () => this.#clock.clear(cut));
  }

  #begin(): void {
    if (this.#state !== 'new') return;
    this.#state = 'open';
    this.#response.writeHead(200, {
      'Content-Type': 'application/x-ndjson',
      'Cache-Control': 'no-store',
      Connection: 'close',
    });
    this.#response.flushHeaders();
    this.#beat();
  }

  /** An item may come before the backplane has said that interest is live. */
  #line(value: object): void {
    this.#begin();
    if (this.#state !== 'open') return;
    const line = `${JSON.stringify(value)}\n`;
    const waiting = this.#response.writableLength;
    if (waiting > 0 && waiting + line.length > TAP_QUEUE_BYTES) this.end('slow-client');
    else this.#response.write(line);
  }

  #beat(): void {
    this.#timer = this.#clock.after(TAP_HEARTBEAT_MS, () => {
      if (!this.#isAllowed()) {
        this.end('revoked');
        return;
      }
      if (this.#response.writableLength === 0) this.#response.write('\n');
      this.#beat();
    });
  }

  #time(): string {
    return new Date(this.#clock.wall()).toISOString();
  }

  #leave(): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#clock.clear(this.#timer);
    void this.#share.close();
  }
}

/**
 * Taps at a time on one node; each costs an item a line, and up to its queue in memory. One more takes the place of the oldest of
 * the client address that has most of them: one client cannot keep the others out, and those that have few keep them.
 *
 * @limit {} taps of one node
 * @over the oldest of the client address with most of them ends
 */
export const MAX_TAPS = 64;

/** The client of a tap, as far as a tap has to do with it. */
export interface TapCaller {
  /** Asked again and again: a tap ends when its client may not watch any more. */
  readonly isAllowed?: () => boolean;
  /** Called with the number of items that it had, when a tap that began has ended. */
  readonly ended?: (items: number) => void;
}

/** Opens taps. One per control server. */
export class ChannelTaps {
  readonly #open: () => Backplane;
  readonly #clock: Clock;
  /** With the addresses of their clients, the oldest first. */
  readonly #taps = new Map<ChannelTap, string>();
  #closed = false;

  /** `open` makes a share of the node's backplane that is the tap's alone: not started, and closed by the tap. */
  constructor(open: () => Backplane, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** How many there are. */
  get size(): number {
    return this.#taps.size;
  }

  /** Starts to answer with the items of a channel; resolves with a refusal if that cannot be. Never rejects. */
  async serve(channel: string, response: ServerResponse, caller: TapCaller = {}): Promise<Answer | undefined> {
    if (this.#closed) return noMoreTaps;
    if (this.#taps.size >= MAX_TAPS) this.#replaceOldest();
    let tap: ChannelTap | undefined;
    try {
      tap = new ChannelTap(channel, response, this.#open(), this.#clock, caller.isAllowed);
      this.#taps.set(tap, response.socket?.remoteAddress ?? '');
      const ended = tap;
      response.once('close', () => this.#taps.delete(ended));
      await tap.open();
      if (caller.ended !== undefined) {
        const end = () => caller.ended?.(ended.items);
        if (response.closed) end();
        else response.once('close', end);
      }
      if (this.#closed) tap.end('shutdown');
      return undefined;
    } catch (error) {
      if (tap !== undefined) this.#taps.delete(tap);
      return answerTo(error);
    }
  }

  /** The node goes down: ends them all, and takes no more. */
  close(): void {
    this.#closed = true;
    for (const tap of this.#taps.keys()) tap.end('shutdown');
  }

  #replaceOldest(): void {
    const counts = new Map<string, number>();
    for (const address of this.#taps.values()) counts.set(address, (counts.get(address) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [tap, address] of this.#taps) {
      if (counts.get(address) !== most) continue;
      this.#taps.delete(tap);
      tap.end('replaced');
      return;
    }
  }
}
