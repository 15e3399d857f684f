// The works that measure the slowest receipts of a steady stream of items to many: alone, and with clients beside them that do not read.
import { setTimeout as delay } from 'node:timers/promises';
import { addUp, quantile } from './histogram.mjs';
import { Load } from './load.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { holdBaselines, holdsClients } from './work.mjs';
import { quantiles } from './work-hold.mjs';

/** Items a second. */
const RATE = 100;
/** Before the seconds that count. */
const WARM_SECONDS = 2;
/** Items that those get who do not read: half of it is more than their sockets take, which is 80 KB; a server may keep 1 MB for each. */
const DEAF_ITEMS = 8;
const DEAF_ITEM_BYTES = 20_000;
/** For a server to have written what the sockets take. */
const DEAF_SETTLE_MS = 500;

/** @param {string} title @returns {import('./work.mjs').Table} */
const tableOf = (title) => ({
  title: `${RATE} items a second to many streams${title}; ms from when each item was due`,
  primary: 'p99Ms',
  baselines: holdBaselines,
  columns: [
    { key: 'p50Ms', title: 'p50 ms', digits: 2 },
    { key: 'p99Ms', title: 'p99 ms', digits: 2 },
    { key: 'p999Ms', title: 'p99.9 ms', digits: 2 },
    { key: 'maxMs', title: 'max ms', digits: 1 },
    { key: 'deliveryUs', title: 'CPU µs/delivery', digits: 2 },
    { key: 'clientUs', title: 'client µs', digits: 1 },
  ],
});

/**
 * @param {Testbed} testbed
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function measure({ load }, { tailSeconds }) {
  await load.do('pace', { rate: RATE, seconds: Math.min(WARM_SECONDS, tailSeconds) });
  const answer = await load.do('pace', { rate: RATE, seconds: tailSeconds });
  const receipts = addUp([answer.receipts]);
  return {
    values: {
      ...quantiles(receipts),
      maxMs: (quantile(receipts, 1) ?? Number.NaN) / 1_000,
      deliveryUs: answer.cpu_us / answer.deliveries,
      clientUs: answer.client_cpu_us / answer.deliveries,
    },
    problems: problemsOf(answer),
  };
}

/**
 * Has clients held on a channel of their own that read nothing, and more published to them than their sockets take.
 *
 * @param {Testbed} testbed
 * @param {import('./work.mjs').Task} task
 * @returns {Promise<{ load: Load, problems: string[] }>} the load that holds them
 */
async function holdDeaf({ running, settleMs }, { target, programs, options }) {
  const count = options.deafHolds;
  const channel = target.isGrip
    ? { path: '/stream?ch=deaf', channel: 'deaf' }
    : { path: '/stream-of?ch=deaf', publish_path: '/pub-to?ch=deaf' };
  const load = new Load(programs.load, { ...running.speech('stream', DEAF_ITEM_BYTES), ...channel, count, small: 1 });
  const { opened, failure = 'in time' } = await load.do('open', { count });
  const problems = opened === count ? [] : [`only ${opened} of ${count} that do not read are held (${failure})`];
  await delay(settleMs);
  await load.do('deafen');
  const { refused } = await load.do('send', { items: DEAF_ITEMS });
  if (refused > 0) problems.push(`${refused} publishes to those that do not read were refused`);
  await delay(DEAF_SETTLE_MS);
  return { load, problems };
}

/** @type {import('./work.mjs').Work} */
export const tailsWork = {
  name: 'tails',
  suits: holdsClients,
  tables: [tableOf('')],
  run: ({ target, programs, options }) =>
    Testbed.with({ target, programs, size: options.size, count: options.tailHolds }, async (testbed) => {
      await testbed.hold(options.tailHolds);
      return measure(testbed, options);
    }),
};

/** @type {import('./work.mjs').Work} */
export const deafTailsWork = {
  name: 'tails-deaf',
  // The bare loop has one channel.
  suits: (target) => holdsClients(target) && target.name !== 'limit',
  tables: [tableOf(', beside streams that nobody reads')],
  run: (task) => {
    const { target, programs, options } = task;
    return Testbed.with({ target, programs, size: options.size, count: options.tailHolds }, async (testbed) => {
      const deaf = await holdDeaf(testbed, task);
      try {
        await testbed.hold(options.tailHolds);
        const { values, problems } = await measure(testbed, options);
        return { values, problems: [...deaf.problems, ...problems] };
      } finally {
        await deaf.load.stop();
      }
    });
  },
};
