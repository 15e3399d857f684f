// A Redis server of the bench's own, and the few commands that a work gives it.
import { existsSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, start, stop, waitForPorts } from './process.mjs';
import { makeFolder } from './target.mjs';

const programs = ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/usr/bin/valkey-server'];

/** For two nodes to connect. */
const CONNECT_LIMIT_MS = 1_000;

export class RedisServer {
  #started;
  #folder;
  port;

  /** @param {import('./process.mjs').Started} started @param {number} port @param {string} folder */
  constructor(started, port, folder) {
    this.#started = started;
    this.#folder = folder;
    this.port = port;
  }

  /** The program, or undefined when it is not installed. */
  static get program() {
    return programs.find(existsSync);
  }

  /** @throws {Error} when it is not installed or does not start */
  static async start() {
    const { program } = RedisServer;
    if (program === undefined) throw new Error('redis-server is not installed');
    const port = await freePort();
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const folder = makeFolder('redis');
    const started = start(program, args, { cwd: folder });
    await waitForPorts(started, [port]);
    return new RedisServer(started, port, folder);
  }

  /** Of its process. */
  get pid() {
    const { pid } = this.#started.child;
    if (pid === undefined) throw new Error('redis-server has not started');
    return pid;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}/0`;
  }

  /**
   * Sends one command and returns the answer as it came; enough for answers of one read.
   *
   * @param {string} command
   * @returns {Promise<string>}
   */
  command(command) {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1', () => socket.write(`${command}\r\n`));
      socket.once('error', reject).once('data', (answer) => {
        socket.destroy();
        resolve(answer.toString());
      });
    });
  }

  /** True as soon as somebody but us is connected; false when nobody is after a while. */
  async hasClients() {
    const deadline = Date.now() + CONNECT_LIMIT_MS;
    while (Date.now() < deadline) {
      const list = await this.command('CLIENT LIST');
      if (list.split('\n').filter((line) => line.startsWith('id=')).length > 1) return true;
      await delay(50);
    }
    return false;
  }

  /** Cuts the connections of all clients. */
  async cutClients() {
    await this.command('CLIENT KILL TYPE normal SKIPME yes');
    await this.command('CLIENT KILL TYPE pubsub');
  }

  async stop() {
    await stop(this.#started);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
