/** Answers that come whole in one read: which are read past undici's parser, and that none is read otherwise than by it. */
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { readWhole } from '../../../dist/origin/undici/whole-answers.js';
import { RawOrigin } from '../../kit/origins/raw-origin.js';
import { ask, makeClient, target } from '../client-fixture.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

t.test('a plain answer is read, byte for byte', (t) => {
  const head = 'HTTP/1.1 200 Trouv\xe9\r\nX-A:  b\xff \tc\r\nx-a:\r\nContent-Length: 3\r\n\r\n';
  t.strictSame(readWhole(bytes(`${head}abc`)), {
    status: 200,
    reason: 'Trouv\xe9',
    headers: ['X-A', 'b\xff \tc', 'x-a', '', 'Content-Length', '3'],
    headersSize: 3 + 5 + 3 + 14 + 1,
    length: '3',
    connection: '',
    keepAlive: '',
    bodyAt: head.length,
  });
  t.end();
});

t.test('the connection may be said to be kept, and for how long', (t) => {
  const read = readWhole(
    bytes('HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\nkeep-alive: timeout=5\r\nContent-Length: 0\r\n\r\n'),
  );
  t.match(read, { connection: 'Keep-Alive', keepAlive: 'timeout=5' });
  t.end();
});

/** What is left to undici's parser. */
const left: Record<string, string> = {
  'a part of a head': 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n',
  'a part of a body': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab',
  'more than a body': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd',
  'a body without a length': 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc',
  'no field': 'HTTP/1.1 200 OK\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc',
  'a list of lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc',
  'a length with a sign': 'HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc',
  'a length in hexadecimal': 'HTTP/1.1 200 OK\r\nContent-Length: 0x3\r\n\r\nabc',
  'an empty length': 'HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n',
  'chunks beside a length': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc',
  'chunks in capitals': 'HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  'a close': 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc',
  'a close for proxies': 'HTTP/1.1 200 OK\r\nProxy-Connection: close\r\nContent-Length: 3\r\n\r\nabc',
  'two times to keep the connection':
    'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nKeep-Alive: timeout=6\r\nContent-Length: 3\r\n\r\nabc',
  'a close beside a keep-alive':
    'HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc',
  'options of the connection': 'HTTP/1.1 200 OK\r\nConnection: keep-alive, x\r\nContent-Length: 3\r\n\r\nabc',
  'an upgrade': 'HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc',
  'names of trailers': 'HTTP/1.1 200 OK\r\nTrailer: a\r\nContent-Length: 3\r\n\r\nabc',
  'a 204': 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n',
  'a 304': 'HTTP/1.1 304 Not Modified\r\nContent-Length: 0\r\n\r\n',
  'an interim answer': 'HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n',
  'a status beyond those': 'HTTP/1.1 600 What\r\nContent-Length: 0\r\n\r\n',
  'another version': 'HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc',
  'no reason and no blank': 'HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc',
  'a folded line': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 3\r\n\r\nabc',
  'a blank before the colon': 'HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc',
  'a blank behind a value': 'HTTP/1.1 200 OK\r\nX: a \r\nContent-Length: 3\r\n\r\nabc',
  'a name that is no token': 'HTTP/1.1 200 OK\r\nX(Y): a\r\nContent-Length: 3\r\n\r\nabc',
  'a line without a colon': 'HTTP/1.1 200 OK\r\nX\r\nContent-Length: 3\r\n\r\nabc',
  'a bare CR': 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 3\r\n\r\nabc',
  'a bare LF': 'HTTP/1.1 200 OK\r\nX: a\nContent-Length: 1\r\nContent-Length: 3\r\n\r\nabc',
  'a NUL': 'HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 3\r\n\r\nabc',
  'an empty line before it': '\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc',
  'a head of much': `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(16_384)}\r\nContent-Length: 3\r\n\r\nabc`,
  'a body of much': `HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(100_000)}`,
};
for (const [what, text] of Object.entries(left)) {
  t.test(`${what} is left to the parser`, (t) => {
    t.equal(readWhole(bytes(text)), undefined);
    t.end();
  });
}

