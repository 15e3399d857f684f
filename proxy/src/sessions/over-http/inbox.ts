/** The events of an origin's answer on their way to the session: no faster than it takes them, and in turns. */
import type { WsEvent } from '@holdfast/grip';
import { OriginError } from '../../errors.js';
import type { MessageType } from '../../websocket/message-socket.js';
import { MESSAGE_TYPES, messageFault } from './events.js';

/**
 * So many events of one answer are handed out in a turn of the event loop: others have theirs in between.
 *
 * @limit {} events of an answer over HTTP in one turn of the event loop
 * @over the others in the next
 */
export const EVENTS_PER_TURN = 1_000;

/** The origin whose answer it was. Each of its methods may end the session. */
export interface InboxOwner {
  /** Whether it takes an event now. */
  readonly takesEvents: boolean;
  received(type: MessageType, content: Buffer): void;
  receivedClose(content: Buffer | undefined): void;
  /** An event that cannot be. */
  receivedFault(error: OriginError): void;
  /** It is the next turn: `deliver` goes on. */
  rested(): void;
}

/** The events of one answer that the session has not had yet. */
export class HttpInbox {
  readonly #events: readonly WsEvent[];
  readonly #maxMessage: number;
  readonly #owner: InboxOwner;
  #next = 0;
  /** The rest is for the next turn of the event loop. */
  #rests = false;

  /** `maxMessage` is the length of the longest message, in bytes. */
  constructor(events: readonly WsEvent[], maxMessage: number, owner: InboxOwner) {
    this.#events = events;
    this.#maxMessage = maxMessage;
    this.#owner = owner;
  }

  get isEmpty(): boolean {
    return this.#next === this.#events.length;
  }

  /** Hands out events as long as the owner takes them, and the turn lasts. */
  deliver(): void {
    for (let count = 0; this.#owner.takesEvents && !this.#rests; count++) {
      const event = this.#events[this.#next];
      if (event === undefined) return;
      if (count === EVENTS_PER_TURN) {
        this.#rest();
        return;
      }
      this.#next++;
      this.#hand(event);
    }
  }

  #hand({ type, content = Buffer.alloc(0) }: WsEvent): void {
    if (type === 'CLOSE') this.#owner.receivedClose(content);
    else if (type === 'OPEN' || type === 'DISCONNECT') {
      this.#owner.receivedFault(new OriginError('ERR_ORIGIN_CLOSED', `the origin sent ${type}`, 'no'));
    } else {
      const messageType = MESSAGE_TYPES[type];
      const fault = messageFault(messageType, content, this.#maxMessage);
      if (fault === undefined) this.#owner.received(messageType, content);
      else this.#owner.receivedFault(fault);
    }
  }

  #rest(): void {
    this.#rests = true;
    setImmediate(() => {
      this.#rests = false;
      this.#owner.rested();
    });
  }
}
