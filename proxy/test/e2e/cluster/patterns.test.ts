/** Subscriptions to patterns, on several nodes with a Redis: of all kinds, from an instruct in headers or JSON, and by control message. */
import { encodeWsEvents } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, type HoldfastOptions, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';

const control = (message: object) => ({ type: 'TEXT', content: Buffer.from(`c:${JSON.stringify(message)}`) }) as const;

/** An origin that holds on the channels of the query, as `Grip-Channel` has them; in JSON or for a WebSocket, on one pattern. */
async function start(t: Test, settings: HoldfastOptions['settings']): Promise<Holdfast> {
  const origin = await startOrigin(t, (request, response, seen) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const channel = searchParams.get('channel') ?? '';
    if (pathname === '/stream') response.writeHead(200, streamHold(channel)).end('opened\n');
    else if (pathname === '/poll') response.writeHead(200, responseHold(channel)).end('nothing\n');
    else if (pathname === '/json') {
      const hold = { mode: 'stream', channels: [{ name: channel, pattern: true }] };
      const body = JSON.stringify({ hold, response: { body: 'opened\n' } });
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' }).end(body);
    } else {
      request.on('end', () => {
        const isOpening = seen.body.startsWith('OPEN');
        response.writeHead(200, {
          'Content-Type': 'application/websocket-events',
          ...(isOpening && { 'Sec-WebSocket-Extensions': 'grip' }),
        });
        const type = seen.body.includes('leave') ? 'unsubscribe' : 'subscribe';
        const orders = control({ type, channel, pattern: true });
        const done = { type: 'TEXT', content: Buffer.from('m:done') } as const;
        response.end(encodeWsEvents(isOpening ? [{ type: 'OPEN' }, orders, done] : [orders, done]));
      });
    }
  });
  return startHoldfast(t, {
    settings: { log_format: 'json', gap_policy: 'continue', ...settings },
    routes: [`*,proto=http ${origin.target}`, `*,proto=ws ${origin.target},over_http`],
  });
}

const redis = await startRedis(t);
const one = await start(t, { redis_url: redis.url });
const two = await start(t, { redis_url: redis.url });
const three = await start(t, { redis_url: redis.url, workers: 2 });
const nodes = [one, two, three];
const query = (channel: string) => `?channel=${encodeURIComponent(channel)}`;

t.test(
  'an item reaches clients on a pattern on every node, whichever takes it, in their order by channel',
  async (t) => {
    const streams = await Promise.all([
      ...nodes.map((node) => open(t, `${node.clients}/stream${query('orders-*; pattern')}`)),
      open(t, `${one.clients}/json${query('orders-*')}`),
    ]);
    for (const stream of streams) await stream.until('opened\n');
    const socket = await openWs(t, wsUrl(two.clients, `/ws${query('orders-*')}`));
    t.equal(await socket.text(), 'done');
    const poll = ask(t, `${three.clients}/poll${query('orders-*; pattern')}`);
    await three.holds('response', 1);

    const formats = {
      'http-stream': { content: 'first\n' },
      'http-response': { body: 'first\n' },
      'ws-message': { content: 'first' },
    };
    const [receipt, other] = await two.publish(
      { channel: 'orders-1', id: 'a', formats },
      streamItem('others-1', 'no\n'),
    );
    t.match(receipt, { nodes: 3, offset: 1 });
    t.match(other, { nodes: 0 });
    t.equal((await poll).text, 'first\n');
    t.equal(await socket.text(), 'first');
    for (const node of [three, one]) await node.publish(streamItem('orders-1', 'next\n'));
    await one.publish({ ...streamItem('orders-2', 'last\n'), id: 'a' });
    for (const stream of streams) await stream.until('opened\nfirst\nnext\nnext\nlast\n');

    socket.send('leave');
    t.equal(await socket.text(), 'done');
    await one.publish({ channel: 'orders-3', formats: { 'ws-message': { content: 'not for it' } } });
    socket.send('again');
    t.equal(await socket.text(), 'done');
    await one.publish({ channel: 'orders-3', formats: { 'ws-message': { content: 'again' } } });
    t.equal(await socket.text(), 'again');

    const { body } = await view(t, two, '/channels/orders-9');
    t.match(body, { subscribers: { stream: 4, ws: 1, response: 0 } });
  },
);

