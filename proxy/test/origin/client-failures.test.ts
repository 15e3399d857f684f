import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { INTERIM_BYTES_MAX, INTERIM_MAX } from '../../dist/origin/http-call.js';
import { CONTINUE_MAX } from '../../dist/origin/undici/answer-reading.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { deadPort } from '../kit/ports.js';
import { settled, until } from '../kit/until.js';
import { ask, makeClient, target } from './client-fixture.js';

/** What an origin does to a request, and what is made of it. */
interface Failure {
  readonly says: string;
  readonly answer: (socket: Socket) => void;
  readonly code: string;
  readonly repeat: 'connect' | 'stale' | 'no';
  /** Whether a head was recorder of before. */
  readonly head?: boolean;
}

const failures: readonly Failure[] = [
  { says: 'a close before any byte', answer: (socket) => socket.end(), code: 'ERR_ORIGIN_CLOSED', repeat: 'no' },
  {
    says: 'a reset before any byte',
    answer: (socket) => socket.resetAndDestroy(),
    code: 'ERR_ORIGIN_CLOSED',
    repeat: 'stale',
  },
  {
    says: 'something that is not HTTP',
    answer: (socket) => socket.end('nonsense\r\n\r\n'),
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
  },
  {
    says: 'a malformed header line',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nX A: 1\r\n\r\n'),
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
  },
  {
    says: 'a head over the limit',
    answer: (socket) => socket.write(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`),
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
  },
  {
    says: 'a change of protocol that nobody asked for',
    answer: (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
  },
  {
    says: 'a close in a body of declared length',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart'),
    code: 'ERR_ORIGIN_CLOSED',
    repeat: 'no',
    head: true,
  },
  {
    says: 'a close in a chunked body',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n'),
    code: 'ERR_ORIGIN_CLOSED',
    repeat: 'no',
    head: true,
  },
  {
    says: 'a reset in a body',
    answer: (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart', () =>
        setImmediate(() => socket.resetAndDestroy()),
      );
    },
    code: 'ERR_ORIGIN_CLOSED',
    repeat: 'no',
    head: true,
  },
  {
    says: 'trailers over the limit of a head',
    answer: (socket) =>
      socket.write(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n0\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`,
      ),
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
    head: true,
  },
  {
    says: 'malformed chunks',
    answer: (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'),
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
    head: true,
  },
];

for (const { says, answer, code, repeat, head = false } of failures) {
  t.test(`${says} is ${code}`, async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => answer(socket));
    const { recorder } = ask(makeClient(t), target(origin.port));
    t.match(await recorder.ended(), { name: 'OriginError', code, repeat, side: 'origin' });
    t.equal(recorder.head !== undefined, head);
  });
}

const hint = (value = '/a') => `HTTP/1.1 103 Early Hints\r\nLink: ${value}\r\n\r\n`;

t.test('as many interim answers as may come are passed on, and the final one after them', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(hint().repeat(INTERIM_MAX) + answerBytes('x')));
  const { recorder } = ask(makeClient(t), target(origin.port));
  t.equal(await recorder.ended(), 'end');
  t.equal(recorder.information.length, INTERIM_MAX);
});

t.test('an origin that sends interim answers without end is broken off', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) =>
    socket.write(hint().repeat(INTERIM_MAX + 1) + answerBytes('x')),
  );
  const { recorder } = ask(makeClient(t), target(origin.port));
  t.match(await recorder.ended(), {
    code: 'ERR_ORIGIN_MALFORMED',
    repeat: 'no',
    message: `more than ${INTERIM_MAX} interim answers`,
  });
  t.equal(recorder.information.length, INTERIM_MAX);
  await until(() => origin.requests[0]?.socket.destroyed === true);
});

t.test('an origin whose interim answers are longer in all than one head may be is broken off', async (t) => {
  const long = 'x'.repeat(8_000);
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(hint(long).repeat(20) + answerBytes('x')));
  const { recorder } = ask(makeClient(t), target(origin.port));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_MALFORMED', message: /bytes of interim answers/ });
  t.equal(recorder.information.length, Math.floor(INTERIM_BYTES_MAX / (long.length + 4)));
});

