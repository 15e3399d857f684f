/**
 * What a socket sends, one message after the other.
 *
 * The library takes one message at a time, and refuses the next (EBUSY) until that one is written, which after some hundred in
 * one turn of the event loop takes another turn.
 */
import type { Log } from '../runtime/log.js';

/**
 * Messages that wait for the library. Over: the new one is dropped, as the library does beyond its own limit.
 *
 * @limit {} replies, or packets of statistics, that wait for the ZeroMQ library
 * @over dropped
 */
export const OUTBOX_LIMIT = 10_000;

type Parts = Buffer | readonly Buffer[];

interface Writable {
  readonly closed: boolean;
  send(parts: Buffer | Buffer[]): Promise<void>;
}

/** Sends messages of one socket. */
export class Outbox {
  readonly #socket: Writable;
  readonly #log: Log;
  #waiting: Parts[] = [];
  #isSending = false;

  constructor(socket: Writable, log: Log) {
    this.#socket = socket;
    this.#log = log;
  }

  /** False when it is dropped. A message that the library cannot send is lost without notice. */
  send(parts: Parts): boolean {
    if (this.#socket.closed || this.#waiting.length >= OUTBOX_LIMIT) return false;
    this.#waiting.push(parts);
    if (!this.#isSending) void this.#sendAll();
    return true;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const parts of batch) {
        try {
          if (!this.#socket.closed) await this.#socket.send(parts as Buffer | Buffer[]);
        } catch (error) {
          this.#log.debug({ err: error }, 'ZeroMQ message not sent');
        }
      }
    }
    this.#isSending = false;
  }
}
