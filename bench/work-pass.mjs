// The works in which requests are passed on: small answers, large ones, uploads.
import { addUp } from './histogram.mjs';
import { Testbed } from './testbed.mjs';
import { quantiles } from './work-hold.mjs';

const LARGE = 102_400;
const CONCURRENT = 64;

/** What is asked, and how long the right answer is. */
const exchanges = {
  small: { method: 'GET', path: '/bytes/100', answer: 100, pattern: 1 },
  large: { method: 'GET', path: `/bytes/${LARGE}`, answer: LARGE, pattern: 1 },
  upload: { method: 'POST', path: '/swallow', body: LARGE, answer: String(LARGE).length + 1 },
};
const titles = { small: '100 bytes', large: '100 KB', upload: 'uploads of 100 KB' };

/** @param {keyof typeof exchanges} name @returns {import('./work.mjs').Work} */
export function passWork(name) {
  return {
    name: `pass-${name}`,
    suits: (target) => target.roles.includes('pass'),
    tables: [
      {
        title: `Requests passed on: ${titles[name]}, ${CONCURRENT} at a time`,
        primary: 'requestUs',
        baselines: ['direct', 'pushpin', 'http-proxy', 'nginx'],
        columns: [
          { key: 'requestUs', title: 'CPU µs/request', digits: 1 },
          { key: 'perSecond', title: 'requests/s', digits: 0 },
          { key: 'p50Ms', title: 'p50 ms', digits: 2 },
          { key: 'p99Ms', title: 'p99 ms', digits: 2 },
          { key: 'clientUs', title: 'client µs', digits: 1 },
        ],
      },
    ],
    run: ({ target, programs, options }) =>
      Testbed.with({ target, programs }, ({ load }) => measure(load, name, options)),
  };
}

/**
 * @param {import('./load.mjs').Load} load
 * @param {keyof typeof exchanges} name
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(load, name, { isSmoke, passSeconds }) {
  const exchange = exchanges[name];
  const check = await load.do('request', { ...exchange, concurrent: 1, warm: 0, seconds: 1 });
  const answer = await load.do('request', {
    ...exchange,
    concurrent: isSmoke ? 4 : CONCURRENT,
    warm: isSmoke ? 0.1 : 1,
    seconds: passSeconds,
  });
  const wrong = check.wrong + answer.wrong;
  const failed = check.failed + answer.failed;
  return {
    values: {
      requestUs: answer.cpu_us / answer.done,
      perSecond: (answer.done / answer.wall_us) * 1e6,
      clientUs: answer.client_cpu_us / answer.done,
      ...quantiles(addUp([answer.times])),
    },
    problems: [
      ...(check.done === 0 || answer.done === 0 ? ['no answer came'] : []),
      ...(wrong > 0 ? [`${wrong} wrong answers (${answer.failure ?? check.failure ?? 'other bytes'})`] : []),
      ...(failed > 0 ? [`${failed} requests broke off`] : []),
    ],
  };
}
