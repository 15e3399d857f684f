/** What the server does with requests that are too large, too slow, broken or cut, and with a node that is stopping. */
import t, { type Test } from 'tap';
import { LINGER_BYTES } from '../dist/http/lingering-close.js';
import type { Backplane } from '../dist/index.js';
import { ControlError } from '../dist/index.js';
import { BODY_LIMIT, HEADER_LIMIT, publishBody, publishOfSize, startControl } from './control-fixture.js';
import { type RawAnswer, requestBytes } from './raw-client.js';

const TOO_LARGE = 'Request body too large: the limit is 1000000 bytes (push_in_http_max_body_size).\n';
const HEAD_TOO_LARGE = 'Request header too large: the limit is 10000 bytes (push_in_http_max_headers_size).\n';

function isLast(t: Test, answer: RawAnswer | undefined, status: number, body: string): void {
  t.match(answer, { status, headers: { 'content-type': 'text/plain', connection: 'close' } });
  t.equal(answer?.body, body);
}

const chunked = (body: string) => {
  let bytes = 'POST /publish/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
  for (let i = 0; i < body.length; i += 65_536) {
    const part = body.slice(i, i + 65_536);
    bytes += `${part.length.toString(16)}\r\n${part}\r\n`;
  }
  return `${bytes}0\r\n\r\n`;
};

const framings = {
  'Content-Length': (body: string) => requestBytes('POST', '/publish/', {}, body),
  chunked,
};

for (const [framing, bytesOf] of Object.entries(framings)) {
  t.test(`a body of exactly the limit is published (${framing})`, async (t) => {
    const { client, listener } = await startControl(t);
    const connection = await client();
    await connection.write(bytesOf(publishOfSize(BODY_LIMIT)));
    t.match(await connection.answer(), { status: 200, body: 'Published\n' });
    t.strictSame(listener.labels, ['a/1']);
  });

  t.test(`a body of one byte more answers 413, readable for a client that only then looks (${framing})`, async (t) => {
    const { client, listener, events } = await startControl(t);
    const connection = await client();
    await connection.write(bytesOf(publishOfSize(BODY_LIMIT + 1)));
    isLast(t, await connection.answer(), 413, TOO_LARGE);
    await connection.closed;
    t.strictSame(listener.labels, []);
    t.strictSame(events.seen, ['rejected ERR_CONTROL_BODY_TOO_LARGE']);
  });
}

t.test('a 900 KB publish is accepted', async (t) => {
  const { ask, listener } = await startControl(t);
  t.match(await ask('POST', '/publish/', {}, publishOfSize(900_000)), { status: 200 });
  t.strictSame(listener.labels, ['a/1']);
});

t.test('a Content-Length over the limit answers 413 before the body comes', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  await connection.write(`POST /publish/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${BODY_LIMIT + 1}\r\n\r\n`);
  isLast(t, await connection.answer(), 413, TOO_LARGE);
});

t.test('413 is JSON for clients that ask for JSON', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  await connection.write(
    `POST /publish/ HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nContent-Length: ${BODY_LIMIT + 1}\r\n\r\n`,
  );
  t.match(await connection.answer(), {
    status: 413,
    body: `{"message":"${TOO_LARGE.trim()}","code":"ERR_CONTROL_BODY_TOO_LARGE"}\n`,
  });
});

