import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { checkUwsRequest } from '../../../dist/edge/uws/heads.js';
import { head, type RawClient } from '../../kit/clients/raw-client.js';
import { handshake } from '../../kit/clients/raw-socket.js';
import { settled, until } from '../../kit/until.js';
import { EdgeFixture } from '../clause.js';
import { makeUwsEdge } from '../uws-edge-maker.js';

const refused: readonly (readonly [says: string, bytes: string, status: number, text: RegExp])[] = [
  ['a method that is no token', head('G@T', '/'), 400, /: invalid method\n$/],
  ['a method that is not known', head('ABC', '/'), 501, /^Method not supported: ABC\.\n$/],
  ['CONNECT with a path', head('CONNECT', '/'), 501, /^Method not supported: CONNECT\.\n$/],
  ['a target with bytes above 0x7f', head('GET', '/\xe9'), 400, /: invalid request target\n$/],
  ['an empty Content-Length', `${head('POST', '/', ['Content-Length:'])}a`, 400, /: invalid Content-Length\n$/],
  [
    'two Content-Lengths',
    `${head('POST', '/', ['Content-Length: 3', 'Content-Length: 5'])}abcde`,
    400,
    /: more than one Content-Length\n$/,
  ],
  [
    'chunked twice',
    `${head('POST', '/', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'])}0\r\n\r\n`,
    400,
    /: chunked is not the last transfer coding\n$/,
  ],
  [
    'chunked before another coding',
    `${head('POST', '/', ['Transfer-Encoding: chunked, gzip'])}0\r\n\r\n`,
    400,
    /: chunked is not the last transfer coding\n$/,
  ],
  ...['gzip, chunked', 'xchunked', 'identity'].map(
    (coding) =>
      [
        `the coding ${coding}`,
        `${head('POST', '/', [`Transfer-Encoding: ${coding}`])}0\r\n\r\n`,
        501,
        /^Transfer coding not supported\.\n$/,
      ] as const,
  ),
  [
    'a chunked body',
    `${head('POST', '/', ['Transfer-Encoding: Chunked'])}3\r\nabc\r\n0\r\n\r\n`,
    411,
    /^Length required: .* Send a Content-Length\.\n$/,
  ],
  [
    'a chunk extension, which the library takes for digits of the size,',
    `${head('POST', '/', ['Transfer-Encoding: chunked'])}3;a\r\nabc\r\n0\r\n\r\n`,
    411,
    /^Length required: /,
  ],
  [
    'a WebSocket handshake with a chunked body',
    `${handshake(['Transfer-Encoding: chunked'])}0\r\n\r\n`,
    411,
    /^Length required: /,
  ],
  ['a DEL in a value', head('GET', '/', ['X-A: a\x7f']), 400, /: a control character in x-a\n$/],
  [
    'a field that comes again, with bytes that are no UTF-8,',
    head('GET', '/', ['X-A: a', 'X-B: b', 'X-A: a\xe9z']),
    400,
    /: bytes that are no UTF-8 in a field that comes more than once\n$/,
  ],
  [
    'a handshake with such a field',
    handshake(['X-A: \xc3\xa9a', 'X-A: a\xffz']),
    400,
    /: bytes that are no UTF-8 in a field that comes more than once\n$/,
  ],
  ['a Host that is no authority', head('GET', '/', ['Host: a/b']), 400, /: invalid Host header\n$/],
  ['a fragment of a URL as Host', head('GET', '/', ['Host: a@b']), 400, /: invalid Host header\n$/],
];

for (const [says, bytes, status, text] of refused) {
  t.test(`uws: ${says} is answered ${status} with the reason, and what follows is not served`, async (t) => {
    const fixture = await EdgeFixture.open(t, makeUwsEdge);
    const client = await fixture.connect();
    void client.write(bytes);
    const answer = await client.answer();
    t.equal(answer.status, status);
    t.match(answer.body.toString(), text);
    t.strictSame([answer.header('content-type'), answer.header('connection')], ['text/plain', 'close']);
    t.equal(await client.closed(), 'fin');
    t.equal(fixture.refused.length, 1, 'and it is reported');
    const smuggling = await fixture.connect();
    void smuggling.write(`${bytes}${head('GET', '/smuggled')}`);
    await smuggling.closed();
    t.equal(fixture.handler.count, 0);
  });
}

t.test(
  'uws: Content-Length beside Transfer-Encoding is refused here too, should the library let it pass',
  async (t) => {
    const headers = ['host', 'a', 'content-length', '3', 'transfer-encoding', 'chunked'];
    const sent = { method: 'POST', target: '/', headers, clientAddress: '', isAltered: false, isProxied: false };
    t.match(checkUwsRequest(sent, 1_000), { status: 400 });
    t.match(checkUwsRequest({ ...sent, headers: headers.slice(0, 4) }, 10), { status: 431 });
    t.equal(checkUwsRequest({ ...sent, headers: headers.slice(0, 4) }, 1_000), undefined);
    t.match(checkUwsRequest({ ...sent, headers: headers.slice(0, 4), isProxied: true }, 1_000), { status: 400 });
  },
);

/** Bytes of an answer that goes out in one piece. */
const PIECE = 'x'.repeat(15_000);

/** Has answers sent to a client that reads nothing: so many, or until one of them has to wait. Returns how many were sent. */
async function fill(fixture: EdgeFixture, client: RawClient, most: number): Promise<number> {
  client.pause();
  for (let sent = 0; sent < most; sent++) {
    void client.write(head('GET', '/'));
    const taken = await fixture.next();
    taken.answer(PIECE);
    // What is written in the library's own call goes out at the end of its turn.
    for (let turns = 0; turns < 3; turns++) await turn();
    if (taken.response.waiting > 0) return sent;
  }
  return most;
}

