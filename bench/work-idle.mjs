// The work that asks what a Holdfast costs that does nothing: its start, its memory and CPU, and its memory after very many holds.
import { setTimeout as delay } from 'node:timers/promises';
import { memoryKb } from './process.mjs';
import { Testbed } from './testbed.mjs';
import { isHoldfast } from './work.mjs';

/** So often all holds are opened and closed: 50,000 with the usual number. */
const TURNS = 10;
/** V8 gives memory back some time after it had much to do: eight seconds, and what the collection takes. */
const REST_S = 12;
/** For so long the CPU of the idle process is counted. */
const IDLE_S = 8;

/** @type {readonly import('./work.mjs').Table[]} */
const tables = [
  {
    title: 'An idle process, and after ten times all holds',
    primary: 'rssMb',
    baselines: [],
    columns: [
      { key: 'startMs', title: 'start to listening, ms', digits: 0 },
      { key: 'rssMb', title: 'RSS MB', digits: 1 },
      { key: 'cpuPercent', title: '% of a core', digits: 2 },
      { key: 'grownMb', title: 'MB more afterwards', digits: 1 },
    ],
  },
];

/**
 * The share of a core that the target takes for so long, in percent.
 *
 * @param {Testbed} testbed
 * @param {number} seconds
 */
async function cpuPercent({ load }, seconds) {
  const { cpu_us: before } = await load.do('cpu');
  await delay(seconds * 1_000);
  const { cpu_us: after } = await load.do('cpu');
  return (after - before) / (seconds * 1e4);
}

/**
 * @param {import('./work.mjs').Task} task
 * @param {import('./target.mjs').Kind} kind
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure({ target, programs, options: { holds, isSmoke } }, kind) {
  const restMs = isSmoke ? 0 : REST_S * 1_000;
  let startMs = 0;
  /** @type {import('./target.mjs').Target} */
  const timed = {
    ...target,
    start: async (how) => {
      const begun = performance.now();
      const running = await target.start(how);
      startMs = performance.now() - begun;
      return running;
    },
  };
  return Testbed.with({ target: timed, programs, kind, count: holds }, async (testbed) => {
    await delay(restMs);
    const idle = await cpuPercent(testbed, isSmoke ? 0.2 : IDLE_S);
    const before = memoryKb(testbed.running.pids);
    for (let turn = 0; turn < TURNS; turn++) {
      const { problem } = await testbed.open(holds);
      if (problem !== undefined) return { values: {}, problems: [problem] };
      await testbed.load.do('close');
    }
    await delay(restMs);
    const grownKb = memoryKb(testbed.running.pids) - before;
    return {
      values: { startMs, rssMb: before / 1_024, cpuPercent: idle, grownMb: grownKb / 1_024 },
      problems: [],
    };
  });
}

/**
 * @param {string} name
 * @param {import('./target.mjs').Kind} kind
 * @returns {import('./work.mjs').Work}
 */
export function idleWork(name, kind) {
  return { name, suits: isHoldfast, isLong: true, tables, run: (task) => measure(task, kind) };
}
