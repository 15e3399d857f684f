/** SockJS row by row against the real command, by a client without any library. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { ask } from '../kit/clients/http-client.js';
import { connectTo } from '../kit/clients/raw-client.js';
import { openWs, wsUrl } from '../kit/clients/ws-client.js';
import { startHoldfast } from '../kit/holdfast.js';
import { type Kind, kinds } from '../kit/origins/echo-origin.js';
import { startOrigin } from '../kit/origins/origin.js';
import { until } from '../kit/until.js';
import { E2eFixture } from './e2e-fixture.js';

for (const kind of Object.keys(kinds) as Kind[]) {
  t.test(`xhr and jsonp with an origin that is ${kind}`, async (t) => {
    const fixture = await E2eFixture.start(t, kind);
    t.equal((await fixture.post('/000/s1/xhr')).text, 'o\n');
    t.match(await fixture.post('/000/s1/xhr_send', '["a","b"]'), { status: 204, text: '' });
    t.strictSame(await fixture.messages('s1', 2), ['a', 'b']);
    t.match(await fixture.post('/000/s1/xhr_send', '["x'), { status: 500, text: 'Broken JSON encoding.\n' });
    await fixture.post('/000/s1/xhr_send', '["!close 3001 bye"]');
    t.equal((await fixture.post('/000/s1/xhr')).text, 'c[3001,"bye"]\n');
    t.equal((await fixture.post('/000/s1/xhr')).text, 'c[3001,"bye"]\n');

    t.equal((await fixture.get('/000/s2/jsonp?c=%63b')).text, '/**/cb("o");\r\n');
    const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
    t.match(await fixture.post('/000/s2/jsonp_send', 'd=%5B%22x+%2B%22%5D', form), { status: 200, text: 'ok' });
    t.equal((await fixture.get('/000/s2/jsonp?c=cb')).text, '/**/cb("a[\\"x +\\"]");\r\n');
    t.match(await fixture.get('/000/s2/jsonp?c=1'), { status: 500, text: 'invalid "callback" parameter\n' });
    await fixture.origin.saw('open /echo', 2);
  });

  t.test(`WebSockets with an origin that is ${kind}`, async (t) => {
    const fixture = await E2eFixture.start(t, kind, { route: 'sockjs_as_path=/as' });
    const framed = await openWs(t, wsUrl(fixture.url, '/echo/000/s/websocket'));
    t.equal(await framed.text(), 'o');
    framed.send('["a","b"]');
    t.strictSame([await framed.text(), await framed.text()], ['a["a"]', 'a["b"]']);
    framed.send('["!close 4000 x"]');
    t.equal(await framed.text(), 'c[4000,"x"]');
    t.strictSame(await framed.end(), { code: 4000, reason: 'x' });

    const broken = await openWs(t, wsUrl(fixture.url, '/echo/000/s/websocket'));
    broken.send('["a');
    t.equal((await broken.end()).code, 1006);

    const raw = await openWs(t, wsUrl(fixture.url, '/echo/websocket?q=1'));
    raw.send('Hello world!\uffff');
    t.equal(await raw.text(), 'Hello world!\uffff');
    await fixture.origin.saw('open /as', 2);
    await fixture.origin.saw('open /as?q=1');
    await t.rejects(openWs(t, wsUrl(fixture.url, '/echo/nothing')), { message: /404/ });
  });
}

