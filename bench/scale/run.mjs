// npm run simulate: many nodes, channels and clients, with the real backplane over a simulated network, in simulated time. bench/README.md
// says what is simulated, docs/scaling.md what follows from it.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../../scripts/setup.mjs';
import { calibrate } from './calibrate.mjs';
import { NODE_OPEN_US } from './costs.mjs';
import { spreads } from './population.mjs';
import { Simulation } from './simulation.mjs';
import { tables } from './tables.mjs';

const usage = `npm run simulate -- [--option value …]

--nodes 50  --channels 1000000  --holds 5000000  --rate 1000 (items a second)  --seed 1
--redis 1,6            masters of Redis; each a run of its own
--spread uniform       or zipf, or both: uniform,zipf
--scale 1              that part of the channels and holds
--failover-ms 6000     from the crash of a master to its replica's taking over
--lag-ms 100           by which that replica is behind
--json FILE            where the results go (tmp/bench/scale.json)
--from FILE,FILE       do not run: show the results in these files
--calibrate            do not run: measure what the constants of costs.mjs say, with a real redis-server
`;

/** Old space of one run, in MiB. */
const HEAP_MB = 11_500;

const texts = {
  ...{ nodes: '50', channels: '1000000', holds: '5000000', rate: '1000', seed: '1', redis: '1,6', spread: 'uniform' },
  ...{ scale: '1', 'failover-ms': '6000', 'lag-ms': '100' },
};

/** @typedef {Awaited<ReturnType<typeof simulate>>} Result */

/** One run from end to end. @param {import('./simulation.mjs').Plan} plan */
export async function simulate(plan) {
  const begun = performance.now();
  const simulation = new Simulation(plan);
  await simulation.start();
  const opened = await simulation.open();
  const heapMb = process.memoryUsage().heapUsed / 2 ** 20;
  const published = await simulation.publish();
  const rested = await simulation.rest();
  const cut = await simulation.cut();
  const afterCut = simulation.verify();
  const failed = await simulation.failover();
  const afterFailover = simulation.verify(failed);
  const gaps = Object.fromEntries(simulation.ledger.gaps);
  await simulation.close();
  return {
    plan,
    subscriptions: simulation.population.subscriptions,
    ...{ opened, published, rested, cut, afterCut, failed, afterFailover, gaps },
    ran: { seconds: (performance.now() - begun) / 1_000, events: simulation.time.events, heapMb },
  };
}

/** @param {Record<string, unknown>} values @returns {import('./simulation.mjs').Plan[]} */
function plansOf(values) {
  const number = (/** @type {keyof typeof texts} */ name) => {
    const value = Number(values[name] ?? texts[name]);
    if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${values[name]}`);
    return value;
  };
  const list = (/** @type {'redis' | 'spread'} */ name) => String(values[name] ?? texts[name]).split(',');
  const scale = number('scale');
  return list('spread').flatMap((spread) => {
    if (!spreads.includes(/** @type {any} */ (spread)))
      throw new Error(`--spread takes ${spreads.join(' or ')}, not ${spread}`);
    return list('redis').map((shards) => ({
      nodes: number('nodes'),
      channels: Math.round(number('channels') * scale),
      holds: Math.round(number('holds') * scale),
      shards: Number(shards),
      spread: /** @type {'uniform' | 'zipf'} */ (spread),
      openUs: NODE_OPEN_US,
      rate: number('rate'),
      publishSeconds: 5,
      quietSeconds: 40,
      failoverMs: number('failover-ms'),
      lagMs: number('lag-ms'),
      isOld: true,
      seed: number('seed'),
    }));
  });
}

/** In a process of its own, so that each begins with empty memory. @param {import('./simulation.mjs').Plan} plan @returns {Result} */
function runApart(plan) {
  const args = [`--max-old-space-size=${HEAP_MB}`, import.meta.filename, '--plan', JSON.stringify(plan)];
  const { status, stdout } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the simulation of ${plan.holds} holds ended with ${status}`);
  return JSON.parse(stdout);
}

/** @param {readonly string[]} argv */
async function main(argv) {
  const strings = [...Object.keys(texts), 'json', 'from', 'plan'];
  const { values } = parseArgs({
    args: [...argv],
    options: {
      ...Object.fromEntries(strings.map((name) => [name, { type: 'string' }])),
      help: { type: 'boolean' },
      calibrate: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(usage);
  if (values.calibrate) return console.log(JSON.stringify(await calibrate(), null, 2));
  if (values.plan !== undefined) return console.log(JSON.stringify(await simulate(JSON.parse(String(values.plan)))));
  const results =
    values.from === undefined
      ? plansOf(values).map(runApart)
      : String(values.from)
          .split(',')
          .flatMap((name) => JSON.parse(readFileSync(name, 'utf8')));
  const file = String(values.json ?? path.join(root, 'tmp/bench/scale.json'));
  if (values.from === undefined) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify(results)}\n`);
  }
  console.log(tables(results));
  const problems = results.flatMap((/** @type {Result} */ { afterCut, afterFailover }) => [
    ...afterCut.problems,
    ...afterFailover.problems,
  ]);
  for (const problem of problems.slice(0, 10)) console.error(`!! ${problem}`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) {
  main(process.argv.slice(2)).then(
    () => process.exit(),
    (error) => {
      console.error(`!! ${error instanceof Error ? error.message : error}`);
      process.exit(1);
    },
  );
}
