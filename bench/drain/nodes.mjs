// The two nodes of the drain: processes that share a Redis and keep history, told apart by their addresses, as the recipes have them.
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, start, stop, waitForPorts } from '../process.mjs';
import { holdfastCommand, makeFolder } from '../target.mjs';
import { now } from './mix.mjs';

/** Clock ticks in a second, in which the kernel says what a process has used. */
const TICKS = 100;

/** @typedef {{ address: string, client: number, admin: number, control: number }} Place */
/** @typedef {{ code: number | null, at: number }} Exit  `at` by the machine's monotonic clock in ms */

export class DrainNode {
  #started;
  #folder;
  #place;
  /** @type {Promise<Exit>} */
  #exited;

  /** @param {import('../process.mjs').Started} started @param {string} folder @param {Place} place */
  constructor(started, folder, place) {
    this.#started = started;
    this.#folder = folder;
    this.#place = place;
    this.#exited = once(started.child, 'exit').then(([code]) => ({ code, at: now() }));
  }

  /** @param {Place} place @param {object} settings @returns {Promise<DrainNode>} */
  static async start(place, settings) {
    const folder = makeFolder('node');
    const file = path.join(folder, 'holdfast.yaml');
    const places = {
      http_port: `${place.address}:${place.client}`,
      admin_port: `${place.address}:${place.admin}`,
      push_in_http_port: place.control,
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify({ ...places, ...settings }));
    const started = start(process.execPath, [holdfastCommand, '--config', file], { cwd: folder });
    const node = new DrainNode(started, folder, place);
    try {
      await waitForPorts(started, [place.control]);
      await node.#ready();
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  async #ready() {
    const isReady = () =>
      fetch(`${this.#admin}/readyz`).then(
        ({ status }) => status === 200,
        () => false,
      );
    while (!(await isReady())) {
      if (this.#started.ended()) throw new Error(`a node ended: ${this.#started.output()}`);
      await delay(25);
    }
  }

  get #admin() {
    return `http://${this.#place.address}:${this.#place.admin}`;
  }

  /** What is held there now. */
  async holds() {
    const text = await (await fetch(`${this.#admin}/metrics`)).text();
    const values = [...text.matchAll(/^holdfast_holds\{.*\} (\d+)$/gm)];
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** CPU that it has used since its start, in ms, or undefined when it has ended. */
  cpuMs() {
    try {
      const stat = readFileSync(`/proc/${this.#started.child.pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS;
    } catch {
      return undefined;
    }
  }

  /** Resolves when it has ended, for which it is killed after so many ms. @param {number} limit @returns {Promise<Exit>} */
  async exit(limit) {
    const timer = setTimeout(() => this.#started.child.kill('SIGKILL'), limit);
    const exit = await this.#exited;
    clearTimeout(timer);
    return exit;
  }

  /** Begins its drain. */
  terminate() {
    this.#started.child.kill('SIGTERM');
  }

  /** Ends it at once, whatever window it has. */
  async stop() {
    this.#started.child.kill('SIGKILL');
    await stop(this.#started);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Two places with the same ports for clients and administration. @returns {Promise<[Place, Place]>} */
export async function twoPlaces() {
  const [client, admin] = [await freePort(), await freePort()];
  return [
    { address: '127.0.0.2', client, admin, control: await freePort() },
    { address: '127.0.0.3', client, admin, control: await freePort() },
  ];
}
