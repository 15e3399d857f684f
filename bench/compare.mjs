// What a publish costs this checkout and others, in one run: all of them hold their clients at the same time and take turns of a few
// hundred milliseconds, so that whatever else the machine does falls on each of them alike. Runs one after the other differ by 10 %;
// the medians of these ratios by 2. The other checkouts are built, with packages, such as
//
//   git worktree add --detach /tmp/before v1.2 && cp -al node_modules /tmp/before/ && (cd /tmp/before && npx tsc -b)
//   node bench/compare.mjs /tmp/before [--edge node] [--slices 60] [--channels 1000]
//
// Two checkouts of one commit differ too, by where their memory lies: run it twice, with the checkouts the other way round.
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { root } from '../scripts/setup.mjs';
import { compilePrograms } from './compile.mjs';
import { median } from './median.mjs';
import { stopAll } from './process.mjs';
import { rush, sum } from './work-publish.mjs';

/** Rounds over all channels before those that are counted, and those of a turn. */
const WARM = 20;
const ROUNDS = 3;
const ITEM_BYTES = 100;

/** What is published in each turn: items of a call, and connections that publish. */
const rushes = [
  { title: 'one item a call, 16 connections', batch: 1, connections: 16 },
  { title: '20 items a call, 16 connections', batch: 20, connections: 16 },
  { title: 'one item a call, one connection', batch: 1, connections: 1 },
];

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    edge: { type: 'string', default: 'uws' },
    slices: { type: 'string', default: '60' },
    channels: { type: 'string', default: '1000' },
  },
});
const slices = Number(given.slices);
const channels = Number(given.channels);
const checkouts = [...positionals.map((folder) => path.resolve(folder)), root];

/** The bench of a checkout starts its own Holdfast. The load is that of this one, for all. @param {string} checkout @param {string} file */
const fromCheckout = (checkout, file) => import(pathToFileURL(path.join(checkout, 'bench', file)).href);

/** Has all checkouts hold their clients, and then works with them. @param {(testbeds: import('./testbed.mjs').Testbed[]) => Promise<void>} use */
async function withAll(use) {
  const programs = compilePrograms();
  /** @type {import('./testbed.mjs').Testbed[]} */
  const testbeds = [];
  const next = async () => {
    const checkout = checkouts[testbeds.length];
    if (checkout === undefined) return use(testbeds);
    const { Testbed } = await fromCheckout(checkout, 'testbed.mjs');
    const { holdfastNode, holdfastUws } = await fromCheckout(checkout, 'target-holdfast.mjs');
    const { ownChannels } = await fromCheckout(checkout, 'work-publish.mjs');
    const target = given.edge === 'node' ? holdfastNode : holdfastUws;
    const options = { target, programs, size: ITEM_BYTES, count: channels, speech: ownChannels(target) };
    await Testbed.with(options, async (/** @type {import('./testbed.mjs').Testbed} */ testbed) => {
      await testbed.hold(channels);
      testbeds.push(testbed);
      await next();
    });
  };
  await next();
}

/** @param {import('./testbed.mjs').Testbed} testbed @param {Omit<import('./work-publish.mjs').Rush, 'rounds'>} how @param {number} rounds */
async function cost({ load }, how, rounds) {
  const { cpusUs, problems } = await rush(load, { ...how, rounds });
  for (const problem of problems) console.log(`!! ${problem}`);
  return sum(cpusUs);
}

await withAll(async (testbeds) => {
  for (const { title, ...how } of rushes) {
    for (const testbed of testbeds) await cost(testbed, how, WARM);
    const costs = testbeds.map(() => /** @type {number[]} */ ([]));
    for (let slice = 0; slice < slices; slice++) {
      for (let turn = 0; turn < testbeds.length; turn++) {
        const at = (slice + turn) % testbeds.length;
        costs[at]?.push(await cost(/** @type {import('./testbed.mjs').Testbed} */ (testbeds[at]), how, ROUNDS));
      }
    }
    const own = costs.at(-1) ?? [];
    console.log(`${title}: CPU µs an item, median of ${slices} turns`);
    for (const [at, figures] of costs.entries()) {
      const ratio = median(own.map((us, slice) => us / (figures[slice] ?? 0)));
      const compared = at === costs.length - 1 ? '' : `; this checkout costs ${ratio.toFixed(3)} of it`;
      console.log(`  ${median(figures).toFixed(1)}  ${checkouts[at]}${compared}`);
    }
  }
});
await stopAll();
process.exit();
