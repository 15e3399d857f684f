// The works in which messages of WebSockets pass to the origin and back.
import { addUp } from './histogram.mjs';
import { Testbed } from './testbed.mjs';
import { quantiles } from './work-hold.mjs';

const CONCURRENT = 64;

/** @type {Readonly<Record<'socket' | 'over-http', { title: string, path: string, baselines: string[], suits: (target: import('./target.mjs').Target) => boolean }>>} */
const kinds = {
  socket: {
    title: `Messages of WebSockets passed on and back, to an origin's own WebSocket, ${CONCURRENT} at a time`,
    path: '/echo',
    baselines: ['direct', 'pushpin', 'nginx'],
    suits: () => true,
  },
  'over-http': {
    title: `Messages of WebSockets passed on and back, to an origin over HTTP, ${CONCURRENT} at a time`,
    path: '/events',
    baselines: ['pushpin'],
    suits: (target) => target.isGrip,
  },
};

/** @param {keyof typeof kinds} name @returns {import('./work.mjs').Work} */
export function echoWork(name) {
  const { title, path, baselines, suits } = kinds[name];
  return {
    name: `echo-${name}`,
    suits: (target) => target.roles.includes('echo') && suits(target),
    tables: [
      {
        title,
        primary: 'echoUs',
        baselines,
        columns: [
          { key: 'echoUs', title: 'CPU µs/echo', digits: 1 },
          { key: 'perSecond', title: 'echoes/s', digits: 0 },
          { key: 'p50Ms', title: 'p50 ms', digits: 2 },
          { key: 'p99Ms', title: 'p99 ms', digits: 2 },
          { key: 'clientUs', title: 'client µs', digits: 1 },
        ],
      },
    ],
    run: ({ target, programs, options }) =>
      Testbed.with({ target, programs }, ({ load }) => measure(load, path, options)),
  };
}

/**
 * @param {import('./load.mjs').Load} load
 * @param {string} path
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(load, path, { isSmoke, passSeconds, size }) {
  const check = await load.do('echo', { path, size, concurrent: 1, warm: 0, seconds: 0.5 });
  const concurrent = isSmoke ? 4 : CONCURRENT;
  const answer = await load.do('echo', { path, size, concurrent, warm: isSmoke ? 0.1 : 1, seconds: passSeconds });
  const wrong = check.wrong + answer.wrong;
  const failed = check.failed + answer.failed;
  const failure = answer.failure ?? check.failure;
  return {
    values: {
      echoUs: answer.cpu_us / answer.done,
      perSecond: (answer.done / answer.wall_us) * 1e6,
      clientUs: answer.client_cpu_us / answer.done,
      ...quantiles(addUp([answer.times])),
    },
    problems: [
      ...(check.done === 0 || answer.done === 0 ? ['no message came back'] : []),
      ...(answer.opened < concurrent ? [`${concurrent - answer.opened} did not open (${failure})`] : []),
      ...(wrong > 0 ? [`${wrong} wrong messages came back (${failure})`] : []),
      ...(failed > 0 ? [`${failed} WebSockets broke off (${failure})`] : []),
    ],
  };
}
