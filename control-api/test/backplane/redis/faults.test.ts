import t, { type Test } from 'tap';
import { LATE_MS } from '../../../dist/backplane/redis/limits.js';
import { ControlError, type RedisBackplane } from '../../../dist/index.js';
import { label, streamMessage } from '../../items.js';
import type { RecordingListener } from '../../recorder.js';
import { startNode } from './backplane-fixture.js';
import { startRedis, until } from './redis-fixture.js';

/** Everything a publisher knows about items it published one after the other. */
interface Published {
  readonly accepted: string[];
  /** Rejected ones, which may have been accepted nevertheless. */
  readonly unknown: string[];
}

/** Publishes items to a channel until it is stopped; some call is under way at any time. */
function publishing(backplane: RedisBackplane, channel: string) {
  const published: Published = { accepted: [], unknown: [] };
  let stopped = false;
  let count = 0;
  const worker = async () => {
    while (!stopped) {
      count += 1;
      const id = String(count);
      try {
        await backplane.publish([streamMessage(channel, id)]);
        published.accepted.push(`${channel}/${id}`);
      } catch (error) {
        if (!(error instanceof ControlError && error.code === 'ERR_BACKPLANE_UNAVAILABLE')) throw error;
        published.unknown.push(`${channel}/${id}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  const done = Promise.all([worker(), worker(), worker()]);
  return {
    published,
    async stop(): Promise<Published> {
      stopped = true;
      await done;
      return published;
    },
  };
}

/** Every accepted item came once, nothing came twice or out of nowhere, and positions grew by one. */
function checkDelivery(t: Test, listener: RecordingListener, { accepted, unknown }: Published): void {
  const { labels } = listener;
  const seen = new Set(labels);
  t.equal(seen.size, labels.length, 'nothing twice');
  t.strictSame(
    accepted.filter((each) => !seen.has(each)),
    [],
    'nothing accepted is lost',
  );
  const known = new Set([...accepted, ...unknown]);
  t.strictSame(
    labels.filter((each) => !known.has(each)),
    [],
    'nothing else',
  );
  const offsets = listener.messages.map((message) => (message.type === 'item' ? message.position?.offset : 0));
  t.strictSame(
    offsets,
    offsets.map((_, i) => (offsets[0] ?? 0) + i),
    'in the order of positions',
  );
}

t.test('redis: connections that are killed again and again lose nothing', async (t) => {
  const server = await startRedis(t);
  const publisher = await startNode(t, server.url, { historySize: 100_000 });
  const receiver = await startNode(t, server.url);
  await receiver.backplane.subscribe('a');
  const run = publishing(publisher.backplane, 'a');
  for (let i = 0; i < 20; i += 1) {
    const before = run.published.accepted.length;
    await until('items are accepted', () => run.published.accepted.length >= before + 20);
    await server.cli('client', 'kill', 'type', i % 2 === 0 ? 'pubsub' : 'normal', 'skipme', 'yes');
  }
  const published = await run.stop();
  await publisher.backplane.publish([streamMessage('a', 'end')]);
  await receiver.listener.saw('a/end');
  published.accepted.push('a/end');
  checkDelivery(t, receiver.listener, published);
  t.strictSame(receiver.listener.gaps, [], JSON.stringify(receiver.events.counts));
  t.ok((receiver.events.counts['reconnected subscriber'] ?? 0) >= 5, 'it did reconnect');
  t.strictSame(published.unknown, [], 'and publishers noticed nothing');
});

t.test('redis: a server that is killed and comes back loses nothing that was accepted', async (t) => {
  const server = await startRedis(t, { args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  const publisher = await startNode(t, server.url, { historySize: 100_000 });
  const receiver = await startNode(t, server.url);
  await receiver.backplane.subscribe('a');
  const run = publishing(publisher.backplane, 'a');
  await until('items are accepted', () => run.published.accepted.length > 50);
  await server.kill();
  await until('publishes are rejected', () => run.published.unknown.length > 0);
  t.match(publisher.backplane.unavailableReason, /^redis 127\.0\.0\.1:\d+ unreachable since 20/);
  await server.start();
  const before = run.published.accepted.length;
  await until('items are accepted again', () => run.published.accepted.length > before + 50);
  const published = await run.stop();
  await publisher.backplane.publish([streamMessage('a', 'end')]);
  published.accepted.push('a/end');
  await receiver.listener.saw('a/end');
  await until('redis is available', () => publisher.backplane.unavailableReason === undefined);
  checkDelivery(t, receiver.listener, published);
  t.strictSame(receiver.listener.gaps, []);
});

t.test('redis: a server that hangs is noticed, and forgotten once it goes on', async (t) => {
  const server = await startRedis(t);
  const { backplane, listener } = await startNode(t, server.url);
  await backplane.subscribe('a');
  await backplane.publish([streamMessage('a', '1')]);
  server.signal('SIGSTOP');
  await t.rejects(backplane.publish([streamMessage('a', '2')]), { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  server.signal('SIGCONT');
  await until('publishing works', () =>
    backplane.publish([streamMessage('a', '2')]).then(
      () => true,
      () => false,
    ),
  );
  await backplane.publish([streamMessage('a', 'end')]);
  await listener.saw('a/end');
  t.strictSame(listener.messages.map(label), ['a/1', 'a/2', 'a/end']);
});

t.test('redis: interest declared while the server is away gets what was published meanwhile', async (t) => {
  const server = await startRedis(t);
  await server.cli('acl', 'setuser', 'r', 'on', '>secret', '~*', '&*', '+@all');
  const publisher = await startNode(t, server.url);
  const receiver = await startNode(t, server.url.replace('//', '//r:secret@'));
  await publisher.backplane.publish([streamMessage('late', 'before')]);
  // Old enough not to be mistaken for one of those that come while the receiver waits.
  await new Promise((resolve) => setTimeout(resolve, 20));
  await server.cli('acl', 'setuser', 'r', 'off');
  await server.cli('client', 'kill', 'user', 'r');
  await until('the receiver is away', () => receiver.backplane.unavailableReason !== undefined);
  const live = receiver.backplane.subscribe('late');
  await publisher.backplane.publish([streamMessage('late', '1'), streamMessage('late', '2')]);
  await new Promise((resolve) => setTimeout(resolve, 2 * LATE_MS));
  await server.cli('acl', 'setuser', 'r', 'on');
  await live;
  await receiver.listener.saw('late/2');
  t.strictSame(receiver.listener.labels, ['late/1', 'late/2']);
  t.strictSame(receiver.listener.gaps, []);
  t.notMatch(JSON.stringify(receiver.log.lines), 'secret');
});
