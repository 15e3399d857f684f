/**
 * Three nodes and a Redis, all of which fail while items are published: whoever stays connected gets every acknowledged
 * item, once and in order.
 */
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { type RedisServer, startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { answerNumbered, numberedItem, openSession, openStream, type Tally } from './numbered-clients.js';

const CHANNELS = Array.from({ length: 50 }, (_, n) => `c${n}`);
const ITEMS_PER_CHANNEL = 400;
const TOTAL = CHANNELS.length * ITEMS_PER_CHANNEL;
const STREAMS = 600;
const SESSIONS = 200;

/** Ports that a node keeps when it is started again. */
interface Place {
  readonly directory?: string;
  readonly ports: { readonly http_port: string; readonly push_in_http_port: number };
}

/** Publishes a channel's numbers; what is not acknowledged is published again, with the same ids, wherever that works. */
async function publishAll(
  channel: string,
  nodes: readonly Holdfast[],
  counts: { acknowledged: number; refused: number },
) {
  for (let n = 1; n <= ITEMS_PER_CHANNEL; ) {
    const size = Math.min(1 + Math.floor(Math.random() * 4), ITEMS_PER_CHANNEL - n + 1);
    const items = Array.from({ length: size }, (_, i) => numberedItem(channel, n + i));
    const node = nodes[Math.floor(Math.random() * nodes.length)] as Holdfast;
    const response = await fetch(`${node.control}/publish/`, { method: 'POST', body: JSON.stringify({ items }) }).catch(
      () => undefined,
    );
    await response?.text().catch(() => '');
    if (response?.status === 200) {
      n += size;
      counts.acknowledged += size;
    } else {
      counts.refused++;
      await delay(20 + Math.random() * 80);
    }
  }
}

/** Cuts a subscriber's connection of some node to Redis, again and again, until told to stop. */
async function cutSubscribers(redis: RedisServer, isOver: () => boolean): Promise<number> {
  let cuts = 0;
  while (!isOver()) {
    try {
      const ids = await redis.subscribers();
      const id = ids[Math.floor(Math.random() * ids.length)];
      if (id !== undefined) cuts += Number(await redis.call('CLIENT', 'KILL', 'ID', id));
    } catch {
      // Redis itself is down at present.
    }
    await delay(100 + Math.random() * 200);
  }
  return cuts;
}

t.test('nothing acknowledged is lost or repeated, whatever fails meanwhile', async (t) => {
  const redis = await startRedis(t);
  const origin = await startOrigin(t, answerNumbered, { keepBodies: false });
  const routes = [`*,path_beg=/session ${origin.target},over_http`, `* ${origin.target}`];
  const place = async (): Promise<Place> => ({
    ports: { http_port: `127.0.0.1:${await freePort()}`, push_in_http_port: await freePort() },
  });
  const start = ({ ports }: Place) => startHoldfast(t, { routes, settings: { ...ports, redis_url: redis.url } });
  const places = await Promise.all([place(), place(), place()]);
  const nodes = await Promise.all(places.map(start));

  const open = (count: number, opening: typeof openStream, from: 'first' | 'any' = 'first', only?: number) =>
    Promise.all(
      Array.from({ length: count }, (_, i) => {
        const node = nodes[only ?? i % nodes.length] as Holdfast;
        return opening(node.clients, CHANNELS[i % CHANNELS.length] as string, from);
      }),
    );
  const streams = await open(STREAMS, openStream);
  const sessions = await open(SESSIONS, openSession);

  const counts = { acknowledged: 0, refused: 0 };
  const published = Promise.all(CHANNELS.map((channel) => publishAll(channel, nodes, counts)));
  const reached = (share: number) => until(`${share} of all items`, () => counts.acknowledged >= TOTAL * share);
  let over = false;
  const cutting = cutSubscribers(redis, () => over);

  await reached(0.25);
  const doomed = nodes[2] as Holdfast;
  doomed.child.signal('SIGKILL');
  await doomed.child.exited;
  nodes[2] = await start(places[2] as Place);
  const late = [...(await open(50, openStream, 'any', 2)), ...(await open(50, openSession, 'any', 2))];

  await reached(0.5);
  await redis.kill();
  await delay(3_000);
  await redis.start();

  await published;
  over = true;
  const cuts = await cutting;
  const surviving = [...streams, ...sessions].filter((tally) => !tally.over);
  const all = [...surviving, ...late];
  const done = () => all.every(({ last }) => last === ITEMS_PER_CHANNEL);
  const behind = () =>
    all.filter(({ last }) => last !== ITEMS_PER_CHANNEL).map(({ channel, last }) => `${channel}: ${last}`);
  await until('every surviving client has the last item', done, () => behind().join('\n'));
  const sum = (tallies: readonly Tally[], of: (tally: Tally) => number) =>
    tallies.reduce((total, tally) => total + of(tally), 0);
  t.comment(
    JSON.stringify({
      nodes: nodes.length,
      channels: CHANNELS.length,
      acknowledged: counts.acknowledged,
      refusedPublishes: counts.refused,
      subscriberConnectionsCut: cuts,
      surviving: surviving.length,
      openedLater: late.length,
      deliveries: sum(all, ({ received }) => received),
      repeated: sum(all, ({ faults }) => faults.repeated),
      missing: sum(all, ({ faults }) => faults.missing),
    }),
  );
  t.equal(counts.acknowledged, TOTAL);
  t.ok(surviving.length >= ((STREAMS + SESSIONS) * 2) / 3 - 2, `${surviving.length} have survived`);
  t.equal(late.filter((tally) => tally.over).length, 0);
  t.equal(
    sum(surviving, ({ received }) => received),
    surviving.length * ITEMS_PER_CHANNEL,
  );
  t.equal(
    sum(all, ({ faults }) => faults.repeated + faults.missing),
    0,
  );
  t.ok(cuts > 5, `${cuts} connections were cut`);
});
