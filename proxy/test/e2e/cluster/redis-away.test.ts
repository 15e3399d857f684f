/** A node whose Redis goes away and comes back: what clients, publishers and operators see meanwhile. */
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { type RedisServer, startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

async function start(t: Test, settings: HoldfastOptions['settings'] = {}): Promise<[RedisServer, Holdfast]> {
  const redis = await startRedis(t);
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/plain') response.end('plain');
    else response.writeHead(200, streamHold('room')).end('open\n');
  });
  const node = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { redis_url: redis.url, ...settings },
  });
  return [redis, node];
}

const readiness = (t: Test, node: Holdfast) => ask(t, `${node.url('admin')}/readyz`);

t.test('connections are held, publishes refused, and it is said; afterwards nothing is missing', async (t) => {
  const [redis, node] = await start(t);
  const held = await open(t, node.clients);
  await node.publish(streamItem('room', 'before\n'));
  await held.until('before\n');
  t.match(await readiness(t, node), { status: 200, text: 'ok\n' });
  t.equal(await node.metric('holdfast_redis_away'), 0);

  await redis.kill();
  const body = JSON.stringify({ items: [{ ...streamItem('room', 'refused\n'), id: 'r' }] });
  const refused = await ask(t, `${node.control}/publish/`, { method: 'POST', body });
  t.match(refused, { status: 503, text: 'Backplane unavailable.\n', headers: { 'retry-after': '1' } });
  t.match(await readiness(t, node), { status: 200, text: /^degraded: redis 127\.0\.0\.1:\d+ unreachable since / });
  t.equal(await node.metric('holdfast_redis_away'), 1);
  t.match(await ask(t, `${node.clients}/plain`), { status: 200, text: 'plain' });
  const nodes = await ask(t, `${node.control}/nodes`);
  t.equal(nodes.status, 200);
  t.match(JSON.parse(nodes.text), {
    nodes: [{ pid: node.child.pid, connections: 1, channels: 1, age: 0 }],
    silent: [],
    trouble: /redis 127\.0\.0\.1:\d+ unreachable since /,
  });
  const late = await open(t, node.clients);
  await late.until('open\n');

  await redis.start();
  await until('the node is ready', async () => (await readiness(t, node)).text === 'ok\n');
  t.equal(await node.metric('holdfast_redis_away'), 0);
  t.equal((await ask(t, `${node.control}/publish/`, { method: 'POST', body })).status, 200);
  for (const [stream, whole] of [
    [held, 'open\nbefore\nrefused\n'],
    [late, 'open\nrefused\n'],
  ] as const) {
    await stream.until('refused\n');
    t.equal(stream.text, whole);
  }
});

t.test('with ready_without_redis off the node asks not to be given clients', async (t) => {
  const [redis, node] = await start(t, { ready_without_redis: false });
  t.equal((await readiness(t, node)).status, 200);
  await redis.kill();
  await until('unreadiness', async () => (await readiness(t, node)).status === 503);
  t.match(await readiness(t, node), { text: /^redis .* unreachable/ });
  await redis.start();
  await until('readiness', async () => (await readiness(t, node)).status === 200);
});

t.test('a node that cannot reach Redis does not start, and says why', async (t) => {
  const redis = await startRedis(t);
  await redis.kill();
  const settings = { redis_url: redis.url };
  await t.rejects(
    startHoldfast(t, { routes: ['* test'], settings }),
    /redis 127\.0\.0\.1:\d+ unreachable since .*ECONNREFUSED/,
  );
});
