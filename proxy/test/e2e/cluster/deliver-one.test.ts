/** Items for one client of all nodes, with a Redis: who gets them, in which turn, and what remains of that when nodes are killed. */
import { readFileSync } from 'node:fs';
import { encodeWsEvents } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { type Answer, ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';

/** An origin that holds on the channel of the path's second part. */
async function start(t: Test, settings: HoldfastOptions['settings']): Promise<Holdfast> {
  const origin = await startOrigin(t, (request, response, seen) => {
    const [, kind, channel = ''] = (request.url ?? '').split('/');
    if (kind === 'stream') response.writeHead(200, streamHold(channel)).end('opened\n');
    else if (kind === 'pattern') response.writeHead(200, streamHold(`${channel}*; pattern`)).end('opened\n');
    else if (kind === 'events')
      response.writeHead(200, streamHold(channel, { 'Content-Type': 'text/event-stream' })).end(': opened\n\n');
    else if (kind === 'poll') response.writeHead(200, responseHold(channel)).end('nothing\n');
    else {
      request.on('end', () => {
        const subscribe = JSON.stringify({ type: 'subscribe', channel });
        const orders = { type: 'TEXT', content: Buffer.from(`c:${subscribe}`) } as const;
        const done = { type: 'TEXT', content: Buffer.from('m:done') } as const;
        response.writeHead(200, {
          'Content-Type': 'application/websocket-events',
          'Sec-WebSocket-Extensions': 'grip',
        });
        response.end(encodeWsEvents(seen.body.startsWith('OPEN') ? [{ type: 'OPEN' }, orders, done] : []));
      });
    }
  });
  return startHoldfast(t, {
    settings: { log_format: 'json', subscription_linger: 0, history_replay: true, ...settings },
    routes: [`*,proto=http ${origin.target}`, `*,proto=ws ${origin.target},over_http`],
  });
}

const redis = await startRedis(t);
const one = await start(t, { redis_url: redis.url });
const two = await start(t, { redis_url: redis.url });
const three = await start(t, { redis_url: redis.url, workers: 2 });

const forOne = (channel: string, name: string) => ({
  channel,
  deliver: 'one',
  formats: { 'http-stream': { content: `${name}\n` } },
});

async function openStream(node: Holdfast, channel: string, kind = 'stream'): Promise<Answer> {
  const stream = await open(t, `${node.clients}/${kind}/${channel}`);
  await stream.until('opened\n');
  return stream;
}

/** The process of one of its workers. */
function workerOf({ child: { pid } }: Holdfast): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

/** The items that a stream has got. */
const got = ({ text }: Answer) => text.split('\n').slice(1, -1);
const gotBy = (streams: readonly Answer[]) => streams.flatMap(got);

/** How many nodes are in the turns of a channel. */
async function inTurns(channel: string): Promise<number> {
  const [key] = (await redis.call('KEYS', `*}:t:${channel}`)) as string[];
  return key === undefined ? 0 : Number(await redis.call('ZCARD', key));
}

t.test('each item goes to one client of all nodes; nodes, and the clients of each, come to their turns', async (t) => {
  const streams = {
    one: await Promise.all([openStream(one, 'jobs'), openStream(one, 'jobs')]),
    two: [await openStream(two, 'jobs')],
    three: [await openStream(three, 'jobs'), await openStream(three, 'jobs')],
  };
  const all = Object.values(streams).flat();
  let published = 0;
  const publish = async (count: number) => {
    await two.publish(...Array.from({ length: count }, () => forOne('jobs', `job ${published++}`)));
    await until('all of them', () => gotBy(all).length >= published);
  };
  // The first are for all nodes to come.
  while ((await inTurns('jobs')) < 3) await publish(1);
  const before = Object.values(streams).map((of) => gotBy(of).length);
  for (let i = 0; i < 15; i++) await publish(1);
  for (const [n, of] of Object.values(streams).entries()) {
    const count = gotBy(of).length - (before[n] ?? 0);
    t.ok(count >= 3 && count <= 8, `node ${n} has got ${count} of 15`);
  }
  await publish(15);
  await one.publish({ ...forOne('jobs', 'end'), deliver: 'all' });
  for (const stream of all) await stream.until('end\n');
  const names = Array.from({ length: published }, (_, i) => `job ${i}`);
  const taken = gotBy(all).filter((name) => name !== 'end');
  t.strictSame(taken.sort(), names.sort(), 'each once');
  const [first = 0, second = 0] = streams.one.map((stream) => got(stream).length);
  t.ok(Math.abs(first - second) <= 1, `of one node one has got ${first}, the other ${second}`);
});

t.test('who has no form for an item is passed over, on whichever node', async (t) => {
  const stream = await openStream(one, 'forms');
  const socket = await openWs(t, wsUrl(two.clients, '/ws/forms'));
  t.equal(await socket.text(), 'done');
  for (const text of ['1', '2', '3'])
    await three.publish({ channel: 'forms', deliver: 'one', formats: { 'ws-message': { content: text } } });
  const texts = [await socket.text(), await socket.text(), await socket.text()];
  t.strictSame(texts.sort(), ['1', '2', '3']);
  for (const text of ['4', '5']) await three.publish(forOne('forms', text));
  await until('both', () => got(stream).length === 2);
  t.strictSame(got(stream).sort(), ['4', '5']);
  t.equal(socket.untaken, 0);
});

t.test('items that come together answer as many long polls, and one pattern gets what no channel takes', async (t) => {
  const nodes = [one, one, two, three];
  const polls = nodes.map((node) => ask(t, `${node.clients}/poll/polled`));
  await one.holds('response', 2);
  for (const node of [two, three]) await node.holds('response', 1);
  const bodies = ['a', 'b', 'c', 'd'];
  const items = bodies.map((body) => ({ channel: 'polled', deliver: 'one', formats: { 'http-response': { body } } }));
  for (const item of items) await two.publish(item);
  const answers = await Promise.all(polls);
  t.strictSame(answers.map(({ text }) => text).sort(), bodies);

  const pattern = await openStream(three, 'patterned-', 'pattern');
  const exact = await openStream(one, 'patterned-1');
  const names = ['1', '2', '3', '4', '5', '6'];
  for (const name of names) await two.publish(forOne('patterned-1', name));
  await until('all of them', () => gotBy([pattern, exact]).length >= names.length);
  await two.publish(forOne('patterned-2', 'other'));
  await pattern.until('other\n');
  t.equal(await inTurns('patterned-2'), 1, 'nodes without clients ask for nothing');
  t.strictSame(gotBy([pattern, exact]).sort(), [...names, 'other'].sort());
});

t.test(
  'killed nodes and workers take no more than what they had: nothing comes twice, and the others go on',
  async (t) => {
    const lost = await start(t, { redis_url: redis.url });
    const nodes = [lost, one, two, three];
    const streams = (
      await Promise.all(nodes.map((node) => Promise.all([openStream(node, 'killed'), openStream(node, 'killed')])))
    ).flat();
    let published = 0;
    const publish = async (count: number) => {
      const items = Array.from({ length: count }, () => forOne('killed', `${published++}`));
      await two.publish(...items);
    };
    await publish(1);
    await until('the first', () => gotBy(streams).length === 1);
    for (let i = 0; i < 30; i++) {
      await publish(10);
      if (i === 10) lost.child.signal('SIGKILL');
      if (i === 20) process.kill(workerOf(three), 'SIGKILL');
    }
    await lost.child.exited;
    const before = published;
    await publish(40);
    const after = Array.from({ length: 40 }, (_, i) => `${before + i}`);
    await until('all that was published afterwards', () => {
      const all = new Set(gotBy(streams));
      return after.every((name) => all.has(name));
    });
    // What the killed processes had taken, and not written yet, is lost.
    await until('the others', () => gotBy(streams).length >= published - 20);
    const all = gotBy(streams);
    t.equal(new Set(all).size, all.length, 'nothing has come twice');
    t.ok(gotBy(streams.slice(0, 2)).length > 0, 'the one that was killed had its turns');
  },
);

t.test('when Redis is killed nothing comes twice, and when it is back items come', async (t) => {
  const streams = await Promise.all([one, two, three].map((node) => openStream(node, 'away')));
  const publish = (name: string) =>
    two.publish(forOne('away', name)).then(
      () => true,
      () => false,
    );
  let n = 0;
  for (; n < 20; n++) await publish(`${n}`);
  const killed = redis.kill();
  const meanwhile = Promise.all(Array.from({ length: 20 }, () => publish(`${n++}`)));
  await killed;
  await redis.start();
  await meanwhile;
  const back = n;
  await until('items come again', async () => {
    await publish(`${n++}`);
    return gotBy(streams).some((name) => Number(name) >= back);
  });
  const all = gotBy(streams);
  t.equal(new Set(all).size, all.length);
});

t.test('nothing of it is replayed to a client that comes back', async (t) => {
  const event = (name: string, deliver: string) => ({
    channel: 'events',
    deliver,
    formats: { 'http-stream': { content: `data: ${name}\n\n` } },
  });
  const first = await open(t, `${one.clients}/events/events`);
  await first.until('opened\n');
  await one.publish(event('1', 'all'), event('only', 'one'));
  await first.until('data: only');
  const tokens = [...first.text.matchAll(/^id: ?(\S+)$/gm)].map(([, token]) => token);
  const token = tokens.at(-1) ?? '';
  t.not(token, '', first.text);
  await one.publish(event('again', 'one'), event('2', 'all'));
  await first.until('data: 2');
  first.drop();
  await until('it has gone', async () => {
    const { body } = await view(t, one, '/channels/events');
    return (body.subscribers as { stream: number }).stream === 0;
  });
  await one.publish(event('nobody', 'one'), event('3', 'all'));
  const second = await open(t, `${one.clients}/events/events`, { headers: { 'Last-Event-ID': token } });
  await second.until('data: 3');
  t.strictSame(second.text.match(/data: \w+/g), ['data: 2', 'data: 3'], first.text);
});
