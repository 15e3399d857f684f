/** Callbacks of nodes that share a Redis: which of them keeps what, and what is left when one ends. */
import { randomBytes } from 'node:crypto';
import t, { type Test } from 'tap';
import { callbackShardOf } from '../../dist/backplane/redis/keys.js';
import { freshStatus } from '../../dist/callbacks/callback.js';
import { AHEAD_CHARS, CallbackQueue, READ_AHEAD } from '../../dist/callbacks/redis/queue.js';
import { SHARD_CALLBACKS_MAX } from '../../dist/callbacks/redis/records.js';
import { CHANNEL_CALLBACKS_MAX } from '../../dist/callbacks/redis/scripts.js';
import { BackplaneHub, type RedisBackplaneOptions, RedisCallbacks, silentLog, uncontained } from '../../dist/index.js';
import { makeNode, realClock } from '../backplane/redis/backplane-fixture.js';
import { clusterUrl, startCluster, startRedis, until } from '../backplane/redis/redis-fixture.js';
import { callback, RecordingKeeper, requestMessage } from './callbacks-fixture.js';
import { callbackStoreContract, drain, waiting } from './contract.js';

const server = await startRedis(t);
let prefixes = 0;
const newPrefix = () => `cb${++prefixes}`;

async function start(t: Test, url: string, options: Partial<RedisBackplaneOptions> = {}) {
  const { backplane } = makeNode(url, options);
  const hub = new BackplaneHub({ inner: backplane, log: silentLog });
  await hub.start();
  const store = new RedisCallbacks({
    connections: backplane.connections,
    share: hub.share({ watches: true }),
    node: randomBytes(6).toString('hex'),
    clock: realClock,
    log: silentLog,
    faults: uncontained,
  });
  let isClosed = false;
  /** Ends it as it should, or, without `store`, as if it were killed. */
  const end = async (closesStore = true) => {
    if (isClosed) return;
    isClosed = true;
    if (closesStore) await store.close();
    await hub.close();
  };
  t.teardown(async () => {
    await end();
    await store.close();
  });
  return { store, publish: hub.publish.bind(hub), end, connections: backplane.connections };
}

callbackStoreContract(t, 'redis', (t) => start(t, server.url, { redisPrefix: newPrefix() }));

t.test('cluster', async (t) => {
  const url = clusterUrl(await startCluster(t));
  callbackStoreContract(t, 'redis cluster', (t) => start(t, url, { redisPrefix: newPrefix() }));
});

const IDS = Array.from({ length: 40 }, (_, n) => `id-${n}`);

/** Two nodes that have shared the callbacks out. */
async function startPair(t: Test) {
  const redisPrefix = newPrefix();
  const keepers = [new RecordingKeeper(), new RecordingKeeper()] as const;
  const one = await start(t, server.url, { redisPrefix });
  await one.store.start(keepers[0]);
  for (const id of IDS) await one.store.put(callback(id, [`c-${id}`]));
  const two = await start(t, server.url, { redisPrefix });
  await two.store.start(keepers[1]);
  const isShared = () =>
    keepers.every(({ kept }) => kept.size > 5) && keepers[0].kept.size + keepers[1].kept.size === 40;
  await until('both keep some', isShared);
  return { redisPrefix, keepers, one, two };
}

