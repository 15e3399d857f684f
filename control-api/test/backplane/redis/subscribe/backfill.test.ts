import t, { type Test } from 'tap';
import {
  CHECKS_PER_KEEPING,
  META_TTL_MS,
  POSITION_CHECK_MS,
  RETRY_MS,
  UNSUBSCRIBE_LINGER_MS,
} from '../../../../dist/backplane/redis/limits.js';
import type { HistoryPage, HistoryStart, RedisBackplaneOptions } from '../../../../dist/index.js';
import { label, streamMessage } from '../../../items.js';
import { ManualClock } from '../../../manual-clock.js';
import { startNode } from '../backplane-fixture.js';
import { type RedisServer, startRedis, until } from '../redis-fixture.js';

const META = 'hf:{*}:m:a';

async function keyOf(server: RedisServer, pattern: string): Promise<string> {
  return (await server.cli('keys', pattern.replaceAll('{', '[{]'))).trim();
}

/** A node that is subscribed to channel `a`, where three items have come, and whose time stands still. */
async function settled(t: Test, options: Partial<RedisBackplaneOptions> = {}) {
  const server = await startRedis(t);
  const clock = new ManualClock();
  const node = await startNode(t, server.url, { clock, ...options });
  await node.backplane.subscribe('a');
  await node.backplane.publish(['1', '2', '3'].map((id) => streamMessage('a', id)));
  await node.listener.saw('a/3');
  const check = () => clock.advance(2 * POSITION_CHECK_MS);
  const first = node.listener.messages[0];
  const epoch = (first?.type === 'item' && first.position?.epoch) || '';
  return { ...node, server, clock, check, epoch, meta: await keyOf(server, META) };
}

t.test('redis: a lost last message of a quiet channel is found by the check', async (t) => {
  const { server, listener, check, meta, events } = await settled(t);
  const stream = meta.replace(':m:', ':h:');
  const payload = JSON.stringify({
    id: '4',
    item: { channel: 'a', id: '4', formats: { 'http-stream': { content: '4' } } },
  });
  await server.cli('xadd', stream, '4-0', 'd', payload, 't', '0', 'i', '4');
  await server.cli('hset', meta, 's', '4', 'l', '4');
  check();
  await listener.saw('a/4');
  t.strictSame(listener.labels, ['a/1', 'a/2', 'a/3', 'a/4']);
  t.strictSame(listener.gaps, []);
  t.equal(events.counts.filled, 1);
});

t.test('redis: what the history has lost is reported, and what follows is delivered', async (t) => {
  const { server, backplane, listener, check, meta, epoch } = await settled(t);
  await server.cli('hset', meta, 's', '5', 'l', '5');
  check();
  await until('there is a gap', () => listener.gaps.length > 0);
  t.strictSame(listener.gaps, [
    { channel: 'a', reason: 'trimmed', after: { epoch, offset: 3 }, until: { epoch, offset: 5 } },
  ]);
  await backplane.publish([streamMessage('a', '6')]);
  await listener.saw('a/6');
  t.strictSame(listener.labels, ['a/1', 'a/2', 'a/3', 'a/6']);
  t.equal(listener.gaps.length, 1);
});

t.test('redis: a hole that a message shows is reported at once', async (t) => {
  const { server, backplane, listener, meta, epoch } = await settled(t);
  await server.cli('hincrby', meta, 's', '2');
  await backplane.publish([streamMessage('a', '6')]);
  await listener.saw('a/6');
  t.strictSame(listener.gaps, [
    { channel: 'a', reason: 'trimmed', after: { epoch, offset: 3 }, until: { epoch, offset: 5 } },
  ]);
});

t.test('redis: a flush is a change of epoch, found by the check or by the next message', async (t) => {
  const { server, backplane, listener, check, epoch } = await settled(t);
  await server.cli('flushall');
  check();
  await until('there is a gap', () => listener.gaps.length === 1);
  t.match(listener.gaps, [{ channel: 'a', reason: 'epoch', after: { epoch, offset: 3 }, until: undefined }]);
  await backplane.publish([streamMessage('a', 'x')]);
  await listener.saw('a/x');
  await server.cli('flushall');
  await backplane.publish([streamMessage('a', 'y'), streamMessage('a', 'z')]);
  await listener.saw('a/z');
  t.equal(listener.gaps.length, 2);
  t.strictSame(listener.labels.slice(-3), ['a/x', 'a/y', 'a/z']);
});

t.test('redis: a flush without history is reported too, and loses nothing that comes after it', async (t) => {
  const { server, backplane, listener } = await settled(t, { historySize: 0 });
  await server.cli('flushall');
  await backplane.publish([streamMessage('a', 'y'), streamMessage('a', 'z')]);
  await listener.saw('a/z');
  t.match(listener.gaps, [{ reason: 'epoch' }]);
  t.strictSame(listener.labels.slice(-2), ['a/y', 'a/z']);
});