t.test('a refused client that goes on sending is cut after LINGER_BYTES', async (t) => {
  const { client } = await startControl(t);
  const connection = await client();
  await connection.write('POST /publish/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
  const part = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
  let closed = false;
  void connection.closed.then(() => {
    closed = true;
  });
  let sent = 0;
  for (; sent < 8 * LINGER_BYTES && !closed; sent += 0x100000) await connection.write(part);
  t.ok(sent > LINGER_BYTES && sent < 8 * LINGER_BYTES, `cut after ${sent} bytes`);
  t.match(await connection.answer(), { status: 413 });
});

t.test('Expect: 100-continue is continued, and the request answered', async (t) => {
  const { client, listener } = await startControl(t);
  const body = publishBody(['a', '1']);
  const connection = await client();
  await connection.write(
    requestBytes('POST', '/publish/', { Expect: '100-continue', 'Content-Length': `${body.length}` }),
  );
  t.match(await connection.answer(), { status: 100 });
  await connection.write(body);
  t.match(await connection.answer(), { status: 200, body: 'Published\n' });
  t.strictSame(listener.labels, ['a/1']);
});

t.test('Expect: 100-continue is answered at once where the body makes no difference', async (t) => {
  const { client } = await startControl(t);
  const refusals: ReadonlyArray<readonly [string, Record<string, string>, number]> = [
    ['/publish/', { 'Content-Length': String(BODY_LIMIT + 1) }, 413],
    ['/nothing', { 'Content-Length': '10' }, 404],
    ['/publish/', { 'Content-Length': '10', Accept: 'image/png' }, 406],
  ];
  for (const [path, headers, status] of refusals) {
    const connection = await client();
    await connection.write(requestBytes('POST', path, { Expect: '100-continue', ...headers }));
    t.match(await connection.answer(), { status, headers: { connection: 'close' } });
  }
});

t.test('a head over the limit answers 431', async (t) => {
  const { client, events } = await startControl(t);
  const connection = await client();
  await connection.write(requestBytes('POST', '/publish/', { 'X-Long': 'x'.repeat(HEADER_LIMIT) }, '{"items":[]}'));
  isLast(t, await connection.answer(), 431, HEAD_TOO_LARGE);
  await connection.closed;
  t.strictSame(events.seen, ['rejected ERR_CONTROL_HEADER_TOO_LARGE']);
});

t.test('a head far over the limit answers 431 once, readable to the end', async (t) => {
  const { client, events } = await startControl(t);
  const connection = await client();
  for (let i = 0; i < 20; i += 1) await connection.write(i === 0 ? 'GET / HTTP/1.1\r\nX: ' : 'x'.repeat(50_000));
  isLast(t, await connection.answer(), 431, HEAD_TOO_LARGE);
  connection.end();
  await connection.closed;
  t.equal(await connection.answer(), undefined);
  t.strictSame(events.seen, ['rejected ERR_CONTROL_HEADER_TOO_LARGE']);
});

t.test('what is not HTTP answers 400', async (t) => {
  const { client, listener } = await startControl(t);
  const body = publishBody(['a', '1']);
  const broken = [
    'hello\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'FETCH / HTTP/1.1\r\n\r\n',
    'POST /publish/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
    `POST /publish/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n${body}`,
    `POST /publish/ HTTP/1.1\r\nContent-Length: ${body.length}\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
    'GET / HTTP/1.1\r\nbad header: x\r\n\r\n',
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
  ];
  for (const bytes of broken) {
    const connection = await client();
    await connection.write(bytes);
    isLast(t, await connection.answer(), 400, 'Malformed request.\n');
    connection.end();
    await connection.closed;
  }
  t.strictSame(listener.labels, []);
});

t.test('malformed chunks answer 400 once, and nothing is published', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  await connection.write(
    'POST /publish/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n',
  );
  isLast(t, await connection.answer(), 400, 'Malformed request.\n');
  await connection.write('more nonsense\r\n');
  connection.end();
  await connection.closed;
  t.equal(await connection.answer(), undefined);
  t.strictSame(listener.labels, []);
});

t.test('garbage behind a request does not cost the request its answer', async (t) => {
  const { client, listener } = await startControl(t);
  const connection = await client();
  await connection.write(`${requestBytes('POST', '/publish/', {}, publishBody(['a', '1']))}nonsense\r\n\r\n`);
  t.match(await connection.answer(), { status: 200, body: 'Published\n' });
  isLast(t, await connection.answer(), 400, 'Malformed request.\n');
  await connection.closed;
  t.strictSame(listener.labels, ['a/1']);
});

t.test('a request that does not arrive in time answers 408', async (t) => {
  // Long enough for a connection to get its first bytes through on a busy machine.
  const { client, events } = await startControl(t, { requestTimeoutMs: 900 });
  const unfinished = [
    'POST /publish/ HTTP/1.1\r\nHost',
    'POST /publish/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{',
  ];
  const time = async (bytes: string) => {
    const connection = await client();
    await connection.write(bytes);
    isLast(t, await connection.answer(), 408, 'Request timed out.\n');
    await connection.closed;
  };
  await Promise.all(unfinished.map(time));
  t.strictSame(events.seen, ['rejected ERR_CONTROL_TIMEOUT', 'rejected ERR_CONTROL_TIMEOUT']);
});

t.test('a connection that never sends anything is closed without a word', async (t) => {
  const { client, events, log } = await startControl(t, { requestTimeoutMs: 60 });
  const connection = await client();
  t.equal(await connection.answer(), undefined);
  await connection.closed;
  t.strictSame([events.seen, log.lines], [[], []]);
});

t.test('a client that leaves in the middle of its body publishes nothing and harms nobody', async (t) => {
  const { client, ask, listener, log } = await startControl(t);
  const body = publishBody(['a', '1']);
  const whole = requestBytes('POST', '/publish/', {}, body);
  for (const leave of ['end', 'destroy'] as const) {
    const connection = await client();
    await connection.write(whole.slice(0, -1));
    connection[leave]();
    await connection.closed;
  }
  t.match(await ask('POST', '/publish/', {}, publishBody(['a', '2'])), { status: 200 });
  t.strictSame(listener.labels, ['a/2']);
  t.strictSame(log.at('error'), []);
});

/** A backplane that rejects, or settles when the test says so. */
function backplaneWith(publish: Backplane['publish']): Backplane {
  const others = { subscribe: () => undefined, unsubscribe() {}, close: async () => {}, unavailableReason: undefined };
  return { start: async () => {}, publish, ...others };
}

t.test('a backplane that does not accept answers 503 with Retry-After', async (t) => {
  const unavailable = new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'No connection to 10.0.0.1.');
  const { ask, events, log } = await startControl(t, { backplane: backplaneWith(() => Promise.reject(unavailable)) });
  const answer = await ask('POST', '/publish/', {}, publishBody(['a', '1']));
  t.match(answer, { status: 503, headers: { 'retry-after': '1' } });
  t.equal(answer.body, 'Backplane unavailable.\n');
  const json = await ask('POST', '/recover/', { Accept: 'application/json' });
  t.equal(json.body, '{"message":"Backplane unavailable.","code":"ERR_BACKPLANE_UNAVAILABLE"}\n');
  t.strictSame(events.seen, ['rejected ERR_BACKPLANE_UNAVAILABLE', 'rejected ERR_BACKPLANE_UNAVAILABLE']);
  t.match(log.lines[0], { level: 'warn', fields: { status: 503, err: { message: 'No connection to 10.0.0.1.' } } });
});

t.test('a closed backplane answers 503', async (t) => {
  const { ask, backplane } = await startControl(t);
  await backplane.close();
  t.match(await ask('POST', '/publish/', {}, publishBody(['a', '1'])), { status: 503 });
});

t.test('a fault of ours answers 500 without its details, and is logged with them', async (t) => {
  const fault = () => Promise.reject(new Error('secret'));
  const { ask, log, events } = await startControl(t, { backplane: backplaneWith(fault) });
  const answer = await ask('POST', '/publish/', {}, publishBody(['a', '1']));
  t.match(answer, { status: 500, body: 'Internal error.\n' });
  t.match(log.at('error'), [{ fields: { status: 500, err: { message: 'secret' } } }]);
  t.strictSame(events.seen, ['rejected ERR_CONTROL_INTERNAL']);
});

t.test('success is answered only after the backplane accepted', async (t) => {
  let accept = () => {};
  const asked = new Promise<void>((resolve) => {
    accept = resolve;
  });
  const order: string[] = [];
  let release = () => {};
  const backplane = backplaneWith(() => {
    accept();
    return new Promise((resolve) => {
      release = () => {
        order.push('accepted');
        resolve([{ duplicate: false }]);
      };
    });
  });
  const { client } = await startControl(t, { backplane });
  const connection = await client();
  await connection.write(requestBytes('POST', '/publish/', {}, publishBody(['a', '1'])));
  const answered = connection.answer().then(() => order.push('answered'));
  await asked;
  // A second connection is served in the meantime, which also shows that the first had its chance to be answered.
  const other = await client();
  await other.write(requestBytes('GET', '/'));
  t.match(await other.answer(), { status: 200 });
  release();
  await answered;
  t.strictSame(order, ['accepted', 'answered']);
});

t.test('close lets a request under way finish and closes silent connections', async (t) => {
  let release = () => {};
  let begun = () => {};
  const publishing = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const backplane = backplaneWith(() => {
    begun();
    return new Promise((resolve) => {
      release = () => resolve([{ duplicate: false }]);
    });
  });
  const { client, server } = await startControl(t, { backplane });
  const silent = await client();
  const idle = await client();
  await idle.write(requestBytes('GET', '/'));
  await idle.answer();
  const busy = await client();
  await busy.write(requestBytes('POST', '/publish/', {}, publishBody(['a', '1'])));
  await publishing;
  const closed = server.close();
  await Promise.all([silent.closed, idle.closed]);
  release();
  t.match(await busy.answer(), { status: 200, headers: { connection: 'close' } });
  await closed;
  await busy.closed;
  await server.close();
});
