// The run with as many clients at once as there are files for: several load processes, targets with as many workers as it
// takes, one publish, and which clients received it when.
import { setTimeout as delay } from 'node:timers/promises';
import { addUp, countOf, draw, quantile } from './histogram.mjs';
import { Load } from './load.mjs';
import { OriginProcess } from './origin.mjs';
import { memoryKb } from './process.mjs';

/** Clients of one load process, each from a loopback address of its own: below its open files and its local ports. */
const CLIENTS_OF_LOAD = 15_000;
/** Clients that one worker is planned for: 20,000 files, less what the spread over workers may be uneven. */
const CLIENTS_OF_WORKER = 15_000;
/** Clients one process can hold with 20,000 files, its connections to the origin and its own files apart. */
const CLIENTS_OF_PROCESS = 18_000;
const SETTLE_MS = 2_000;
/** For all to be open; a busy machine needs minutes. */
const OPEN_LIMIT_S = 600;
/** Connects under way of one load process. */
const CONCURRENT = 48;

/**
 * @typedef {object} Crowd  what came out for one target
 * @property {string} target
 * @property {number} clients
 * @property {number} processes   of the target
 * @property {number} openSeconds
 * @property {number} kbPerClient
 * @property {{ firstMs: number, p50Ms: number, p99Ms: number, lastMs: number, cpuUs: number }[]} rounds  cpuUs: of all of the target's processes, per delivery
 * @property {import('./histogram.mjs').Histogram} receipts  of the last round
 * @property {string[]} problems
 */

/** @param {string} text */
function progress(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r${text.padEnd(78)}`);
}

/** @param {string} text */
function say(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r${' '.repeat(78)}\r`);
  console.log(text);
}

/**
 * @param {import('./target.mjs').Target} target
 * @param {import('./compile.mjs').Programs} programs
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<Crowd>}
 */
export async function runCrowd(target, programs, options) {
  const workers = options.workers > 0 ? options.workers : Math.ceil(options.clients / CLIENTS_OF_WORKER);
  const origin = await OriginProcess.start(programs.origin);
  try {
    const running = await target.start({ programs, originPort: origin.port, workers });
    try {
      return await hold(target, running, programs, options, workers);
    } finally {
      await running.stop();
    }
  } finally {
    await origin.stop();
  }
}

/**
 * @param {import('./target.mjs').Target} target
 * @param {import('./target.mjs').RunningTarget} running
 * @param {import('./compile.mjs').Programs} programs
 * @param {import('./options.mjs').Options} options
 * @param {number} workers
 * @returns {Promise<Crowd>}
 */
async function hold(target, running, programs, options, workers) {
  const { pids } = running;
  const problems = [];
  let clients = options.clients;
  if (pids.length < workers) {
    problems.push(`--workers ${workers} has no effect: ${pids.length} process${pids.length === 1 ? '' : 'es'}`);
    clients = Math.min(clients, CLIENTS_OF_PROCESS * pids.length);
  }
  say(`${target.title}: ${clients.toLocaleString('en-US')} clients, ${pids.length} processes`);
  const loads = makeLoads(running, programs, clients, options.size);
  const publisher = new Load(programs.load, running.speech('stream', options.size));
  try {
    const before = memoryKb(pids);
    const openSeconds = await openAll(loads, clients, problems);
    await delay(options.isSmoke ? 200 : SETTLE_MS);
    const kbPerClient = (memoryKb(pids) - before) / clients;
    await publisher.do('pids', { list: running.pids.join(',') });
    /** @type {Crowd} */
    const crowd = {
      target: target.name,
      clients,
      processes: pids.length,
      openSeconds,
      kbPerClient,
      rounds: [],
      receipts: [],
      problems,
    };
    for (let round = 0; round < options.rounds; round++) await publishOnce(crowd, loads, publisher);
    const said = running.output.trim().split('\n').slice(-5).join(' / ');
    if (problems.length > 0)
      problems.push(`${running.pids.length} processes now; the last that the target said: ${said}`);
    return crowd;
  } finally {
    await Promise.all([...loads, { load: publisher }].map(({ load }) => load.stop()));
  }
}

/** @typedef {{ load: Load, count: number }} Share */

/**
 * @param {import('./target.mjs').RunningTarget} running
 * @param {import('./compile.mjs').Programs} programs
 * @param {number} clients
 * @param {number} size
 * @returns {Share[]}
 */
function makeLoads(running, programs, clients, size) {
  const shares = Math.max(Math.ceil(clients / CLIENTS_OF_LOAD), 2);
  const speech = running.speech('stream', size);
  return Array.from({ length: shares }, (_, index) => {
    const count = Math.floor((clients * (index + 1)) / shares) - Math.floor((clients * index) / shares);
    const source = `127.0.0.${10 + index}`;
    return { load: new Load(programs.load, { ...speech, source, count, batch: 1 }), count };
  });
}

