/** Long transfers over TLS, on every edge: what the library under an edge does with records, buffers and back-pressure. */
import t from 'tap';
import { StreamPiece } from '../../dist/edge/port.js';
import { head, type RawClient } from '../kit/clients/raw-client.js';
import { settled, until } from '../kit/until.js';
import type { Taken } from './scripted-handler.js';
import { NAME, TlsFixture, tlsEdges } from './tls-fixture.js';

t.setTimeout(120_000);

/** More than all buffers between two sockets on one machine hold. */
const MUCH = 32 * 2 ** 20;
const PART = 100_000;

/** Bytes that differ wherever they are cut, swapped or repeated. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(at, at);
  return bytes;
}

const whole = pattern(MUCH);

/** Writes all bytes as an origin's answer is relayed: on after a false only once the client has taken what was written. */
async function relay(taken: Taken, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += PART) {
    const before = taken.writables;
    if (!taken.response.write(bytes.subarray(at, at + PART))) await until(() => taken.writables > before);
  }
  taken.response.end();
}

/** Reads a bit at a time, with pauses in which what is on its way backs up. */
function readSlowly({ socket }: RawClient): void {
  socket.on('data', () => {
    socket.pause();
    setTimeout(() => socket.resume(), 1);
  });
}

for (const edge of tlsEdges) {
  for (const length of [MUCH, undefined]) {
    const how = length === undefined ? 'chunked' : 'of known length';
    t.test(
      `${edge.name}: a long download over TLS, ${how}, is held back by its client and arrives whole`,
      async (t) => {
        const fixture = await TlsFixture.open(t, edge);
        const { client, taken } = await fixture.send(head('GET', '/'));
        client.pause();
        taken.start(length);
        const done = relay(taken, whole);
        const written = await settled(() => taken.response.bodyBytes);
        t.ok(written < MUCH, `${written} bytes were written to a client that does not read`);
        t.ok(taken.response.waiting <= 2 * PART, `${taken.response.waiting} bytes wait`);
        client.resume();
        await done;
        const answer = await client.answer();
        t.ok(answer.body.equals(whole) && answer.whole);
        void client.write(head('GET', '/'));
        (await fixture.plain.next()).answer('next');
        t.equal((await client.answer()).body.toString(), 'next', 'the connection goes on');
      },
    );
  }

  t.test(`${edge.name}: a slow reader over TLS gets all of its answer, though that ended long before`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const { client, taken } = await fixture.send(head('GET', '/'));
    readSlowly(client);
    const bytes = whole.subarray(0, 8 * 2 ** 20);
    taken.start(bytes.length);
    taken.response.write(bytes);
    taken.response.end();
    const answer = await client.answer();
    t.ok(answer.body.equals(bytes) && answer.whole);
    t.equal(taken.gones, 0);
  });

  t.test(`${edge.name}: a stream over TLS that is pushed to while its client reads slowly loses nothing`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const { client, taken } = await fixture.send(head('GET', '/'));
    const { response } = taken;
    readSlowly(client);
    taken.start();
    // Around the sizes of a TLS record and of what a library takes at a time.
    const sizes = [1, 100, 4_096, 15_999, 16_000, 16_384, 16_385, 40_000, 70_000];
    let at = 0;
    let most = 0;
    for (let round = 0; at < 12 * 2 ** 20; round++) {
      const size = sizes[round % sizes.length] as number;
      response.push(new StreamPiece(whole.subarray(at, at + size)));
      at += size;
      most = Math.max(most, response.waiting);
      if (round % 5 === 0) await new Promise(setImmediate);
    }
    t.ok(most > 2 ** 20, `${most} bytes waited at times`);
    await until(() => response.waiting === 0);
    response.push(new StreamPiece(Buffer.from('last')));
    response.end();
    const answer = await client.answer();
    t.ok(answer.whole);
    t.equal(answer.body.length, at + 4);
    t.ok(answer.body.subarray(0, at).equals(whole.subarray(0, at)), 'in order');
    t.equal(taken.gones, 0);
  });

  // The uws edge reads no chunked bodies.
  for (const isChunked of edge.name === 'uws' ? [false] : [false, true]) {
    t.test(
      `${edge.name}: ${isChunked ? 'a chunked' : 'an'} upload over TLS is held back, and comes whole`,
      async (t) => {
        const fixture = await TlsFixture.open(t, edge);
        const field = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${MUCH}`;
        const { client, taken } = await fixture.send(head('POST', '/', [field]));
        const body = taken.read();
        taken.request.body?.pause();
        void client.write(isChunked ? framed(whole) : whole);
        t.ok((await settled(() => taken.bodyBytes)) < MUCH);
        t.ok(client.socket.writableLength > 0, 'not all has left the client');
        taken.request.body?.resume();
        await until(() => taken.bodyBytes > MUCH / 2);
        taken.request.body?.pause();
        await new Promise(setImmediate);
        taken.request.body?.resume();
        const { bytes, end } = await body;
        t.equal(end, 'end');
        t.ok(bytes.equals(whole));
        taken.answer('thanks');
        t.equal((await client.answer()).body.toString(), 'thanks');
      },
    );
  }

  t.test(`${edge.name}: a client over TLS that resets in the middle of its body breaks it off`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const { client, taken } = await fixture.send(`${head('POST', '/', ['Content-Length: 1000000'])}01234`);
    const body = taken.read();
    await until(() => taken.bodyBytes === 5);
    client.reset();
    const { bytes, end } = await body;
    t.strictSame([bytes.toString(), end], ['01234', 'abort']);
    await until(() => taken.gones === 1 && fixture.plain.edge.connections === 0);
    t.equal(await fixture.shown(NAME), NAME, 'others are served');
  });

  t.test(`${edge.name}: the owner of an answer over TLS hears of a reset in the middle of it`, async (t) => {
    const fixture = await TlsFixture.open(t, edge);
    const { client, taken } = await fixture.send(head('GET', '/'));
    taken.start();
    taken.response.write(Buffer.from('first'));
    await client.receives('first');
    client.pause();
    while (taken.response.write(whole.subarray(0, PART)));
    await settled(() => taken.response.waiting);
    client.reset();
    await until(() => taken.gones === 1 && fixture.plain.edge.connections === 0);
    taken.response.write(Buffer.from('nobody hears of this'));
    taken.response.end();
    t.equal(taken.response.waiting, 0);
  });

  t.test(
    `${edge.name}: an answer over TLS that is aborted is not whole, and what was written before arrives`,
    async (t) => {
      const fixture = await TlsFixture.open(t, edge);
      for (const length of [1_000_000, undefined]) {
        const { client, taken } = await fixture.send(head('GET', '/'));
        taken.start(length);
        taken.response.write(whole.subarray(0, 500_000));
        taken.response.abort();
        const answer = await client.answer();
        t.ok(answer.body.equals(whole.subarray(0, 500_000)), `${answer.body.length} bytes of ${length}`);
        t.equal(answer.whole, false);
      }
    },
  );
}

/** As chunks of different sizes. */
function framed(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 3) % 99_991) {
    const part = bytes.subarray(at, at + size);
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}
