/** Publishes whose reply is lost on the way back: Redis has accepted them, and the node cannot know. */
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { streamItem, streamMessage } from '../../items.js';
import { startNode } from './backplane-fixture.js';
import { startRedis } from './redis-fixture.js';

/** What lies between a node and its Redis. */
interface Wire {
  readonly port: number;
  /** The reply of the next publish does not arrive: the connection breaks in its place. */
  lose(): void;
  /** How many were lost. */
  readonly lost: number;
  /** Sends the publish whose reply was lost last once more, over a connection of its own; resolves with the reply. */
  repeat(): Promise<string>;
}

async function startWire(t: Test, redisPort: number): Promise<Wire> {
  const state = { loses: false, lost: 0, publish: Buffer.alloc(0) };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(redisPort, '127.0.0.1');
    let drops = false;
    for (const socket of [client, redis]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        redis.destroy();
      });
    }
    client.on('data', (data) => {
      // The script's arguments name the command by which it publishes.
      if (state.loses && data.includes('\r\nPUBLISH\r\n')) {
        state.loses = false;
        state.publish = data;
        drops = true;
      }
      redis.write(data);
    });
    redis.on('data', (data) => {
      if (drops) {
        state.lost++;
        client.destroy();
      } else client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as { port: number }).port,
    lose: () => {
      state.loses = true;
    },
    get lost() {
      return state.lost;
    },
    repeat: () =>
      new Promise((resolve, reject) => {
        const socket = connect(redisPort, '127.0.0.1', () => socket.write(state.publish));
        sockets.add(socket);
        socket.once('error', reject).once('data', (reply) => resolve(reply.toString()));
      }),
  };
}

t.test('a publish that is sent again because its reply was lost goes out once, and is no duplicate', async (t) => {
  const redis = await startRedis(t);
  const wire = await startWire(t, redis.port);
  const { backplane, listener, events } = await startNode(t, `redis://127.0.0.1:${wire.port}`);
  await backplane.subscribe('a');
  await backplane.publish([streamMessage('a', 'first')]);
  // With an id of the publisher's, and without.
  const messages = [streamMessage('a', '1'), { type: 'item', item: streamItem('a', 'x'), id: 'made' } as const];
  for (const [n, message] of messages.entries()) {
    wire.lose();
    const [acceptance] = await backplane.publish([message]);
    t.equal(wire.lost, n + 1);
    t.match(acceptance, { duplicate: false, nodes: 1, position: { offset: n + 2 } });
  }
  await backplane.publish([streamMessage('a', 'last')]);
  await listener.saw('a/last');
  t.strictSame(listener.labels, ['a/first', 'a/1', 'a/made', 'a/last']);
  t.equal(events.counts.retried, 2);
});

t.test('so are publishes on several channels, of which one is refused', async (t) => {
  const redis = await startRedis(t);
  const wire = await startWire(t, redis.port);
  const { backplane, listener, events } = await startNode(t, `redis://127.0.0.1:${wire.port}`);
  await Promise.all(['a', 'b', 'refused'].map((channel) => backplane.subscribe(channel)));
  await backplane.publish([streamMessage('refused', '1')]);
  const key = (await redis.cli('keys', 'hf:*:h:refused')).trim();
  await redis.cli('set', key, 'mine');
  wire.lose();
  const publish = (channel: string) => backplane.publish([streamMessage(channel, '2'), streamMessage(channel, '3')]);
  const results = await Promise.allSettled(['a', 'refused', 'b'].map(publish));
  t.equal(wire.lost, 1);
  t.match(results, [
    {
      value: [
        { duplicate: false, position: { offset: 1 } },
        { duplicate: false, position: { offset: 2 } },
      ],
    },
    { reason: { code: 'ERR_BACKPLANE_UNAVAILABLE', message: /channel "refused": WRONGTYPE/ } },
    {
      value: [
        { duplicate: false, position: { offset: 1 } },
        { duplicate: false, position: { offset: 2 } },
      ],
    },
  ]);
  await Promise.all([backplane.publish([streamMessage('a', 'last')]), backplane.publish([streamMessage('b', 'last')])]);
  await Promise.all([listener.saw('a/last'), listener.saw('b/last')]);
  t.strictSame(
    listener.labels.filter((each) => each.startsWith('a/')),
    ['a/2', 'a/3', 'a/last'],
  );
  t.equal(listener.messages.length, 7);
  t.equal(events.counts.retried, 1);
});

t.test(
  'a publish that comes out of a dead connection late does nothing, whatever channels were published on since',
  async (t) => {
    const redis = await startRedis(t);
    const wire = await startWire(t, redis.port);
    const { backplane, listener } = await startNode(t, `redis://127.0.0.1:${wire.port}`);
    await Promise.all(['a', 'b'].map((channel) => backplane.subscribe(channel)));
    // Known to Redis as a script, so that the next is one command.
    await backplane.publish([streamMessage('b', '1')]);
    wire.lose();
    await backplane.publish([{ type: 'item', item: streamItem('a', 'x'), id: 'made' }]);
    t.match(await wire.repeat(), /^\$\d+\r\n1 1 /, 'the same is answered with the first result');
    await backplane.publish([streamMessage('b', '2')]);
    t.match(await wire.repeat(), /^-STALE /);
    await backplane.publish([streamMessage('a', 'last')]);
    await listener.saw('a/last');
    t.strictSame(listener.labels, ['b/1', 'a/made', 'b/2', 'a/last']);
  },
);
