/** The load balancers of deploy/recipes in front of two nodes: nothing is buffered, clients are known, a drain costs nothing. */
import { connect } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';
import { eventStream, longPoll, ordinary, Sight, webSocket } from './clients.js';
import { type Nodes, recipes, startBalancer } from './recipes.js';

/** Where clients are: to a balancer another address than those of the nodes and its own. */
const CLIENT = '127.0.0.8';

/** What a client writes that wants to be somebody else. */
const SPOOFED = {
  'X-Forwarded-For': '203.0.113.66',
  'X-Forwarded-Proto': 'http',
  'X-Forwarded-Host': 'evil.example',
  Forwarded: 'for=203.0.113.66;proto=http;host=evil.example',
};

const names = Object.keys(recipes) as (keyof typeof recipes)[];

const origin = await startOrigin(t, (request, response, seen) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
  const channel = searchParams.get('channel') ?? 'none';
  if (pathname === '/stream') response.writeHead(200, streamHold(channel)).end('open\n');
  else if (pathname === '/events')
    response.writeHead(200, streamHold(channel, { 'Content-Type': 'text/event-stream' })).end(': open\n\n');
  else if (pathname === '/poll') {
    const last = searchParams.get('last');
    const position = last === null ? '' : `; prev-id=${last}`;
    response.writeHead(200, responseHold(`${channel}${position}`)).end('nothing\n');
  } else if (pathname === '/ws') {
    request.on('end', () => {
      const subscribe = `c:${JSON.stringify({ type: 'subscribe', channel })}`;
      const opened = `OPEN\r\nTEXT ${subscribe.length.toString(16)}\r\n${subscribe}\r\nTEXT 8\r\nm:opened\r\n`;
      response.writeHead(200, { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' });
      response.end(seen.body.startsWith('OPEN') ? opened : '');
    });
  } else response.end(JSON.stringify(request.headers));
});

const redis = await startRedis(t);
const nodes: Nodes = {
  addresses: ['127.0.0.2', '127.0.0.3'],
  clientsPort: await freePort(),
  adminPort: await freePort(),
};

const startNode = (address: string) =>
  startHoldfast(t, {
    routes: [`*,path_beg=/ws,resume ${origin.target},over_http`, `* ${origin.target}`],
    settings: {
      http_port: `${address}:${nodes.clientsPort}`,
      admin_port: `${address}:${nodes.adminPort}`,
      redis_url: redis.url,
      trusted_proxies: '127.0.0.1',
      trusted_proxy_fields: 'x-forwarded',
      subscription_linger: 0,
      history_replay: true,
      sig_key: 'the same on both',
      shutdown_delay: 3,
      shutdown_window: 2,
    },
  });

const certificate = makeCertificate({ directory: newDirectory(t), base: 'localhost', names: ['DNS:localhost'] });
const [one, two] = await Promise.all([startNode(nodes.addresses[0]), startNode(nodes.addresses[1])]);
const bases = await Promise.all(names.map((name) => startBalancer(t, name, nodes, certificate)));
const tls = { ca: certificate.cert, servername: 'localhost' };

/** Waits until so many are subscribed to a channel, on either node. */
async function subscribed(t: Test, channel: string, kind: 'response' | 'stream' | 'ws', count: number): Promise<void> {
  await until(`${count} ${kind} on ${channel}`, async () => {
    const { status, body } = await view(t, one, `/channels/${channel}`);
    return (status === 404 ? 0 : (body.subscribers as Record<string, number>)[kind]) === count;
  });
}

for (const [index, name] of names.entries()) {
  const base = bases[index] as string;
  t.test(name, { jobs: 5 }, async (t) => {
    const publish = (holdfast: Holdfast, content: string, channel: string) =>
      holdfast.publish({
        channel,
        formats: { 'http-stream': { content }, 'http-response': { body: content }, 'ws-message': { content } },
      });

    t.test('each item of a stream arrives while it is open, and a client that leaves ends it', async (t) => {
      const channel = `${name}-stream`;
      const stream = await open(t, `${base}/stream?channel=${channel}`, tls);
      await stream.until('open\n');
      await subscribed(t, channel, 'stream', 1);
      for (const node of [one, two]) {
        await publish(node, `from ${node.control}\n`, channel);
        await stream.until(`from ${node.control}\n`);
      }
      stream.drop();
      await subscribed(t, channel, 'stream', 0);
    });

    t.test('the same over HTTP/2', async (t) => {
      const channel = `${name}-h2`;
      const session = connect(base, tls);
      t.teardown(() => session.destroy());
      const stream = session.request({ ':path': `/stream?channel=${channel}` }).setEncoding('utf8');
      let text = '';
      stream.on('data', (part: string) => {
        text += part;
      });
      await until('the head of the stream', () => text === 'open\n');
      await publish(one, 'item\n', channel);
      await until('the item', () => text === 'open\nitem\n');
      stream.close();
      await subscribed(t, channel, 'stream', 0);
    });

    t.test('a long poll is answered by an item, and a client that leaves ends it', async (t) => {
      const channel = `${name}-poll`;
      const poll = ask(t, `${base}/poll?channel=${channel}`, tls);
      await subscribed(t, channel, 'response', 1);
      await publish(two, 'item\n', channel);
      t.match(await poll, { status: 200, text: 'item\n' });
      const session = connect(base, tls);
      const leaving = session.request({ ':path': `/poll?channel=${channel}` });
      await subscribed(t, channel, 'response', 1);
      leaving.close();
      session.close();
      await subscribed(t, channel, 'response', 0);
    });

    t.test('a WebSocket', async (t) => {
      const channel = `${name}-ws`;
      const socket = await openWs(t, wsUrl(base, `/ws?channel=${channel}`), tls);
      t.equal(await socket.text(), 'opened');
      await publish(one, 'item', channel);
      t.equal(await socket.text(), 'item');
      t.equal((await socket.close(1000)).code, 1000);
      await subscribed(t, channel, 'ws', 0);
    });

    t.test('the origin is given the client’s address, and nothing that the client says of itself', async (t) => {
      const answer = await ask(t, `${base}/given`, {
        ...tls,
        localAddress: CLIENT,
        headers: SPOOFED,
      });
      const given = JSON.parse(answer.text) as Record<string, string>;
      t.match(given, {
        'x-forwarded-for': CLIENT,
        'x-forwarded-proto': 'https',
        'x-forwarded-host': new URL(base).host,
        host: new URL(base).host,
      });
      t.notMatch(answer.text, /evil|203\.0\.113/);
    });
  });
}

t.test('one of two nodes goes down under load: no request fails, and no item is lost or comes twice', async (t) => {
  const clients = 4;
  const sights = names.map((name, index) => {
    const sight = new Sight();
    const target = { base: bases[index] as string, ca: certificate.cert };
    t.teardown(() => {
      sight.isOver = true;
    });
    for (let n = 0; n < clients; n++) {
      ordinary(target, sight);
      eventStream(target, sight, 'drain-events');
      longPoll(target, sight, 'drain-poll');
      webSocket(target, sight, 'drain-ws');
    }
    return { name, sight };
  });
  const each = clients * names.length;
  await subscribed(t, 'drain-events', 'stream', each);
  await subscribed(t, 'drain-poll', 'response', each);
  await subscribed(t, 'drain-ws', 'ws', each);
  let count = 0;
  const publish = async () => {
    const id = `${++count}`;
    const items = [
      { channel: 'drain-events', id, formats: { 'http-stream': { content: `data: ${id}\n\n` } } },
      { channel: 'drain-poll', id, 'prev-id': `${count - 1}`, formats: { 'http-response': { body: id } } },
      { channel: 'drain-ws', id, formats: { 'ws-message': { content: id } } },
    ];
    await two.publish(...items);
    // Each long poll asks again, with a handshake of TLS.
    await delay(60);
  };
  const whole = () => sights.every(({ sight }) => sight.received.every((list) => list.length >= count));
  await publish();
  await until('the first item everywhere', whole);
  const before = sights.map(({ sight }) => sight.requests);
  one.child.signal('SIGTERM');
  const isGone = one.child.exited.then(() => true);
  while (!(await Promise.race([isGone, false]))) await publish();
  for (let n = 0; n < 10; n++) await publish();
  await until('all items everywhere', whole, () =>
    sights.map(({ name, sight }) => `${name}: ${sight.received.map((list) => list.length)} of ${count}`).join('\n'),
  );
  t.equal((await one.child.exited).code, 0);
  const expected = Array.from({ length: count }, (_, n) => `${n + 1}`);
  for (const [index, { name, sight }] of sights.entries()) {
    t.strictSame(sight.failures, [], `${name}: failures`);
    t.ok(sight.requests > (before[index] as number), `${name}: ${sight.requests} requests`);
    for (const list of sight.received) t.strictSame(list, expected, name);
  }
});
