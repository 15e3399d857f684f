import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import t from 'tap';
import { OriginError } from '../../dist/errors.js';
import { MAX_PLAIN_POOLS } from '../../dist/origin/client.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { settled, until } from '../kit/until.js';
import { ask, makeClient, target } from './client-fixture.js';

t.test('requests', async (t) => {
  t.test('header pairs go out as given: order, case, duplicates and bytes above 127', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
    const headers = [
      'Host',
      'API.example:1',
      'x-LOWER',
      '1',
      'X-Lower',
      '2',
      'X-B',
      'caf\xe9',
      'Content-Encoding',
      'gzip',
    ];
    const { recorder } = ask(makeClient(t), target(origin.port), {
      path: '/a/../b?x=%20',
      headers,
      host: 'API.example:1',
    });
    t.equal(await recorder.ended(), 'end');
    const [line, ...fields] = origin.requests[0]?.lines ?? [];
    t.equal(line, 'GET /a/../b?x=%20 HTTP/1.1');
    const own = fields.filter((field) => !/^connection:/i.test(field));
    t.strictSame(
      own.map((field) => field.toLowerCase().split(':')[0]),
      ['host', 'x-lower', 'x-lower', 'x-b', 'content-encoding'],
    );
    t.ok(own.includes('X-B: caf\xe9'));
    t.ok(own.includes('x-LOWER: 1'));
  });

  t.test('a buffer goes out with its length, a stream in chunks', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
    const client = makeClient(t);
    await ask(client, target(origin.port), { method: 'POST', body: Buffer.from('whole') }).recorder.ended();
    await ask(client, target(origin.port), {
      method: 'POST',
      body: Readable.from([Buffer.from('in'), Buffer.from('parts')]),
    }).recorder.ended();
    t.equal(origin.requests[0]?.body, 'whole');
    t.equal(origin.requests[1]?.body, '2\r\nin\r\n5\r\nparts\r\n0\r\n\r\n');
  });

  t.test('a stream of declared length goes out with that length', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
    const headers = ['Host', 'test.example', 'Content-Length', '5'];
    const body = Readable.from([Buffer.from('12'), Buffer.from('345')]);
    await ask(makeClient(t), target(origin.port), { method: 'PUT', headers, body }).recorder.ended();
    t.equal(origin.requests[0]?.body, '12345');
    t.notOk(origin.requests[0]?.lines.some((line) => /^transfer-encoding/i.test(line)));
  });

  t.test('a path or a header that cannot be sent is the request’s fault, told asynchronously', async (t) => {
    const origin = await RawOrigin.open(t, () => {});
    const client = makeClient(t);
    for (const bad of [
      { path: '/a b' },
      { headers: ['Host', 'a', 'X-A', 'a\nb'] },
      { headers: ['Host', 'a', 'B d', 'x'] },
    ]) {
      const { recorder } = ask(client, target(origin.port), bad);
      t.equal(recorder.over, false, 'not from within dispatch');
      t.match(await recorder.ended(), { code: 'ERR_ORIGIN_REQUEST', repeat: 'no', side: 'client' });
    }
    t.equal(origin.requests.length, 0);
  });

  t.test('a body that breaks off ends the request with its own error', async (t) => {
    const origin = await RawOrigin.open(t, () => {});
    const body = new Readable({ read() {} });
    body.push('part');
    const { recorder } = ask(makeClient(t), target(origin.port), { method: 'POST', body });
    await until(() => origin.sockets.size === 1);
    const error = new OriginError('ERR_ORIGIN_REQUEST', 'broke off', 'no');
    body.destroy(error);
    t.equal(await recorder.ended(), error);
  });
});