t.test('each callback has one keeper, also one that is made at another node, or when one ends', async (t) => {
  const { keepers, one, two } = await startPair(t);
  for (const id of IDS) t.equal(Number(one.store.keeps(id)) + Number(two.store.keeps(id)), 1, id);
  const [own] = [...keepers[1].kept.keys()];
  await one.store.put(callback(own as string, ['elsewhere']));
  await until('its keeper knows', () => keepers[1].kept.get(own as string)?.callback.channels[0]?.name === 'elsewhere');
  await one.publish([requestMessage('elsewhere', '1')]);
  await until('its listener is called for the item', () => (keepers[1].items.get(own as string) ?? 0) > 0);
  t.strictSame(await drain(two.store, own as string, 1), ['1']);
  await one.store.remove(own as string);
  await until('its keeper knows of the end', () => keepers[1].left.includes(own as string));

  // It gives back what it keeps, once nothing of it is under way.
  let finish = () => {};
  keepers[1].underWay = new Promise((resolve) => (finish = resolve));
  const theirs = [...keepers[1].kept.keys()];
  const ended = two.end();
  await until('it is to let go', () => theirs.every((id) => keepers[1].left.includes(id)));
  t.equal(
    theirs.some((id) => one.store.keeps(id)),
    false,
  );
  finish();
  await ended;
  await until('the other has all', () => keepers[0].kept.size === 39);
});

t.test('of a node that is killed, the other gets what it was not done with, in order', async (t) => {
  const { keepers, one, two } = await startPair(t);
  const [id] = [...keepers[1].kept.keys()] as [string];
  await one.publish(['1', '2', '3', '4'].map((body) => requestMessage(`c-${id}`, body)));
  const first = await waiting(two.store, id);
  await two.store.done(id, first.item);
  const second = await two.store.next(id);
  t.equal(second?.item.message?.id, '2');
  await two.end(false);
  await until('the other keeps it', () => one.store.keeps(id));
  const again = await waiting(one.store, id);
  t.equal(again.item.key, second?.item.key, 'under the same key');
  t.strictSame(await drain(one.store, id, 3), ['2', '3', '4']);
  t.equal((await one.store.read(id))?.backlog.items, 0);
});

t.test('of more items than a queue takes the oldest go, and each callback knows how many it has lost', async (t) => {
  const redisPrefix = newPrefix();
  const { store, publish } = await start(t, server.url, { redisPrefix, queueSize: 5 });
  const keeper = new RecordingKeeper();
  await store.start(keeper);
  for (const id of ['a', 'b']) await store.put(callback(id, ['shared']));
  await publish([requestMessage('shared', '1')]);
  t.strictSame(await drain(store, 'a', 1), ['1']);
  await publish(Array.from({ length: 9 }, (_, n) => requestMessage('shared', String(n + 2))));
  t.equal((await waiting(store, 'a')).lost, 4);
  t.equal((await waiting(store, 'b')).lost, 5);
  t.strictSame(await drain(store, 'b', 5), ['6', '7', '8', '9', '10']);
  t.equal((await store.read('b'))?.backlog.items, 0);
});

t.test('what all are done with is let go of, and a channel without callbacks has no queue', async (t) => {
  const redisPrefix = newPrefix();
  const { store, publish } = await start(t, server.url, { redisPrefix });
  await store.start(new RecordingKeeper());
  await store.put(callback('a', ['tidy']));
  const queue = (await server.cli('keys', `${redisPrefix}:*q:tidy`)).trim();
  for (let n = 0; n < 4; n++) {
    await publish(Array.from({ length: 50 }, (_, i) => requestMessage('tidy', `${n}-${i}`)));
    t.equal((await drain(store, 'a', 50)).length, 50);
  }
  t.ok(Number(await server.cli('xlen', queue)) < 64);
  await publish([requestMessage('none', '1')]);
  t.equal(await server.cli('keys', `${redisPrefix}:*q:none`), '');
  await store.remove('a');
  t.equal(await server.cli('exists', queue), '0');
  t.equal(await server.cli('keys', `${redisPrefix}:*cb:r:*`), '');
});

