/** A queue of events in JSON, bounded in number and in characters. */
import type { EventType } from './event.js';

/**
 * Events that wait for the receiver, on each node: some of each of ten thousand clients that leave at once, and more of others.
 *
 * @limit {} events that wait on a node
 * @over the oldest are dropped, counted and logged
 */
export const EVENTS_WAITING = 100_000;

/**
 * Characters of them, some of which have the names of many channels.
 *
 * @limit {Mi} characters of events that wait on a node
 * @over the oldest are dropped, counted and logged
 */
export const EVENT_CHARS_WAITING = 32 * 1024 * 1024;

/**
 * Characters of one post, unless a single event has more.
 *
 * @limit {Mi} characters of one post of events
 * @over the next post
 */
export const BATCH_CHARS = 1024 * 1024;

/** Passed places after which the list of those that wait is cut: seldom, so that taking costs the same however many wait. */
const PASSED_MAX = 1_024;

/** Events of one post. */
export interface EventBatch {
  readonly types: readonly EventType[];
  /** Each in JSON. */
  readonly texts: readonly string[];
}

/** First in, first out. */
export class EventQueue {
  #types: EventType[] = [];
  #texts: string[] = [];
  /** How many of the lists have been taken or dropped. */
  #passed = 0;
  #chars = 0;

  get size(): number {
    return this.#texts.length - this.#passed;
  }

  /** Adds an event. Returns how many of the oldest had to go, with `beside` more that are not in the queue any more but still wait. */
  push(type: EventType, text: string, beside: number): number {
    this.#types.push(type);
    this.#texts.push(text);
    this.#chars += text.length;
    let dropped = 0;
    while (this.size > 1 && (this.size + beside > EVENTS_WAITING || this.#chars > EVENT_CHARS_WAITING)) {
      this.#pass();
      dropped++;
    }
    return dropped;
  }

  /** Takes the oldest, at most so many, and at least one if there is any. */
  take(max: number): EventBatch {
    const types: EventType[] = [];
    const texts: string[] = [];
    let chars = 0;
    while (this.size > 0 && texts.length < max) {
      const text = this.#texts[this.#passed] as string;
      if (texts.length > 0 && chars + text.length > BATCH_CHARS) break;
      types.push(this.#types[this.#passed] as EventType);
      texts.push(text);
      chars += text.length;
      this.#pass();
    }
    return { types, texts };
  }

  clear(): void {
    this.#types = [];
    this.#texts = [];
    this.#passed = 0;
    this.#chars = 0;
  }

  #pass(): void {
    this.#chars -= (this.#texts[this.#passed] as string).length;
    this.#texts[this.#passed] = '';
    this.#passed++;
    if (this.#passed < PASSED_MAX || this.#passed * 2 < this.#texts.length) return;
    this.#types = this.#types.slice(this.#passed);
    this.#texts = this.#texts.slice(this.#passed);
    this.#passed = 0;
  }
}
