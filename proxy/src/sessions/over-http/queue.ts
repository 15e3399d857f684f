/** The client's events on their way to an origin that is asked over HTTP: waiting, in the request under way, or to be sent again. */
import { acceptBytes, type WsEvent } from '@holdfast/grip';
import { OriginError } from '../../errors.js';

/**
 * From so many bytes on the client is held back, and a request takes no further event. A single message may be longer,
 * and is sent all the same.
 *
 * @limit {} bytes of events, each of which counts 64 on top of its own, waiting for an origin that is asked over HTTP
 * @over the client is not read
 */
export const QUEUE_HIGH_BYTES = 200_000;

/**
 * What may wait for the origin in bytes beside two messages of the greatest length; beyond, the session ends.
 *
 * @limit {} bytes, beside two of the longest messages, waiting for an origin that is asked over HTTP
 * @over session broken off
 */
export const QUEUE_MARGIN = 2_000_000;

/** What an event counts beside its content: so that empty messages are bounded too. */
const EVENT_BYTES = 64;

/** Events in order, the client's CLOSE last. */
export class HttpQueue {
  #events: WsEvent[] = [];
  #bytes = 0;
  /** Events at the front that are in the request under way. */
  #offered = 0;
  /** Not all that waited fitted into it. */
  #maxed = false;
  /** Events at the front that the origin has seen and left. */
  #seen = 0;
  #replayed = 0;
  #close: 'none' | 'queued' | 'taken' = 'none';

  add(event: WsEvent): void {
    this.#events.push(event);
    this.#bytes += cost(event);
  }

  /** Adds the last event there will be: a CLOSE. */
  close(event: WsEvent): void {
    this.#close = 'queued';
    this.add(event);
  }

  /** Drops everything. */
  clear(): void {
    this.#events = [];
    this.#bytes = 0;
    this.#offered = 0;
    this.#seen = 0;
    this.#replayed = 0;
  }

  /** Bytes that wait, counting those in the request under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the client is to be held back. */
  get full(): boolean {
    return this.#bytes >= QUEUE_HIGH_BYTES;
  }

  /** Whether more waits than may, where a message may have `maxMessage` bytes. */
  exceeds(maxMessage: number): boolean {
    return this.#bytes > 2 * maxMessage + QUEUE_MARGIN;
  }

  /** Whether nothing waits and no CLOSE has been added: as good as a new one. */
  get idle(): boolean {
    return this.#events.length === 0 && this.#close === 'none';
  }

  /**
   * Whether there is reason for a request: what the origin has left so as to see more goes with what is new, and by
   * itself only if nothing new can come.
   */
  get hasNews(): boolean {
    return this.#events.length > this.#seen || (this.#events.length > 0 && (this.#close === 'queued' || this.full));
  }

  /** Content bytes at the front that were offered before: Content-Bytes-Replayed. */
  get replayed(): number {
    return this.#replayed;
  }

  /** Events for the next request; they stay until `accept`. With `one`, one event at most. */
  offer(one: boolean): readonly WsEvent[] {
    let count = 0;
    let bytes = 0;
    for (const event of this.#events) {
      if (count > 0 && (one || bytes >= QUEUE_HIGH_BYTES)) break;
      count++;
      bytes += cost(event);
    }
    this.#offered = count;
    this.#maxed = count < this.#events.length;
    return this.#events.slice(0, count);
  }

  /**
   * The origin has answered and taken the first `accepted` content bytes, or everything when undefined.
   *
   * Throws GripError ERR_GRIP_WS_EVENTS for more than was offered, and OriginError ERR_ORIGIN_MALFORMED when it took
   * nothing although it can be shown nothing further: the same request would follow for ever.
   */
  accept(accepted: number | undefined): void {
    const offered = this.#events.slice(0, this.#offered);
    const { consumed, remaining, replayed } = acceptBytes(offered, accepted);
    const stuck = offered.length > 0 && consumed === 0 && accepted === 0;
    if (stuck && (this.#maxed || this.full || this.#close === 'queued')) {
      throw new OriginError('ERR_ORIGIN_MALFORMED', 'none of the content accepted, and no more can be offered', 'no');
    }
    this.#events = [...remaining, ...this.#events.slice(this.#offered)];
    this.#bytes = this.#events.reduce((sum, event) => sum + cost(event), 0);
    this.#offered = 0;
    this.#seen = remaining.length;
    this.#replayed = replayed;
    if (this.#close === 'queued' && this.#events.length === 0) this.#close = 'taken';
  }
}

function cost({ content }: WsEvent): number {
  return EVENT_BYTES + (content?.length ?? 0);
}
