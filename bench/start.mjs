// What it takes to start a node, in turns: the package of the commands as it is published (few files) and as it is built (500), and
// other folders that have bin/holdfast.js, such as the proxy of another checkout that is built:
//
//   node bench/start.mjs [/tmp/before/proxy] [--rounds 12] [--edge node]
//
// CPU of the process until it listens to clients and publishers, in ms; its memory two seconds later, in MB. Medians.
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stageHoldfast } from '../scripts/pack.mjs';
import { build, root } from '../scripts/setup.mjs';
import { median } from './median.mjs';
import { cpuUs, freePort, memoryKb, start, stop, waitForPorts } from './process.mjs';

/** Time for memory to come to rest. */
const REST_MS = 2_000;

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '12' }, edge: { type: 'string', default: 'node' } },
});

/** @param {string} folder @returns {Promise<{ cpu: number, memory: number }>} */
async function startOnce(folder) {
  const [clients, control] = [await freePort(), await freePort()];
  const options = { 'http-port': `127.0.0.1:${clients}`, 'push-in-http-port': String(control), edge: given.edge };
  const flags = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const node = start(process.execPath, [path.join(folder, 'bin/holdfast.js'), '--route', '* test', ...flags]);
  try {
    await waitForPorts(node, [clients, control]);
    const { pid = 0 } = node.child;
    const cpu = cpuUs([pid]) / 1000;
    await delay(REST_MS);
    return { cpu, memory: memoryKb([pid]) / 1024 };
  } finally {
    await stop(node);
  }
}

build();
const folders = [await stageHoldfast(), path.join(root, 'proxy'), ...positionals.map((folder) => path.resolve(folder))];
const figures = folders.map(() => ({ cpu: /** @type {number[]} */ ([]), memory: /** @type {number[]} */ ([]) }));
for (let round = 0; round < Number(given.rounds); round++) {
  for (const [i, folder] of folders.entries()) {
    const { cpu, memory } = await startOnce(folder);
    figures[i]?.cpu.push(cpu);
    figures[i]?.memory.push(memory);
  }
}
for (const [i, folder] of folders.entries()) {
  const { cpu = [], memory = [] } = figures[i] ?? {};
  console.log(`${median(cpu).toFixed(0)} ms, ${median(memory).toFixed(1)} MB: ${path.relative(root, folder)}`);
}