t.test('uws: answers that a client does not read do not pile up in the library', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const client = await fixture.connect();
  const sent = await fill(fixture, client, 2_000);
  t.ok(sent < 2_000, 'one waits');
  client.resume();
  for (let i = 0; i <= sent; i++) t.equal((await client.answer()).body.length, PIECE.length);
  void client.write(head('GET', '/next'));
  (await fixture.next()).answer('next');
  t.equal((await client.answer()).body.toString(), 'next', 'a client that reads is served on');
});

t.test('uws: nothing is served behind a refusal, though its client does not take that', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const full = await fill(fixture, await fixture.connect(), 2_000);
  t.ok(full < 2_000);
  for (let sent = full - 2; sent <= full; sent++) {
    const client = await fixture.connect();
    await fill(fixture, client, sent);
    const { connections } = fixture.edge;
    const served = fixture.handler.count;
    await client.write(head('GET', '/', ['Host: a/b']));
    await until(() => fixture.edge.connections < connections);
    await client.write(head('GET', '/smuggled'));
    await settled(() => fixture.handler.count);
    t.equal(fixture.handler.count, served);
  }
});

t.test('uws: a connection that an answer of known length closes is closed, whatever its length', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  for (const length of [1, 2, 15_000, 20_000, 40_000, 1_000_000]) {
    for (const lines of [['Connection: TE, close'], ['Connection: keep-alive', 'Connection: close']]) {
      const { client, taken } = await fixture.send(head('GET', '/', lines));
      taken.answer('x'.repeat(length));
      const answer = await client.answer();
      t.strictSame(
        [answer.body.length, answer.whole, answer.header('connection')],
        [length, true, 'close'],
        lines.join(),
      );
      t.equal(await client.closed(), 'fin');
    }
  }
});

t.test('uws: an answer names neither the library nor two Dates', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const { client, taken } = await fixture.send(head('GET', '/'));
  taken.answer('ok', ['Date', 'Sat, 01 Jan 2000 00:00:00 GMT', 'X-A', '\xe9']);
  const { fields } = await client.answer();
  t.strictSame(
    fields.filter((_, i) => i % 2 === 0),
    ['X-A', 'Date', 'Content-Length'],
  );
  t.equal(fields[1], '\xe9', 'bytes pass as they are');
  t.not(fields[3], 'Sat, 01 Jan 2000 00:00:00 GMT');
});

t.test('uws: header values are bytes, also where a name comes twice', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const lines = ['X-A: a\xe9\xffz', 'X-B: a\xc3\xa9z', 'X-B: b\xc3\xa9z'];
  const { taken } = await fixture.send(head('GET', '/', lines));
  t.strictSame(taken.request.headers.slice(2), ['x-a', 'a\xe9\xffz', 'x-b', 'a\xc3\xa9z', 'x-b', 'b\xc3\xa9z']);
  taken.answer('');
});

t.test('uws: a path and an empty query are kept as they were sent', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  for (const target of ['/', '/?', '/a?b?c', '/%2f//..;p?']) {
    const { taken } = await fixture.send(head('GET', target));
    t.equal(taken.request.path, target);
    taken.answer('');
  }
});

t.test('uws: an event stream without a first byte opens all the same, by a comment', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const { client, taken } = await fixture.send(head('GET', '/'));
  const headers = ['Content-Type', 'text/event-stream'];
  taken.response.writeHead({ status: 200, reason: 'OK', headers }, undefined, true);
  fixture.clock.advance(100);
  await client.receives('\r\n\r\n');
  taken.response.end(Buffer.from('data: 1\n\n'));
  t.equal((await client.answer()).body.toString(), ':\ndata: 1\n\n');
});

t.test('uws: no comment goes into an event stream in a content coding', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const { client, taken } = await fixture.send(head('GET', '/'));
  const headers = ['Content-Type', 'text/event-stream', 'Content-Encoding', 'gzip'];
  taken.response.writeHead({ status: 200, reason: 'OK', headers }, undefined, true);
  fixture.clock.advance(1_000);
  const coded = gzipSync('data: 1\n\n');
  taken.response.end(coded);
  t.ok((await client.answer()).body.equals(coded));
});

t.test('uws: a head longer than what the library takes at a time arrives whole', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const { client, taken } = await fixture.send(head('GET', '/'));
  const headers = Array.from({ length: 1_000 }, (_, i) => [`X-${i}`, 'v'.repeat(50)]).flat();
  taken.response.writeHead({ status: 200, reason: 'OK', headers }, 3);
  taken.response.end(Buffer.from('end'));
  const answer = await client.answer();
  t.strictSame(answer.fields.slice(0, 2_000), headers);
  t.equal(answer.body.toString(), 'end');
});

t.test('uws: a chunked answer that is the last ends complete and closes', async (t) => {
  const fixture = await EdgeFixture.open(t, makeUwsEdge);
  const { client, taken } = await fixture.send(head('GET', '/', ['Connection: close, te']));
  taken.start();
  taken.response.write(Buffer.from('body'));
  await client.receives('body');
  taken.response.end();
  const answer = await client.answer();
  t.strictSame([answer.body.toString(), answer.whole, answer.header('connection')], ['body', true, 'close']);
  t.equal(await client.closed(), 'fin');
});