t.test('a client on a channel and on patterns that match it gets each item once', async (t) => {
  const names = 'x/a/1, x/*; pattern, x/*/1; pattern, x/a/*; pattern';
  const streams = await Promise.all(nodes.map((node) => open(t, `${node.clients}/stream${query(names)}`)));
  for (const stream of streams) await stream.until('opened\n');
  for (const [n, node] of nodes.entries()) {
    await node.publish({ channels: ['x/a/1', 'x/b/1'], formats: streamItem('', `${n}\n`).formats });
  }
  await one.publish(streamItem('x/a/1', 'end\n'), streamItem('x/b/1', 'end\n'));
  for (const stream of streams) {
    await until('both ends', () => stream.text.split('end\n').length === 3);
    t.strictSame(
      ['0\n', '1\n', '2\n'].map((text) => stream.text.split(text).length - 1),
      [2, 2, 2],
    );
  }
});

t.test('whole segments: one of any name, no more and no less', async (t) => {
  const stream = await open(t, `${one.clients}/stream${query('news/*/sport; pattern')}`);
  await stream.until('opened\n');
  const names = ['news/sport', 'news/uk/sport', 'news/uk/eng/sport', 'news/uk/food', 'news//sport'];
  await two.publish(...names.map((name) => streamItem(name, `${name}\n`)), streamItem('news/x/sport', 'end\n'));
  await stream.until('end\n');
  t.strictSame(stream.text.split('\n').slice(1, -2).sort(), ['news//sport', 'news/uk/sport']);
});

t.test('a pattern that is none, or for all, is an instruct that cannot be understood', async (t) => {
  for (const name of ['news', 'a*b', '*', '*/x']) {
    const answer = await ask(t, `${one.clients}/stream${query(`${name}; pattern`)}`);
    t.equal(answer.status, 502, name);
  }
  await one.record('of the reason', (record) => JSON.stringify(record).includes('pattern_all'));
});

t.test('a name with a star that is not said to be a pattern is a name', async (t) => {
  const stream = await open(t, `${one.clients}/stream${query('star-*')}`);
  await stream.until('opened\n');
  await two.publish(streamItem('star-1', 'no\n'), streamItem('star-*', 'yes\n'));
  await stream.until('opened\nyes\n');
});

t.test('a node that is killed takes its patterns along, and the others go on', async (t) => {
  const lost = await start(t, { redis_url: redis.url });
  const streams = await Promise.all(
    [lost, one].map((node) => open(t, `${node.clients}/stream${query('killed-*; pattern')}`)),
  );
  for (const stream of streams) await stream.until('opened\n');
  lost.child.signal('SIGKILL');
  await lost.child.exited;
  await two.publish(streamItem('killed-1', 'on\n'));
  await streams[1]?.until('opened\non\n');
});

t.test('when Redis comes back with what it had, and when it comes back empty, patterns go on', async (t) => {
  const stream = await open(t, `${one.clients}/stream${query('back-*; pattern')}`);
  await stream.until('opened\n');
  await redis.kill();
  await redis.start();
  const comes = async (text: string) => {
    await until(`publish of ${text}`, async () => {
      const sent = await two.publish(streamItem('back-1', text)).catch(() => undefined);
      return sent !== undefined;
    });
    await until(text, () => stream.text.includes(text));
  };
  await comes('kept\n');
  await redis.call('DEL', ...((await redis.call('KEYS', '*:prefixes*')) as string[]));
  await redis.kill();
  await redis.start();
  await until(
    'the prefix is wanted again',
    async () => ((await redis.call('KEYS', '*:prefixes')) as string[]).length > 0,
  );
  await comes('new\n');
  t.ok((await one.metric('holdfast_gaps_total{reason="rewound"}')) >= 1, 'what may have been lost is a gap');
});
