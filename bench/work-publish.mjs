// The work that measures what a publish costs where each item has one subscriber, as in chats: many channels with a stream each.
import { problemsOf, Testbed } from './testbed.mjs';
import { holdsClients } from './work.mjs';

/** Sweeps over all channels before those that are counted, and those. */
const WARM = 3;
const COUNTED = 5;
/** Items of a call, beside one. */
const BATCH = 20;

/** @type {import('./work.mjs').Work} */
export const publishWork = {
  name: 'publish',
  // The bare loop has one channel.
  suits: (target) => holdsClients(target) && target.name !== 'limit',
  tables: [
    {
      title: 'An item published and delivered, one subscriber on each of many channels; one call after the other',
      primary: 'singleUs',
      baselines: ['pushpin', 'nchan'],
      columns: [
        { key: 'singleUs', title: 'one item a call: CPU µs/item', digits: 1 },
        { key: 'batchUs', title: `${BATCH} items a call`, digits: 1 },
        { key: 'clientUs', title: 'client µs', digits: 1 },
        { key: 'perSecond', title: 'items/s, one a call', digits: 0 },
      ],
    },
  ],
  run: ({ target, programs, options: { size, publishChannels: count } }) => {
    const ownChannel = target.isGrip
      ? { path: '/stream?ch=c%d' }
      : { path: '/stream-of?ch=c%d', publish_path: '/pub-to?ch=c%d' };
    return Testbed.with({ target, programs, size, count, speech: ownChannel }, async (testbed) => {
      await testbed.hold(count);
      const single = await sweeps(testbed, 1, count);
      const batched = await sweeps(testbed, BATCH, count);
      const values = {
        singleUs: single.cpuUs,
        batchUs: batched.cpuUs,
        clientUs: single.clientUs,
        perSecond: single.perSecond,
      };
      return { values, problems: [...single.problems, ...batched.problems] };
    });
  },
};

/** @param {Testbed} testbed @param {number} batch @param {number} count  of channels */
async function sweeps({ load }, batch, count) {
  const problems = [];
  let [cpuUs, clientUs, sweepUs] = [0, 0, 0];
  for (let i = 0; i < WARM + COUNTED; i++) {
    const answer = await load.do('sweep', { batch });
    if (answer.missing > 0) problems.push(`${answer.missing} channels stayed silent`);
    problems.push(...problemsOf({ ...answer, lost: 0 }));
    if (i < WARM) continue;
    cpuUs += answer.cpu_us;
    clientUs += answer.client_cpu_us;
    sweepUs += answer.sweep_us;
  }
  const items = COUNTED * count;
  return { cpuUs: cpuUs / items, clientUs: clientUs / items, perSecond: (items / sweepUs) * 1e6, problems };
}
