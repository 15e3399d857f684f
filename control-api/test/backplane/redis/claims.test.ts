/** Items for one subscriber, with a real Redis: turns between nodes, nodes that are gone, and what keeps a second delivery away. */
import { parseItem, parsePublished } from '@holdfast/grip';
import { Redis } from 'ioredis';
import t, { type Test } from 'tap';
import { claimScript, passScript } from '../../../dist/backplane/redis/claim-scripts.js';
import { decodePayload, encodePayload } from '../../../dist/backplane/redis/envelope.js';
import { RedisKeys } from '../../../dist/backplane/redis/keys.js';
import { CLAIM_AGE_MS, CLAIM_BEGIN_MS, CLAIM_PATIENCE_MS, MAX_TURNS } from '../../../dist/backplane/redis/limits.js';
import { entriesOf } from '../../../dist/backplane/redis/publish/entries.js';
import type { ItemMessage } from '../../../dist/index.js';
import { streamMessage } from '../../items.js';
import { startNode } from './backplane-fixture.js';
import { startRedis, until } from './redis-fixture.js';

const server = await startRedis(t);
const redis = new Redis(server.port, '127.0.0.1');
t.teardown(() => redis.disconnect());
let systems = 0;

const forOne = (channel: string, id: string, members: object = {}): ItemMessage => ({
  type: 'item',
  item: parseItem({ channel, id, deliver: 'one', formats: { 'http-stream': { content: id } }, ...members }),
  id,
});

