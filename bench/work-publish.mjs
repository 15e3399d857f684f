// The work that measures what a publish costs where each item has one subscriber, as in chats: many channels with a stream each.
import { problemsOf, Testbed } from './testbed.mjs';
import { holdsClients } from './work.mjs';

/** Sweeps over all channels before those that are counted, and those. */
const WARM = 3;
const COUNTED = 5;
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
      const single = await warmSweeps(testbed, { batch: 1, concurrent: CONNECTIONS });
      const batched = await warmSweeps(testbed, { batch: BATCH, concurrent: CONNECTIONS });
      const solo = await warmSweeps(testbed, { batch: 1, concurrent: 1 });
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

/** @typedef {{ batch: number, concurrent: number }} Way  items of a call; connections, each with one call at a time */

/** @param {Testbed} testbed @param {Way} way */
async function warmSweeps(testbed, way) {
  const warm = await sweeps(testbed, way, WARM);
  const figures = await sweeps(testbed, way, COUNTED);
  return { ...figures, problems: [...warm.problems, ...figures.problems] };
}

/**
 * Publishes one item on each channel, so many times.
 *
 * @param {Testbed} testbed
 * @param {Way} way
 * @param {number} times
 */
export async function sweeps({ load }, way, times) {
  const problems = [];
  let [cpuUs, clientUs, sweepUs, items] = [0, 0, 0, 0];
  for (let i = 0; i < times; i++) {
    const answer = await load.do('sweep', way);
    if (answer.missing > 0) problems.push(`${answer.missing} channels stayed silent`);
    problems.push(...problemsOf({ ...answer, lost: 0 }));
    cpuUs += answer.cpu_us;
    clientUs += answer.client_cpu_us;
    sweepUs += answer.sweep_us;
    items += answer.deliveries;
  }
  return { cpuUs: cpuUs / items, clientUs: clientUs / items, perSecond: (items / sweepUs) * 1e6, items, problems };
}
