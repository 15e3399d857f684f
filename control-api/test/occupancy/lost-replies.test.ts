/** Calls of scripts that are late, or whose replies are: whatever they have decided is reported once. */
import t, { type Test } from 'tap';
import type { RedisCommands, Script } from '../../dist/backplane/redis/connection/commands.js';
import { COMMAND_TIMEOUT_MS } from '../../dist/backplane/redis/limits.js';
import { HEARTBEAT_MS, NODE_TTL_MS } from '../../dist/cluster/redis.js';
import { type Clock, RedisOccupancy } from '../../dist/index.js';
import { OccupancyShard, RETRY_MS } from '../../dist/occupancy/shard.js';
import { realClock, startNode } from '../backplane/redis/backplane-fixture.js';
import { startRedis, until } from '../backplane/redis/redis-fixture.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';
import { RecordedEdges } from './contract.js';

/** What becomes of a call. Of those that fail it may be executed before its failure, later, or never. */
type Fate = 'answered' | 'reply lost' | 'late' | 'never sent';

/** Runs scripts in Redis, where a test does not have them fail. */
class LossyCommands {
  fate: () => Fate = () => 'answered';
  readonly unavailableReason = undefined;
  /** Calls that are late, to be run by the test. */
  readonly late: Array<() => Promise<unknown>> = [];
  /** Of calls that have failed. */
  readonly failed: Fate[] = [];
  readonly #commands: RedisCommands;

  constructor(commands: RedisCommands) {
    this.#commands = commands;
  }

  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const fate = this.fate();
    const call = () => this.#commands.run(script, keys, args);
    if (fate === 'answered') return call();
    this.failed.push(fate);
    if (fate === 'late') this.late.push(call);
    if (fate === 'reply lost') await call();
    throw new Error('Command timed out');
  }

  /** The next call fails so, and those after it do not. */
  failOnce(fate: Fate): void {
    this.fate = () => {
      this.fate = () => 'answered';
      return fate;
    };
  }

  /** Resolves when what was sent before has been answered. */
  async settled(): Promise<void> {
    await this.#commands.send('ping', []);
  }
}

const server = await startRedis(t);
let sets = 0;

/** Nodes that share one shard and one clock, which only the test moves. */
async function startShards(t: Test, count: number) {
  const clock = new ManualClock();
  const { connections } = (await startNode(t, server.url)).backplane;
  const commands = new LossyCommands(connections.commands);
  const keys = connections.keys.occupancy(`lossy${++sets}`, 0);
  const recorded = new RecordedEdges();
  const log = new RecordingLog();
  const shards = Array.from({ length: count }, (_, i) => {
    const shard = new OccupancyShard({ commands, keys, node: `node${i}`, clock, delay: 0, log });
    t.teardown(() => shard.close());
    shard.start(recorded);
    return shard;
  });
  await commands.settled();
  /** Waits until a group has had these edges. */
  const saw = async (group: string, ...edges: readonly string[]) => {
    await until(`edge ${edges.length} of ${group}`, () => {
      clock.advance(RETRY_MS);
      return recorded.of(group).length >= edges.length;
    });
    t.strictSame(recorded.of(group), edges);
  };
  return { clock, commands, keys, recorded, saw, shards: shards as [OccupancyShard, OccupancyShard] };
}

t.test('what a call has decided comes with the next reply where its own is lost', async (t) => {
  const { commands, saw, shards } = await startShards(t, 1);
  const [shard] = shards;
  commands.failOnce('reply lost');
  shard.enter('g', 'a', 'note');
  await saw('g', '+a=1');
  commands.failOnce('reply lost');
  shard.leave('g', 'a');
  shard.enter('g', 'b');
  await saw('g', '+a=1', '-a=0', '+b=1');
  t.strictSame(commands.failed, ['reply lost', 'reply lost']);
});

t.test('so does what a dead node had', async (t) => {
  const { clock, commands, keys, recorded, saw, shards } = await startShards(t, 2);
  const [dead] = shards;
  dead.enter('g', 'a');
  await saw('g', '+a=1');
  // It beats no more, and what it had is still there.
  commands.fate = () => 'never sent';
  await dead.close();
  await server.cli('zincrby', keys.of('')[0] as string, String(-NODE_TTL_MS), 'node0');
  commands.failOnce('reply lost');
  clock.advance(HEARTBEAT_MS);
  await commands.settled();
  t.equal(commands.failed.at(-1), 'reply lost');
  t.equal(recorded.edges.length, 1);
  await saw('g', '+a=1', '-a=0');
});

