// The work that measures how long a publish takes to be acknowledged under a steady rate, second by second.
import { addUp } from './histogram.mjs';
import { median } from './median.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { holdBaselines, holdsClients } from './work.mjs';
import { quantiles } from './work-hold.mjs';

/** @type {import('./work.mjs').Work} */
export const acknowledgeWork = {
  name: 'ack',
  suits: holdsClients,
  tables: [
    {
      title: 'Publishes acknowledged at a steady rate, one subscriber; µs from when each was due',
      primary: 'p99Us',
      baselines: holdBaselines,
      columns: [
        { key: 'rate', title: 'items/s', digits: 0 },
        { key: 'p50Us', title: 'p50 µs', digits: 0 },
        { key: 'p99Us', title: 'p99 µs', digits: 0 },
        { key: 'worstP99Us', title: 'worst second’s p99', digits: 0 },
        { key: 'drift', title: 'p99 last ÷ first third', digits: 2 },
        { key: 'itemUs', title: 'CPU µs/item', digits: 1 },
        { key: 'receiptP99Ms', title: 'receipt p99 ms', digits: 2 },
        { key: 'halfRate', title: 'half of what it takes, items/s', digits: 0 },
        { key: 'halfP99Us', title: 'p99 µs at that rate', digits: 0 },
      ],
    },
  ],
  run: ({ target, programs, options }) =>
    Testbed.with({ target, programs, size: options.size }, (testbed) => measure(testbed, options)),
};

/** Publishes without a pause between two, and seconds at half the rate of those. */
const FAST_ITEMS = 10_000;
const HALF_SECONDS = 4;
/** Publishes per second that none keeps up with: each is due when the last one is answered. */
const UNREACHED = 1_000_000;

/**
 * @param {Testbed} testbed
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(testbed, { rate, rateSeconds }) {
  await testbed.hold(1);
  // The first second warms up and is not counted.
  const answer = await testbed.load.do('pace', { rate, seconds: rateSeconds + 1 });
  const seconds = secondsOf(answer);
  const p99s = seconds.map(([, , p99]) => p99);
  const half = await atHalfRate(testbed, rateSeconds);
  const third = Math.max(Math.floor(seconds.length / 3), 1);
  return {
    values: {
      rate: (answer.published / answer.wall_us) * 1e6,
      p50Us: median(seconds.map(([, p50]) => p50)),
      p99Us: median(p99s),
      worstP99Us: Math.max(...p99s),
      drift: median(p99s.slice(-third)) / median(p99s.slice(0, third)),
      itemUs: answer.cpu_us / answer.published,
      receiptP99Ms: quantiles(addUp([answer.receipts])).p99Ms,
      ...half.values,
    },
    problems: [
      ...problemsOf(answer),
      ...half.problems,
      ...(seconds.length < rateSeconds ? [`acknowledgements stopped after ${seconds.length} s`] : []),
    ],
    detail: { seconds },
  };
}

/** @param {import('./load.mjs').Answer} answer @returns {[count: number, p50: number, p99: number, most: number][]} without the first */
function secondsOf({ seconds }) {
  return /** @type {[number, number, number, number][]} */ (seconds).slice(1);
}

/** Has the target publish as fast as one connection can, then half as fast. @param {Testbed} testbed @param {number} most  seconds */
async function atHalfRate({ load }, most) {
  const fast = await load.do('pace', { rate: UNREACHED, seconds: FAST_ITEMS / UNREACHED });
  const halfRate = Math.floor((fast.published / fast.wall_us) * 1e6) / 2;
  const answer = await load.do('pace', { rate: Math.floor(halfRate), seconds: Math.min(HALF_SECONDS, most) + 1 });
  const halfP99Us = median(secondsOf(answer).map(([, , p99]) => p99));
  // After a loss the load waits for what does not come: what it says of the bytes means nothing then.
  const isWhole = fast.lost === 0 && fast.refused === 0;
  const problems = isWhole ? problemsOf(answer) : [`${fast.lost} of ${FAST_ITEMS} items were lost at full speed`];
  return { values: { halfRate, halfP99Us }, problems };
}
