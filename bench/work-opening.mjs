// The works in which clients come to a process that has just started: a few at a time, and all within a second.
import { spawnSync } from 'node:child_process';
import { Testbed } from './testbed.mjs';
import { holdsClients, isHoldfast } from './work.mjs';

/** Holds of a process that has served nobody before; the first of them are served by code that is not compiled yet. */
const COLD_HOLDS = 5_000;
/** Clients that come back, and in how many seconds. */
export const RETURNING = 10_000;
export const RETURN_S = 1;
/** Of each in a smoke run. */
export const SMOKE_HOLDS = 30;

const names = { stream: 'HTTP streams', ws: 'WebSockets over HTTP' };

/** @param {string} name @param {keyof typeof names} kind @returns {import('./work.mjs').Work} */
export function coldWork(name, kind) {
  return {
    name,
    suits: (target) => holdsClients(target) && target.name !== 'limit',
    tables: [
      {
        title: `Opening ${COLD_HOLDS.toLocaleString('en-US')} ${names[kind]} after a start`,
        primary: 'openUs',
        baselines: ['pushpin', 'nchan'],
        columns: [{ key: 'openUs', title: 'CPU µs/hold', digits: 1 }],
      },
    ],
    run: ({ target, programs, options }) => {
      const count = options.isSmoke ? SMOKE_HOLDS : COLD_HOLDS;
      return Testbed.with({ target, programs, kind, count }, async (testbed) => {
        const { cpuUs, problem } = await testbed.open(count);
        if (problem !== undefined) return { values: {}, problems: [problem] };
        return { values: { openUs: cpuUs / count }, problems: [] };
      });
    },
  };
}

/** @param {string} name @param {keyof typeof names} kind @returns {import('./work.mjs').Work} */
export function reconnectWork(name, kind) {
  return {
    name,
    suits: isHoldfast,
    tables: [
      {
        title: `${RETURNING.toLocaleString('en-US')} ${names[kind]} within ${RETURN_S} s of a start, on one core`,
        primary: 'lastS',
        baselines: [],
        columns: [
          { key: 'lastS', title: 'last held s', digits: 2 },
          { key: 'openUs', title: 'CPU µs/hold', digits: 1 },
        ],
      },
    ],
    run: ({ target, programs, options }) => {
      const count = options.isSmoke ? SMOKE_HOLDS : RETURNING;
      return Testbed.with({ target, programs, kind, count }, (testbed) => comeBack(testbed, count));
    },
  };
}

/** As after a restart: none waits for another, and the node has one core. @param {Testbed} testbed @param {number} count @returns {Promise<import('./work.mjs').Outcome>} */
export async function comeBack({ load, running }, count) {
  for (const pid of running.pids) {
    const { status, error } = spawnSync('taskset', ['-a', '-p', '-c', '0', String(pid)]);
    if (status !== 0)
      return { values: {}, problems: [`taskset(1) does not bind the node to a core: ${error ?? status}`] };
  }
  const before = await load.do('cpu');
  const opened = await load.do('open', { count, concurrent: count, rate: count / RETURN_S });
  const after = await load.do('cpu');
  if (opened.opened !== count)
    return { values: {}, problems: [`only ${opened.opened} of ${count} were held (${opened.failure ?? 'in time'})`] };
  return { values: { lastS: opened.wall_us / 1e6, openUs: (after.cpu_us - before.cpu_us) / count }, problems: [] };
}
