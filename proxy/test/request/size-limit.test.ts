/** `request_size_max`, at its edge, wherever a client's body reaches an origin. */
import t from 'tap';
import { head } from '../kit/clients/raw-client.js';
import { startOrigin, streamHold } from '../kit/origins/origin.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { until } from '../kit/until.js';
import { startRelay } from './fixture.js';

const TEXT = 'Request body too large: request_size_max is 1000 bytes.\n';

const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`;

const chunkedHead = (path = '/') => head('POST', path, ['Transfer-Encoding: chunked']);

for (const edge of ['node', 'uws']) {
  t.test(
    `edge ${edge}: a declared length is refused before the origin is asked, where it is one byte over`,
    async (t) => {
      const origin = await RawOrigin.open(t, ({ body, socket }) => socket.write(answerBytes(`${body.length}`)));
      const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`], { edge, request_size_max: '1kB' });
      const exact = await proxy.send(head('POST', '/', ['Content-Length: 1000']) + 'x'.repeat(1_000));
      t.equal((await exact.answer()).body.toString(), '1000');
      const over = await proxy.send(head('POST', '/', ['Content-Length: 1001']));
      const answer = await over.answer();
      t.strictSame([answer.status, answer.reason, answer.body.toString()], [413, 'Request Entity Too Large', TEXT]);
      t.equal(origin.requests.length, 1);
      t.match(await proxy.end(2), { status: 413, error: 'ERR_REQUEST_BODY_TOO_LARGE', target: '-' });
      const line = proxy.log.lines.find(({ fields }) => fields.code === 'ERR_REQUEST_BODY_TOO_LARGE');
      t.match(line?.message, /request_size_max is 1000 bytes/);
    },
  );

  t.test(`edge ${edge}: the refusal reaches a client that goes on sending`, async (t) => {
    const origin = await RawOrigin.open(t, () => {});
    const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`], { edge, request_size_max: 1_000 });
    const much = 8 * 2 ** 20;
    const client = await proxy.send(head('POST', '/', [`Content-Length: ${much}`]));
    void client.write(Buffer.alloc(much));
    t.equal((await client.answer()).status, 413);
    t.equal(origin.requests.length, 0);
  });

  t.test(`edge ${edge}: a route has its own limit, or none`, async (t) => {
    const origin = await RawOrigin.open(t, ({ body, socket }) => socket.write(answerBytes(`${body.length}`)));
    const target = `127.0.0.1:${origin.port}`;
    const routes = [`*,path_beg=/a,request_size_max=2KiB ${target}`, `*,path_beg=/b,request_size_max=0 ${target}`];
    const proxy = await startRelay(t, [...routes, `* ${target}`], { edge, request_size_max: 10 });
    const post = async (path: string, length: number) => {
      const client = await proxy.send(head('POST', path, [`Content-Length: ${length}`]) + 'x'.repeat(length));
      return (await client.answer()).status;
    };
    t.strictSame([await post('/a', 2_048), await post('/a', 2_049)], [200, 413]);
    t.equal(await post('/b', 300_000), 200);
    t.strictSame([await post('/', 10), await post('/', 11)], [200, 413]);
  });
}

t.test('a client that waits for 100 Continue gets the refusal in its place', async (t) => {
  const origin = await RawOrigin.open(t, () => {});
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`], { request_size_max: 1_000 });
  const client = await proxy.send(head('POST', '/', ['Content-Length: 1001', 'Expect: 100-continue']));
  const answer = await client.answer();
  t.strictSame([answer.status, answer.header('connection')], [413, 'close']);
});

t.test('a chunked body is refused as soon as more has come, and its request to the origin broken off', async (t) => {
  const ends: string[] = [];
  const origin = await startOrigin(t, (request, response) => {
    request.once('aborted', () => ends.push('aborted'));
    request.once('end', () => response.end('whole'));
  });
  const proxy = await startRelay(t, [`* ${origin.target}`], { request_size_max: 1_000 });
  const exact = await proxy.send(`${chunkedHead()}${chunk(500)}${chunk(500)}0\r\n\r\n`);
  t.equal((await exact.answer()).body.toString(), 'whole');
  const client = await proxy.send(chunkedHead() + chunk(500));
  await until(() => origin.seen[1]?.body.length === 500);
  void client.write(chunk(501));
  const answer = await client.answer();
  t.strictSame([answer.status, answer.body.toString()], [413, TEXT]);
  t.equal(answer.header('connection'), 'close');
  await until(() => ends.length === 1);
  await client.closed();
  t.match(await proxy.end(2), { status: 413, error: 'ERR_REQUEST_BODY_TOO_LARGE' });
});

