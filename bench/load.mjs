// A load process (c/load.c): one command, one answer in JSON.
import { createInterface } from 'node:readline';
import { start, stop } from './process.mjs';

/** For one command; more than any of them takes by its own timeout. */
const ANSWER_LIMIT_MS = 700_000;

/** @typedef {Record<string, any>} Answer  as c/load.c prints it */

export class Load {
  #started;
  /** @type {((answer: Answer) => void) | undefined} */
  #answered;
  /** @type {((reason: Error) => void) | undefined} */
  #failed;
  /** @type {(count: number) => void} */
  #progress = () => {};

  /**
   * @param {string} program
   * @param {Record<string, string | number>} options  of c/load.c: kind, port, count, size …
   */
  constructor(program, options) {
    const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    this.#started = start(program, args, { stdin: true });
    const { child } = this.#started;
    if (child.stdout === null) throw new Error('the load has no output');
    createInterface(child.stdout).on('line', (line) => this.#take(line));
    child.on('exit', (code, signal) => this.#failed?.(new Error(`the load ended (${signal ?? code})`)));
  }

  /** @param {string} line */
  #take(line) {
    const answer = JSON.parse(line);
    if ('progress' in answer) this.#progress(answer.progress);
    else this.#answered?.(answer);
  }

  /**
   * Runs one command; they must not overlap.
   *
   * @param {string} name
   * @param {Record<string, string | number>} [values]
   * @param {(count: number) => void} [progress]  may be called any number of times before the answer
   * @returns {Promise<Answer>}
   */
  async do(name, values = {}, progress = () => {}) {
    this.#progress = progress;
    const line = [name, ...Object.entries(values).map(([key, value]) => `${key}=${value}`)].join(' ');
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        this.#answered = resolve;
        this.#failed = reject;
        timer = setTimeout(() => reject(new Error(`the load does not answer: ${line}`)), ANSWER_LIMIT_MS);
        this.#started.child.stdin?.write(`${line}\n`);
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async stop() {
    await stop(this.#started);
  }
}