t.test('what is read is what the parser of node reads', async (t) => {
  let answer = '';
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end(bytes(answer)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const byNode = () =>
    new Promise<{ message: IncomingMessage; body: string }>((resolve, reject) => {
      get({ port, host: '127.0.0.1', agent: false }, (message) => {
        let body = '';
        message.setEncoding('latin1').on('data', (text: string) => {
          body += text;
        });
        message.on('end', () => resolve({ message, body })).on('error', reject);
      }).on('error', reject);
    });
  const odd = fc.constantFrom(...'\r\n\t :\0\x7f\xe4,;"aZ0-_');
  const name = fc.oneof(
    fc.constantFrom('Date', 'ETag', 'X', 'content-length', 'Connection', 'Set-Cookie', '__proto__'),
    fc.string({ unit: odd, minLength: 1, maxLength: 3 }),
  );
  const value = fc.oneof(fc.constantFrom('0', '3', 'a b', 'close', '', '\xe4'), fc.string({ unit: odd, maxLength: 5 }));
  const fields = fc.array(
    fc.tuple(name, fc.constantFrom(':', ': ', ':\t', ' : '), value, fc.constantFrom('\r\n', '\r\n', '\r\n', '\n')),
    { maxLength: 3 },
  );
  const status = fc.constantFrom('200 OK', '404 ', '500 a\tb', '204 None', '200', '99 X', '302 \xe4', '200 a\rb');
  const body = fc.string({ unit: odd, minLength: 2, maxLength: 4 });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(status, fields, body, fc.integer({ min: 2, max: 4 }), async (status, fields, body, length) => {
      const lines = fields.map((parts) => parts.join('')).join('');
      answer = `HTTP/1.1 ${status}\r\n${lines}Content-Length: ${length}\r\n\r\n${body}`;
      const whole = readWhole(bytes(answer));
      if (whole === undefined) return;
      taken++;
      const { message, body: seen } = await byNode();
      t.strictSame(
        [message.statusCode, message.rawHeaders, seen],
        [whole.status, whole.headers, answer.slice(whole.bodyAt)],
        JSON.stringify(answer),
      );
      t.equal(bytes(message.statusMessage ?? '').length, whole.reason.length);
    }),
    { numRuns: 3_000 },
  );
  t.ok(taken > 100, `${taken} were read`);
});

