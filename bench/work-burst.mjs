// The work that compares ten items published in one call with ten published one by one.
import { problemsOf, Testbed } from './testbed.mjs';
import { holdBaselines, holdsClients } from './work.mjs';

const BURST = 10;
const HOLDS_MAX = 1_000;

const names = { stream: 'HTTP streams', ws: 'WebSockets' };

/**
 * @param {string} name
 * @param {'stream' | 'ws'} kind  a long-poll takes one item
 * @returns {import('./work.mjs').Work}
 */
export function burstWork(name, kind) {
  return {
    name,
    suits: holdsClients,
    tables: [
      {
        title: `Bursts of ${BURST} items in one publish call, to ${names[kind]} (at most ${HOLDS_MAX})`,
        primary: 'burstUs',
        baselines: holdBaselines,
        columns: [
          { key: 'singleUs', title: 'single: CPU µs/delivery', digits: 2 },
          { key: 'burstUs', title: 'burst: CPU µs/delivery', digits: 2 },
          { key: 'share', title: 'burst ÷ single', digits: 2 },
          { key: 'perSecond', title: 'deliveries/s', digits: 0 },
        ],
      },
    ],
    run: ({ target, programs, options }) => {
      const holds = Math.min(HOLDS_MAX, options.holds);
      return Testbed.with({ target, programs, kind, size: options.size, count: holds }, (testbed) =>
        measure(testbed, holds, options.items),
      );
    },
  };
}

/**
 * @param {Testbed} testbed
 * @param {number} holds
 * @param {number} items  single ones; as many bursts follow
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure(testbed, holds, items) {
  await testbed.hold(holds);
  const warming = [
    await testbed.load.do('publish', { items }),
    await testbed.load.do('publish', { items: BURST * 2, batch: BURST }),
  ];
  const single = await testbed.load.do('publish', { items });
  const burst = await testbed.load.do('publish', { items: items * BURST, batch: BURST });
  const [singleUs, burstUs] = [single, burst].map((answer) => answer.cpu_us / answer.deliveries);
  return {
    values: { singleUs, burstUs, share: burstUs / singleUs, perSecond: (burst.deliveries / burst.wall_us) * 1e6 },
    problems: [...warming, single, burst].flatMap(problemsOf),
  };
}
