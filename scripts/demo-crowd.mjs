// npm run demo -- hundred-thousand: 100,000 event streams on this machine, or as many as --clients says, by processes of
// `holdfast load`, each below its open files and with an own address of the loopback network for its ports.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { endsWithDemo } from './demo-servers.mjs';
import { root } from './setup.mjs';

/** The command as users run it. */
const command = path.join(root, 'proxy/bin/holdfast.js');

/** Clients of one process, of Holdfast or of the load: so that 20,000 files are enough, however uneven they are spread. */
const CLIENTS_OF_PROCESS = 15_000;
/** Connections of each worker to the application. */
const ORIGIN_CONNECTIONS = 200;
/** For the processes to be there before they begin together. */
const BEGIN_AFTER_MS = 5_000;
/** For those that do not publish, which end with the last item. */
const FIRST_ITEM_WITHIN = '1h';

/** @typedef {{ clients: number, ramp: number, rate: string, hold: string, edge: string | undefined }} Crowd  `ramp` in clients a second */

/**
 * @param {readonly string[]} argv  behind `hundred-thousand`
 * @param {boolean} isSmoke
 * @returns {Crowd}
 */
export function crowdOf(argv, isSmoke) {
  const { values } = parseArgs({
    args: argv.filter((word) => word !== '--smoke'),
    options: {
      clients: { type: 'string', default: isSmoke ? '60' : '100000' },
      ramp: { type: 'string', default: '400' },
      rate: { type: 'string', default: isSmoke ? '10/s' : '10/m' },
      hold: { type: 'string', default: isSmoke ? '1s' : '10m' },
      edge: { type: 'string' },
    },
  });
  const [clients, ramp] = [Number(values.clients), Number(values.ramp)];
  if (!Number.isInteger(clients) || clients < 2) throw new Error(`--clients takes a number, not ${values.clients}`);
  if (!(ramp > 0)) throw new Error(`--ramp takes clients a second, not ${values.ramp}`);
  return { clients, ramp, rate: values.rate, hold: values.hold, edge: values.edge };
}

/** @param {Crowd} crowd */
const processesFor = ({ clients }) => Math.max(2, Math.ceil(clients / CLIENTS_OF_PROCESS));

/**
 * Options of Holdfast: as many workers as it takes files, and not more connections to the application than one process serves. Needs a
 * build.
 *
 * @param {Crowd} crowd
 */
export async function crowdOptions(crowd) {
  return [
    ...['--workers', String(processesFor(crowd)), '--edge', crowd.edge ?? (await usualEdge())],
    ...['--client-maxconn', String(2 * crowd.clients), '--message-hwm', '-1'],
    ...['--origin-connections-max', String(ORIGIN_CONNECTIONS)],
  ];
}

/**
 * The one whose workers bind the port themselves with every Node: where a primary hands each connection over, two cores that the
 * clients need too hand over some 400 a second.
 */
async function usualEdge() {
  const { loadUws } = await import(path.join(root, 'proxy/dist/edge/uws/library.js'));
  const { UWS_HTTP_MAX_HEADERS_SIZE: before } = process.env;
  try {
    loadUws(0);
    return 'uws';
  } catch {
    return 'node';
  } finally {
    // Set for this process, and not for Holdfast.
    if (before === undefined) delete process.env.UWS_HTTP_MAX_HEADERS_SIZE;
  }
}

/** @typedef {{ stop: () => void, done: Promise<number> }} RunningCrowd  `done`: exit status */

/**
 * Starts the clients, shows how they go, and prints one report of all at the end or after stop().
 *
 * @param {{ client: number, control: number }} ports
 * @param {Crowd} crowd
 * @returns {RunningCrowd}
 */
export function startCrowd(ports, crowd) {
  const count = processesFor(crowd);
  const startAt = new Date(Date.now() + BEGIN_AFTER_MS).toISOString();
  const loads = Array.from({ length: count }, (_, at) => {
    const clients = Math.floor((crowd.clients * (at + 1)) / count) - Math.floor((crowd.clients * at) / count);
    const args = [
      ...[`http://127.0.0.1:${ports.client}/events`, '--clients', String(clients), '--ramp', `${crowd.ramp / count}/s`],
      ...[
        '--start-at',
        startAt,
        '--hold',
        at === 0 ? crowd.hold : FIRST_ITEM_WITHIN,
        '--linger',
        '20s',
        '--report',
        'json',
      ],
      // Elsewhere than on Linux the loopback network has one address.
      ...(process.platform === 'linux' ? ['--local-address', `127.0.0.${10 + at}`] : []),
    ];
    const publish = ['--publish', `http://127.0.0.1:${ports.control}/`, '--channel', 'test', '--rate', crowd.rate];
    return startLoad(at === 0 ? [...args, ...publish] : args, at === 0 ? count : 0);
  });
  const stop = () => {
    for (const { child } of loads) child.kill('SIGINT');
  };
  const done = Promise.all(loads.map(({ report }) => report)).then(merged);
  // One without a report is the end of all.
  done.catch(stop);
  return { stop, done };
}

/**
 * @param {string[]} args
 * @param {number} shown  of how many processes it is the first, whose progress is shown; 0: another one
 */
function startLoad(args, shown) {
  // Out of the terminal's process group: Ctrl-C reaches the demo alone, which then stops them in order.
  const child = spawn(process.execPath, [...endsWithDemo, command, 'load', ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let complaints = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  createInterface(child.stderr).on('line', (line) => {
    if (shown > 0) console.log(`  ${line} (1 of ${shown} processes)`);
    else if (!line.includes(' held · ')) complaints += `${line}\n`;
  });
  const report = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status) => {
      if (output === '') reject(new Error(`holdfast load: status ${status}\n${complaints}`));
      else resolve(output);
    });
  });
  return { child, report };
}

/** @param {readonly string[]} reports @returns {number} exit status */
function merged(reports) {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-demo-'));
  try {
    const files = reports.map((report, at) => {
      const file = path.join(folder, `${at}.json`);
      writeFileSync(file, report);
      return file;
    });
    const args = [command, 'load', '--merge', ...files, '--fail', 'lost>0', '--fail', 'doubled>0'];
    return spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
