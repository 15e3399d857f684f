/** New clients of every kind begin with the last value: the real command, both edges, two nodes on one Redis. */
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { view } from '../../kit/views-fixture.js';

const item = (n: number) => ({
  channel: 'prices',
  formats: {
    'http-stream': { content: `data: ${n}\n\n` },
    'http-response': { body: `${n}` },
    'ws-message': { content: `${n}` },
  },
});

async function start(t: Test, settings: Record<string, string | number | boolean>): Promise<Holdfast> {
  const initial = 'prices; initial=last';
  const http = await startOrigin(t, (request, response, seen) => {
    if (request.url === '/poll') response.writeHead(200, responseHold(initial)).end('nothing\n');
    else if (request.url === '/stream')
      response.writeHead(200, streamHold(initial, { 'Content-Type': 'text/event-stream' })).end('data: hello\n\n');
    else
      request.on('end', () => {
        response.writeHead(200, { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' });
        const texts = ['c:{"type":"subscribe","channel":"prices","initial":"last"}', 'm:hello'];
        const events = texts.map((text) => `TEXT ${text.length.toString(16)}\r\n${text}\r\n`).join('');
        response.end(seen.body.startsWith('OPEN') ? `OPEN\r\n${events}` : '');
      });
  });
  return startHoldfast(t, {
    routes: [`*,proto=ws ${http.target},over_http`, `* ${http.target}`],
    settings: { history_replay: true, client_half_close_grace: 0, ...settings },
  });
}

const redis = await startRedis(t);

for (const edge of ['node', 'uws']) {
  t.test(`edge ${edge}: each kind gets the last value once, and then what comes, from any node`, async (t) => {
    const settings = { edge, redis_url: redis.url, redis_prefix: `initial-${edge}` };
    const [one, two] = await Promise.all([start(t, settings), start(t, settings)]);
    await one.publish(item(1), item(2));
    const poll = await ask(t, `${two.clients}/poll`);
    t.equal(poll.text, '2');
    const stream = await open(t, `${two.clients}/stream`);
    await stream.until('data: 2');
    const socket = await openWs(t, wsUrl(two.clients, '/ws'));
    t.strictSame([await socket.text(), await socket.text()], ['hello', '2']);
    await one.publish(item(3));
    await stream.until('data: 3');
    t.equal(await socket.text(), '3');
    t.strictSame(
      [...stream.text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data),
      ['hello', '2', '3'],
    );
    const page = await view(t, two, '/channels/prices/history?reverse=1&limit=2');
    t.match(page, { status: 200, body: { items: [{ offset: 3 }, { offset: 2 }] } });
    t.match(await view(t, two, '/channels/prices/history', 'DELETE'), { status: 200 });
    t.match(await view(t, one, '/channels/prices/history'), { status: 200, body: { items: [] } });
  });
}