t.test('answers', async (t) => {
  t.test('the head comes as it was: status, reason, pairs in case and order', async (t) => {
    const fields = ['X-b: 1', 'Set-Cookie: a', 'set-cookie: b', 'X-B: caf\xe9', 'Content-Encoding: gzip'];
    const origin = await RawOrigin.open(t, ({ socket }) =>
      socket.write(
        Buffer.from(`HTTP/1.1 299 Very Fine\r\n${fields.join('\r\n')}\r\nContent-Length: 4\r\n\r\ngzip`, 'latin1'),
      ),
    );
    const { recorder } = ask(makeClient(t), target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.strictSame(recorder.head, {
      status: 299,
      reason: 'Very Fine',
      headers: [...fields.flatMap((field) => field.split(': ')), 'Content-Length', '4'],
    });
    t.equal(recorder.length, 4);
    t.equal(recorder.body, 'gzip', 'nothing is decoded');
  });

  t.test('a chunked body comes without framing and trailers, of unknown length', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) =>
      socket.write(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n',
      ),
    );
    const { recorder } = ask(makeClient(t), target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.strictSame([recorder.length, recorder.body], [undefined, 'abcde']);
  });

  t.test('a body until the close ends with it', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
    const { recorder } = ask(makeClient(t), target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.equal(recorder.body, 'all of it');
  });

  t.test('an HTTP/1.0 origin is understood', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) =>
      socket.end('HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold'),
    );
    const { recorder } = ask(makeClient(t), target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.equal(recorder.body, 'old');
  });

  t.test('HEAD, 204 and 304 have no body, whatever length they declare', async (t) => {
    const origin = await RawOrigin.open(t, ({ lines, socket }) => {
      const [, path] = lines[0]?.split(' ') ?? [];
      socket.write(`HTTP/1.1 ${path?.slice(1)} X\r\n${path === '/204' ? '' : 'Content-Length: 99\r\n'}\r\n`);
    });
    const client = makeClient(t);
    for (const [method, path, length] of [
      ['HEAD', '/200', 99],
      ['GET', '/204', undefined],
      ['GET', '/304', 99],
    ] as const) {
      const { recorder } = ask(client, target(origin.port), { method, path });
      t.equal(await recorder.ended(), 'end', path);
      t.strictSame([recorder.length, recorder.body], [length, '']);
    }
  });

  t.test('interim answers come before the head', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) =>
      socket.write(
        `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${answerBytes('done')}`,
      ),
    );
    const { recorder } = ask(makeClient(t), target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.strictSame(recorder.information, [
      { status: 103, reason: 'Early Hints', headers: ['Link', '</a>'] },
      { status: 102, reason: 'Processing', headers: [] },
    ]);
    t.equal(recorder.head?.status, 200);
  });

  t.test('onData that returns false holds the origin back until resume', async (t) => {
    const total = 64 * 2 ** 20;
    const server = createServer((_, response) => {
      response.writeHead(200, { 'Content-Length': total });
      response.end(Buffer.alloc(total));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const { call, recorder } = ask(makeClient(t), target((server.address() as AddressInfo).port));
    recorder.accepts = false;
    await recorder.headed();
    t.ok((await settled(() => recorder.bytes)) < 2 ** 20);
    recorder.accepts = true;
    call.resume();
    t.equal(await recorder.ended(), 'end');
    t.equal(recorder.bytes, total);
  });
});

t.test('connections', async (t) => {
  t.test('a connection is used again after a complete answer', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('x')));
    const client = makeClient(t);
    for (const _ of [1, 2, 3]) {
      t.equal(await ask(client, target(origin.port)).recorder.ended(), 'end');
      await new Promise(setImmediate);
    }
    t.strictSame(
      origin.requests.map(({ connection }) => connection),
      [1, 1, 1],
    );
  });

  t.test('requests at the same time do not wait for each other', async (t) => {
    const open: Socket[] = [];
    const origin = await RawOrigin.open(t, ({ socket }) => void open.push(socket));
    const client = makeClient(t);
    const calls = [1, 2, 3].map(() => ask(client, target(origin.port)));
    await until(() => open.length === 3);
    for (const socket of open) socket.write(answerBytes('x'));
    for (const { recorder } of calls) t.equal(await recorder.ended(), 'end');
  });

  t.test('a connection whose answer says close is not used again', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.end(answerBytes('x', ['Connection: close'])));
    const client = makeClient(t);
    for (const _ of [1, 2]) t.equal(await ask(client, target(origin.port)).recorder.ended(), 'end');
    t.strictSame(
      origin.requests.map(({ connection }) => connection),
      [1, 2],
    );
  });

  t.test('abort closes the connection, before the head and in the body, and nothing is told after it', async (t) => {
    const origin = await RawOrigin.open(t, ({ lines, socket }) => {
      if (lines[0]?.includes('/body')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart');
    });
    const client = makeClient(t);
    for (const path of ['/silent', '/body']) {
      const before = origin.requests.length;
      const { call, recorder } = ask(client, target(origin.port), { path });
      if (path === '/body') await recorder.headed();
      await until(() => origin.requests.length > before);
      call.abort();
      await until(() => origin.requests.at(-1)?.socket.destroyed === true);
      t.equal(recorder.over, false);
    }
  });

  t.test('abort before the connection is up sends nothing', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('x')));
    const client = makeClient(t);
    const { call, recorder } = ask(client, target(origin.port), { path: '/aborted' });
    call.abort();
    t.equal(await ask(client, target(origin.port), { path: '/next' }).recorder.ended(), 'end');
    t.strictSame(
      origin.requests.map(({ lines }) => lines[0]),
      ['GET /next HTTP/1.1'],
    );
    t.equal(recorder.over, false);
  });

  t.test('abort after the end keeps the connection', async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('x')));
    const client = makeClient(t);
    const { call, recorder } = ask(client, target(origin.port));
    await recorder.ended();
    call.abort();
    await new Promise(setImmediate);
    await ask(client, target(origin.port)).recorder.ended();
    t.equal(origin.requests[1]?.connection, 1);
  });
});

t.test('of more pools than are kept the first is closed when idle, and made anew when it is needed', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('')));
  const client = makeClient(t);
  const first = target(origin.port);
  const pool = client.origin(first, 'a');
  t.equal(await ask(client, first).recorder.ended(), 'end');
  t.equal(client.origin(first, 'a'), pool);
  for (let i = 0; i < MAX_PLAIN_POOLS; i++) client.origin(target(1, { host: `h${i}.example` }), 'a');
  await until(() => origin.sockets.size === 0);
  t.not(client.origin(first, 'a'), pool);
  t.equal(await ask(client, first).recorder.ended(), 'end');
});
