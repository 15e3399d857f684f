/**
 * The simulation of many nodes, small: what it says about items holds, for the real backplane finds nothing lost in it; and the parts
 * of it that stand for others do as those do.
 */
import { readFileSync } from 'node:fs';
import t, { type Test } from 'tap';

/** On a machine that is busy with other tests. */
t.setTimeout(120_000);

const scale = (file: string) => import(new URL(`../scale/${file}`, import.meta.url).href);
const { simulate } = await scale('run.mjs');
const { positionsScript } = await scale('code.mjs');
const { POSITIONS_SHA, SimulatedRedis } = await scale('server.mjs');
const { LuaScripts } = await scale('lua.mjs');
const { SimulatedTime } = await scale('time.mjs');
const { tables } = await scale('tables.mjs');

const plan = {
  nodes: 6,
  channels: 150,
  holds: 750,
  shards: 1,
  spread: 'uniform',
  openUs: 200,
  rate: 60,
  publishSeconds: 2,
  quietSeconds: 40,
  failoverMs: 3_000,
  lagMs: 200,
  isOld: false,
  seed: 11,
};

/** What holds of every run. */
async function run(t: Test, changed: Partial<typeof plan>) {
  const result = await simulate({ ...plan, ...changed });
  const { published, cut, afterCut, failed, afterFailover } = result;
  t.strictSame(
    afterCut,
    { problems: [], lostItems: 0, gapItems: 0 },
    'every item reached each hold once, a cut or not',
  );
  t.strictSame(
    afterFailover.problems,
    [],
    'after a failover too, or a gap was reported, or the replica did not have it',
  );
  t.equal(published.pushesPerItem, published.nodesPerItem, 'Redis sends an item once to each node with subscribers');
  t.ok(cut.lost >= plan.nodes, 'the connections of all nodes were lost');
  t.ok(cut.reads > 0, 'and what was published meanwhile was read from the history');
  t.ok(failed.refused > 0 && failed.accepted > 0, 'publishes were refused while the master was away');
  t.ok(
    failed.liveMs.all > 0 && failed.liveMs.all < 2_000,
    `all channels were live ${failed.liveMs.all} ms after the failover`,
  );
  t.equal(failed.timeouts + cut.timeouts, 0, 'no command was given up');
  return result;
}

t.test('one Redis: every item reaches the nodes that have subscribers, whatever happens', async (t) => {
  const result = await run(t, {});
  t.ok((result.gaps.rewound ?? 0) > 0, 'items that a node had and the replica had not are gaps');
  const again = await simulate(plan);
  t.strictSame({ ...again, ran: undefined }, { ...result, ran: undefined }, 'the same seed gives the same figures');
  t.match(tables([result]), /\| messages from Redis to nodes, per item \| \d/);
});

t.test('a cluster: a master that fails concerns its own channels only', async (t) => {
  const { failed, subscriptions } = await run(t, { shards: 3, spread: 'zipf' });
  t.ok(
    failed.subscriptions < subscriptions / 2,
    `${failed.subscriptions} of ${subscriptions} subscriptions are concerned`,
  );
});

t.test('a Redis that needs longer for all channels than a command may take is asked in parts', async (t) => {
  // 6 nodes with 3,600 channels each at 260 µs a channel: 5.6 s, where a command is given up after 2.
  const { failed, cut } = await simulate({ ...plan, channels: 6_000, holds: 30_000, rate: 5, slowness: 100 });
  t.equal(failed.timeouts + cut.timeouts, 0, 'no command was given up');
  t.ok(failed.liveMs.all > 2_000, `all channels were live after ${failed.liveMs.all} ms`);
});

t.test('the twin of the script of positions replies what the script replies', async (t) => {
  t.equal(POSITIONS_SHA, positionsScript.sha, 'it is a twin of the script as it is');
  const time = new SimulatedTime();
  const server = new SimulatedRedis(time, { port: 1, lagMs: 0, range: [0, 16_383], slots: () => [] });
  server.store.preset('known', { e: 'epoch', s: '7', l: 'last', t: '123' });
  const lua = new LuaScripts((args: string[]) => (args[0] === 'TIME' ? ['1000000000', '0'] : server.store.call(args)));
  const keys = ['known', 'unknown'];
  const replies: unknown[] = [];
  const session = { alive: true, deliver: (_bytes: number, _at: number, _us: number, run: () => void) => run() };
  const args = [positionsScript.lua, keys.length, ...keys, 1_000];
  server.arrive({ session, name: 'eval', args, replyUs: 0, answer: (reply: unknown) => replies.push(reply) });
  await time.run(10);
  const isNumber = (text: string) => String(Number(text));
  const [twin] = replies as string[][];
  t.strictSame(
    twin?.map((text, i) => (i === 10 ? isNumber(text) : text)),
    lua.run(positionsScript.lua, keys, ['1000']).map((text: string, i: number) => (i === 10 ? isNumber(text) : text)),
  );
});

t.test('the constants of the simulation say where they come from', async (t) => {
  const text = readFileSync(new URL('../scale/costs.mjs', import.meta.url), 'utf8');
  for (const [, comment, name] of text.matchAll(/\/\*\*([^*]*)\*\/\nexport const ([A-Z_]+)/g))
    t.match(comment, /Source: |An assumption: |as RESP has them|TCP, HELLO/, String(name));
});
