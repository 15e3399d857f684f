/** Posts to a real server: what it gets, and what is made of its answers. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import t, { type Test } from 'tap';
import { HttpReceiver, readEventKeys } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';

const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const BODY = '{"events":[{"type":"gap","channel":"é"}]}';

async function listen(t: Test, handle: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function receiverFor(t: Test, url: string, clock = new ManualClock(0, Date.now())) {
  const receiver = new HttpReceiver({ url, keys: readEventKeys(KEY), clock });
  t.teardown(() => receiver.close());
  return receiver;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

t.test('it is one POST, signed, on a connection that stays', async (t) => {
  const seen: { request: IncomingMessage; text: string }[] = [];
  const { url } = await listen(t, async (request, response) => {
    seen.push({ request, text: await textOf(request) });
    response.writeHead(204).end();
  });
  const receiver = receiverFor(t, `${url}/hooks?a=b`);
  t.equal(receiver.name, `${url}/hooks`, 'a query may be a secret');
  t.strictSame(await receiver.post('evt_1', BODY), { status: 204 });
  t.strictSame(await receiver.post('evt_2', BODY), { status: 204 });
  const [first, second] = seen;
  t.match(first?.request, { method: 'POST', url: '/hooks?a=b', headers: { 'content-type': 'application/json' } });
  t.equal(first?.request.socket, second?.request.socket);
  const headers = first?.request.headers as Record<string, string>;
  t.strictSame(new Webhook(KEY).verify(first?.text ?? '', headers), JSON.parse(BODY));
  t.equal(headers['webhook-id'], 'evt_1');
});

t.test('a redirect is not followed', async (t) => {
  let asked = 0;
  const { url } = await listen(t, (request, response) => {
    asked++;
    request.resume();
    response.writeHead(307, { Location: '/elsewhere' }).end();
  });
  t.strictSame(await receiverFor(t, url).post('a', BODY), { status: 307 });
  t.equal(asked, 1);
});

t.test('an answer is not read without end', async (t) => {
  const { url } = await listen(t, (request, response) => {
    request.resume();
    response.writeHead(200);
    const more = () => {
      while (response.write(Buffer.alloc(16_384)));
    };
    response.on('drain', more);
    more();
  });
  t.strictSame(await receiverFor(t, url).post('a', BODY), { status: 200 });
});

t.test('a head that is too long is a failure', async (t) => {
  const { url } = await listen(t, (request, response) => {
    request.resume();
    response.writeHead(200, { 'X-Long': 'x'.repeat(20_000) }).end();
  });
  t.match(await receiverFor(t, url).post('a', BODY), { error: 'HPE_HEADER_OVERFLOW' });
});

t.test('no answer in time is a failure; one whose end does not come counts by its status', async (t) => {
  for (const [path, expected] of [
    ['/none', { error: 'no answer in time' }],
    ['/head', { status: 200 }],
  ] as const) {
    const clock = new ManualClock(0, Date.now());
    let came = () => {};
    const arrived = new Promise<void>((resolve) => (came = resolve));
    const { url } = await listen(t, (request, response) => {
      request.resume();
      if (request.url === '/head') response.writeHead(200).write('x');
      came();
    });
    const posted = receiverFor(t, url + path, clock).post('a', BODY);
    await arrived;
    // The head is on its way when the request has been handled.
    await new Promise((resolve) => setTimeout(resolve, 50));
    clock.advance(9_999);
    clock.advance(1);
    t.strictSame(await posted, expected);
    t.equal(clock.pending, 0);
  }
});

t.test('nobody there, and a server that hangs up, are failures', async (t) => {
  const { server, url } = await listen(t, (request) => request.socket.destroy());
  const receiver = receiverFor(t, url);
  t.strictSame(await receiver.post('a', BODY), { error: 'ECONNRESET' });
  server.close();
  t.strictSame(await receiver.post('a', BODY), { error: 'ECONNREFUSED' });
});
