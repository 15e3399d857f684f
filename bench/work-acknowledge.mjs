// The work that measures how long a publish takes to be acknowledged under a steady rate, second by second.
import { addUp } from './histogram.mjs';
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
      ],
    },
  ],
  run: ({ target, programs, options }) =>
    Testbed.with({ target, programs, size: options.size }, (testbed) => measure(testbed, options)),
};

/** @param {readonly number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * @param {Testbed} testbed
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(testbed, { rate, rateSeconds }) {
  await testbed.hold(1);
  // The first second warms up and is not counted.
  const answer = await testbed.load.do('pace', { rate, seconds: rateSeconds + 1 });
  const seconds = /** @type {[number, number, number, number][]} */ (answer.seconds).slice(1);
  const p99s = seconds.map(([, , p99]) => p99);
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
    },
    problems: [
      ...problemsOf(answer),
      ...(seconds.length < rateSeconds ? [`acknowledgements stopped after ${seconds.length} s`] : []),
    ],
    detail: { seconds },
  };
}
