/** From the bytes of a ZeroMQ message to a published item. ZeroMQ has no answer: what is dropped is counted and logged. */
import { decodePacket, GripError, parseItem } from '@holdfast/grip';
import { ControlError } from '../errors.js';
import type { PublishEvents } from '../events.js';
import type { Publisher } from '../publisher.js';
import type { Log } from '../runtime/log.js';

/**
 * Items handed to the backplane and not yet accepted, per socket. Over: the socket is not read until the latest is
 * accepted, so that items wait where ZeroMQ's own limit applies, and at the publisher.
 *
 * @limit {} items of a ZeroMQ socket that the backplane has not accepted yet
 * @over the socket is not read
 */
export const PENDING_LIMIT = 1_000;

/**
 * Bytes of them on the wire, likewise.
 *
 * @limit {MiB} of such items
 * @over the socket is not read
 */
export const PENDING_BYTES = 16 * 1024 * 1024;

/** Takes the items of one socket. */
export class ItemIntake {
  readonly #publisher: Publisher;
  readonly #events: PublishEvents;
  readonly #log: Log;
  #pending = 0;
  #bytes = 0;

  constructor(publisher: Publisher, events: PublishEvents, log: Log) {
    this.#publisher = publisher;
    this.#events = events;
    this.#log = log;
  }

  /**
   * Publishes the item in a packet, on the channel `topic` unless that is empty. Calls keep their order. An item that is
   * malformed, or that the backplane does not accept, is dropped, counted as rejected and logged as a warning. The
   * result, if any, is to be awaited before the next call. Never rejects.
   */
  take(packet: Uint8Array, topic = ''): Promise<void> | undefined {
    let accepted: Promise<unknown>;
    try {
      accepted = this.#publisher.publish([parseItem(decodePacket(packet), topic)]);
    } catch (error) {
      this.drop(error);
      return undefined;
    }
    const { length } = packet;
    this.#pending++;
    this.#bytes += length;
    const finish = () => {
      this.#pending--;
      this.#bytes -= length;
    };
    const finished = accepted.then(finish, (error: unknown) => {
      finish();
      this.drop(error);
    });
    return this.#pending >= PENDING_LIMIT || this.#bytes >= PENDING_BYTES ? finished : undefined;
  }

  /** Counts and logs a message that does not become an item. */
  drop(error: unknown): void {
    const known = error instanceof GripError || error instanceof ControlError;
    const code = known ? error.code : 'ERR_CONTROL_INTERNAL';
    this.#events.rejected(code);
    const detail = error instanceof GripError ? error.detail : undefined;
    const reason = known ? error.message : undefined;
    const fields = { code, reason, ...(detail !== undefined && { detail }), err: known ? error.cause : error };
    if (known) this.#log.warn(fields, 'ZeroMQ item dropped');
    else this.#log.error(fields, 'ZeroMQ item dropped');
  }
}
