import t from 'tap';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import { settled, until } from '../kit/until.js';
import { control, type Joined, reached, SessionScene } from './session-scene.js';

const { text, binary, close } = opcodes;
const MIB = 2 ** 20;
const ITEM = { content: 'i'.repeat(100_000) };

/** A subscribed session whose client has stopped reading. */
async function stopped(scene: SessionScene): Promise<Joined> {
  const joined = await scene.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  joined.client.pause();
  return joined;
}

/** Publishes until an item is dropped, or the session ends; gives how many were sent. */
async function overflow(scene: SessionScene): Promise<number> {
  while (scene.counts.dropped === 0) {
    scene.publish('a', ITEM);
    await new Promise((resolve) => setImmediate(resolve));
    if (scene.counts.sent > 10_000) throw new Error('no limit');
  }
  return scene.counts.sent;
}

t.test(
  'a slow client is closed with 1013 when more than its queue waits, and this is counted and logged',
  async (t) => {
    const scene = await SessionScene.open(t, { clientQueueSize: 500_000, debug: true });
    const { client, origin } = await stopped(scene);
    const sent = await overflow(scene);
    t.match(await scene.ended(), { reason: 'slow-client', items: sent, dropped: 1 });
    t.strictSame(scene.counts, { opened: 1, ended: 1, sent, dropped: 1, delivered: sent + 1 });
    t.strictSame(scene.logged('warn'), ['slow client: closing its session']);
    t.match(scene.lines.find(({ level }) => level === 'warn')?.fields, { id: 's1' }, 'with the connection’s id');
    t.strictSame(await origin.rest(), [], 'its origin is cut');
    client.resume();
    for (let i = 0; i < sent; i++) t.equal((await client.brief())[1].length, ITEM.content.length);
    const frame = await client.frame();
    t.strictSame([frame.opcode, closeCodeOf(frame)], [close, 1013]);
    t.equal(scene.registry.size, 0);
  },
);

t.test('a slow client that never reads again is cut off, and its buffers are freed', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 500_000 });
  await stopped(scene);
  await overflow(scene);
  await scene.ended();
  scene.clock.advance(5_000);
  await until(() => scene.edge.connections === 0);
  t.equal(scene.clock.pending, 0);
});

t.test('with the policy drop, items are dropped while the client is slow, and it gets the later ones', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 500_000, slowClientPolicy: 'drop' });
  const { client } = await stopped(scene);
  const sent = await overflow(scene);
  scene.publish('a', ITEM);
  scene.publish('a', ITEM);
  t.strictSame(scene.counts, { opened: 1, ended: 0, sent, dropped: 3, delivered: sent + 3 });
  t.strictSame(scene.logged('warn'), ['slow client: dropping items'], 'said once for a session');
  client.resume();
  for (let i = 0; i < sent; i++) t.equal((await client.brief())[1].length, ITEM.content.length);
  scene.publish('a', { content: 'later' });
  t.strictSame(await client.brief(), [text, 'later']);
  client.end();
  t.match(await scene.ended(), { reason: 'client-gone', items: sent + 1, dropped: 3 });
});

t.test('one item may be longer than the queue when nothing else waits', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 1_000 });
  const joined = await scene.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  scene.publish('a', ITEM);
  t.equal((await joined.client.brief())[1].length, ITEM.content.length);
  t.equal(scene.counts.dropped, 0);
});

t.test('items that are published in one turn count together', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 250_000, slowClientPolicy: 'drop' });
  const joined = await scene.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  for (let i = 0; i < 5; i++) scene.publish('a', ITEM);
  t.strictSame([scene.counts.sent, scene.counts.dropped], [2, 3]);
});

t.test('other sessions do not notice a slow client', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 500_000, slowClientPolicy: 'drop' });
  await stopped(scene);
  const fast = await scene.join();
  await control(fast, { type: 'subscribe', channel: 'a' });
  for (let i = 0; i < 200; i++) {
    scene.publish('a', ITEM);
    t.equal((await fast.client.brief())[1].length, ITEM.content.length);
  }
  t.ok(scene.counts.dropped > 0);
});

t.test('timed messages for a client that does not read are bounded by its queue too', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 200_000, slowClientPolicy: 'drop' });
  const joined = await stopped(scene);
  const keepAlive = { type: 'keep-alive', content: 'k'.repeat(50_000), timeout: 2, mode: 'interval' };
  void joined.origin.text(`c:${JSON.stringify(keepAlive)}`);
  await until(() => scene.clock.pending > 0);
  for (let i = 0; i < 2_000; i++) {
    scene.clock.advance(2_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(scene.counts.dropped > 0);
  t.strictSame(scene.logged('warn'), ['slow client: dropping items']);
  joined.client.resume();
  let got = 0;
  while (got < 2_000 - scene.counts.dropped) {
    await joined.client.frame();
    got++;
  }
  void joined.origin.text('m:end');
  t.strictSame(await joined.client.brief(), [text, 'end'], 'those that were dropped never come');
});

t.test('an origin that sends faster than the client reads is held back; nothing is lost', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 1 });
  const { client, origin } = await scene.join();
  client.pause();
  const messages = 64;
  let taken = 0;
  for (let i = 0; i < messages; i++) {
    void origin.send(binary, Buffer.concat([Buffer.from('m:'), Buffer.alloc(MIB, i)])).then(() => taken++);
  }
  t.ok((await settled(() => taken)) < messages / 2, `${taken} MiB were taken by the buffers between`);
  t.equal(scene.ends.length, 0, 'the limit for items is not for the origin’s own messages');
  client.resume();
  for (let i = 0; i < messages; i++) {
    const { payload } = await client.frame();
    if (payload.length !== MIB || payload[0] !== i || payload[MIB - 1] !== i) t.fail(`message ${i} is damaged`);
  }
  await reached({ client, origin });
});

t.test('a client that sends faster than the origin reads is held back; nothing is lost', async (t) => {
  const scene = await SessionScene.open(t);
  const { client, origin } = await scene.join();
  origin.pause();
  const messages = 64;
  let taken = 0;
  for (let i = 0; i < messages; i++) void client.send(binary, Buffer.alloc(MIB, i)).then(() => taken++);
  t.ok((await settled(() => taken)) < messages / 2, `${taken} MiB were taken by the buffers between`);
  origin.resume();
  for (let i = 0; i < messages; i++) {
    const { payload } = await origin.frame();
    if (payload.length !== MIB || payload[0] !== i || payload[MIB - 1] !== i) t.fail(`message ${i} is damaged`);
  }
  await client.text('and on');
  t.strictSame(await origin.brief(), [text, 'and on']);
});

t.test('messages and items while each holds the other up: both go on when the client reads', async (t) => {
  const scene = await SessionScene.open(t, { clientQueueSize: 4 * MIB, slowClientPolicy: 'drop' });
  const { client, origin } = await stopped(scene);
  const messages = 40;
  for (let i = 0; i < messages; i++) {
    void origin.send(binary, Buffer.concat([Buffer.from('m:'), Buffer.alloc(MIB, i)]));
  }
  await overflow(scene);
  client.resume();
  let got = 0;
  while (got < messages) if ((await client.frame()).opcode === binary) got++;
  await control({ client, origin } as Joined, { type: 'unsubscribe', channel: 'a' });
  t.equal(scene.registry.size, 0);
});
