// Publishes to all channels in turn at a steady pace, by turns to each node, and keeps what was acknowledged. An item that a node does
// not take goes to another, with the same id.
import { setTimeout as delay } from 'node:timers/promises';
import { nameOf } from './mix.mjs';

/** Before an item is published again, in ms. */
const PAUSE_MS = 50;
/** Attempts with one item. */
const ATTEMPTS_MAX = 100;
/** Publishes under way while all channels get an item at once. */
const CONCURRENT = 32;

export class Publisher {
  #controls;
  #turn = 0;
  #isOver = false;
  /** @type {Promise<void>} */
  #running = Promise.resolve();
  /** @type {Error | undefined} */
  #failure;
  /** The last acknowledged item of each channel. @type {number[]} */
  published;
  /** Attempts that were not acknowledged. */
  retried = 0;

  /** @param {readonly { control: number }[]} nodes  ports of their control APIs @param {number} channels */
  constructor(nodes, channels) {
    this.#controls = nodes.map(({ control }) => control);
    this.published = new Array(channels).fill(0);
  }

  /** Publishes the next item of a channel. @param {number} channel @throws {Error} when nobody takes it */
  async next(channel) {
    const number = (this.published[channel] ?? 0) + 1;
    const content = `${number}`;
    const body = JSON.stringify({
      items: [
        {
          channel: nameOf(channel),
          id: content,
          'prev-id': `${number - 1}`,
          formats: {
            'http-stream': { content: `data: ${content}\n\n` },
            'http-response': { body: content },
            'ws-message': { content },
          },
        },
      ],
    });
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const control = /** @type {number} */ (this.#controls[this.#turn++ % this.#controls.length]);
      if (await isTaken(`http://127.0.0.1:${control}/publish/`, body)) {
        this.published[channel] = number;
        return;
      }
      this.retried++;
      // It is on its way out, and a publisher knows it then.
      if (this.#controls.length > 1) this.#controls = this.#controls.filter((other) => other !== control);
      await delay(PAUSE_MS);
    }
    throw new Error(`no node takes item ${number} of channel ${channel}`);
  }

  /** Publishes one item to every channel. */
  async everywhere() {
    let next = 0;
    const lane = async () => {
      while (next < this.published.length) await this.next(next++);
    };
    await Promise.all(Array.from({ length: CONCURRENT }, lane));
  }

  /** Begins to publish so many items a second, until `stop`. @param {number} rate */
  start(rate) {
    this.#running = this.#run(rate);
  }

  /** Resolves when the last has been acknowledged. @throws {Error} when one of them was not */
  async stop() {
    this.#isOver = true;
    await this.#running;
  }

  /** @param {number} rate */
  async #run(rate) {
    const since = performance.now();
    /** By channel: they are independent, and the items of one follow each other. @type {Promise<void>[]} */
    const last = this.published.map(() => Promise.resolve());
    for (let count = 0; !this.#isOver && this.#failure === undefined; count++) {
      const channel = count % last.length;
      last[channel] = /** @type {Promise<void>} */ (last[channel])
        .then(() => this.next(channel))
        .catch((error) => {
          this.#failure ??= error;
        });
      await delay(Math.max(0, since + ((count + 1) * 1_000) / rate - performance.now()));
    }
    await Promise.all(last);
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** @param {string} url @param {string} body */
async function isTaken(url, body) {
  try {
    const answer = await fetch(url, { method: 'POST', body });
    await answer.text();
    return answer.status === 200;
  } catch {
    return false;
  }
}