for (const [what, interim, tells] of [
  ['interim answers', hint(), true],
  ['100 Continue that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\n', false],
] as const) {
  t.test(`${what} do not put off the time limit of the final answer`, async (t) => {
    const timers = new Set<NodeJS.Timeout>();
    t.teardown(() => timers.forEach(clearInterval));
    const origin = await RawOrigin.open(t, ({ socket }) => {
      timers.add(setInterval(() => socket.write(interim), 50));
    });
    const { recorder } = ask(makeClient(t, { originTimeout: 400 }), target(origin.port));
    t.match(await recorder.ended(), { code: 'ERR_ORIGIN_TIMEOUT', repeat: 'no' });
    t.equal(recorder.information.length > 0, tells);
    await until(() => origin.requests[0]?.socket.destroyed === true);
  });
}

t.test('100 Continue without end breaks an origin off', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) =>
    socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(CONTINUE_MAX + 1) + answerBytes('x')),
  );
  const { recorder } = ask(makeClient(t), target(origin.port));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_MALFORMED', repeat: 'no' });
  await until(() => origin.requests[0]?.socket.destroyed === true);
});

t.test('connections are used again after a 304 with a length, not after a 204 that speaks of a body', async (t) => {
  const answers = [
    '304 Not Modified\r\nContent-Length: 5',
    '204 No Content',
    '204 No\r\nContent-Length: 0',
    '204 No\r\nContent-Length: 5',
    '204 No Content',
  ];
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(`HTTP/1.1 ${answers.shift()}\r\n\r\n`));
  const client = makeClient(t);
  while (answers.length > 0) {
    t.equal(await ask(client, target(origin.port)).recorder.ended(), 'end');
    // A connection is free for the next request some turns after its answer.
    for (let turns = 0; turns < 5; turns++) await turn();
  }
  t.strictSame(
    origin.requests.map(({ connection }) => connection),
    [1, 1, 1, 1, 2],
  );
});