t.test('answers that belong to no session', async (t) => {
  const fixture = await E2eFixture.start(t, 'direct', { settings: { sockjs_url: '/sockjs.js' } });
  const info = await fixture.get('/info', { Origin: 'http://page.test' });
  t.match(info.text, /^\{"cookie_needed":false,"entropy":\d+,"origins":\["\*:\*"\],"websocket":true\}\n$/);
  t.match(info.headers, {
    'content-type': 'application/json; charset=UTF-8',
    'cache-control': 'no-store, no-cache, no-transform, must-revalidate, max-age=0',
    'access-control-allow-origin': 'http://page.test',
    'access-control-allow-credentials': 'true',
  });
  const page = await fixture.get('/iframe-1.6.1.html');
  t.match(page.text, '<script src="/sockjs.js"></script>');
  const { etag = '' } = page.headers;
  const again = await fixture.get('/iframe.html', { 'If-None-Match': etag });
  t.match(again, { status: 304, text: '' });
  t.equal(again.headers['content-type'], undefined);
  const options = await ask(t, `${fixture.url}/000/s/xhr`, { method: 'OPTIONS' });
  t.match(options, { status: 204, text: '' });
  t.match(options.headers, {
    'content-type': 'text/plain; charset=UTF-8',
    'access-control-allow-methods': 'OPTIONS, POST',
  });
  t.match(await fixture.get(''), { status: 200, text: 'Welcome to SockJS!\n' });
  t.match(await fixture.get('/000/s/xhr'), { status: 404, text: 'Not Found\n' });
  t.match(await fixture.post('/000/nobody/xhr_send', '["a"]'), { status: 404, text: 'Not Found\n' });
  t.match(await fixture.post('/000/s/xhr', 'x'.repeat(100_001)), { status: 400, text: 'Request too large.\n' });
  const line = await fixture.holdfast.record('of info', ({ url }) => String(url).endsWith('/echo/info'));
  t.match(line, { status: 200, bytes: info.text.length, target: '-' });
});

t.test('one connection at a time, and the end of a client that leaves', async (t) => {
  const fixture = await E2eFixture.start(t, 'direct');
  await fixture.post('/000/s/xhr');
  const poll = fixture.stream('/000/s/xhr_streaming');
  const stream = await poll;
  await stream.until('h\n');
  t.equal((await fixture.post('/000/s/xhr')).text, 'c[2010,"Another connection still open"]\n');
  const second = await fixture.stream('/000/s/xhr_streaming');
  t.equal(await second.end(), 'complete');
  t.match(second.text, /^h{2048}\nc\[2010,"Another connection still open"\]\n$/);
  stream.drop();
  await fixture.origin.saw('close 1005');
  t.equal((await fixture.post('/000/s/xhr')).text, 'c[1002,"Connection interrupted"]\n');
});

t.test('streams end after 128 KiB, and go on with the next', async (t) => {
  const fixture = await E2eFixture.start(t, 'direct');
  const events = await fixture.stream('/000/s/eventsource', 'GET');
  await events.until('\r\ndata: o\r\n\r\n');
  const text = 'x'.repeat(90_000);
  for (const message of [text, text]) await fixture.post('/000/s/xhr_send', JSON.stringify([message]));
  t.equal(await events.end(), 'complete');
  t.equal(events.text.split('data: a').length, 3);
  const next = await fixture.stream('/000/s/htmlfile?c=cb', 'GET');
  await fixture.post('/000/s/xhr_send', '["</script>"]');
  await next.until('p("a[\\"\\u003c/script>\\"]")');
});

t.test('an HTTP/1.0 client has its stream without chunks', async (t) => {
  const fixture = await E2eFixture.start(t, 'direct');
  const wire = await connectTo(t, fixture.holdfast.clients);
  wire.send('POST /echo/000/s/xhr_streaming HTTP/1.0', 'Content-Length: 0', '');
  await wire.until(/\r\n\r\nh{2048}\no\n$/);
  t.notMatch(wire.text, /transfer-encoding|content-length/i);
  await fixture.post('/000/s/xhr_send', '["a","!close 3000 Go"]');
  await wire.closed();
  t.match(wire.text, /o\na\["a"\]\nc\[3000,"Go"\]\n$/);
});

t.test('the origin’s refusal is the answer', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(403, { 'Content-Type': 'text/x' }).end('not you');
  });
  const routes = [`*,path_beg=/a,sockjs=/a ${origin.target}`, `*,path_beg=/b,sockjs=/b ${origin.target},over_http`];
  const { clients } = await startHoldfast(t, { routes: [...routes, '*,path_beg=/c,sockjs=/c 127.0.0.1:1'] });
  for (const prefix of ['/a', '/b']) {
    const answer = await ask(t, `${clients}${prefix}/0/s/xhr`, { method: 'POST', headers: { Origin: 'http://o' } });
    t.match(answer, { status: 403, text: 'not you' }, prefix);
    t.match(answer.headers, { 'content-type': 'text/x', 'access-control-allow-origin': 'http://o' });
  }
  const dead = await ask(t, `${clients}/c/0/s/xhr_streaming`, { method: 'POST' });
  t.match(dead, { status: 502 });
  t.equal(dead.headers['access-control-allow-origin'], '*');
});

