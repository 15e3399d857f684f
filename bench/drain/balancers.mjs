// The recipes of deploy/recipes in front of two nodes. A client takes two files of a balancer, one for the node behind, and a process
// has 20,000: several processes listen on one port, among which the kernel divides the connections. Each of them finds out by
// itself which nodes take clients.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../../scripts/setup.mjs';
import { freePort, start, stop, waitForPorts } from '../process.mjs';
import { makeFolder } from '../target.mjs';

/** Files of a process. */
const FILES = 20_000;
/** Clients that a process takes at most: two files each, and some of its own. */
const CLIENTS_OF_PROCESS = 9_500;
/** Clients that a process is planned for, as the kernel does not divide them evenly. */
const CLIENTS_PLANNED = 6_000;

/** @typedef {'haproxy' | 'nginx'} BalancerName */
/** @typedef {{ addresses: readonly string[], client: number, admin: number }} NodePlaces  the nodes have the same ports at addresses of their own */
/**
 * @typedef {object} Recipe
 * @property {string} program
 * @property {string} file
 * @property {(port: number, nodes: NodePlaces) => readonly (readonly [RegExp | string, string])[]} replaced  beside the names of the nodes; without TLS
 * @property {(folder: string, recipe: string, processes: number) => string[][]} processes  the arguments of each program that is started
 */

/** @type {Readonly<Record<BalancerName, Recipe>>} */
const recipes = {
  haproxy: {
    program: '/usr/sbin/haproxy',
    file: 'haproxy.cfg',
    replaced: (port, { admin }) => [
      [/\b5580\b/g, String(admin)],
      [/bind :443 ssl .*/g, `bind 127.0.0.1:${port}`],
      ['maxconn 100000', `maxconn ${CLIENTS_OF_PROCESS}`],
    ],
    // Its threads share the files of one process.
    processes: (_folder, recipe, processes) => Array.from({ length: processes }, () => ['-db', '-f', recipe]),
  },
  nginx: {
    program: '/usr/sbin/nginx',
    file: 'nginx.conf',
    replaced: (port) => [
      ['listen 443 ssl http2;', `listen 127.0.0.1:${port} reuseport;`],
      [/ssl_certificate.*;/g, ''],
    ],
    processes: (folder, recipe, processes) => {
      const main = path.join(folder, 'main.conf');
      writeFileSync(main, nginxMain(folder, recipe, processes));
      return [['-p', folder, '-c', main]];
    },
  },
};

/** What includes the recipe. @param {string} folder @param {string} recipe @param {number} processes */
function nginxMain(folder, recipe, processes) {
  return `
    daemon off; pid ${folder}/pid; error_log stderr crit; worker_processes ${processes}; worker_rlimit_nofile ${FILES};
    events { worker_connections ${FILES}; }
    http {
      access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
      uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
      include ${recipe};
    }`;
}

export class Balancers {
  #processes;
  #folder;
  /** Where clients go. */
  base;

  /** @param {readonly import('../process.mjs').Started[]} processes @param {string} folder @param {number} port */
  constructor(processes, folder, port) {
    this.#processes = processes;
    this.#folder = folder;
    this.base = `http://127.0.0.1:${port}`;
  }

  /**
   * @param {BalancerName} name
   * @param {NodePlaces} nodes
   * @param {number} clients
   * @throws {Error} when it is not installed or does not start
   */
  static async start(name, nodes, clients) {
    const recipe = recipes[name];
    if (!existsSync(recipe.program)) throw new Error(`${name} is not installed`);
    const folder = makeFolder(name);
    const port = await freePort();
    const file = path.join(folder, recipe.file);
    writeFileSync(file, written(recipe, nodes, port));
    const count = Math.max(2, Math.ceil(clients / CLIENTS_PLANNED));
    const processes = recipe.processes(folder, file, count).map((args) => start(recipe.program, args));
    const balancers = new Balancers(processes, folder, port);
    try {
      for (const started of processes) await waitForPorts(started, [port]);
    } catch (error) {
      await balancers.stop();
      throw error;
    }
    return balancers;
  }

  async stop() {
    await Promise.all(this.#processes.map(stop));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** @param {Recipe} recipe @param {NodePlaces} nodes @param {number} port */
function written({ file, replaced }, nodes, port) {
  let text = readFileSync(path.join(root, 'deploy/recipes', file), 'utf8');
  const names = nodes.addresses.map((address, i) => [`node${i + 1}:7999`, `${address}:${nodes.client}`]);
  for (const [from, to] of [...names, ...replaced(port, nodes)]) {
    const after = text.replaceAll(/** @type {string} */ (from), /** @type {string} */ (to));
    if (after === text) throw new Error(`${file} has no ${from}`);
    text = after;
  }
  return text;
}
