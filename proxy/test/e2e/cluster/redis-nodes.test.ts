import t from 'tap';
import { commandFile, startChild } from '../../kit/child.js';
import { streamItem } from '../../kit/holdfast.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { idOf, openClients, startViews, view } from '../../kit/views-fixture.js';

const redis = await startRedis(t);
const [one, two, three] = await Promise.all([
  startViews(t, { redis_url: redis.url }),
  startViews(t, { redis_url: redis.url }),
  startViews(t, { redis_url: redis.url, workers: 2 }),
]);
const nodes = [one, two, three];
const subscribers = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });

t.test('every node knows all of them', async (t) => {
  for (const node of nodes) {
    const { body } = await view(t, node, '/nodes');
    t.strictSame(
      (body.nodes as { pid: number }[]).map(({ pid }) => pid).sort(),
      nodes.map(({ child }) => child.pid).sort(),
    );
  }
});

t.test('an item reaches the clients of every node, whichever takes it, and a receipt says how many', async (t) => {
  const clients = await Promise.all(nodes.map((node, n) => openClients(t, node, `shared${n}`)));
  const [receipt] = await one.publish({
    channel: 'room',
    id: 'a',
    formats: {
      'http-stream': { content: 'item\n' },
      'http-response': { body: 'item\n' },
      'ws-message': { content: 'item' },
    },
  });
  t.match(receipt, { id: 'a', nodes: 3, offset: 1, epoch: String });
  for (const { poll, stream, socket } of clients) {
    await stream.until('item\n');
    t.match(await poll, { status: 200, text: 'item\n' });
    t.equal(await socket.text(), 'item');
  }
  const [again] = await three.publish({ ...streamItem('room', 'again\n'), id: 'a' });
  t.match(again, { duplicate: true, offset: 1 });
  const [last] = await two.publish(streamItem('nobody', 'x\n'));
  t.match(last, { nodes: 0 });

  // Once for each node, however many workers it has.
  for (const node of nodes) t.equal(await node.metric('holdfast_backplane_lag_seconds_count'), 1);

  const { body } = await view(t, two, '/channels/room');
  t.match(body, { subscribers: subscribers(0, 3, 3), silent: [] });
  t.equal((body.nodes as unknown[]).length, 3);
});

t.test('a connection of one node is shown and ended by another', async (t) => {
  for (const [n, node] of [one, three].entries()) {
    const { stream, poll, socket } = await openClients(t, node, `kicked${n}`);
    const id = await idOf(node, `/stream?kicked${n}`);
    const { body } = await view(t, two, `/connections/${id}`);
    t.match(body, { id, kind: 'stream', channels: ['room'] });
    t.match(await view(t, two, `/connections/${id}`, 'DELETE'), { status: 200 });
    await stream.end();
    t.equal((await view(t, two, `/connections/${id}`)).status, 404);
    socket.vanish();
    await node.publish({ channel: 'room', formats: { 'http-response': { body: 'x' } } });
    await poll;
  }
});

t.test('tap prints on one node what goes to another, with its position', async (t) => {
  const command = commandFile('holdfast');
  const tap = startChild(t, { command: process.execPath, args: [command, 'tap', 'tapped', '--control', two.control] });
  await until(
    'the tap shows an item',
    async () => {
      await one.publish(streamItem('tapped', 'probe'));
      return tap.stdout.includes('probe');
    },
    () => tap.stderr,
  );
  await three.publish({ ...streamItem('tapped', 'last'), id: 'l' });
  await until('the item', () => tap.stdout.includes('last'));
  const lines = tap.stdout.trimEnd().split('\n');
  t.match(JSON.parse(lines.at(-1) as string), { id: 'l', epoch: String, offset: Number });
});

t.test('recover reaches the holds of every node', async (t) => {
  const polls = await Promise.all(nodes.map((node, n) => openClients(t, node, `recover${n}`)));
  const asked = nodes.map(() => 0);
  const retried = (n: number) => nodes[n]?.metric('holdfast_holds_ended_total{kind="response",reason="retried"}');
  for (const [n] of nodes.entries()) asked[n] = (await retried(n)) ?? 0;
  await fetch(`${one.control}/recover/`, { method: 'POST' });
  for (const [n] of nodes.entries()) {
    await until(`the hold of node ${n} asks again`, async () => ((await retried(n)) ?? 0) > (asked[n] as number));
  }
  for (const { stream, socket } of polls) {
    stream.drop();
    socket.vanish();
  }
});

t.test('a node that hangs is named as silent, and what is known of it is shown', async (t) => {
  process.kill(two.child.pid as number, 'SIGSTOP');
  t.teardown(() => process.kill(two.child.pid as number, 'SIGCONT'));
  const asked = async () =>
    (await view(t, one, '/nodes')) as {
      status: number;
      body: { silent: string[]; nodes: { id: string; pid: number }[] };
    };
  await until('it is silent', async () => (await asked()).body.silent.length > 0);
  const { status, body } = await asked();
  t.equal(status, 200);
  t.strictSame(
    body.nodes.filter(({ id }) => body.silent.includes(id)).map(({ pid }) => pid),
    [two.child.pid],
  );
  process.kill(two.child.pid as number, 'SIGCONT');
  await until('it is heard of again', async () => (await asked()).body.silent.length === 0);
});

t.test('a node that stops is forgotten at once', async (t) => {
  await three.child.stop();
  await until('two are left', async () => ((await view(t, one, '/nodes')).body.nodes as unknown[]).length === 2);
});