for (const [what, change] of [
  ['a lower count', ['s', '2', 'l', '2']],
  ['another item at the same place', ['l', 'other']],
] as const) {
  t.test(`redis: a store that was rewound is noticed by ${what}`, async (t) => {
    const { server, backplane, listener, check, meta, epoch } = await settled(t);
    await server.cli('hset', meta, ...change);
    if (what === 'a lower count') await server.cli('xdel', meta.replace(':m:', ':h:'), '3-0');
    check();
    await until('there is a gap', () => listener.gaps.length > 0);
    t.strictSame(listener.gaps, [{ channel: 'a', reason: 'rewound', after: { epoch, offset: 3 }, until: undefined }]);
    // The offset of an item that this node got under another name.
    await server.cli('del', meta.replace(':m:', ':h:'));
    await backplane.publish([streamMessage('a', 'new')]);
    await listener.saw('a/new');
    t.equal(listener.gaps.length, 1);
  });
}

t.test('redis: a flush of the scripts is not noticed', async (t) => {
  const { server, backplane, listener } = await settled(t);
  await server.cli('script', 'flush');
  await Promise.all(['4', '5', '6'].map((id) => backplane.publish([streamMessage('a', id)])));
  await listener.saw('a/6');
  t.strictSame(listener.labels.slice(3), ['a/4', 'a/5', 'a/6']);
});

t.test('redis: what cannot be read is a gap, and harms nothing', async (t) => {
  const { server, backplane, listener, meta, epoch } = await settled(t);
  await server.cli('xadd', meta.replace(':m:', ':h:'), '4-0', 'd', '{"id":"4","item":{"from":"the future"}}', 't', '0');
  await server.cli('hset', meta, 's', '4', 'l', '4');
  await server.cli('publish', meta.replace(':m:', ':c:'), `4 ${epoch}\n{"id":"4","item":{"from":"the future"}}`);
  await server.cli('publish', meta.replace(':m:', ':c:'), 'nonsense');
  await backplane.publish([streamMessage('a', '5')]);
  await listener.saw('a/5');
  t.strictSame(listener.gaps, [
    { channel: 'a', reason: 'trimmed', after: { epoch, offset: 3 }, until: { epoch, offset: 4 } },
  ]);
});

t.test('redis: recovers that were missed with a connection come once', async (t) => {
  const server = await startRedis(t);
  await server.cli('acl', 'setuser', 'r', 'on', 'nopass', '~*', '&*', '+@all');
  const publisher = await startNode(t, server.url);
  const receiver = await startNode(t, server.url.replace('//', '//r:x@'));
  await publisher.backplane.publish([{ type: 'recover' }]);
  await receiver.listener.saw('recover');
  await server.cli('acl', 'setuser', 'r', 'off');
  await server.cli('client', 'kill', 'user', 'r');
  await until('the receiver is away', () => receiver.backplane.unavailableReason !== undefined);
  await publisher.backplane.publish([{ type: 'recover' }]);
  await server.cli('acl', 'setuser', 'r', 'on');
  await until('it came', () => receiver.listener.labels.length === 2);
  await receiver.backplane.subscribe('end');
  await publisher.backplane.publish([streamMessage('end', '1')]);
  await receiver.listener.saw('end/1');
  t.strictSame(receiver.listener.labels, ['recover', 'recover', 'end/1']);
});

t.test('redis: nodes subscribe to what they have interest in, and leave a moment after it ends', async (t) => {
  const { server, backplane, clock, meta } = await settled(t);
  const topic = meta.replace(':m:', ':c:');
  const other = await startNode(t, server.url);
  const count = async () => (await server.cli('pubsub', 'numsub', topic)).split('\n')[1];
  t.equal(await count(), '1');
  backplane.unsubscribe('a');
  clock.advance(UNSUBSCRIBE_LINGER_MS - 1);
  backplane.subscribe('a');
  clock.advance(1);
  backplane.unsubscribe('a');
  t.equal(await count(), '1');
  const [acceptance] = await other.backplane.publish([streamMessage('a', '4')]);
  t.equal(acceptance?.nodes, 1, 'which still counts as interest');
  clock.advance(UNSUBSCRIBE_LINGER_MS);
  await until('it has left', async () => (await count()) === '0');
  const [unreceived] = await other.backplane.publish([streamMessage('a', '5')]);
  t.equal(unreceived?.nodes, 0);
});

t.test('redis: 10,000 channels are live again soon after their connection was lost', async (t) => {
  const server = await startRedis(t);
  const publisher = await startNode(t, server.url);
  const receiver = await startNode(t, server.url);
  const names = Array.from({ length: 10_000 }, (_, i) => `c${i}`);
  const begun = Date.now();
  await Promise.all(names.map((name) => receiver.backplane.subscribe(name)));
  t.comment(`subscribed in ${Date.now() - begun} ms`);
  await publisher.backplane.publish(names.map((name) => streamMessage(name, '1')));
  await receiver.listener.saw('c9999/1');
  await server.cli('client', 'kill', 'type', 'pubsub');
  const killed = Date.now();
  // Some channels had items meanwhile, the others had none.
  const some = names.filter((_, i) => i % 10 === 0);
  await publisher.backplane.publish(some.map((name) => streamMessage(name, '2')));
  await until('what was missed has come', () => receiver.listener.messages.length === 11_000);
  t.comment(`caught up ${Date.now() - killed} ms after the loss`);
  await publisher.backplane.publish(names.map((name) => streamMessage(name, '3')));
  await until('everything is live', () => receiver.listener.messages.length === 21_000);
  t.strictSame(receiver.listener.gaps, []);
  t.equal(new Set(receiver.listener.labels).size, 21_000);
});

