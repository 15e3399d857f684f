import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { head } from '../kit/clients/raw-client.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { deadPort } from '../kit/ports.js';
import { settled, until } from '../kit/until.js';
import { startRelay } from './fixture.js';

const MUCH = 64 * 2 ** 20;

/** An origin on node's own server. */
async function nodeOrigin(
  t: Test,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Answers with the length and the digest of a body. */
const digesting = (request: IncomingMessage, response: ServerResponse) => {
  const hash = createHash('sha256');
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  request.on('end', () => response.end(`${bytes} ${hash.digest('hex')}`));
};

const digestOf = (body: Buffer) => `${body.length} ${createHash('sha256').update(body).digest('hex')}`;

t.test('bodies of any size arrive whole, with a length or in chunks', async (t) => {
  const proxy = await startRelay(t, [`* 127.0.0.1:${await nodeOrigin(t, digesting)}`]);
  for (const size of [1, 9_999, 10_001, 100_001, 5_000_000]) {
    const body = randomBytes(size);
    const client = await proxy.connect();
    void client.write(head('POST', '/', [`Content-Length: ${size}`]));
    void client.write(body);
    t.equal((await client.answer()).body.toString(), digestOf(body), `${size} bytes with a length`);
    void client.write(head('POST', '/', ['Transfer-Encoding: chunked']));
    const half = Math.floor(size / 2);
    for (const part of [body.subarray(0, half), body.subarray(half)]) {
      if (part.length === 0) continue;
      void client.write(`${part.length.toString(16)};ext\r\n`);
      void client.write(part);
      void client.write('\r\n');
    }
    void client.write('0\r\nX-Trailer: 1\r\n\r\n');
    t.equal((await client.answer()).body.toString(), digestOf(body), `${size} bytes in chunks`);
  }
});

t.test('an origin that stops reading stops the client, and gets everything once it reads on', async (t) => {
  let request: IncomingMessage | undefined;
  const port = await nodeOrigin(t, (message, response) => {
    request = message;
    message.pause();
    digesting(message, response);
    message.pause();
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${port}`]);
  const body = Buffer.alloc(MUCH, 'x');
  const client = await proxy.connect();
  void client.write(head('POST', '/', [`Content-Length: ${MUCH}`]));
  let written = 0;
  const writing = (async () => {
    for (; written < MUCH; written += 2 ** 16) await client.write(body.subarray(written, written + 2 ** 16));
  })();
  const stopped = await settled(() => written);
  t.ok(stopped > 0 && stopped < MUCH / 2, `the client got rid of ${stopped} bytes`);
  request?.resume();
  t.equal((await client.answer()).body.toString(), digestOf(body));
  await writing;
});

t.test('a client that breaks off its body breaks off the request', async (t) => {
  const outcomes: string[] = [];
  let requests = 0;
  const port = await nodeOrigin(t, (request) => {
    requests++;
    request.resume();
    request.once('aborted', () => outcomes.push('aborted')).once('end', () => outcomes.push('end'));
    request.once('error', () => {});
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${port}`]);
  let n = 0;
  for (const start of [
    `${head('POST', '/', ['Content-Length: 100000'])}part`,
    `${head('POST', '/', ['Transfer-Encoding: chunked'])}4\r\npart\r\n`,
  ]) {
    const client = await proxy.send(start);
    await until(() => requests > n);
    client.reset();
    n++;
    await until(() => outcomes.length === n);
    t.match(await proxy.end(n), { status: 0, error: 'ERR_REQUEST_CLIENT_GONE' });
  }
  t.notOk(outcomes.includes('end'), 'no origin takes the part for the whole');
});

t.test('malformed chunks break the request off, and are answered 400', async (t) => {
  const outcomes: string[] = [];
  const port = await nodeOrigin(t, (request) => {
    request.resume();
    request.once('aborted', () => outcomes.push('aborted')).once('end', () => outcomes.push('end'));
    request.once('error', () => {});
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${port}`]);
  const client = await proxy.send(`${head('POST', '/', ['Transfer-Encoding: chunked'])}4\r\npart\r\n`);
  await settled(() => client.receivedBytes);
  void client.write('xyz\r\n');
  t.equal((await client.answer()).status, 400);
  await until(() => outcomes.length > 0);
  t.strictSame(outcomes, ['aborted']);
});

t.test('an early answer to an unfinished upload reaches the client, whose connection goes on', async (t) => {
  const refusal = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n';
  for (const [what, refuse] of [
    ['closes', (socket: Socket) => socket.end(`${refusal}Connection: close\r\n\r\ntoo large`)],
    ['stops reading', (socket: Socket) => socket.pause().write(`${refusal}\r\ntoo large`)],
  ] as const) {
    const server = createNetServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => {
        if (bytes.includes('/next')) socket.end(answerBytes('next'));
        else refuse(socket.resume());
      });
      t.teardown(() => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const proxy = await startRelay(t, [`* 127.0.0.1:${(server.address() as AddressInfo).port}`]);
    const client = await proxy.connect();
    void client.write(head('POST', '/', [`Content-Length: ${MUCH}`]));
    const sent = client.write(Buffer.alloc(MUCH));
    const answer = await client.answer();
    t.strictSame([answer.status, answer.body.toString()], [413, 'too large'], `an origin that ${what}`);
    await sent;
    void client.write(head('GET', '/next'));
    t.equal((await client.answer()).body.toString(), 'next');
  }
});

t.test('what an origin has answered before it resets an upload reaches the client, every time', async (t) => {
  const refusals = {
    'a length': 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\n\r\ntoo large',
    'a close after it': 'HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 9\r\n\r\ntoo large',
    chunks: 'HTTP/1.1 413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ntoo large\r\n0\r\n\r\n',
    'its end at the close': 'HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n\r\ntoo large',
    'much text': `HTTP/1.1 413 Content Too Large\r\nContent-Length: 60009\r\n\r\n${'x'.repeat(60_000)}too large`,
  };
  for (const [what, refusal] of Object.entries(refusals)) {
    const server = createNetServer((socket) => {
      socket.on('error', () => {});
      // The rest is never read: the kernel resets the connection when it is closed.
      socket.once('data', () => socket.pause().write(refusal, () => setImmediate(() => socket.resetAndDestroy())));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => server.close());
    const proxy = await startRelay(t, [`* 127.0.0.1:${(server.address() as AddressInfo).port}`]);
    for (const framing of ['Content-Length', 'Transfer-Encoding']) {
      for (let i = 0; i < 12; i++) {
        const client = await proxy.connect();
        const size = framing === 'Content-Length' ? `${MUCH}` : 'chunked';
        void client.write(head(i % 2 === 0 ? 'POST' : 'PUT', '/', [`${framing}: ${size}`]));
        const part = Buffer.alloc(2 ** 20, 'x');
        let answered = false;
        const sending = (async () => {
          for (let sent = 0; sent < MUCH && !answered; sent += part.length) {
            if (size === 'chunked') await client.write('100000\r\n');
            await client.write(part);
            if (size === 'chunked') await client.write('\r\n');
          }
        })();
        const answer = await client.answer();
        answered = true;
        t.match(answer, { status: /^4(13|01)$/, whole: true }, `${what}, ${framing}, ${i}`);
        t.match(answer.body.toString(), /too large$/);
        client.reset();
        await sending;
      }
    }
  }
});

t.test('an origin that resets an upload without an answer is a 502', async (t) => {
  const origin = createNetServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => setTimeout(() => socket.resetAndDestroy(), 20));
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  t.teardown(() => origin.close());
  const proxy = await startRelay(t, [`* 127.0.0.1:${(origin.address() as AddressInfo).port}`]);
  const client = await proxy.send(head('POST', '/', [`Content-Length: ${MUCH}`]));
  void client.write(Buffer.alloc(MUCH));
  t.equal((await client.answer()).status, 502);
  t.match(await proxy.end(1), { status: 502, error: 'ERR_ORIGIN_CLOSED' });
});

/** An origin that reads bytes, and answers when they end in a way; resolves with its port and what it has read. */
async function readingOrigin(t: Test, ends: RegExp): Promise<{ port: number; read: () => string; forget: () => void }> {
  let read = '';
  const server = createNetServer((socket) => {
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text) => {
      read += text;
      if (ends.test(read)) socket.end(answerBytes('done', ['Connection: close']));
    });
    t.teardown(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const forget = () => {
    read = '';
  };
  return { port: (server.address() as AddressInfo).port, read: () => read, forget };
}

t.test('the head of an upload reaches the origin before its first byte', async (t) => {
  const { port, read, forget } = await readingOrigin(t, /(0\r\n\r\n|y{5})$/);
  const proxy = await startRelay(t, [`* 127.0.0.1:${port}`]);
  const body = `${'x'.repeat(20_000)}yyyyy`;
  const chunks = (...parts: string[]) => parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
  for (const [what, field, sent, received] of [
    ['a length', `Content-Length: ${body.length}`, body, body],
    ['chunks', 'Transfer-Encoding: chunked', `${chunks('a', 'bc')}0\r\n\r\n`, `${chunks('a', 'bc')}0\r\n\r\n`],
    ['no chunk', 'Transfer-Encoding: chunked', '0\r\n\r\n', '0\r\n\r\n'],
  ] as const) {
    for (const method of ['POST', 'GET', 'DELETE']) {
      forget();
      const client = await proxy.send(head(method, '/', [field]));
      await until(() => read().includes('\r\n\r\n'));
      const [first = ''] = read().split('\r\n\r\n');
      t.equal(read(), `${first}\r\n\r\n`, `${what}, ${method}: nothing but a whole head`);
      t.match(first.toLowerCase(), field.toLowerCase());
      for (const part of sent.match(/[\s\S]{1,7000}/g) ?? []) {
        await client.write(part);
        await settled(() => read().length);
      }
      t.equal((await client.answer()).body.toString(), 'done');
      const [, ...rest] = read().split('\r\n\r\n');
      t.equal(rest.join('\r\n\r\n'), received, `${what}, ${method}: every byte once`);
    }
  }
});

t.test('a client that leaves before the first byte of its body leaves the origin with a broken request', async (t) => {
  const outcomes: string[] = [];
  const port = await nodeOrigin(t, (request) => {
    outcomes.push('head');
    request.resume();
    request.once('aborted', () => outcomes.push('aborted')).once('end', () => outcomes.push('end'));
    request.once('error', () => {});
  });
  const proxy = await startRelay(t, [`* 127.0.0.1:${port}`]);
  for (const field of ['Content-Length: 100000', 'Transfer-Encoding: chunked']) {
    const client = await proxy.send(head('POST', '/', [field]));
    await until(() => outcomes.length === 1);
    client.reset();
    await until(() => outcomes.length === 2);
    t.strictSame(outcomes.splice(0), ['head', 'aborted'], field);
  }
});

t.test('the next target gets the body from its beginning', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket, body }) => socket.write(answerBytes(String(body.length))));
  const proxy = await startRelay(t, [`* 127.0.0.1:${await deadPort()} 127.0.0.1:${origin.port}`]);
  for (const [size, lines] of [
    [5, ['Content-Length: 5']],
    [50_000, ['Content-Length: 50000']],
    [5_000_000, ['Content-Length: 5000000']],
  ] as const) {
    const client = await proxy.send(head('POST', '/', lines));
    void client.write(Buffer.alloc(size, 'x'));
    t.equal((await client.answer()).body.toString(), String(size));
  }
});

t.test('a client that expects 100 Continue is asked for its body once an origin wants it', async (t) => {
  const lines = ['Content-Length: 20000', 'Expect: 100-continue'];
  const origin = await RawOrigin.open(t, ({ socket, body }) => socket.write(answerBytes(String(body.length))));
  const proxy = await startRelay(t, [
    `good.example 127.0.0.1:${origin.port}`,
    `dead.example 127.0.0.1:${await deadPort()}`,
  ]);
  const good = await proxy.send(head('POST', '/', ['Host: good.example', ...lines]));
  t.equal((await good.answer()).status, 100);
  void good.write(Buffer.alloc(20_000));
  t.equal((await good.answer()).body.toString(), '20000');
  t.notOk(origin.requests[0]?.lines.some((line) => /^expect:/i.test(line)));
  const dead = await proxy.send(head('POST', '/', ['Host: dead.example', ...lines]));
  t.equal((await dead.answer()).status, 502, 'not even asked for where no origin can be reached');
});
