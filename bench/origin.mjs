// The origin process (c/origin.c) behind the targets, and what it has been asked so far.
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, start, stop, waitForPorts } from './process.mjs';

/** @typedef {{ stream: number, poll: number, ws: number, signatures: number }} Asked */

export class OriginProcess {
  #started;
  port;

  /** @param {import('./process.mjs').Started} started @param {number} port */
  constructor(started, port) {
    this.#started = started;
    this.port = port;
  }

  /** @param {string} program */
  static async start(program) {
    const port = await freePort();
    const started = start(program, [String(port)]);
    await waitForPorts(started, [port]);
    return new OriginProcess(started, port);
  }

  get pid() {
    return /** @type {number} */ (this.#started.child.pid);
  }

  /** @returns {Promise<Asked>} */
  async asked() {
    const answer = await fetch(`http://127.0.0.1:${this.port}/count`);
    return /** @type {Asked} */ (await answer.json());
  }

  /**
   * Waits until it has been asked for so many holds of a kind since it was started.
   *
   * @param {'stream' | 'poll' | 'ws'} kind
   * @param {number} count
   * @param {number} limitMs
   * @returns {Promise<boolean>} false when that did not happen in time
   */
  async waitUntilAsked(kind, count, limitMs = 30_000) {
    const deadline = Date.now() + limitMs;
    while ((await this.asked())[kind] < count) {
      if (Date.now() > deadline) return false;
      await delay(5);
    }
    return true;
  }

  async stop() {
    await stop(this.#started);
  }
}
