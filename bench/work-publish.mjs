// The work that measures what a publish costs where each item has one subscriber, as in chats: many channels with a stream each.
import { problemsOf, Testbed } from './testbed.mjs';
import { holdsClients } from './work.mjs';

/** Rounds over all channels before those that are counted, and those. A node compiles for a while. */
const WARM = 6;
const COUNTED = 10;
/** Items of a call, beside one. */
const BATCH = 20;
/** Connections that publish at once, each when its last call is answered: as the backends of a service do. */
const CONNECTIONS = 16;

/** @type {import('./work.mjs').Work} */
export const publishWork = {
  name: 'publish',
  // The bare loop has one channel.
  suits: (target) => holdsClients(target) && target.name !== 'limit',
  tables: [
    {
      title: `An item published and delivered, one subscriber on each of many channels, over ${CONNECTIONS} connections`,
      primary: 'singleUs',
      baselines: ['pushpin', 'nchan'],
      columns: [
        { key: 'singleUs', title: 'one item a call: CPU µs/item', digits: 1 },
        { key: 'batchUs', title: `${BATCH} items a call`, digits: 1 },
        { key: 'clientUs', title: 'client µs', digits: 1 },
        { key: 'perSecond', title: 'items/s, one a call', digits: 0 },
        { key: 'soloUs', title: 'one connection, one a call: CPU µs/item', digits: 1 },
      ],
    },
  ],
  run: ({ target, programs, options: { size, publishChannels: count } }) => {
    return Testbed.with({ target, programs, size, count, speech: ownChannels(target) }, async (testbed) => {
      await testbed.hold(count);
      const single = await warmRush(testbed, { batch: 1, connections: CONNECTIONS });
      const batched = await warmRush(testbed, { batch: BATCH, connections: CONNECTIONS });
      const solo = await warmRush(testbed, { batch: 1, connections: 1 });
      const values = {
        singleUs: single.cpuUs,
        batchUs: batched.cpuUs,
        clientUs: single.clientUs,
        perSecond: single.perSecond,
        soloUs: solo.cpuUs,
      };
      return { values, problems: [single, batched, solo].flatMap(({ problems }) => problems) };
    });
  },
};

/**
 * Options of the load for streams that have a channel each.
 *
 * @param {import('./target.mjs').Target} target
 * @returns {Record<string, string>}
 */
export function ownChannels(target) {
  return target.isGrip ? { path: '/stream?ch=c%d' } : { path: '/stream-of?ch=c%d', publish_path: '/pub-to?ch=c%d' };
}

/**
 * @typedef {object} Rush
 * @property {number} batch        items of a call
 * @property {number} connections  each with one call at a time
 * @property {number} rounds       over all channels
 */

/**
 * Publishes one item on each channel, so many times.
 *
 * @param {import('./load.mjs').Load} load
 * @param {Rush} how
 * @returns {Promise<{ cpusUs: number[], clientUs: number, perSecond: number, items: number, problems: string[] }>} µs of an
 *   item: of each process that is measured, in the order of their pids
 */
export async function rush(load, how) {
  const answer = await load.do('rush', how);
  const { items, cpus_us: cpus } = answer;
  return {
    cpusUs: /** @type {number[]} */ (cpus).map((us) => us / items),
    clientUs: answer.client_cpu_us / items,
    perSecond: (items / answer.wall_us) * 1e6,
    items,
    problems: problemsOf(answer),
  };
}

/** @param {Testbed} testbed @param {Omit<Rush, 'rounds'>} how */
async function warmRush({ load }, how) {
  const warm = await rush(load, { ...how, rounds: WARM });
  const { cpusUs, ...figures } = await rush(load, { ...how, rounds: COUNTED });
  return { ...figures, cpuUs: sum(cpusUs), problems: [...warm.problems, ...figures.problems] };
}

/** @param {readonly number[]} values */
export function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
