// The work that measures what a publish costs where it goes through Redis to another node: each of the three processes by itself.
import { isHoldfast } from './work.mjs';
import { rush } from './work-publish.mjs';
import { withTwoNodes } from './work-redis.mjs';

/** Kept-alive connections of the publisher, each with one call under way. */
const CONNECTIONS = 16;
/** Rounds over all channels before those that are counted, and those. A node compiles for a while. */
const WARM = 6;
const COUNTED = 12;
/** Items of a call, beside one. */
const BATCH = 20;

/** @typedef {{ askedUs: number, deliveringUs: number, redisUs: number, clientUs: number, perSecond: number }} Costs  µs of an item */

/** @type {import('./work.mjs').Work} */
export const redisPublishWork = {
  name: 'redis-publish',
  suits: isHoldfast,
  tables: [
    {
      title: `Published on one node and delivered by another, through Redis; one subscriber on each of many channels, ${CONNECTIONS} connections, one item a call: CPU µs/item`,
      primary: 'askedUs',
      baselines: [],
      columns: [
        { key: 'askedUs', title: 'node asked', digits: 1 },
        { key: 'deliveringUs', title: 'node that delivers', digits: 1 },
        { key: 'redisUs', title: 'Redis', digits: 1 },
        { key: 'clientUs', title: 'client', digits: 1 },
        { key: 'perSecond', title: 'items/s', digits: 0 },
        { key: 'plainRedisUs', title: 'Redis, nothing kept', digits: 1 },
      ],
    },
    {
      title: `The same, ${BATCH} items a call`,
      primary: 'batchAskedUs',
      baselines: [],
      columns: [
        { key: 'batchAskedUs', title: 'node asked', digits: 1 },
        { key: 'batchDeliveringUs', title: 'node that delivers', digits: 1 },
        { key: 'batchRedisUs', title: 'Redis', digits: 1 },
        { key: 'batchPerSecond', title: 'items/s', digits: 0 },
        { key: 'batchPlainRedisUs', title: 'Redis, nothing kept', digits: 1 },
      ],
    },
  ],
  run: async (task) => {
    const kept = await measure(task, []);
    const plain = await measure(task, ['--history-size', '0']);
    return {
      values: {
        ...kept.single,
        plainRedisUs: plain.single.redisUs,
        batchAskedUs: kept.batched.askedUs,
        batchDeliveringUs: kept.batched.deliveringUs,
        batchRedisUs: kept.batched.redisUs,
        batchPerSecond: kept.batched.perSecond,
        batchPlainRedisUs: plain.batched.redisUs,
      },
      problems: [...kept.problems, ...plain.problems],
    };
  },
};

/**
 * @param {import('./work.mjs').Task} task
 * @param {readonly string[]} flags  of both nodes
 * @returns {Promise<{ single: Costs, batched: Costs, problems: string[] }>}
 */
async function measure(task, flags) {
  /** @type {{ single?: Costs, batched?: Costs }} */
  const costs = {};
  const count = task.options.publishChannels;
  const { problems } = await withTwoNodes(task, { count, path: '/stream?ch=c%d', flags }, async (nodes) => {
    const { testbed, redis, publisher } = nodes;
    const list = [publisher.pids[0], testbed.running.pids[0], redis.pid].join(',');
    await testbed.load.do('pids', { list });
    /** @type {string[]} */
    const found = [];
    costs.single = await warmRush(testbed.load, 1, found);
    costs.batched = await warmRush(testbed.load, BATCH, found);
    return { values: {}, problems: found };
  });
  const { single, batched } = costs;
  if (single === undefined || batched === undefined) throw new Error(problems.join('; '));
  return { single, batched, problems: [...problems] };
}

/**
 * @param {import('./load.mjs').Load} load
 * @param {number} batch
 * @param {string[]} problems  what went wrong is added
 * @returns {Promise<Costs>}
 */
async function warmRush(load, batch, problems) {
  const how = { connections: CONNECTIONS, batch };
  const warm = await rush(load, { ...how, rounds: WARM });
  const { cpusUs, clientUs, perSecond, problems: found } = await rush(load, { ...how, rounds: COUNTED });
  problems.push(...warm.problems, ...found);
  const [askedUs = Number.NaN, deliveringUs = Number.NaN, redisUs = Number.NaN] = cpusUs;
  return { askedUs, deliveringUs, redisUs, clientUs, perSecond };
}
