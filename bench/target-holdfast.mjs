// Holdfast with either edge as a target.
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { root } from '../scripts/setup.mjs';
import { freePort, start, waitForPorts } from './process.mjs';
import { gripSpeech, holdfastCommand, makeFolder, RunningTarget } from './target.mjs';

const nodesInOne = path.join(root, 'bench/nodes-in-one.mjs');

/** More than any bench opens. */
const CONNECTIONS_MAX = 200_000;

/**
 * @param {'node' | 'uws'} edge
 * @returns {import('./target.mjs').Target}
 */
function holdfast(edge) {
  return {
    name: `holdfast-${edge}`,
    title: `Holdfast, ${edge} edge`,
    roles: ['hold', 'pass', 'echo'],
    asksOrigin: true,
    isGrip: true,
    servesTls: true,
    hasWorkers: true,
    missing: () => undefined,
    async start({ originPort, workers, extra = [], nodeFlags = [], certificate }) {
      const folder = makeFolder('holdfast');
      const ports = { client: await freePort(), control: await freePort() };
      const args = [...argumentsOf(edge, ports, originPort), ...workersOf(workers), ...extra];
      if (certificate !== undefined) {
        ports.client = await freePort();
        args.push(...tlsArguments(folder, ports.client, certificate));
      }
      const started = start(process.execPath, [...nodeFlags, holdfastCommand, ...args], { cwd: folder });
      const running = new RunningTarget([started], ports, gripSpeech, folder);
      await waitOrStop(running, started, Object.values(ports));
      return running;
    },
  };
}

/**
 * Starts several nodes in one process, each with options of its own. To stop one of them stops all.
 *
 * @param {'node' | 'uws'} edge
 * @param {number} originPort
 * @param {readonly object[]} extras  the options of each, by their names in `holdfast.yaml`
 * @returns {Promise<RunningTarget[]>} in the same order
 */
export async function startInOne(edge, originPort, extras) {
  const folder = makeFolder('holdfast');
  const ports = [];
  for (const _ of extras) ports.push({ client: await freePort(), control: await freePort() });
  const options = extras.map((extra, i) =>
    JSON.stringify({
      http_port: `127.0.0.1:${ports[i]?.client}`,
      push_in_http_port: ports[i]?.control,
      edge,
      routes: routesTo(originPort),
      log_level: 1,
      message_hwm: -1,
      ...extra,
    }),
  );
  const started = start(process.execPath, [nodesInOne, ...options], { cwd: folder });
  const nodes = ports.map((each) => new RunningTarget([started], each, gripSpeech, folder));
  const all = ports.flatMap((each) => Object.values(each));
  await waitOrStop(nodes[0], started, all);
  return nodes;
}

/** Its own WebSocket, and all else over HTTP. @param {number} originPort */
function routesTo(originPort) {
  return [`* 127.0.0.1:${originPort},over_http`, `*,path_beg=/echo 127.0.0.1:${originPort}`];
}

/** @param {number | undefined} workers */
function workersOf(workers) {
  return workers === undefined ? [] : ['--workers', String(workers)];
}

/** @typedef {{ client: number, control: number }} Ports  of 127.0.0.1 */

/** @param {'node' | 'uws'} edge @param {Ports} ports @param {number} originPort */
function argumentsOf(edge, { client, control }, originPort) {
  return [
    ...['--port', `127.0.0.1:${client}`, '--control-port', String(control), '--edge', edge],
    ...routesTo(originPort).flatMap((route) => ['--route', route]),
    // As with the others, no access log; and nothing that would slow a great number of deliveries down.
    ...['--log-level', '1', '--client-maxconn', String(CONNECTIONS_MAX), '--message-hwm', '-1'],
  ];
}

/** A listener with TLS beside the other one. @param {string} folder @param {number} port @param {import('./target.mjs').Certificate} certificate */
function tlsArguments(folder, port, { certFile, keyFile }) {
  copyFileSync(certFile, path.join(folder, `default_${port}.crt`));
  copyFileSync(keyFile, path.join(folder, `default_${port}.key`));
  return ['--https-ports', `127.0.0.1:${port}`, '--tls-certs-dir', folder];
}

/**
 * @param {RunningTarget | undefined} running
 * @param {import('./process.mjs').Started} started
 * @param {number[]} ports
 */
async function waitOrStop(running, started, ports) {
  try {
    await waitForPorts(started, ports);
  } catch (error) {
    await running?.stop();
    throw error;
  }
}

export const holdfastNode = holdfast('node');
export const holdfastUws = holdfast('uws');
