// What a target is to the works: how it is started, spoken to and ended.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';
import { stop, treeOf } from './process.mjs';

/** @typedef {'stream' | 'ws' | 'poll'} Kind  of hold */
/** @typedef {'hold' | 'pass' | 'echo'} Role  holds clients; passes requests on; passes messages of WebSockets on */
/**
 * @typedef {object} Target
 * @property {string} name   what --targets calls it
 * @property {string} title  what the table calls it
 * @property {readonly Role[]} roles
 * @property {boolean} asksOrigin  false: it holds clients by itself, so opening a hold is less work
 * @property {boolean} isGrip  its control API takes items for many channels, and the origin names the channel
 * @property {() => string | undefined} missing  why it cannot run here; undefined when it can
 * @property {(options: StartOptions) => Promise<RunningTarget>} start
 * @property {boolean} [servesTls]
 * @property {boolean} [hasWorkers]  it can be several processes on one port
 * @property {number} [settleMs]  how long after its holds have been opened a publish may still miss them
 */
/** @typedef {{ certFile: string, keyFile: string }} Certificate  in PEM */
/**
 * @typedef {object} StartOptions
 * @property {import('./compile.mjs').Programs} programs
 * @property {number} originPort
 * @property {number} [workers]  processes that hold clients, beside a primary; left out: one that does everything
 * @property {readonly string[]} [extra]      flags of Holdfast
 * @property {readonly string[]} [nodeFlags]  flags of the node that runs Holdfast
 * @property {Certificate} [certificate]      clients are served with TLS; for targets with `servesTls`
 */

/** A target that runs. */
export class RunningTarget {
  #processes;
  #folder;
  /** Ports of 127.0.0.1; `control` is where items are published. */
  ports;
  /** Options of c/load.c that make it speak to this target; by kind of hold. */
  #speech;

  /**
   * @param {readonly import('./process.mjs').Started[]} processes
   * @param {{ client: number, control: number }} ports
   * @param {(kind: Kind, size: number) => Record<string, string | number>} speech
   * @param {string} [folder]  removed in the end
   */
  constructor(processes, ports, speech, folder) {
    this.#processes = processes;
    this.ports = ports;
    this.#speech = speech;
    this.#folder = folder;
  }

  /** All of its processes as they are now. */
  get pids() {
    return this.#processes.flatMap(({ child }) => (child.pid === undefined ? [] : treeOf(child.pid)));
  }

  /** @param {Kind} kind @param {number} size bytes of an item */
  speech(kind, size) {
    const { client, control } = this.ports;
    return { kind, size, port: client, control_port: control, ...this.#speech(kind, size) };
  }

  /** True when one of its processes has ended by itself. */
  get isBroken() {
    return this.#processes.some((started) => started.ended());
  }

  /** What its processes said last. */
  get output() {
    return this.#processes.map((started) => started.output()).join('\n');
  }

  async stop() {
    await Promise.all(this.#processes.map(stop));
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/**
 * The command that is measured: what is built here. The test of the bench, whose figures mean nothing, names another folder that has
 * it: the package as it is published, which starts in half of the time.
 */
export const holdfastCommand = path.join(process.env.BENCH_PACKAGE ?? path.join(root, 'proxy'), 'bin/holdfast.js');

/** Speaks GRIP: the origin names the channel `bench`, and items are posted to `/publish/`. */
export function gripSpeech(/** @type {Kind} */ kind) {
  return { format: 'grip', path: `/${kind}?ch=bench`, publish_path: '/publish/' };
}

/** A folder of its own for a target's files. @param {string} name */
export function makeFolder(name) {
  return mkdtempSync(path.join(tmpdir(), `holdfast-bench-${name}-`));
}
