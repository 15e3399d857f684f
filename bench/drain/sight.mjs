// What the clients of one process have seen. Items of a channel are the numbers from 1 on, in order.
import { now } from './mix.mjs';

/** Failures that are kept with their text. */
const TEXTS_MAX = 5;

/**
 * @typedef {object} Report
 * @property {number} lost     items that a client has not had
 * @property {number} doubled  items that a client has had before
 * @property {number} failed   requests that were refused, broke off, or began anew in the middle
 * @property {string[]} failures  the first of them
 * @property {number[]} ends     when a node ended a hold that could have gone on, by the machine's monotonic clock in ms
 * @property {number[]} returns  when its client asked again
 */

/** One client, over all its connections. */
export class Client {
  kind;
  channel;
  /** The last item that it has. */
  last = 0;
  lost = 0;
  doubled = 0;
  isHeld = false;

  /** @param {import('./mix.mjs').Kind} kind @param {number} channel */
  constructor(kind, channel) {
    this.kind = kind;
    this.channel = channel;
  }

  /** @param {string} text  the number of an item */
  took(text) {
    const number = Number(text);
    if (!(number > this.last)) {
      this.doubled++;
      return;
    }
    this.lost += number - this.last - 1;
    this.last = number;
  }
}

export class Sight {
  /** @type {Client[]} */
  clients = [];
  #failed = 0;
  /** @type {string[]} */
  #failures = [];
  /** @type {number[]} */
  #ends = [];
  /** @type {number[]} */
  #returns = [];

  /** @param {Client} client */
  ended(client) {
    client.isHeld = false;
    this.#ends.push(now());
  }

  returned() {
    this.#returns.push(now());
  }

  /** @param {Client} client @param {string} text */
  failed(client, text) {
    client.isHeld = false;
    this.#failed++;
    if (this.#failures.length < TEXTS_MAX) this.#failures.push(`${client.kind}: ${text}`);
  }

  /** How many are held. */
  get held() {
    return this.clients.filter(({ isHeld }) => isHeld).length;
  }

  /** Whether each client has the last item of its channel. @param {readonly number[]} published  that item, by channel */
  hasAll(published) {
    return this.clients.every(({ channel, last }) => last >= (published[channel] ?? 0));
  }

  /** @param {readonly number[]} published  the last item of each channel @returns {Report} */
  report(published) {
    const sum = (/** @type {(client: Client) => number} */ of) => this.clients.reduce((all, one) => all + of(one), 0);
    return {
      lost: sum(({ lost, last, channel }) => lost + Math.max(0, (published[channel] ?? 0) - last)),
      doubled: sum(({ doubled }) => doubled),
      failed: this.#failed,
      failures: this.#failures,
      ends: this.#ends,
      returns: this.#returns,
    };
  }
}