for (const leaves of ['close', 'reset'] as const) {
  for (const [what, fields, whole, ends] of [
    ['until the close', 'Connection: close', true, 'end'],
    ['of a length that closes', 'Connection: close\r\nContent-Length: 7', true, 'end'],
    ['of a length', 'Content-Length: 7', true, 'end'],
    ['of a length that is not all there', 'Content-Length: 8', false, /^ERR_ORIGIN_CLOSED$/],
    ['of a length that closes and is not all there', 'Connection: close\r\nContent-Length: 8', false, /^ERR_ORIGIN/],
  ] as const) {
    t.test(`a body ${what}, with a ${leaves} while its reader has paused, arrives as far as it was sent`, async (t) => {
      const origin = await RawOrigin.open(t, ({ socket }) => {
        socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\nabc`);
      });
      const { call, recorder } = ask(makeClient(t), target(origin.port));
      recorder.accepts = false;
      await until(() => recorder.bytes === 3);
      const socket = origin.requests[0]?.socket as Socket;
      await new Promise<void>((sent) => socket.write('defg', () => sent()));
      // By then it is with the client, whose reader has paused.
      await settled(() => recorder.bytes);
      if (leaves === 'reset') socket.resetAndDestroy();
      else socket.end();
      await settled(() => recorder.bytes);
      recorder.accepts = true;
      call.resume();
      const end = await recorder.ended();
      t.match(end === 'end' ? end : end.code, ends);
      t.equal(recorder.body, 'abcdefg', whole ? 'all of it' : 'all that there is');
    });
  }
}

t.test('a refused connection leaves the request unsent', async (t) => {
  const { recorder } = ask(makeClient(t), target(await deadPort()));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CONNECT', repeat: 'connect', cause: { code: 'ECONNREFUSED' } });
});

t.test('a kept-alive connection that the origin has closed meanwhile is stale', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket, lines }) => {
    if (lines[0]?.includes('/first')) socket.write(answerBytes('x'));
    else socket.end();
  });
  const client = makeClient(t);
  t.equal(await ask(client, target(origin.port), { path: '/first' }).recorder.ended(), 'end');
  await new Promise(setImmediate);
  const { recorder } = ask(client, target(origin.port), { path: '/second' });
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CLOSED', repeat: 'stale' });
  t.strictSame(
    origin.requests.map(({ connection }) => connection),
    [1, 1],
  );
});

t.test('an origin that is silent before its head times out', async (t) => {
  const origin = await RawOrigin.open(t, () => {});
  const { recorder } = ask(makeClient(t, { originTimeout: 50 }), target(origin.port));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_TIMEOUT', repeat: 'no' });
  await until(() => origin.sockets.size === 0);
});

t.test('an origin that is silent in its body times out', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) =>
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'),
  );
  const { recorder } = ask(makeClient(t, { originTimeout: 50 }), target(origin.port));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_TIMEOUT', repeat: 'no' });
  t.equal(recorder.body, 'part');
});

t.test('a client that holds its origin back for long does not make it time out', async (t) => {
  const body = 'x'.repeat(2 ** 20);
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes(body)));
  const silent = await RawOrigin.open(t, () => {});
  const client = makeClient(t, { originTimeout: 50 });
  const { call, recorder } = ask(client, target(origin.port));
  recorder.accepts = false;
  await recorder.headed();
  // A request that began after this one runs into the limit: so this one had the time to, too.
  t.match(await ask(client, target(silent.port)).recorder.ended(), { code: 'ERR_ORIGIN_TIMEOUT' });
  recorder.accepts = true;
  call.resume();
  t.equal(await recorder.ended(), 'end');
  t.equal(recorder.bytes, body.length);
});

t.test('close fails what is under way', async (t) => {
  const origin = await RawOrigin.open(t, () => {});
  const client = makeClient(t);
  const { recorder } = ask(client, target(origin.port));
  await until(() => origin.requests.length === 1);
  await client.close();
  t.not(await recorder.ended(), 'end');
  t.equal(await settled(() => origin.sockets.size), 0);
});

t.test('untrusted targets', async (t) => {
  const origin = await RawOrigin.open(t, ({ socket }) => socket.write(answerBytes('x')));
  await t.test('with a private address are blocked, unsent', async (t) => {
    const numbers = [
      '127.1',
      '0x7f000001',
      '2130706433',
      '0177.0.0.1',
      '100.64.0.1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
    ];
    const usual = ['127.0.0.1', '::1', '10.1.2.3', '::ffff:192.168.0.1', '169.254.169.254', '0.0.0.0'];
    for (const host of [...usual, ...numbers]) {
      const { recorder } = ask(makeClient(t), target(origin.port, { host, untrusted: true }));
      t.equal(recorder.over, false, 'reported asynchronously');
      const blocked = { code: 'ERR_ORIGIN_BLOCKED', message: 'Origin host/IP blocked.', repeat: 'connect' };
      t.match(await recorder.ended(), blocked, host);
    }
  });
  await t.test('whose name resolves to a private address are blocked', async (t) => {
    const { recorder } = ask(makeClient(t), target(origin.port, { host: 'localhost', untrusted: true }));
    t.match(await recorder.ended(), { code: 'ERR_ORIGIN_BLOCKED', repeat: 'connect' });
  });
  await t.test('do not share connections with the same target as a trusted one', async (t) => {
    const client = makeClient(t);
    t.equal(await ask(client, target(origin.port, { host: 'localhost' })).recorder.ended(), 'end');
    const { recorder } = ask(client, target(origin.port, { host: 'localhost', untrusted: true }));
    t.match(await recorder.ended(), { code: 'ERR_ORIGIN_BLOCKED' });
  });
  t.equal(origin.requests.length, 1);
});