t.test('an origin that breaks off ends the session with 410', async (t) => {
  const origin = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  t.teardown(() => origin.close());
  origin.on('connection', (socket) => socket.on('message', () => socket.terminate()));
  await once(origin, 'listening');
  const target = `127.0.0.1:${(origin.address() as AddressInfo).port}`;
  const { clients } = await startHoldfast(t, { routes: [`*,sockjs=/echo ${target}`] });
  const post = (last: string, body = '') => ask(t, `${clients}/echo/0/s/${last}`, { method: 'POST', body });
  t.equal((await post('xhr')).text, 'o\n');
  const waiting = post('xhr');
  t.match(await post('xhr_send', '["a"]'), { status: 204 });
  t.match(await waiting, { status: 410, text: 'Session terminated\n' });
  t.match(await post('xhr'), { status: 410, text: 'Session terminated\n' });
});

t.test('a node that goes down closes its sessions', async (t) => {
  const fixture = await E2eFixture.start(t, 'direct');
  await fixture.post('/000/s/xhr');
  // One of them waits, and the other is refused.
  const polls = [fixture.post('/000/s/xhr'), fixture.post('/000/s/xhr')];
  t.match(await Promise.race(polls), { text: /^c\[2010/ });
  const stream = await fixture.stream('/000/t/xhr_streaming');
  await stream.until('o\n');
  fixture.holdfast.child.signal('SIGTERM');
  const frames = (await Promise.all(polls)).map(({ text }) => text);
  t.ok(frames.includes('c[1012,"Connection closed"]\n'), frames.join(''));
  t.equal(await stream.end(), 'complete');
  t.match(stream.text, /c\[1012,"Connection closed"\]\n$/);
  t.match(await fixture.holdfast.child.exited, { code: 0 });
});

for (const policy of ['close', 'drop']) {
  t.test(`a client that does not poll has client_queue_size, then slow_client_policy: ${policy}`, async (t) => {
    const settings = { client_queue_size: 4_096, slow_client_policy: policy };
    const fixture = await E2eFixture.start(t, 'direct', { settings });
    await fixture.post('/000/s/xhr');
    await fixture.post('/000/s/xhr_send', '["!subscribe room"]');
    await until('the subscription', async () => (await fixture.holdfast.metric('holdfast_channels')) === 1);
    const item = { channel: 'room', formats: { 'ws-message': { content: 'x'.repeat(1_000) } } };
    await fixture.holdfast.publish(item, item, item, item, item, item);
    t.equal((await fixture.messages('s', 4)).length, 4);
    if (policy === 'close') t.equal((await fixture.post('/000/s/xhr')).text, 'c[1013,"Connection closed"]\n');
    else {
      await fixture.holdfast.publish(item);
      t.equal((await fixture.messages('s', 1)).length, 1);
    }
    const dropped = 'holdfast_items_dropped_total{kind="ws",reason="slow-client"}';
    t.equal(await fixture.holdfast.metric(dropped), policy === 'close' ? 1 : 2);
  });
}

t.test('whatever the path, the next client is served', async (t) => {
  const fixture = await E2eFixture.start(t, 'direct');
  const { port } = new URL(fixture.holdfast.clients);
  const part = fc.oneof(
    fc.constantFrom(
      '',
      '.',
      '..',
      '%',
      '%00',
      '%ff',
      '%2f',
      '?',
      '#',
      '000',
      'xhr',
      'jsonp?c=',
      'xhr_send',
      'websocket',
    ),
    fc.stringMatching(/^[!-~]{0,12}$/),
  );
  const paths = fc.sample(
    fc.array(part, { maxLength: 6 }).map((parts) => `/echo${parts.map((text) => `/${text}`).join('')}`),
    150,
  );
  for (const path of [...paths, '/echo', '/echo//', '/echo///xhr', '/echo/0//xhr', '/echo/a./a/xhr', '/echo0/s/xhr']) {
    for (const method of ['POST', 'GET']) {
      const wire = await connectTo(t, `http://127.0.0.1:${port}`);
      wire.send(`${method} ${path} HTTP/1.1`, 'Host: a', 'Content-Length: 2', 'Connection: close', '', '[]');
      await wire.until(/^HTTP\/1\.1 ([24]\d\d|500) /);
      wire.socket.destroy();
    }
  }
  t.equal((await fixture.post('/000/after/xhr')).text, 'o\n');
});
