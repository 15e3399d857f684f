// The work that compares compressed streams with plain ones: CPU and bytes per delivery, memory.
import { setTimeout as delay } from 'node:timers/promises';
import { GzipClients } from './gzip-clients.mjs';
import { OriginProcess } from './origin.mjs';
import { cpuUs, memoryKb } from './process.mjs';
import { isHoldfast } from './work.mjs';

/** Bytes of an item: of a size at which compression is of use. */
const SIZE = 2_000;
/** More are a matter of the machine, not of what is compared. */
const HOLDS_MAX = 5_000;
const CHECK_HOLDS = 200;
const CHECK_ITEMS = 5;
const CLOSE_MS = 1_000;
/** What has died is collected at once: what the process grows by is what it holds. */
const NODE_FLAGS = ['--max-semi-space-size=1'];

/** One event as an API sends it: rows of JSON, of which no two are the same. @param {number} n */
function itemOf(n) {
  let rows = '';
  for (let i = 0; rows.length < SIZE; i++) {
    rows += `{"id":${n * 1_000 + i},"name":"instrument ${(n * 7 + i * 31) % 997}","price":${(((n + i) * 7_919) % 100_000) / 100},"open":true},`;
  }
  return `event: prices\ndata: [${rows.slice(0, -1)}]\n\n`;
}

/**
 * @param {import('./work.mjs').Task} task
 * @param {boolean} isGzip
 */
async function measure({ target, programs, options }, isGzip) {
  const origin = await OriginProcess.start(programs.origin);
  try {
    const extra = isGzip ? ['--compress-streams', 'true'] : [];
    const running = await target.start({ programs, originPort: origin.port, extra, nodeFlags: NODE_FLAGS });
    try {
      return await deliver(running, options, isGzip);
    } finally {
      await running.stop();
    }
  } finally {
    await origin.stop();
  }
}

/**
 * @param {import('./target.mjs').RunningTarget} running
 * @param {import('./options.mjs').Options} options
 * @param {boolean} isGzip
 */
async function deliver(running, { holds: wanted, items, settleSeconds }, isGzip) {
  const { client, control } = running.ports;
  const holds = Math.min(wanted, HOLDS_MAX);
  const accept = isGzip ? 'gzip' : undefined;
  const publish = (/** @type {string} */ content) => async () => {
    const body = JSON.stringify({ items: [{ channel: 'bench', formats: { 'http-stream': { content } } }] });
    const response = await fetch(`http://127.0.0.1:${control}/publish/`, { method: 'POST', body });
    if (!response.ok) throw new Error(`publish answered ${response.status}`);
    await response.arrayBuffer();
  };
  const first = new GzipClients(client, '/stream?ch=bench', accept);
  await first.open(Math.min(CHECK_HOLDS, holds));
  for (let n = 0; n < CHECK_ITEMS; n++) await first.receive(publish(itemOf(n)), itemOf(n));
  first.close();
  await delay(CLOSE_MS);
  const clients = new GzipClients(client, '/stream?ch=bench', accept);
  try {
    const few = Math.min(CHECK_HOLDS, Math.floor(holds / 2));
    await clients.open(few);
    await delay(settleSeconds * 1_000);
    const before = memoryKb(running.pids);
    await clients.open(holds);
    await delay(settleSeconds * 1_000);
    const kb = (memoryKb(running.pids) - before) / (holds - few);
    const cpu = cpuUs(running.pids);
    let bytes = 0;
    for (let n = 100; n < 100 + items; n++) bytes += await clients.receive(publish(itemOf(n)), itemOf(n));
    return { us: (cpuUs(running.pids) - cpu) / (items * holds), bytes: bytes / items, kb };
  } finally {
    clients.close();
  }
}

/** @type {import('./work.mjs').Work} */
export const compressedWork = {
  name: 'compressed',
  suits: isHoldfast,
  tables: [
    {
      title: `HTTP streams by gzip beside plain ones, items of ${SIZE} bytes (at most ${HOLDS_MAX} holds)`,
      primary: 'gzipUs',
      baselines: [],
      columns: [
        { key: 'plainUs', title: 'plain: CPU µs/delivery', digits: 2 },
        { key: 'gzipUs', title: 'gzip: CPU µs/delivery', digits: 2 },
        { key: 'share', title: 'gzip ÷ plain', digits: 2 },
        { key: 'plainBytes', title: 'plain: bytes', digits: 0 },
        { key: 'gzipBytes', title: 'gzip: bytes', digits: 0 },
        { key: 'plainKb', title: 'plain: KB/hold', digits: 2 },
        { key: 'gzipKb', title: 'gzip: KB/hold', digits: 2 },
      ],
    },
  ],
  run: async (task) => {
    const plain = await measure(task, false);
    const gzip = await measure(task, true);
    return {
      values: {
        plainUs: plain.us,
        gzipUs: gzip.us,
        share: gzip.us / plain.us,
        plainBytes: plain.bytes,
        gzipBytes: gzip.bytes,
        plainKb: plain.kb,
        gzipKb: gzip.kb,
      },
      problems: [],
    };
  },
};
