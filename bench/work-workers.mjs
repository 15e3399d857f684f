// The work that measures what a node of several processes costs beside one of one process: relayed requests, holds opened, items
// published; and how evenly its connections are spread over its workers. The two nodes take turns.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Load } from './load.mjs';
import { OriginProcess } from './origin.mjs';
import { problemsOf } from './testbed.mjs';
import { isHoldfast } from './work.mjs';

const WORKERS = 2;
/** Turns of each node, the first one apart, which warms it up. */
const TURNS = 3;
/** Seconds of requests in one turn. */
const RELAY_SECONDS = 0.8;
const RELAYED = { method: 'GET', path: '/bytes/100', answer: 100, pattern: 1, concurrent: 64, warm: 0.2 };
/** Sweeps over all channels in one turn. */
const SWEEPS = 2;
/** For what a server does after its last answer. */
const QUIET_MS = 200;

/** @typedef {{ running: import('./target.mjs').RunningTarget, load: Load }} Node */
/** @typedef {{ openUs: number, relayUs: number, publishUs: number }} Cost  CPU of all processes, for one */

/** @type {import('./work.mjs').Work} */
export const workersWork = {
  name: 'workers',
  suits: isHoldfast,
  tables: [
    {
      title: `${WORKERS} workers beside one process; each stream on a channel of its own`,
      primary: 'relayRatio',
      baselines: [],
      columns: [
        { key: 'relayUs', title: 'request relayed: CPU µs, one process', digits: 1 },
        { key: 'relayRatio', title: 'workers ÷ one', digits: 2 },
        { key: 'openUs', title: 'stream opened, one process', digits: 1 },
        { key: 'openRatio', title: 'workers ÷ one', digits: 2 },
        { key: 'publishUs', title: 'item published, one process', digits: 1 },
        { key: 'publishRatio', title: 'workers ÷ one', digits: 2 },
        { key: 'balance', title: 'fullest worker ÷ even share', digits: 2 },
      ],
    },
  ],
  run: async ({ target, programs, options }) => {
    const { size, publishChannels: count } = options;
    const origin = await OriginProcess.start(programs.origin);
    /** @type {Node[]} */
    const nodes = [];
    try {
      for (const extra of [[], ['--workers', String(WORKERS)]]) {
        const running = await target.start({ programs, originPort: origin.port, extra });
        const load = new Load(programs.load, { ...running.speech('stream', size), count, path: '/stream?ch=c%d' });
        nodes.push({ running, load });
        await load.do('pids', { list: running.pids.join(',') });
      }
      return await measure(nodes, options);
    } finally {
      for (const { load, running } of nodes) {
        await load.stop();
        await running.stop();
      }
      await origin.stop();
    }
  },
};

/**
 * @param {readonly Node[]} nodes  of one process, with workers
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(nodes, { publishChannels: count, isSmoke }) {
  /** @type {string[]} */
  const problems = [];
  const costs = nodes.map(() => /** @type {Cost[]} */ ([]));
  for (let turn = 0; turn <= TURNS; turn++) {
    const open = Math.round((count * (turn + 1)) / (TURNS + 1));
    for (const i of turn % 2 === 0 ? [0, 1] : [1, 0]) {
      const { load } = /** @type {Node} */ (nodes[i]);
      const openUs = await opening(load, open, problems);
      const relayUs = await relaying(load, isSmoke ? 0.1 : RELAY_SECONDS, problems);
      costs[i]?.push({ openUs, relayUs, publishUs: 0 });
    }
  }
  // Only now: a sweep publishes on all channels.
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const i of turn % 2 === 0 ? [0, 1] : [1, 0]) {
      const publishUs = await publishing(/** @type {Node} */ (nodes[i]).load, count, problems);
      Object.assign(/** @type {Cost} */ (costs[i]?.[turn]), { publishUs });
    }
  }
  const [one, several] = costs.map((all) => ({
    openUs: mean(all.slice(1).map(({ openUs }) => openUs)),
    relayUs: mean(all.slice(1).map(({ relayUs }) => relayUs)),
    publishUs: mean(all.slice(1).map(({ publishUs }) => publishUs)),
  }));
  if (one === undefined || several === undefined) throw new Error('there are no two nodes');
  const shares = connectionsOf(/** @type {Node} */ (nodes[1]).running);
  return {
    values: {
      ...one,
      relayRatio: several.relayUs / one.relayUs,
      openRatio: several.openUs / one.openUs,
      publishRatio: several.publishUs / one.publishUs,
      balance: (Math.max(...shares) * shares.length) / shares.reduce((sum, share) => sum + share, 0),
    },
    problems,
    detail: { costs, shares },
  };
}

/** @param {Load} load @param {number} count  open in the end @param {string[]} problems */
async function opening(load, count, problems) {
  const before = await load.do('cpu');
  const answer = await load.do('open', { count });
  await delay(QUIET_MS);
  const after = await load.do('cpu');
  if (answer.opened !== count) problems.push(`only ${answer.opened} of ${count} holds opened (${answer.failure})`);
  return (after.cpu_us - before.cpu_us) / (answer.opened - before.opened);
}

/** @param {Load} load @param {number} seconds @param {string[]} problems */
async function relaying(load, seconds, problems) {
  const answer = await load.do('request', { ...RELAYED, seconds });
  if (answer.wrong + answer.failed > 0) problems.push(`${answer.wrong} wrong answers, ${answer.failed} broke off`);
  return answer.cpu_us / answer.done;
}

/** @param {Load} load @param {number} count  of channels @param {string[]} problems */
async function publishing(load, count, problems) {
  let cpuUs = 0;
  for (let i = 0; i < SWEEPS; i++) {
    const answer = await load.do('sweep', { batch: 1 });
    if (answer.missing > 0) problems.push(`${answer.missing} channels stayed silent`);
    problems.push(...problemsOf({ ...answer, lost: 0 }));
    cpuUs += answer.cpu_us;
  }
  return cpuUs / (SWEEPS * count);
}

/** @param {readonly number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** How many client connections each process but the first has, which is the primary. @param {import('./target.mjs').RunningTarget} running */
function connectionsOf({ pids, ports }) {
  const port = ports.client.toString(16).toUpperCase().padStart(4, '0');
  const inodes = new Set();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/);
    if (local.endsWith(`:${port}`) && state === '01') inodes.add(`socket:[${inode}]`);
  }
  const shares = pids.slice(1).map((pid) => {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).filter((fd) => inodes.has(nameOf(`${folder}/${fd}`))).length;
  });
  return shares.filter((share) => share > 0);
}

/** @param {string} file */
function nameOf(file) {
  try {
    return readlinkSync(file);
  } catch {
    return undefined; // closed since it was listed
  }
}