t.test('nothing comes of a call that arrives after its successors', async (t) => {
  const { commands, saw, shards } = await startShards(t, 1);
  const [shard] = shards;
  commands.failOnce('late');
  shard.enter('g', 'a');
  await saw('g', '+a=1');
  shard.leave('g', 'a');
  await saw('g', '+a=1', '-a=0');
  t.equal(commands.late.length, 1);
  await commands.late[0]?.();
  shard.enter('g', 'b');
  await saw('g', '+a=1', '-a=0', '+b=1');
});

t.test('whatever fails, and when: edges alternate, and sizes are right', async (t) => {
  const { clock, commands, recorded, shards } = await startShards(t, 2);
  let state = 20_261_130;
  /** A whole number below `limit`: the same ones in each run. */
  const random = (limit: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  const fates: readonly Fate[] = ['answered', 'answered', 'reply lost', 'reply lost', 'late', 'never sent'];
  commands.fate = () => fates[random(fates.length)] as Fate;
  const has = shards.map(() => new Set<string>());
  for (let step = 0; step < 1_500; step++) {
    const node = random(2);
    const [group, member] = [`g${random(3)}`, `m${random(4)}`];
    const own = has[node] as Set<string>;
    if (own.delete(group + member)) shards[node]?.leave(group, member);
    else {
      own.add(group + member);
      shards[node]?.enter(group, member);
    }
    if (random(3) === 0) clock.advance(RETRY_MS);
    if (random(4) === 0) await commands.late.splice(random(commands.late.length), 1)[0]?.();
    if (random(3) === 0) await commands.settled();
  }
  commands.fate = () => 'answered';
  const expected = [...new Set(has.flatMap((own) => [...own]))].sort();
  const inOrder = () => [...recorded.edges].sort((a, b) => a.seq - b.seq);
  const present = () => {
    const members = new Set<string>();
    for (const { group, member, occupied } of inOrder()) {
      if (occupied) members.add(group + member);
      else members.delete(group + member);
    }
    return [...members].sort();
  };
  await until('all is reported', () => {
    clock.advance(RETRY_MS);
    return String(present()) === String(expected);
  });
  for (const fate of ['reply lost', 'late', 'never sent'] as const) {
    t.ok(commands.failed.filter((one) => one === fate).length > 50, fate);
  }
  const members = new Map<string, Set<string>>();
  let wrong = 0;
  for (const { group, member, occupied, size } of inOrder()) {
    const there = members.get(group) ?? new Set();
    members.set(group, there);
    if (there.has(member) === occupied) wrong++;
    if (occupied) there.add(member);
    else there.delete(member);
    if (there.size !== size) wrong++;
  }
  t.equal(wrong, 0, `${recorded.edges.length} edges`);
  t.equal(new Set(recorded.edges.map(({ seq }) => seq)).size, recorded.edges.length);
});

t.test('when Redis answers after the time limit, all edges come, of a node that ends too', async (t) => {
  const own = await startRedis(t);
  const log = new RecordingLog();
  const start = async (set: string, clock: Clock) => {
    const { connections } = (await startNode(t, own.url)).backplane;
    const occupancy = new RedisOccupancy({ connections, set, node: 'n', clock, delay: 0, log });
    t.teardown(() => occupancy.close());
    const recorded = new RecordedEdges();
    occupancy.start(recorded);
    return { occupancy, recorded };
  };
  const stays = await start('stays', realClock);
  const clock = new ManualClock();
  const ends = await start('ends', clock);
  const names = Array.from({ length: 2_000 }, (_, i) => `g${i}`);
  for (const name of names) stays.occupancy.enter(name, '');
  ends.occupancy.enter('last', '');
  await until('all are there', () => {
    clock.advance(20);
    return stays.recorded.edges.length === names.length && ends.recorded.edges.length === 1;
  });

  await own.cli('client', 'pause', String(COMMAND_TIMEOUT_MS + 500));
  for (const name of names) {
    stays.occupancy.leave(name, '');
    stays.occupancy.enter(`new ${name}`, '');
  }
  ends.occupancy.leave('last', '');
  clock.advance(20);
  await ends.occupancy.close();
  t.strictSame(ends.recorded.of('last'), ['+=1', '-=0']);
  await until('all have gone, and others are there', () => stays.recorded.edges.length === 3 * names.length);
  const edges = new Map<string, string>();
  for (const { group, occupied } of stays.recorded.edges) {
    edges.set(group, (edges.get(group) ?? '') + (occupied ? '+' : '-'));
  }
  const wrong = names.filter((name) => edges.get(name) !== '+-' || edges.get(`new ${name}`) !== '+');
  t.strictSame(wrong, []);
  t.ok(log.lines.some(({ fields }) => /timed out/.test(String(fields.err))));
});
