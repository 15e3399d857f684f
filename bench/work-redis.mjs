// The works in which several nodes share a Redis: latency from node to node, and the time until every channel is received again
// after the connection was cut.
import { OriginProcess } from './origin.mjs';
import { RedisServer } from './redis.mjs';
import { problemsOf, Testbed } from './testbed.mjs';
import { isHoldfast } from './work.mjs';
import { latencyColumns, measureLatency } from './work-latency.mjs';

/** @typedef {{ testbed: Testbed, redis: RedisServer, publisher: import('./target.mjs').RunningTarget }} TwoNodes  clients are held by the testbed's node; publishes go to another */

/**
 * Starts Redis and two nodes, and holds the clients.
 *
 * @param {import('./work.mjs').Task} task
 * @param {{ count: number, path: string, flags?: readonly string[] }} clients  and flags of both nodes
 * @param {(nodes: TwoNodes) => Promise<import('./work.mjs').Outcome>} use
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
export async function withTwoNodes({ target, programs, options }, { count, path, flags = [] }, use) {
  const redis = await RedisServer.start();
  try {
    const extra = ['--redis-url', redis.url, ...flags];
    const origin = await OriginProcess.start(programs.origin);
    try {
      const publisher = await target.start({ programs, originPort: origin.port, extra });
      try {
        const speech = { path, control_port: publisher.ports.control };
        return await Testbed.with({ target, programs, size: options.size, count, extra, speech }, async (testbed) => {
          if (!(await redis.hasClients())) return { values: {}, problems: ['this Holdfast does not connect to Redis'] };
          await testbed.hold(count);
          return use({ testbed, redis, publisher });
        });
      } finally {
        await publisher.stop();
      }
    } finally {
      await origin.stop();
    }
  } finally {
    await redis.stop();
  }
}

/** @type {import('./work.mjs').Work} */
export const redisLatencyWork = {
  name: 'redis-latency',
  suits: isHoldfast,
  tables: [
    {
      title: 'From publish on one node to receipt on another, through Redis, on an idle machine',
      primary: 'p50Us',
      baselines: [],
      columns: latencyColumns,
    },
  ],
  run: (task) =>
    withTwoNodes(task, { count: 1, path: '/stream?ch=bench' }, ({ testbed }) =>
      measureLatency(testbed.load, task.options.latencyItems),
    ),
};

/** @type {import('./work.mjs').Work} */
export const resubscribeWork = {
  name: 'resubscribe',
  suits: isHoldfast,
  isLong: true,
  tables: [
    {
      title: 'After Redis cut all connections: until an item on every channel has arrived',
      primary: 'allMs',
      baselines: [],
      columns: [
        { key: 'channels', title: 'channels', digits: 0 },
        { key: 'allMs', title: 'ms', digits: 0 },
        { key: 'undisturbedMs', title: 'the same undisturbed, ms', digits: 0 },
        { key: 'rounds', title: 'publishes of each', digits: 0 },
      ],
    },
  ],
  run: (task) =>
    withTwoNodes(task, { count: task.options.channels, path: '/stream?ch=c%d' }, async ({ testbed, redis }) => {
      const undisturbed = await testbed.load.do('sweep');
      const cutAt = process.hrtime.bigint();
      await redis.cutClients();
      const answer = await testbed.load.do('sweep');
      const missing = undisturbed.missing + answer.missing;
      return {
        values: {
          channels: task.options.channels,
          // Both clocks are the machine's monotonic one.
          allMs: Number(BigInt(answer.last_at) - cutAt) / 1e6,
          undisturbedMs: undisturbed.sweep_us / 1e3,
          rounds: answer.rounds,
        },
        // A publish that is refused while Redis is away is part of what is measured, not a fault.
        problems: [
          ...(missing > 0 ? [`${missing} channels stayed silent`] : []),
          ...problemsOf({ ...answer, refused: 0, lost: 0 }),
        ],
      };
    }),
};
