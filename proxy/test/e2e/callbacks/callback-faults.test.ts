/**
 * Three nodes and several receivers, all of which are killed while items flow: every acknowledged item comes to every callback, in the
 * order of its channel, and comes again only where the answer to it was lost.
 *
 * HOLDFAST_CALLBACK_ITEMS is how many items there are, for runs by hand.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { CallbackServer } from '../../../../control-api/dist-test/callbacks/callback-server.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

const SECRET = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const CHANNELS = Array.from({ length: 10 }, (_, n) => `c${n}`);
const ITEMS = Math.ceil(Number(process.env.HOLDFAST_CALLBACK_ITEMS ?? 1_500) / CHANNELS.length);
/** Publishes of a channel are so far apart, in ms, that nodes are killed while items flow. */
const PACE_MS = 10;

t.setTimeout(0);

t.test('none is lost, order is kept, and only what was not answered comes twice', async (t) => {
  const redis = await startRedis(t);
  const place = async () => ({ http_port: `127.0.0.1:${await freePort()}`, push_in_http_port: await freePort() });
  const start = (ports: Awaited<ReturnType<typeof place>>) =>
    startHoldfast(t, {
      settings: {
        ...ports,
        redis_url: redis.url,
        callbacks: true,
        callbacks_allow: '127.0.0.1',
        callbacks_backlog_max: 100_000,
      },
    });
  const places = await Promise.all([place(), place(), place()]);
  const nodes = await Promise.all(places.map(start));
  const servers = await Promise.all(CHANNELS.slice(0, 4).map(() => CallbackServer.start(t, SECRET)));
  const ids = CHANNELS.map((channel) => `s-${channel}`);
  for (const [n, channel] of CHANNELS.entries()) {
    const url = `${(servers[n % servers.length] as CallbackServer).url}/${n}`;
    const body = JSON.stringify({ url, secret: SECRET, channels: [channel] });
    const { control } = nodes[n % nodes.length] as Holdfast;
    const response = await fetch(`${control}/subscriptions/${ids[n]}`, { method: 'PUT', body });
    t.equal(response.status, 201);
  }

  let acknowledged = 0;
  const total = ITEMS * CHANNELS.length;
  /** What is not acknowledged is published again, with the same ids, wherever that works. */
  const publishAll = async (channel: string) => {
    for (let n = 1; n <= ITEMS; ) {
      const size = Math.min(1 + Math.floor(Math.random() * 4), ITEMS - n + 1);
      const items = Array.from({ length: size }, (_, i) => ({
        channel,
        id: String(n + i),
        formats: { 'http-request': { body: `${channel} ${n + i}` } },
      }));
      const node = nodes[Math.floor(Math.random() * nodes.length)] as Holdfast;
      const answer = await fetch(`${node.control}/publish/`, { method: 'POST', body: JSON.stringify({ items }) }).catch(
        () => undefined,
      );
      await answer?.text().catch(() => '');
      if (answer?.status === 200) {
        n += size;
        acknowledged += size;
        await delay(PACE_MS);
      } else await delay(50);
    }
  };
  const published = Promise.all(CHANNELS.map(publishAll));
  const reached = async (share: number) => {
    while (acknowledged < total * share) await delay(5);
  };
  /** When something ended, by `performance.now`. */
  const ends: number[] = [];
  /** Kills a node, and starts it again. */
  const killNode = async (n: number) => {
    const node = nodes[n] as Holdfast;
    ends.push(performance.now());
    node.child.signal('SIGKILL');
    await node.child.exited;
    nodes[n] = await start(places[n] as (typeof places)[number]);
  };

  await reached(0.2);
  await killNode(0);
  await reached(0.4);
  const [away] = servers as [CallbackServer];
  ends.push(performance.now());
  await away.goAway();
  await reached(0.6);
  await killNode(1);
  await away.comeBack();
  await reached(0.8);
  await killNode(2);
  await published;

  const received = () => new Set(servers.flatMap(({ taken }) => taken.map(({ body }) => body))).size;
  // As long as something comes: by hand there may be many items.
  for (let last = -1, since = Date.now(); received() < total && Date.now() - since < 30_000; ) {
    if (received() > last) since = Date.now();
    last = received();
    await delay(100);
  }
  t.equal(received(), total, 'none is lost');
  t.strictSame(
    servers.flatMap(({ refused }) => refused),
    [],
    'all are signed',
  );
  let repeats = 0;
  for (const channel of CHANNELS) {
    const taken = servers.flatMap((server) => server.taken).filter(({ body }) => body.startsWith(`${channel} `));
    let last = 0;
    let lastAt = 0;
    for (const { body, at } of taken) {
      const number = Number(body.split(' ')[1]);
      // One that comes again is the one that came last: what follows it was not sent before it was answered. And it comes again only
      // where something ended in between; what a node had sent when it was killed may arrive a moment later.
      if (number === last) {
        repeats++;
        if (!ends.some((end) => end > lastAt - 1_000 && end < at)) t.fail(`${channel}: ${number} twice, for no reason`);
      } else if (number !== last + 1) t.fail(`${channel}: ${number} after ${last}`);
      last = Math.max(last, number);
      lastAt = at;
    }
  }
  t.ok(repeats <= ends.length * ids.length, `${repeats} came twice`);
  t.comment(JSON.stringify({ items: total, callbacks: ids.length, nodesKilled: 3, serversKilled: 1, repeats }));
  for (const id of ids) {
    const { control } = nodes[0] as Holdfast;
    await until(`nothing waits for ${id}`, async () => {
      const view = (await (await fetch(`${control}/subscriptions/${id}`)).json()) as { backlog: number; lost: number };
      return view.backlog === 0 && view.lost === 0;
    });
  }
});