/** The time of Redis, in microseconds. */
async function now(): Promise<number> {
  const [seconds, micros] = await redis.time();
  return Number(seconds) * 1_000_000 + Number(micros);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What nodes ask Redis on a channel of their own. */
function scripted(idMs = 60_000) {
  systems += 1;
  const keys = new RedisKeys(`hf${systems}`);
  let attempts = 0;
  const names = (id: string) => {
    const { claim, turns, begun } = keys.claim('a', id);
    return [claim, turns, begun] as const;
  };
  const ask = (node: string, id: string, accepted: number, token = `${node}.${++attempts}`) =>
    redis.eval(
      claimScript.lua,
      3,
      ...names(id),
      node,
      token,
      String(accepted),
      String(idMs * 1_000),
    ) as Promise<number>;
  const pass = (node: string, id: string) => {
    const [claim, turns] = names(id);
    return redis.eval(passScript.lua, 2, claim, turns, node) as Promise<number>;
  };
  const turns = () => redis.zrange(names('')[1], '0', '-1');
  return { ask, pass, turns, names };
}

/** Two nodes have asked, and the first moment is over: `a` has had the first item, and it is the turn of `b`. */
async function begun(idMs?: number) {
  const system = scripted(idMs);
  const accepted = await now();
  for (const node of ['a', 'b']) await system.ask(node, 'first', accepted);
  await pause(CLAIM_BEGIN_MS + 10);
  if ((await system.ask('a', 'first', accepted)) !== 1) throw new Error('a has not got it');
  return system;
}

t.test(
  'in their first moment nodes are waited for; then many items go round, in whatever order nodes ask',
  async (t) => {
    const { ask, turns } = scripted();
    const accepted = await now();
    t.equal(await ask('a', '0', accepted), -1);
    t.equal(await ask('b', '0', accepted), -1);
    t.equal(await ask('c', '0', accepted), -1);
    await pause(CLAIM_BEGIN_MS + 10);
    const given: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (const node of ['c', 'a', 'b']) {
      // Each asks about all of them before the next one asks about any.
      for (let i = 0; i < 9; i++)
        if ((await ask(node, String(i), accepted)) === 1) given[node] = (given[node] ?? 0) + 1;
    }
    // What was assigned to those that had asked before is theirs when they ask again.
    for (const node of ['a', 'b', 'c'])
      for (let i = 0; i < 9; i++)
        if ((await ask(node, String(i), accepted)) === 1) given[node] = (given[node] ?? 0) + 1;
    t.strictSame(given, { a: 3, b: 3, c: 3 });
    t.strictSame((await turns()).sort(), ['a', 'b', 'c']);
  },
);

t.test('an item is taken once; an attempt whose reply was lost finds that it has it', async (t) => {
  const { ask } = await begun();
  const accepted = await now();
  t.equal(await ask('b', '1', accepted, 'token'), 1);
  t.equal(await ask('b', '1', accepted, 'token'), 1);
  t.equal(await ask('b', '1', accepted, 'other'), 0);
  t.equal(await ask('a', '1', accepted), 0);
});

t.test('the turn of a node that does not come goes on after a while, and it is not waited for again', async (t) => {
  const { ask, turns } = await begun();
  const accepted = await now();
  t.equal(await ask('a', '1', accepted), -1, 'it is the turn of b');
  await pause(CLAIM_PATIENCE_MS + 20);
  t.equal(await ask('a', '1', accepted), 1);
  t.strictSame(await turns(), ['a']);
  t.equal(await ask('a', '2', await now()), 1);
  t.equal(await ask('b', '1', accepted), 0, 'when it comes it is too late');
  t.strictSame((await turns()).sort(), ['a', 'b']);
});

t.test('a node that passes gives its turn away at once; the last one leaves the item to who comes', async (t) => {
  const { ask, pass, turns } = await begun();
  const accepted = await now();
  t.equal(await ask('a', '1', accepted), -1);
  await pass('b', '1');
  t.equal(await ask('a', '1', accepted), 1);
  t.strictSame(await turns(), ['a']);
  await pass('a', '2');
  t.strictSame(await turns(), []);
  t.equal(await ask('b', '3', await now()), -1);
  await pause(CLAIM_BEGIN_MS + 10);
  await pass('a', '1');
  t.equal(await ask('b', '1', accepted), 0, 'what was taken stays taken');
});

t.test(
  `after ${CLAIM_AGE_MS / 1_000} s nobody can ask for an item; what was taken is remembered for longer`,
  async (t) => {
    const { ask, names, turns } = scripted();
    const accepted = await now();
    t.equal(await ask('a', '1', accepted - CLAIM_AGE_MS * 1_000 - 1), 0);
    t.strictSame(await turns(), []);
    t.equal(await ask('a', '1', accepted), -1);
    await pause(CLAIM_BEGIN_MS + 10);
    t.equal(await ask('a', '1', accepted), 1);
    t.ok((await redis.pttl(names('1')[0])) > CLAIM_AGE_MS * 1.5);
    t.ok((await redis.pttl(names('1')[1])) > 0, 'turns are forgotten some time');
  },
);

t.test('an id is that of the same item as long as ids are remembered, and then of another one', async (t) => {
  const { ask, pass } = await begun(100);
  await pass('a', 'none');
  const accepted = await now();
  t.equal(await ask('b', '1', accepted), 1);
  t.equal(await ask('b', '1', accepted + 99_999), 0, 'one that has come to a prefix later');
  t.equal(await ask('b', '1', accepted - 99_999), 0);
  t.equal(await ask('b', '1', accepted + 100_001), 1);
  const { ask: askAnew, pass: passAnew } = await begun(0);
  await passAnew('a', 'none');
  t.equal(await askAnew('b', '1', accepted), 1);
  t.equal(await askAnew('b', '1', accepted), 0);
  t.equal(await askAnew('b', '1', accepted + 1), 1);
});

t.test('a key of another program refuses the item, and is left alone', async (t) => {
  const { ask, names } = scripted();
  await redis.lpush(names('1')[0], 'x');
  await t.rejects(ask('a', '1', await now()), /WRONGTYPE/);
  t.equal(await redis.type(names('1')[0]), 'list');
  await redis.set(names('2')[0], 'what is this');
  await pause(CLAIM_BEGIN_MS + 10);
  t.equal(await ask('a', '2', await now()), 1, 'a text that says nothing is overwritten');
});

/** Nodes of one system that take all they get. */
async function nodes(t: Test, count: number) {
  systems += 1;
  const redisPrefix = `hf${systems}`;
  const started = await Promise.all(Array.from({ length: count }, () => startNode(t, server.url, { redisPrefix })));
  for (const { backplane, listener } of started) {
    listener.hasSubscriber = true;
    await backplane.subscribe('a');
  }
  return { started, keys: new RedisKeys(redisPrefix) };
}

t.test('a node that comes later comes to its turn; one that stops takes none along', async (t) => {
  const { started } = await nodes(t, 3);
  const [one, two, three] = started as [(typeof started)[0], (typeof started)[0], (typeof started)[0]];
  three.backplane.unsubscribe('a');
  const publish = async (ids: readonly string[]) => {
    await one.backplane.publish(ids.map((id) => forOne('a', id)));
    const all = () => started.flatMap(({ listener }) => listener.given);
    await until(`${ids} are given`, () => ids.every((id) => all().includes(id)));
    t.equal(new Set(all()).size, all().length, 'each once');
  };
  await publish(['1', '2', '3', '4']);
  t.strictSame(three.listener.given, []);
  await three.backplane.subscribe('a');
  await publish(['5', '6', '7', '8', '9', '10']);
  t.ok(three.listener.given.length >= 1);
  await two.backplane.close();
  await publish(['11', '12', '13', '14', '15', '16']);
});

t.test('what a node has missed and finds in the history is given to nobody', async (t) => {
  const { started, keys } = await nodes(t, 1);
  const [{ backplane, listener, events }] = started as [(typeof started)[0]];
  await backplane.publish([forOne('a', '1')]);
  await until('it is given', () => listener.given.length === 1);
  // Accepted, as its place and its count say; but its message has got lost.
  const { stream, meta } = keys.channel('a');
  await redis.xadd(stream, '2-0', 'd', encodePayload(forOne('a', '2'), '2'), 't', String(Date.now()), 'i', '2');
  await redis.hset(meta, { s: '2', l: '2' });
  await backplane.publish([streamMessage('a', '3')]);
  await listener.saw('a/3');
  t.strictSame(listener.labels, ['a/1', 'a/2', 'a/3']);
  t.ok((events.counts.filled ?? 0) >= 1);
  t.equal(listener.claiming, 0);
  t.strictSame(listener.given, ['1']);
});

t.test('what came over an earlier connection is not asked for over a later one', async (t) => {
  const { started } = await nodes(t, 1);
  const [{ backplane, listener }] = started as [(typeof started)[0]];
  await backplane.publish([forOne('a', '1')]);
  await until('it is given', () => listener.given.length === 1);
  listener.hasSubscriber = false;
  await backplane.publish([forOne('a', '2')]);
  await listener.saw('a/2');
  const came = listener.messages.at(-1) as ItemMessage;
  // Nobody has taken it, and Redis would give it.
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('the connection is back', () => backplane.connections.commands.opened > 1);
  t.equal(await came.claim?.take(), false);
  listener.hasSubscriber = true;
  await until('what comes later is given', async () => {
    await backplane.publish([forOne('a', `${Math.random()}`)]);
    return listener.given.length > 1;
  });
});

t.test('nodes that do not know of it find no format in such an item', async (t) => {
  const message = forOne('a', '1');
  const payload = encodePayload(message, '1:a:1');
  t.strictSame(JSON.parse(payload).item.formats, { none: {} });
  const position = { epoch: 'e', offset: 1 };
  const { message: read, claimId, id } = decodePayload(payload, position);
  t.match(read, { item: message.item, id: '1:a:1' });
  t.strictSame([id, claimId], ['1:a:1', '1'], 'the claim is that of the item, wherever it stands');
  for (const one of [undefined, null, 1, {}, { id: 1 }, { id: 'x'.repeat(2_000), formats: {} }]) {
    const spoilt = { ...JSON.parse(payload), one };
    const envelope = decodePayload(JSON.stringify(spoilt), position);
    t.equal(envelope.message, undefined, JSON.stringify(one));
    t.type(envelope.fault, 'string');
  }
});

t.test('an item to several channels is claimed on each by an id of its own, wherever it stands', async (t) => {
  const formats = { 'http-stream': { content: 'x' } };
  const items = parsePublished({ channels: ['a', 'b'], formats, deliver: 'one' });
  const messages = items.map((item, i): ItemMessage => ({ type: 'item', item, id: `made${i}` }));
  const claimIds = entriesOf(messages, () => 'r').map(
    ({ payload }) => decodePayload(payload, { epoch: 'e', offset: 1 }).claimId,
  );
  t.strictSame(claimIds, ['made0', 'made1']);
});

t.test(`a node knows of ${MAX_TURNS} channels that it may be in their turns`, { timeout: 120_000 }, async (t) => {
  const { RedisClaims } = await import('../../../dist/backplane/redis/claims.js');
  const calls: string[] = [];
  const commands = {
    opened: 1,
    run: (script: object) => {
      calls.push(script === passScript ? 'pass' : 'take');
      return Promise.resolve(1);
    },
  };
  const claims = new RedisClaims({
    commands: commands as never,
    keys: new RedisKeys('hf'),
    node: 'n',
    idCacheTtl: 0,
    clock: {} as never,
    warnings: {} as never,
  });
  const claimOf = (channel: string) => {
    const message = claims.of({ id: '1', claimId: '1', message: forOne(channel, '1') }, 1) as ItemMessage;
    return message.claim as NonNullable<ItemMessage['claim']>;
  };
  for (let i = 0; i <= MAX_TURNS; i++) await claimOf(`c${i}`).take();
  calls.length = 0;
  claimOf('c1').pass();
  t.strictSame(calls, ['pass']);
  claimOf('c0').pass();
  claimOf('c1').pass();
  t.strictSame(calls, ['pass'], 'it has forgotten one, and has left the other');
});
