import { gunzipSync, gzipSync } from 'node:zlib';
import t from 'tap';
import { head } from '../kit/clients/raw-client.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { settled, until } from '../kit/until.js';
import { startRelay } from './fixture.js';

const MUCH = 64 * 2 ** 20;

t.test('a request reaches the origin, and its answer the client, as they are', async (t) => {
  const answer =
    'HTTP/1.1 299 Very Fine\r\nX-b: 1\r\nDate: then\r\nSet-Cookie: a\r\nset-cookie: b\r\nContent-Length: 5\r\n\r\nhello';
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answer));
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const client = await proxy.send(head('GET', '/a/../b?x=%20', ['Host: Api.example:81', 'X-b: 1', 'Cookie: c']));
  const { status, reason, fields, body } = await client.answer();
  t.strictSame([status, reason, body.toString()], [299, 'Very Fine', 'hello']);
  t.strictSame(fields, ['X-b', '1', 'Date', 'then', 'Set-Cookie', 'a', 'set-cookie', 'b', 'Content-Length', '5']);
  const [line, ...lines] = origin.requests[0]?.lines ?? [];
  t.equal(line, 'GET /a/../b?x=%20 HTTP/1.1');
  t.ok(lines.includes('X-b: 1'));
  t.ok(lines.some((field) => /^host: Api\.example:81$/i.test(field)));
  t.match(await proxy.end(1), { status: 299, error: undefined, target: `127.0.0.1:${origin.port}` });
});

t.test('the framing of an answer is the edge’s own', async (t) => {
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    if (lines[0]?.includes('/chunked')) {
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
      );
    } else socket.end('HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nKeep-Alive: timeout=5\r\n\r\nhello');
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const client = await proxy.connect();
  for (const path of ['/chunked', '/until-close']) {
    void client.write(head('GET', path));
    const answer = await client.answer();
    t.strictSame([answer.body.toString(), answer.whole], ['hello', true], path);
    t.strictSame(answer.fields, ['Transfer-Encoding', 'chunked'], path);
  }
});

t.test('interim answers are relayed', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) =>
    socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${answerBytes('done')}`),
  );
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const client = await proxy.send(head('GET', '/'));
  const hints = await client.answer();
  t.strictSame([hints.status, hints.fields], [103, ['Link', '</a>']]);
  t.equal((await client.answer()).body.toString(), 'done');
});

t.test('HEAD and 304 keep their declared length, without a body', async (t) => {
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    const [method] = lines[0]?.split(' ') ?? [];
    socket.write(`HTTP/1.1 ${method === 'HEAD' ? 200 : 304} X\r\nContent-Length: 99\r\n\r\n`);
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const client = await proxy.connect();
  for (const method of ['HEAD', 'GET', 'HEAD']) {
    void client.write(head(method, '/'));
    const answer = await client.answer(method);
    t.strictSame([answer.status, answer.header('content-length')], [method === 'HEAD' ? 200 : 304, '99']);
  }
  t.equal(client.received.length, 0);
});

t.test('compressed bodies pass both ways, and so does what the client takes', async (t) => {
  const bytes = gzipSync('compressed');
  const origin = await RawOrigin.open(t, ({ lines, body, socket }) => {
    t.ok(lines.some((line) => /^content-encoding: gzip$/i.test(line)));
    t.ok(lines.includes('Accept-Encoding: gzip, br;q=0.5'));
    const fields = `Content-Encoding: gzip\r\nContent-Length: ${body.length}`;
    socket.write(Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`, 'latin1'));
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const lines = ['Content-Encoding: gzip', 'Accept-Encoding: gzip, br;q=0.5', `Content-Length: ${bytes.length}`];
  const client = await proxy.connect();
  void client.write(Buffer.concat([Buffer.from(head('POST', '/', lines)), bytes]));
  const answer = await client.answer();
  t.equal(answer.header('content-encoding'), 'gzip');
  t.equal(gunzipSync(answer.body).toString(), 'compressed');
});

t.test('an origin that breaks off in the body is seen to by the client', async (t) => {
  const starts = {
    '/length': 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\npart',
    '/chunked': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n',
  };
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    socket.end(starts[lines[0]?.split(' ')[1] as keyof typeof starts]);
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  let n = 0;
  for (const path of Object.keys(starts)) {
    const client = await proxy.send(head('GET', path));
    const answer = await client.answer();
    t.strictSame([answer.status, answer.body.toString(), answer.whole], [200, 'part', false], path);
    await client.closed();
    t.match(await proxy.end(++n), { status: 200, error: 'ERR_ORIGIN_CLOSED' });
  }
});

t.test('a client that leaves ends the request to the origin', async (t) => {
  const origin = await RawOrigin.open(t, ({ lines, socket }) => {
    if (lines[0]?.includes('/body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\npart');
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  let n = 0;
  for (const [path, status] of [
    ['/silent', 0],
    ['/body', 200],
  ] as const) {
    const client = await proxy.send(head('GET', path));
    if (path === '/body') await client.receives('part');
    await until(() => origin.requests.length === n + 1);
    client.reset();
    await until(() => origin.requests[n]?.socket.destroyed === true);
    t.match(await proxy.end(++n), { status, error: 'ERR_REQUEST_CLIENT_GONE' });
  }
});

t.test('a client that stops reading stops the origin, and gets everything once it reads on', async (t) => {
  let written = 0;
  const origin = await RawOrigin.open(t, async ({ socket }) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${MUCH}\r\n\r\n`);
    const block = Buffer.alloc(2 ** 16);
    for (let sent = 0; sent < MUCH; sent += block.length) {
      await new Promise<void>((resolve) => socket.write(block, () => resolve()));
      written += block.length;
    }
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const client = await proxy.connect();
  client.pause();
  void client.write(head('GET', '/'));
  const stopped = await settled(() => written);
  t.ok(stopped > 0 && stopped < MUCH / 2, `the origin got rid of ${stopped} bytes`);
  client.resume();
  const answer = await client.answer();
  t.strictSame([answer.body.length, answer.whole], [MUCH, true]);
});

t.test('several requests of one connection go to the origin one after the other', async (t) => {
  const origin = await RawOrigin.open(t, ({ lines, body, socket }) => {
    setImmediate(() => socket.write(answerBytes(`${lines[0]?.split(' ')[1]} ${body}`)));
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`]);
  const paths = ['/1', '/2', '/3'];
  const client = await proxy.send(paths.map((path) => `${head('POST', path, ['Content-Length: 4'])}body`).join(''));
  for (const path of paths) t.equal((await client.answer()).body.toString(), `${path} body`);
  t.strictSame(
    origin.requests.map(({ lines }) => lines[0]?.split(' ')[1]),
    paths,
  );
});

t.test(
  'over max_open_requests a request waits for one before it, and a client that leaves gives up its place',
  async (t) => {
    const origin = await RawOrigin.open(t, () => {});
    const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port}`], { max_open_requests: 1 });
    const first = await proxy.send(head('GET', '/1'));
    await until(() => origin.requests.length === 1);
    const second = await proxy.send(head('GET', '/2'));
    const third = await proxy.send(head('GET', '/3'));
    t.equal(await settled(() => origin.requests.length), 1);
    second.reset();
    await proxy.end(1);
    origin.requests[0]?.socket.write(answerBytes('1'));
    t.equal((await first.answer()).body.toString(), '1');
    await until(() => origin.requests.length === 2);
    t.equal(origin.requests[1]?.lines[0], 'GET /3 HTTP/1.1');
    origin.requests[1]?.socket.write(answerBytes('3'));
    t.equal((await third.answer()).body.toString(), '3');
  },
);
