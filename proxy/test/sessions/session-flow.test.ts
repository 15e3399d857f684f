import t from 'tap';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import { settled, until } from '../kit/until.js';
import { control, type Joined, reached, SessionFixture } from './session-fixture.js';

const { text, binary, close } = opcodes;
const MIB = 2 ** 20;
const ITEM = { content: 'i'.repeat(100_000) };

/** A subscribed session whose client has stopped reading. */
async function stopped(fixture: SessionFixture): Promise<Joined> {
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  joined.client.pause();
  return joined;
}

/** Publishes until an item is dropped, or the session ends; gives how many were sent. */
async function overflow(fixture: SessionFixture): Promise<number> {
  while (fixture.counts.dropped === 0) {
    fixture.publish('a', ITEM);
    await new Promise((resolve) => setImmediate(resolve));
    if (fixture.counts.sent > 10_000) throw new Error('no limit');
  }
  return fixture.counts.sent;
}

t.test(
  'a slow client is closed with 1013 when more than its queue waits, and this is counted and logged',
  async (t) => {
    const fixture = await SessionFixture.open(t, { settings: { client_queue_size: 500_000, debug: true } });
    const { client, origin } = await stopped(fixture);
    const sent = await overflow(fixture);
    t.match(await fixture.ended(), { reason: 'slow-client', items: sent, dropped: 1 });
    t.strictSame(fixture.counts, { opened: 1, ended: 1, sent, dropped: 1, delivered: sent + 1 });
    t.strictSame(fixture.logged('warn'), ['slow client: closing its session']);
    t.match(fixture.lines.find(({ level }) => level === 'warn')?.fields, { id: /-1$/ }, 'with the connection’s id');
    t.strictSame(await origin.rest(), [], 'its origin is cut');
    client.resume();
    for (let i = 0; i < sent; i++) t.equal((await client.brief())[1].length, ITEM.content.length);
    const frame = await client.frame();
    t.strictSame([frame.opcode, closeCodeOf(frame)], [close, 1013]);
    t.equal(fixture.registry.size, 0);
  },
);

t.test('a slow client that never reads again is cut off, and its buffers are freed', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { client_queue_size: 500_000 } });
  await stopped(fixture);
  await overflow(fixture);
  await fixture.ended();
  fixture.clock.advance(5_000);
  await until(() => fixture.connections === 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('with the policy drop, items are dropped while the client is slow, and it gets the later ones', async (t) => {
  const fixture = await SessionFixture.open(t, {
    settings: { client_queue_size: 500_000, slow_client_policy: 'drop' },
  });
  const { client } = await stopped(fixture);
  const sent = await overflow(fixture);
  fixture.publish('a', ITEM);
  fixture.publish('a', ITEM);
  t.strictSame(fixture.counts, { opened: 1, ended: 0, sent, dropped: 3, delivered: sent + 3 });
  t.strictSame(fixture.logged('warn'), ['slow client: dropping items'], 'said once for a session');
  client.resume();
  for (let i = 0; i < sent; i++) t.equal((await client.brief())[1].length, ITEM.content.length);
  fixture.publish('a', { content: 'later' });
  t.strictSame(await client.brief(), [text, 'later']);
  client.end();
  t.match(await fixture.ended(), { reason: 'client-gone', items: sent + 1, dropped: 3 });
});

t.test('one item may be longer than the queue when nothing else waits', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { client_queue_size: 1_024 } });
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  fixture.publish('a', ITEM);
  t.equal((await joined.client.brief())[1].length, ITEM.content.length);
  t.equal(fixture.counts.dropped, 0);
});

t.test('items that are published in one turn count together', async (t) => {
  const fixture = await SessionFixture.open(t, {
    settings: { client_queue_size: 250_000, slow_client_policy: 'drop' },
  });
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  for (let i = 0; i < 5; i++) fixture.publish('a', ITEM);
  t.strictSame([fixture.counts.sent, fixture.counts.dropped], [2, 3]);
});

t.test('other sessions do not notice a slow client', async (t) => {
  const fixture = await SessionFixture.open(t, {
    settings: { client_queue_size: 500_000, slow_client_policy: 'drop' },
  });
  await stopped(fixture);
  const fast = await fixture.join();
  await control(fast, { type: 'subscribe', channel: 'a' });
  for (let i = 0; i < 200; i++) {
    fixture.publish('a', ITEM);
    t.equal((await fast.client.brief())[1].length, ITEM.content.length);
  }
  t.ok(fixture.counts.dropped > 0);
});

t.test('timed messages for a client that does not read are bounded by its queue too', async (t) => {
  const fixture = await SessionFixture.open(t, {
    settings: { client_queue_size: 200_000, slow_client_policy: 'drop' },
  });
  const joined = await stopped(fixture);
  const keepAlive = { type: 'keep-alive', content: 'k'.repeat(50_000), timeout: 2, mode: 'interval' };
  void joined.origin.text(`c:${JSON.stringify(keepAlive)}`);
  await until(() => fixture.clock.pending > 0);
  for (let i = 0; i < 2_000; i++) {
    fixture.clock.advance(2_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(fixture.counts.dropped > 0);
  t.strictSame(fixture.logged('warn'), ['slow client: dropping items']);
  joined.client.resume();
  let got = 0;
  while (got < 2_000 - fixture.counts.dropped) {
    await joined.client.frame();
    got++;
  }
  void joined.origin.text('m:end');
  t.strictSame(await joined.client.brief(), [text, 'end'], 'those that were dropped never come');
});

t.test('an origin that sends faster than the client reads is held back; nothing is lost', async (t) => {
  const fixture = await SessionFixture.open(t, { settings: { client_queue_size: 1_024 } });
  const { client, origin } = await fixture.join();
  client.pause();
  const messages = 64;
  let taken = 0;
  for (let i = 0; i < messages; i++) {
    void origin.send(binary, Buffer.concat([Buffer.from('m:'), Buffer.alloc(MIB, i)])).then(() => taken++);
  }
  t.ok((await settled(() => taken)) < messages / 2, `${taken} MiB were taken by the buffers between`);
  t.equal(fixture.ends.length, 0, 'the limit for items is not for the origin’s own messages');
  client.resume();
  for (let i = 0; i < messages; i++) {
    const { payload } = await client.frame();
    if (payload.length !== MIB || payload[0] !== i || payload[MIB - 1] !== i) t.fail(`message ${i} is damaged`);
  }
  await reached({ client, origin });
});

t.test('a client that sends faster than the origin reads is held back; nothing is lost', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
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
  const fixture = await SessionFixture.open(t, {
    settings: { client_queue_size: 4 * MIB, slow_client_policy: 'drop' },
  });
  const { client, origin } = await stopped(fixture);
  const messages = 40;
  for (let i = 0; i < messages; i++) {
    void origin.send(binary, Buffer.concat([Buffer.from('m:'), Buffer.alloc(MIB, i)]));
  }
  await overflow(fixture);
  client.resume();
  let got = 0;
  while (got < messages) if ((await client.frame()).opcode === binary) got++;
  await control({ client, origin } as Joined, { type: 'unsubscribe', channel: 'a' });
  t.equal(fixture.registry.size, 0);
});
