/** The items of one channel as they pass, as lines of JSON for a client that watches it. */
import type { ServerResponse } from 'node:http';
import { itemToJson } from '@holdfast/grip';
import type { Backplane, BackplaneListener, Gap, Message } from '../backplane/backplane.js';
import type { Clock } from '../runtime/clock.js';
import { within } from '../runtime/deadline.js';
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
 * Milliseconds that the client has to take the last line. Then its connection is cut.
 *
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

  onMessage(message: Message): void {
    if (message.type !== 'item' || message.item.channel !== this.#channel) return;
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