t.test('one callback too many of a shard, or of a channel, is refused, and leaves nothing', async (t) => {
  const redisPrefix = newPrefix();
  const { store } = await start(t, server.url, { redisPrefix });
  await store.start(new RecordingKeeper());
  await store.put(callback('a', ['full']));
  const queue = (await server.cli('keys', `${redisPrefix}:*q:full`)).trim();
  const groups = `for i = 2, ${CHANNEL_CALLBACKS_MAX} do redis.call('XGROUP', 'CREATE', KEYS[1], i, '$') end`;
  await server.cli('eval', groups, '1', queue);
  await t.rejects(store.put(callback('b', ['fine', 'full'])), { code: 'ERR_CALLBACKS_FULL' });
  t.equal(await server.cli('keys', `${redisPrefix}:*q:fine`), '');
  t.equal(await store.read('b'), undefined);
  t.equal(await store.put(callback('a', ['full'])), false, 'one that is there can be made anew');

  const ids = (await server.cli('keys', `${redisPrefix}:*cb:ids`)).trim();
  await server.cli(
    'eval',
    `for i = 2, ${SHARD_CALLBACKS_MAX} do redis.call('ZADD', KEYS[1], i, 'x' .. i) end`,
    '1',
    ids,
  );
  const ofShard = (n: number): string => (callbackShardOf(`n${n}`) === callbackShardOf('a') ? `n${n}` : ofShard(n + 1));
  await t.rejects(store.put(callback(ofShard(0), ['none'])), { code: 'ERR_CALLBACKS_FULL' });
  t.equal(await server.cli('keys', `${redisPrefix}:*q:none`), '');
});

t.test('no more is read ahead than a few items, and one where attempts fail', async (t) => {
  const redisPrefix = newPrefix();
  const { store, publish } = await start(t, server.url, { redisPrefix });
  const keeper = new RecordingKeeper();
  await store.start(keeper);
  await store.put(callback('a', ['ahead']));
  await publish(Array.from({ length: 20 }, (_, n) => requestMessage('ahead', String(n))));
  const queue = (await server.cli('keys', `${redisPrefix}:*q:ahead`)).trim();
  const given = async () => Number((await server.cli('xpending', queue, 'a')).split('\n', 1)[0]);
  await waiting(store, 'a');
  t.equal(await given(), READ_AHEAD);
  await store.note('a', keeper.kept.get('a')?.version ?? 0, { ...freshStatus, failures: 1 });
  const again = await drain(store, 'a', 20);
  t.strictSame(
    again,
    Array.from({ length: 20 }, (_, n) => String(n)),
  );
  t.equal(await given(), 0);
});

t.test('a reply that is lost on its way loses no item, and not their order', async (t) => {
  const { publish, connections } = await start(t, server.url, { redisPrefix: newPrefix() });
  let loses = false;
  const commands: Pick<typeof connections.commands, 'run'> = {
    run: async (...args) => {
      const reply = await connections.commands.run(...args);
      if (!loses) return reply;
      loses = false;
      throw new Error('Command timed out');
    },
  };
  const all = { chars: 0 };
  const queue = new CallbackQueue('lost', connections.keys.channel('lost'), 'a', commands, all);
  await queue.open();
  await publish(Array.from({ length: 20 }, (_, n) => requestMessage('lost', String(n))));
  const seen: string[] = [];
  for (let n = 0; n < 20; n++) {
    queue.wake();
    loses = n % 3 === 0;
    const entry = await queue.peek().catch(() => queue.peek());
    if (entry === undefined || entry === 'gone') break;
    seen.push(entry.message?.id ?? '');
    loses = n % 4 === 0;
    await queue.done(entry).catch(() => queue.done(entry));
  }
  t.strictSame(
    seen,
    Array.from({ length: 20 }, (_, n) => String(n)),
  );
  t.equal(queue.takeLost(), 0);
  t.equal(all.chars, 0);

  // Where all have read much ahead, one is read at a time.
  await publish(Array.from({ length: 20 }, (_, n) => requestMessage('lost', `more ${n}`)));
  all.chars = AHEAD_CHARS + 1;
  queue.wake();
  const entry = await queue.peek();
  t.ok(entry !== undefined && entry !== 'gone' && all.chars === AHEAD_CHARS + 1 + entry.chars);
  queue.leave();
  t.equal(all.chars, AHEAD_CHARS + 1);
});
