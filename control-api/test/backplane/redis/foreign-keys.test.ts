/** Keys of ours that another program has written over: what publishers, readers and operators see. */
import t, { type Test } from 'tap';
import { PartlyAccepted } from '../../../dist/errors.js';
import { ControlError, Publisher, silentLog } from '../../../dist/index.js';
import { PartlyPublished } from '../../../dist/publisher.js';
import { streamItem, streamMessage } from '../../items.js';
import { RecordingEvents, type RecordingListener } from '../../recorder.js';
import { startNode } from './backplane-fixture.js';
import { clusterUrl, type RedisServer, startCluster, startRedis, until } from './redis-fixture.js';

/** The key of a channel: `m` is where it stands, `h` its history. */
const keyOf = async (server: RedisServer, kind: 'm' | 'h', channel: string) =>
  (await server.cli('keys', `hf:*:${kind}:${channel}`)).trim();

async function refusalOf(promise: Promise<unknown>): Promise<ControlError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ControlError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const offsetsOf = ({ messages }: RecordingListener) =>
  messages.map((message) => (message.type === 'item' ? message.position?.offset : undefined));

t.test('a history that is something else refuses items, takes no offset, and leaves no gap', async (t) => {
  const server = await startRedis(t);
  const { backplane, listener } = await startNode(t, server.url);
  await backplane.subscribe('a');
  await backplane.publish([streamMessage('a', '1')]);
  const key = await keyOf(server, 'h', 'a');
  await server.cli('rename', key, 'kept');
  await server.cli('set', key, 'mine');
  for (let i = 0; i < 3; i++) {
    const refusal = await refusalOf(backplane.publish([streamMessage('a', 'refused')]));
    t.match(refusal, {
      code: 'ERR_BACKPLANE_UNAVAILABLE',
      message: /^Redis refused a message of channel "a": WRONGTYPE .*a key under redis_prefix is of another type/,
    });
    t.notOk(refusal instanceof PartlyAccepted);
  }
  t.equal((await backplane.head('a'))?.offset, 1);
  await server.cli('rename', 'kept', key);
  const [accepted] = await backplane.publish([streamMessage('a', '2')]);
  t.equal(accepted?.position?.offset, 2);
  await listener.saw('a/2');
  t.strictSame(offsetsOf(listener), [1, 2]);
  t.strictSame(listener.gaps, []);
});

t.test(
  'where a channel stands is something else: refused, nothing is changed, and the other channels go on',
  async (t) => {
    const server = await startRedis(t);
    const { backplane, listener, log } = await startNode(t, server.url);
    await backplane.publish([streamMessage('a', '1')]);
    const key = await keyOf(server, 'm', 'a');
    await server.cli('set', key, 'mine');
    // Both are asked for in one command.
    await Promise.all([backplane.subscribe('a'), backplane.subscribe('b')]);
    t.match(await refusalOf(backplane.publish([streamMessage('a', '2')])), { message: /WRONGTYPE/ });
    await backplane.publish([streamMessage('b', '1')]);
    await listener.saw('b/1');
    t.equal(await server.cli('get', key), 'mine');
    t.match(log.at('warn'), [
      { fields: { key, why: /^WRONGTYPE/ }, message: /^where a channel stands cannot be read: / },
    ]);
    await t.rejects(backplane.read('a', { afterId: '1' }, 10), { code: 'ERR_BACKPLANE_UNAVAILABLE' });
    t.strictSame(listener.gaps, []);
    await server.cli('del', key);
    await backplane.publish([streamMessage('a', '3')]);
    await listener.saw('a/3');
  },
);

