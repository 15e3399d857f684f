// The work that measures the time from publish to receipt on an idle machine, to one subscriber.
import { addUp, quantile } from './histogram.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { holdBaselines, holdsClients } from './work.mjs';

/** Between two items, so that the machine is idle when one is published. */
const GAP_US = 20_000;

/** @type {readonly import('./work.mjs').Column[]} */
export const latencyColumns = [
  { key: 'p50Us', title: 'p50 µs', digits: 0 },
  { key: 'p99Us', title: 'p99 µs', digits: 0 },
  { key: 'maxUs', title: 'max µs', digits: 0 },
  { key: 'ackP50Us', title: 'acknowledged p50 µs', digits: 0 },
];

/**
 * @param {import('./load.mjs').Load} load
 * @param {number} items
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
export async function measureLatency(load, items) {
  await load.do('publish', { items: Math.min(items, 50), gap_us: GAP_US / 10 });
  const answer = await load.do('publish', { items, gap_us: GAP_US });
  const [receipts, acknowledged] = [addUp([answer.receipts]), addUp([answer.acknowledged])];
  return {
    values: {
      p50Us: quantile(receipts, 0.5) ?? Number.NaN,
      p99Us: quantile(receipts, 0.99) ?? Number.NaN,
      maxUs: quantile(receipts, 1) ?? Number.NaN,
      ackP50Us: quantile(acknowledged, 0.5) ?? Number.NaN,
    },
    problems: problemsOf(answer),
  };
}

/** @type {import('./work.mjs').Work} */
export const latencyWork = {
  name: 'latency',
  suits: holdsClients,
  tables: [
    {
      title: 'From publish to receipt on an idle machine, one stream',
      primary: 'p50Us',
      baselines: holdBaselines,
      columns: latencyColumns,
    },
  ],
  run: ({ target, programs, options }) =>
    Testbed.with({ target, programs, size: options.size }, async (testbed) => {
      await testbed.hold(1);
      return measureLatency(testbed.load, options.latencyItems);
    }),
};