/** @param {Share[]} loads @param {number} clients @param {string[]} problems */
async function openAll(loads, clients, problems) {
  const start = process.hrtime.bigint();
  const seconds = () => Number(process.hrtime.bigint() - start) / 1e9;
  const open = new Array(loads.length).fill(0);
  const show = () => {
    const sum = open.reduce((all, count) => all + count, 0);
    progress(
      `  ${sum.toLocaleString('en-US')} of ${clients.toLocaleString('en-US')} held, ${Math.round(sum / seconds())} a second`,
    );
  };
  const answers = await Promise.all(
    loads.map(({ load, count }, index) =>
      load.do('open', { count, concurrent: CONCURRENT, timeout: OPEN_LIMIT_S }, (held) => {
        open[index] = held;
        show();
      }),
    ),
  );
  const opened = answers.reduce((all, answer) => all + answer.opened, 0);
  const failure = answers.find((answer) => answer.failure !== undefined)?.failure ?? 'in time';
  if (opened < clients) problems.push(`only ${opened} of ${clients} clients are held (${failure})`);
  say(`  ${opened.toLocaleString('en-US')} held after ${seconds().toFixed(1)} s`);
  return seconds();
}

/** @param {Crowd} crowd @param {Share[]} loads @param {Load} publisher */
async function publishOnce(crowd, loads, publisher) {
  const received = new Array(loads.length).fill(0);
  let ready = 0;
  /** @type {() => void} */
  let allReady = () => {};
  const allExpect = new Promise((resolve) => {
    allReady = () => resolve(undefined);
  });
  const expecting = Promise.all(
    loads.map(({ load }, index) => {
      let isReady = false;
      return load.do('expect', { items: 1 }, (count) => {
        if (!isReady) ready++;
        isReady = true;
        if (ready === loads.length) allReady();
        received[index] = count;
        progress(`  received by ${received.reduce((all, one) => all + one, 0).toLocaleString('en-US')}`);
      });
    }),
  );
  await allExpect;
  const before = await publisher.do('cpu');
  const sent = await publisher.do('send');
  const answers = await expecting;
  const after = await publisher.do('cpu');
  const reports = await Promise.all(loads.map(({ load }) => load.do('report', { since: sent.published_at })));
  const receipts = addUp(reports.map((report) => report.receipts));
  const wrong = answers.reduce((sum, answer) => sum + answer.wrong + answer.broken, 0);
  const lost = crowd.clients - countOf(receipts);
  if (lost !== 0 || wrong > 0 || sent.refused > 0) {
    const each = reports.map((report) => report.received).join(', ');
    crowd.problems.push(`${lost} without the item, ${wrong} with something else (received, by load process: ${each})`);
  }
  const ms = (/** @type {number} */ share) => (quantile(receipts, share) ?? Number.NaN) / 1_000;
  const cpuUs = (after.cpu_us - before.cpu_us) / countOf(receipts);
  const round = { firstMs: ms(0), p50Ms: ms(0.5), p99Ms: ms(0.99), lastMs: ms(1), cpuUs };
  crowd.rounds.push(round);
  crowd.receipts = receipts;
  say(`  received by ${countOf(receipts).toLocaleString('en-US')}: ${roundText(round)}`);
}

/** @param {Crowd['rounds'][number]} round */
function roundText({ firstMs, p50Ms, p99Ms, lastMs, cpuUs }) {
  return `first after ${firstMs.toFixed(1)} ms, half ${p50Ms.toFixed(0)} ms, 99 % ${p99Ms.toFixed(0)} ms, last ${lastMs.toFixed(0)} ms; ${cpuUs.toFixed(2)} µs of CPU each`;
}

/** The figures in the form of the other works', for goals. @param {readonly Crowd[]} crowds @returns {import('./table.mjs').RunRecord[]} */
export function crowdRecords(crowds) {
  return crowds.flatMap(({ target, openSeconds, rounds, problems }) =>
    rounds.map(({ lastMs, cpuUs }, round) => ({
      work: 'hundred-thousand',
      target,
      round,
      values: { openSeconds, lastMs, cpuUs },
      problems,
    })),
  );
}

/** Lines for a terminal or, between fences, for a page. @param {Crowd} crowd */
export function crowdLines(crowd) {
  const { clients, processes, openSeconds, kbPerClient, rounds, receipts, problems } = crowd;
  return [
    `${clients.toLocaleString('en-US')} clients held by ${processes} processes after ${openSeconds.toFixed(1)} s, ${kbPerClient.toFixed(2)} KB each`,
    ...rounds.map((round) => `one publish: ${roundText(round)}`),
    ...problems.map((problem) => `!! ${problem}`),
    ...draw(receipts),
  ];
}