t.test('two channels in one publish, of which one is refused: it is said which were accepted', async (t) => {
  for (const [what, start] of [
    ['one server', async (t: Test) => [await startRedis(t)]],
    ['a cluster', startCluster],
  ] as const) {
    const servers = (await start(t)) as readonly RedisServer[];
    const url = servers.length === 1 ? (servers[0] as RedisServer).url : clusterUrl(servers);
    const { backplane, listener } = await startNode(t, url);
    await backplane.subscribe('b');
    await backplane.publish([streamMessage('a', '1')]);
    for (const server of servers) {
      const key = await keyOf(server, 'h', 'a');
      if (key !== '') await server.cli('-c', 'set', key, 'mine');
    }
    const other = backplane.publish([streamMessage('c', '1')]);
    const refusal = await refusalOf(
      backplane.publish([streamMessage('b', '1'), streamMessage('a', '2'), streamMessage('b', '2')]),
    );
    t.ok(refusal instanceof PartlyAccepted, what);
    t.match((refusal as PartlyAccepted).acceptances, [
      { duplicate: false, position: { offset: 1 } },
      undefined,
      { duplicate: false, position: { offset: 2 } },
    ]);
    t.match(await other, [{ duplicate: false }], `${what}: a publish of its own is not refused with it`);

    const events = new RecordingEvents();
    const publisher = new Publisher({ backplane, countSubscribers: () => undefined, events, log: silentLog });
    const again = publisher.publish([streamItem('b', 'x', '1'), streamItem('a', 'x', '2'), streamItem('b', 'x')]);
    const partly = await refusalOf(again);
    t.ok(partly instanceof PartlyPublished);
    t.match(partly, {
      receipts: [
        { id: '1', channel: 'b', duplicate: true, offset: 1, accepted: true },
        { id: '2', channel: 'a', accepted: false },
        { id: String, channel: 'b', offset: 3, accepted: true },
      ],
    });
    t.strictSame(events.seen, ['published 2']);
    await until('all of b has come', () => listener.messages.length === 3);
  }
});

t.test('a history that cannot be read is logged once, and is a gap where items were in it', async (t) => {
  const server = await startRedis(t);
  const reader = await startNode(t, server.url);
  const publisher = await startNode(t, server.url);
  await reader.backplane.subscribe('a');
  await publisher.backplane.publish([streamMessage('a', '1')]);
  await reader.listener.saw('a/1');
  const key = await keyOf(server, 'h', 'a');
  // Two items are lost on the way: only the history has them, and then it has not.
  const meta = await keyOf(server, 'm', 'a');
  await server.cli('hset', meta, 's', '3');
  await server.cli('set', key, 'mine');
  await server.cli('client', 'kill', 'type', 'pubsub');
  await until('the gap is reported', () => reader.listener.gaps.length > 0);
  t.match(reader.listener.gaps, [{ reason: 'trimmed', after: { offset: 1 }, until: { offset: 3 } }]);
  t.match(
    reader.log.at('warn').filter(({ fields }) => fields.key === key),
    [{ fields: { why: /^WRONGTYPE/ }, message: /^the history of a channel cannot be read, .*redis_prefix/ }],
  );
  t.equal(await reader.backplane.read('a', { afterId: '1' }, 10), undefined);
});

t.test('the key of an id that is something else is taken for no id, and written over', async (t) => {
  const server = await startRedis(t);
  const { backplane, listener } = await startNode(t, server.url);
  await backplane.subscribe('a');
  await backplane.publish([streamMessage('a', '1')]);
  const id = (await server.cli('keys', 'hf:*:i:*:1')).trim();
  await server.cli('del', id);
  await server.cli('hset', id, 'x', 'y');
  t.match(await backplane.publish([streamMessage('a', '0'), streamMessage('a', '1')]), [
    { position: { offset: 2 } },
    { duplicate: false, position: { offset: 3 } },
  ]);
  t.match(await backplane.publish([streamMessage('a', '1')]), [{ duplicate: true, position: { offset: 3 } }]);
  await listener.saw('a/0');
  t.strictSame(listener.gaps, []);
});

t.test('a history that is ahead of the count begins anew, and a count that is none too', async (t) => {
  const server = await startRedis(t);
  const { backplane } = await startNode(t, server.url);
  const [first] = await backplane.publish([streamMessage('a', '1'), streamMessage('a', '2')]);
  const meta = await keyOf(server, 'm', 'a');
  let { epoch } = first?.position ?? {};
  for (const count of ['1', 'many']) {
    await server.cli('hset', meta, 's', count);
    const [next] = await backplane.publish([streamMessage('a', `after ${count}`)]);
    t.equal(next?.position?.offset, 1);
    t.not(next?.position?.epoch, epoch);
    epoch = next?.position?.epoch;
  }
  t.equal(await server.cli('xlen', await keyOf(server, 'h', 'a')), '1');
});