t.test('a client that sends chunks without end is rid of after its answer', async (t) => {
  const origin = await startOrigin(t, () => {});
  const proxy = await startRelay(t, [`* ${origin.target}`], { request_size_max: 1_000 });
  const client = await proxy.send(chunkedHead() + chunk(1_001));
  const sending = setInterval(() => void client.write(chunk(100)), 20);
  t.teardown(() => clearInterval(sending));
  t.equal((await client.answer()).status, 413);
  await client.closed();
  t.ok(client.isClosed);
});

t.test('an answer that is under way is cut', async (t) => {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, { 'Content-Length': 10 });
    response.write('12345');
  });
  const proxy = await startRelay(t, [`* ${origin.target}`], { request_size_max: 1_000 });
  const client = await proxy.send(chunkedHead() + chunk(1_000));
  await client.receives('12345');
  void client.write(chunk(1));
  const answer = await client.answer();
  t.strictSame([answer.status, answer.body.toString(), answer.whole], [200, '12345', false]);
  await client.closed();
  t.match(await proxy.end(1), { status: 200, error: 'ERR_REQUEST_BODY_TOO_LARGE' });
});

t.test('a request that is held already is answered, and a stream cut', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('a'));
    else response.writeHead(200, { 'Grip-Hold': 'response', 'Grip-Channel': 'a', 'Grip-Timeout': '50' });
    response.end(request.url === '/stream' ? 'open' : '');
  });
  const proxy = await startRelay(t, [`* ${origin.target}`], { request_size_max: 1_000 });
  const poll = await proxy.send(chunkedHead('/poll') + chunk(1_000));
  t.match(await proxy.end(1), { hold: 'response' });
  void poll.write(chunk(1));
  const answer = await poll.answer();
  t.strictSame([answer.status, answer.body.toString()], [413, TEXT]);
  const stream = await proxy.send(chunkedHead('/stream') + chunk(10));
  await stream.receives('open');
  void stream.write(chunk(991));
  await stream.closed();
  t.notOk(stream.text.includes('0\r\n\r\n'), 'it does not look whole');
  const reasons = () => proxy.log.lines.map(({ fields }) => fields.reason).filter(Boolean);
  await until(() => reasons().length === 2);
  t.strictSame(reasons(), ['client-fault', 'client-fault']);
});

t.test('bodies of JSON-P and of SockJS count too', async (t) => {
  const origin = await RawOrigin.open(t, ({ body, socket }) => socket.write(answerBytes(`${body.length}`)));
  const target = `127.0.0.1:${origin.port}`;
  const routes = [`*,path_beg=/sock,sockjs=/sock ${target}`, `*,aco ${target}`];
  const proxy = await startRelay(t, routes, { request_size_max: 1_000 });
  const client = await proxy.connect();
  const jsonp = async (bytes: number) => {
    void client.write(head('GET', `/?callback=f&_method=POST&_body=${'x'.repeat(bytes)}`));
    return (await client.answer()).body.toString();
  };
  t.match(await jsonp(1_000), '"code": 200');
  t.match(await jsonp(1_001), '"code": 413');
  t.equal(origin.requests.length, 1);
  const send = async (form: 'length' | 'chunks', bytes: number) => {
    const path = '/sock/000/abc/xhr_send';
    const declared = head('POST', path, [`Content-Length: ${bytes}`]) + 'x'.repeat(bytes);
    const { status, body } = await (
      await proxy.send(form === 'length' ? declared : `${chunkedHead(path)}${chunk(bytes)}0\r\n\r\n`)
    ).answer();
    return [status, body.toString()];
  };
  t.strictSame(await send('length', 1_000), [404, 'Not Found\n'], 'there is no such session');
  t.strictSame(await send('chunks', 1_000), [404, 'Not Found\n']);
  t.strictSame(await send('length', 1_001), [413, TEXT]);
  t.strictSame(await send('chunks', 1_001), [413, TEXT]);
  t.match(proxy.requests.at(-1)?.fields, { status: 413, error: 'ERR_REQUEST_BODY_TOO_LARGE' });
});
