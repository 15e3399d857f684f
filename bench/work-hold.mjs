// The works that open holds, read their idle memory, and fan out to them, for the three kinds.
import { setTimeout as delay } from 'node:timers/promises';
import { addUp, quantile } from './histogram.mjs';
import { memoryKb } from './process.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { holdBaselines, holdsClients } from './work.mjs';

/** Holds and items of the check that comes first, which warms the target up as well. */
const CHECK_HOLDS = 500;
const CHECK_ITEMS = 10;
/** For a target to let go of closed holds. */
const CLOSE_MS = 1_500;

/** @typedef {'fan-out' | 'memory' | 'opening'} Facet */

const names = { stream: 'HTTP streams', ws: 'WebSockets', poll: 'long-polls' };

/** @param {import('./target.mjs').Kind} kind @returns {readonly import('./work.mjs').Table[]} */
function tablesOf(kind) {
  return [
    {
      title: `Fan-out to ${names[kind]}`,
      primary: 'deliveryUs',
      baselines: holdBaselines,
      columns: [
        { key: 'deliveryUs', title: 'CPU µs/delivery', digits: 2 },
        { key: 'perSecond', title: 'deliveries/s', digits: 0 },
        { key: 'p50Ms', title: 'p50 ms', digits: 1 },
        { key: 'p99Ms', title: 'p99 ms', digits: 1 },
        { key: 'p999Ms', title: 'p99.9 ms', digits: 1 },
        { key: 'bytes', title: 'bytes/delivery', digits: 0 },
        { key: 'clientUs', title: 'client µs', digits: 1 },
      ],
    },
    {
      title: `Opening ${names[kind]}`,
      primary: 'openUs',
      baselines: holdBaselines,
      columns: [{ key: 'openUs', title: 'CPU µs/hold', digits: 1 }],
    },
    {
      title: `Idle ${names[kind]}`,
      primary: 'idleKb',
      baselines: holdBaselines,
      columns: [{ key: 'idleKb', title: 'KB/hold', digits: 2 }],
    },
  ];
}

/**
 * One item after the other, each when all clients have the one before; an answered poll asks again in between, which
 * is not counted.
 *
 * @param {Testbed} testbed
 * @param {import('./target.mjs').Kind} kind
 * @param {{ holds: number, items: number }} much
 */
async function publish(testbed, kind, { holds, items }) {
  if (kind !== 'poll') return sum([await testbed.load.do('publish', { items })]);
  const answers = [];
  for (let i = 0; i < items; i++) {
    answers.push(await testbed.load.do('publish', { items: 1 }));
    if (i < items - 1) await testbed.open(holds);
  }
  return sum(answers);
}

/** @param {readonly import('./load.mjs').Answer[]} answers */
function sum(answers) {
  const total = (/** @type {string} */ key) => answers.reduce((all, answer) => all + answer[key], 0);
  return {
    deliveries: total('deliveries'),
    cpuUs: total('cpu_us'),
    clientUs: total('client_cpu_us'),
    wallUs: total('wall_us'),
    bytes: total('bytes'),
    receipts: addUp(answers.map(({ receipts }) => receipts)),
    problems: answers.flatMap(problemsOf),
  };
}

/**
 * The check before anything is measured: every item reaches each of some holds once, with its content, and the origin
 * was asked with a signature.
 *
 * @param {Testbed} testbed
 * @param {import('./work.mjs').Task} task
 * @param {import('./target.mjs').Kind} kind
 */
async function check(testbed, { target, options }, kind) {
  const holds = Math.min(CHECK_HOLDS, options.holds);
  const { problem } = await testbed.open(holds);
  if (problem !== undefined) return [problem];
  await delay(testbed.settleMs);
  const { problems } = await publish(testbed, kind, { holds, items: kind === 'poll' ? 1 : CHECK_ITEMS });
  if (target.isGrip && (await testbed.origin.asked()).signatures < holds)
    problems.push('requests came to the origin unsigned');
  await testbed.load.do('close');
  await delay(options.isSmoke ? 100 : CLOSE_MS);
  return problems;
}

/**
 * @param {Testbed} testbed
 * @param {import('./work.mjs').Task} task
 * @param {import('./target.mjs').Kind} kind
 * @param {readonly Facet[]} facets
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(testbed, task, kind, facets) {
  const { options } = task;
  const { holds } = options;
  const failed = await check(testbed, task, kind);
  if (failed.length > 0) return { values: {}, problems: failed.map((problem) => `in the check: ${problem}`) };
  // As many as the check had, again: what they left behind is in use, and the memory of the others is all new.
  const first = Math.min(CHECK_HOLDS, Math.floor(holds / 2));
  const settleMs = facets.includes('memory') ? options.settleSeconds * 1_000 : 0;
  const beginning = await testbed.open(first);
  await delay(settleMs);
  const before = memoryKb(testbed.running.pids);
  const { cpuUs, problem = beginning.problem } = await testbed.open(holds);
  if (problem !== undefined) return { values: {}, problems: [problem] };
  /** @type {Record<string, number>} */
  const values = { openUs: cpuUs / (holds - first) };
  await delay(testbed.settleMs + settleMs);
  if (settleMs > 0) values.idleKb = (memoryKb(testbed.running.pids) - before) / (holds - first);
  if (!facets.includes('fan-out')) return { values, problems: [] };
  const items = kind === 'poll' ? Math.ceil(options.items / 4) : options.items;
  const { problems, receipts, ...sums } = await publish(testbed, kind, { holds, items });
  return { values: { ...values, ...perDelivery(sums), ...quantiles(receipts) }, problems };
}

/** @param {{ deliveries: number, cpuUs: number, clientUs: number, wallUs: number, bytes: number }} sums */
function perDelivery({ deliveries, cpuUs, clientUs, wallUs, bytes }) {
  return {
    deliveryUs: cpuUs / deliveries,
    clientUs: clientUs / deliveries,
    perSecond: (deliveries / wallUs) * 1e6,
    bytes: bytes / deliveries,
  };
}

/** In ms. @param {import('./histogram.mjs').Histogram} receipts */
export function quantiles(receipts) {
  const ms = (/** @type {number} */ share) => (quantile(receipts, share) ?? 0) / 1_000;
  return { p50Ms: ms(0.5), p99Ms: ms(0.99), p999Ms: ms(0.999) };
}

/**
 * @param {string} name
 * @param {import('./target.mjs').Kind} kind
 * @param {readonly Facet[]} facets
 * @returns {import('./work.mjs').Work}
 */
export function holdWork(name, kind, facets) {
  return {
    name,
    suits: holdsClients,
    tables: tablesOf(kind),
    run: (task) =>
      Testbed.with(
        { target: task.target, programs: task.programs, kind, size: task.options.size, count: task.options.holds },
        (testbed) => measure(testbed, task, kind, facets),
      ),
  };
}
