// The clients of the drain, over several processes.
import { fileURLToPath } from 'node:url';
import { start, stop } from '../process.mjs';
import { MIX } from './mix.mjs';

const program = fileURLToPath(new URL('clients.mjs', import.meta.url));

/** Clients of one process: below its open files, and so few that it does not wait for itself. */
const CLIENTS_OF_PROCESS = 5_000;

export class ClientProcesses {
  #processes;
  #shares;
  #count;

  /** @param {number} clients */
  constructor(clients) {
    this.#count = clients;
    const count = Math.ceil(clients / CLIENTS_OF_PROCESS);
    // The clients of one channel are in one process.
    const each = Math.ceil(clients / count / MIX.length) * MIX.length;
    this.#shares = Array.from({ length: count }, (_, i) => ({ from: i * each, to: Math.min(clients, (i + 1) * each) }));
    this.#processes = this.#shares.map(() => start(process.execPath, [program], { ipc: true }));
  }

  /** Opens all of them; resolves when they are held. @param {string} base  of the balancers @throws {Error} when some are not */
  async open(base) {
    const away = await this.#away((i) => ({ do: 'open', base, ...this.#shares[i] }));
    if (away > 0) throw new Error(`${away} of ${this.#count} clients were not held`);
  }

  /** Waits until all are held again; resolves with how many are not. @returns {Promise<number>} */
  async areBack() {
    return this.#away(() => ({ do: 'back' }));
  }

  /** Waits until all have the last item, or will not get it. @param {readonly number[]} published  by channel */
  async have(published) {
    await this.#all(() => ({ do: 'has', published }));
  }

  /** @param {readonly number[]} published  by channel @returns {Promise<import('./sight.mjs').Report>} of all of them */
  async report(published) {
    /** @type {import('./sight.mjs').Report[]} */
    const reports = await this.#all(() => ({ do: 'report', published }));
    const sum = (/** @type {'lost' | 'doubled' | 'failed'} */ key) => reports.reduce((all, one) => all + one[key], 0);
    const times = (/** @type {'ends' | 'returns'} */ key) => reports.flatMap((one) => one[key]).sort((a, b) => a - b);
    return {
      lost: sum('lost'),
      doubled: sum('doubled'),
      failed: sum('failed'),
      failures: reports.flatMap(({ failures }) => failures),
      ends: times('ends'),
      returns: times('returns'),
    };
  }

  async stop() {
    await Promise.all(this.#processes.map(stop));
  }

  /** How many are not held after this. @param {(index: number) => object} commandOf */
  async #away(commandOf) {
    const answers = await this.#all(commandOf);
    return answers.reduce((left, { held }) => left - held, this.#count);
  }

  /** @param {(index: number) => object} commandOf @returns {Promise<any[]>} */
  #all(commandOf) {
    return Promise.all(
      this.#processes.map(({ child, output }, index) => {
        return new Promise((resolve, reject) => {
          const fail = () => reject(new Error(`a process of clients ended: ${output()}`));
          child.once('exit', fail);
          child.once('message', (answer) => {
            child.off('exit', fail);
            resolve(answer);
          });
          child.send(commandOf(index));
        });
      }),
    );
  }
}