/** The origin writes each part when the one before has gone. */
async function asked(t: Parameters<typeof RawOrigin.open>[0], parts: readonly string[], method = 'GET') {
  const origin = await RawOrigin.open(t, ({ socket, connection }) => {
    if (connection > 1) {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext');
      return;
    }
    const send = ([part, ...others]: readonly string[]) => {
      if (part !== undefined) socket.write(bytes(part), () => setTimeout(() => send(others), 5));
    };
    socket.setNoDelay(true);
    send(parts);
  });
  const client = makeClient(t);
  const first = ask(client, target(origin.port), { method });
  return { origin, client, recorder: first.recorder, end: await first.recorder.ended() };
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

t.test('an answer that comes whole behind one in parts, and one in parts behind it, on one connection', async (t) => {
  const answers = [
    [OK],
    ['HTTP/1.1 200 OK\r\nConte', 'nt-Length: 2\r\n\r\no', 'k'],
    [OK],
    ['HTTP/1.1 200 O', OK.slice(14)],
  ];
  const origin = await RawOrigin.open(t, ({ socket }) => {
    const send = ([part, ...others]: readonly string[]) => {
      if (part !== undefined) socket.write(part, () => setTimeout(() => send(others), 5));
    };
    socket.setNoDelay(true);
    send(answers.shift() ?? []);
  });
  const client = makeClient(t);
  for (let i = 0; i < 4; i++) {
    const { recorder } = ask(client, target(origin.port));
    t.equal(await recorder.ended(), 'end');
    t.equal(recorder.body, 'ok');
    await new Promise(setImmediate);
  }
  t.equal(origin.requests.at(-1)?.connection, 1);
});

t.test('an answer that comes whole behind interim ones', async (t) => {
  const { recorder, end } = await asked(t, ['HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n', OK]);
  t.equal(end, 'end');
  t.equal(recorder.information.length, 1);
  t.equal(recorder.body, 'ok');
});

t.test('what begins an answer is not forgotten when another comes whole behind it', async (t) => {
  const { recorder, end } = await asked(t, ['HTTP/1.1 200 ', OK]);
  t.equal(end, 'end');
  t.equal(recorder.head?.reason, 'HTTP/1.1 200 OK', 'it was all of a reason');
});

t.test(
  'a second answer, which nobody asked for, is nobody’s: the next request has a connection of its own',
  async (t) => {
    for (const parts of [[OK, OK], [OK + OK]]) {
      const { client, origin, recorder } = await asked(t, parts);
      t.equal(recorder.body, 'ok');
      // By the time of the next request it has come.
      while (origin.sockets.size > 0) await new Promise((resolve) => setImmediate(resolve));
      const next = ask(client, target(origin.port));
      t.equal(await next.recorder.ended(), 'end');
      t.equal(next.recorder.body, 'next');
    }
  },
);

t.test('the answer to HEAD has no body: what comes in its place breaks the connection', async (t) => {
  const { client, origin, recorder } = await asked(t, [OK], 'HEAD');
  t.equal(recorder.head?.status, 200);
  t.equal(recorder.bytes, 0);
  const next = ask(client, target(origin.port));
  t.equal(await next.recorder.ended(), 'end');
  t.equal(next.recorder.body, 'next');
});

t.test('a reader that takes no more has a short body whole, and its end', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => void socket.write(OK));
  const client = makeClient(t);
  const { recorder, call } = ask(client, target(origin.port));
  recorder.accepts = false;
  t.equal(await recorder.ended(), 'end');
  t.equal(recorder.body, 'ok');
  call.resume();
  await new Promise(setImmediate);
  const next = ask(client, target(origin.port));
  t.equal(await next.recorder.ended(), 'end');
  t.equal(origin.requests.at(-1)?.connection, 1);
});

t.test('a reader’s bytes stay as they were when the next answer is read', async (t) => {
  let count = 0;
  const origin = await RawOrigin.open(t, ({ socket }) => {
    const body = String(++count).repeat(5_000);
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  });
  const client = makeClient(t);
  const recorders = [];
  for (let i = 0; i < 5; i++) {
    const { recorder } = ask(client, target(origin.port));
    recorders.push(recorder);
    t.equal(await recorder.ended(), 'end');
  }
  t.strictSame(
    recorders.map(({ body }) => body),
    [1, 2, 3, 4, 5].map((digit) => String(digit).repeat(5_000)),
  );
});

t.test('a head longer than it may be fails, whole as it comes', async (t) => {
  const { end } = await asked(t, [
    `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(16_300)}\r\nY: ${'b'.repeat(100)}\r\nContent-Length: 2\r\n\r\nok`,
  ]);
  t.match(end, { code: 'ERR_ORIGIN_MALFORMED' });
});

t.test('how long an origin keeps a connection counts in an answer that comes whole', async (t) => {
  const keptFor = (seconds: number) =>
    `HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=${seconds}\r\nContent-Length: 2\r\n\r\nok`;
  const answers = [keptFor(60), keptFor(1), OK];
  const origin = await RawOrigin.open(t, ({ socket }) => void socket.write(answers.shift() ?? OK));
  const client = makeClient(t);
  const connections = [];
  for (let i = 0; i < 3; i++) {
    const { recorder } = ask(client, target(origin.port));
    t.equal(await recorder.ended(), 'end');
    connections.push(origin.requests.at(-1)?.connection);
    await new Promise(setImmediate);
  }
  t.strictSame(connections, [1, 1, 2], 'a second is too short to be used again');
});