const server = await startRedis(t);
let systems = 0;

/** A node, and a channel of which the last 6 of 10 items are kept; the item at offset 7 came without id. */
async function kept(t: Test) {
  systems += 1;
  const { backplane } = await startNode(t, server.url, { redisPrefix: `hf${systems}`, historySize: 6 });
  const ids = Array.from({ length: 10 }, (_, i) => `i${i + 1}`);
  const items = ids.map((id) => streamMessage('a', id));
  const [, , , , , , seventh] = items;
  if (seventh) items[6] = { ...seventh, item: { ...seventh.item, id: undefined } as never };
  const [first] = await backplane.publish(items);
  const epoch = first?.position?.epoch ?? '';
  const read = (start: HistoryStart, limit = 100) => backplane.read('a', start, limit);
  return { backplane, epoch, read };
}

function offsets(page: HistoryPage | undefined): unknown {
  return page && [page.messages.map(({ position }) => position?.offset), page.end.offset, page.complete];
}

t.test('redis: history is read from a position on, in parts', async (t) => {
  const { epoch, read } = await kept(t);
  t.strictSame(offsets(await read({ after: { epoch, offset: 6 } })), [[7, 8, 9, 10], 10, true]);
  t.strictSame(offsets(await read({ after: { epoch, offset: 6 } }, 3)), [[7, 8, 9], 9, false]);
  t.strictSame(offsets(await read({ after: { epoch, offset: 9 } }, 1)), [[10], 10, true]);
  t.strictSame(offsets(await read({ after: { epoch, offset: 10 } })), [[], 10, true]);
});

t.test('redis: history is read from just before the oldest item that is kept', async (t) => {
  const { epoch, read } = await kept(t);
  t.strictSame(offsets(await read({ after: { epoch, offset: 4 } }, 2)), [[5, 6], 6, false]);
  t.equal(await read({ after: { epoch, offset: 3 } }), undefined);
});

t.test('redis: history has nothing of another epoch, nor after a position that was never reached', async (t) => {
  const { epoch, read } = await kept(t);
  t.equal(await read({ after: { epoch: 'other', offset: 9 } }), undefined);
  t.equal(await read({ after: { epoch, offset: 11 } }), undefined);
});

t.test('redis: history is read from an id on, if the publisher gave it and it is kept', async (t) => {
  const { epoch, read } = await kept(t);
  const page = await read({ afterId: 'i8' });
  t.strictSame(page?.messages.map(label), ['a/i9', 'a/i10']);
  t.strictSame(page?.end, { epoch, offset: 10 });
  t.equal(await read({ afterId: 'i4' }), undefined);
  t.equal(await read({ afterId: 'i7' }), undefined, 'a made id is nobody’s business');
  t.strictSame(offsets(await read({ afterId: 'i10' })), [[], 10, true]);
});

t.test('redis: an empty channel has no history', async (t) => {
  const { backplane } = await kept(t);
  t.equal(await backplane.read('none', { afterId: 'x' }, 10), undefined);
  t.equal(await backplane.read('none', { after: { epoch: 'e', offset: 1 } }, 10), undefined);
});

t.test('redis: the position of a quiet channel is kept as long as somebody listens', async (t) => {
  const { server, backplane, listener, clock, meta } = await settled(t);
  const left = async () => Number(await server.cli('pttl', meta));
  const almostOver = 60_000;
  await server.cli('pexpire', meta, String(almostOver));
  for (let i = 0; i <= CHECKS_PER_KEEPING; i++) {
    clock.advance(2 * POSITION_CHECK_MS);
    // Behind the check on its way.
    await backplane.publish([streamMessage('b', String(i))]);
  }
  await until('it is kept anew', async () => (await left()) > META_TTL_MS / 2);
  t.equal(listener.gaps.length, 0);
});

t.test('redis: what is refused is asked again after a pause, and not at once', async (t) => {
  const server = await startRedis(t);
  const { backplane, listener } = await startNode(t, server.url);
  const refusals = async () => {
    const [, count] = /cmdstat_subscribe:.*rejected_calls=(\d+)/.exec(await server.cli('info', 'commandstats')) ?? [];
    return Number(count);
  };
  await server.cli('acl', 'setuser', 'default', '-subscribe');
  const begun = performance.now();
  const live = backplane.subscribe('a');
  await until('it is refused some times', async () => (await refusals()) >= 4);
  const most = 1 + (performance.now() - begun) / (RETRY_MS - 1);
  t.ok((await refusals()) <= most + 1, `it was asked no more than ${Math.trunc(most + 1)} times in that time`);
  await server.cli('acl', 'setuser', 'default', '+subscribe');
  await live;
  await backplane.publish([streamMessage('a', '1')]);
  await listener.saw('a/1');
});
