/** Clauses of the `Edge` contract: request bodies. */
import { head } from '../../kit/clients/raw-client.js';
import { settled, until } from '../../kit/until.js';
import type { Clause } from '../clause.js';

const CHUNKED = ['Transfer-Encoding: chunked'];
/** More than all buffers between two sockets on one machine hold. */
const MUCH = 32 * 2 ** 20;

const chunkedClauses: readonly Clause[] = [
  {
    name: 'body-chunked',
    says: 'a chunked body comes without its framing',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(
        `${head('POST', '/', CHUNKED)}3\r\nabc\r\n0a\r\n0123456789\r\n0\r\n\r\n`,
      );
      t.equal(taken.request.body?.length, undefined);
      t.strictSame(await taken.read(), { bytes: Buffer.from('abc0123456789'), end: 'end' });
      taken.answer('');
      t.equal((await client.answer()).status, 200);
    },
  },
  {
    name: 'body-chunk-extensions',
    says: 'chunk extensions are ignored (RFC 9112 §7.1.1)',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(`${head('POST', '/', CHUNKED)}3;a=1;b="2"\r\nabc\r\n0;last\r\n\r\n`);
      t.strictSame(await taken.read(), { bytes: Buffer.from('abc'), end: 'end' });
      taken.answer('');
    },
  },
  {
    name: 'body-trailers',
    says: 'trailers are no part of the body or the head, and the connection goes on after them (RFC 9112 §7.1.2)',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('POST', '/', CHUNKED)}1\r\na\r\n0\r\nX-Trailer: t\r\n\r\n`);
      t.equal((await taken.read()).bytes.toString(), 'a');
      t.notOk(taken.request.headers.includes('X-Trailer'));
      taken.answer('');
      await client.answer();
      void client.write(head('GET', '/next'));
      (await fixture.next()).answer('next');
      t.equal((await client.answer()).body.toString(), 'next');
    },
  },
  {
    name: 'body-chunked-empty',
    says: 'a chunked body may be empty',
    run: async (t, fixture) => {
      const { taken } = await fixture.send(`${head('POST', '/', CHUNKED)}0\r\n\r\n`);
      t.strictSame(await taken.read(), { bytes: Buffer.alloc(0), end: 'end' });
      taken.answer('');
    },
  },
  {
    name: 'body-chunk-malformed',
    says: 'a body whose chunks are malformed is broken off',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('POST', '/', CHUNKED)}3\r\nabc\r\nxyz\r\n`);
      t.equal((await taken.read()).end, 'abort');
      t.equal((await client.answer()).status, 400);
      await client.closed();
      t.equal(taken.gones, 1, 'the owner of the answer hears of it');
    },
  },
];

const lengthClauses: readonly Clause[] = [
  {
    name: 'body-length',
    says: 'a body of declared length comes whole, in order',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('POST', '/', ['Content-Length: 10'])}01234`);
      t.equal(taken.request.body?.length, 10);
      const body = taken.read();
      await until(() => taken.bodyBytes === 5);
      void client.write('56789');
      t.strictSame(await body, { bytes: Buffer.from('0123456789'), end: 'end' });
      taken.answer('');
    },
  },
  {
    name: 'body-none',
    says: 'a request without a body, or of length 0, has none',
    run: async (t, fixture) => {
      for (const bytes of [head('GET', '/'), head('POST', '/'), head('POST', '/', ['Content-Length: 0'])]) {
        const { taken } = await fixture.send(bytes);
        t.equal(taken.request.body, undefined, bytes);
        taken.answer('');
      }
    },
  },
  {
    name: 'body-abort',
    says: 'a client that resets in the middle of its body breaks it off',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('POST', '/', ['Content-Length: 10'])}01234`);
      const body = taken.read();
      await until(() => taken.bodyBytes === 5);
      client.reset();
      t.equal((await body).end, 'abort');
      await until(() => taken.gones === 1);
    },
  },
  {
    name: 'body-abort-unread',
    says: 'a body that is read when its client has gone is broken off',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(`${head('POST', '/', ['Content-Length: 10'])}01234`);
      client.reset();
      await until(() => taken.gones === 1);
      t.equal((await taken.read()).end, 'abort');
    },
  },
  {
    name: 'body-pause',
    says: 'a paused body holds its client back, and comes whole when it is resumed',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('POST', '/', [`Content-Length: ${MUCH}`]));
      const body = taken.read();
      taken.request.body?.pause();
      void client.write(Buffer.alloc(MUCH, 'x'));
      t.equal(await settled(() => taken.bodyBytes), 0);
      t.ok(client.socket.writableLength > 0, 'the client cannot get rid of its bytes');
      taken.request.body?.resume();
      const { bytes, end } = await body;
      t.strictSame([bytes.length, end], [MUCH, 'end']);
      taken.answer('');
    },
  },
  {
    name: 'body-held-back',
    says: 'nothing of a body is read before it is asked for',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('POST', '/', [`Content-Length: ${MUCH}`]));
      void client.write(Buffer.alloc(MUCH, 'x'));
      t.ok((await settled(() => client.socket.writableLength)) > 0);
      t.equal((await taken.read()).bytes.length, MUCH);
      taken.answer('');
    },
  },
];

const expectClauses: readonly Clause[] = [
  {
    name: 'expect-continue',
    says: 'a client that expects 100 Continue gets it when its body is read, not before',
    run: async (t, fixture) => {
      const expecting = head('POST', '/', ['Content-Length: 4', 'Expect: 100-Continue']);
      const { client, taken } = await fixture.send(expecting);
      t.equal(await settled(() => client.receivedBytes), 0);
      const body = taken.read();
      t.equal((await client.answer()).status, 100);
      void client.write('body');
      t.equal((await body).bytes.toString(), 'body');
      taken.answer('done');
      t.equal((await client.answer()).body.toString(), 'done');
      void client.write(head('GET', '/next'));
      (await fixture.next()).answer('');
    },
  },
  {
    name: 'expect-close',
    says: 'a client that has asked for a close keeps it after 100 Continue',
    run: async (t, fixture) => {
      const lines = ['Content-Length: 1', 'Expect: 100-continue', 'Connection: foo, close'];
      const { client, taken } = await fixture.send(head('POST', '/', lines));
      const body = taken.read();
      await client.answer();
      void client.write('x');
      await body;
      taken.answer('done');
      t.equal((await client.answer()).header('connection'), 'close');
      t.equal(await client.closed(), 'fin');
    },
  },
  {
    name: 'expect-unread',
    says: 'an answer without reading an expected body closes: what follows might be the body (RFC 9110 §10.1.1)',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('POST', '/', ['Content-Length: 4', 'Expect: 100-continue']));
      taken.answer('no');
      const answer = await client.answer();
      t.strictSame([answer.status, answer.header('connection')], [200, 'close']);
      t.equal(await client.closed(), 'fin');
    },
  },
];

const earlyAnswerClauses: readonly Clause[] = [
  {
    name: 'early-answer',
    says: 'what is left of a body after its answer is dropped, and the connection goes on',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('POST', '/', [`Content-Length: ${MUCH}`]));
      taken.answer('enough');
      void client.write(Buffer.alloc(MUCH, 'x'));
      t.equal((await client.answer()).body.toString(), 'enough');
      void client.write(head('GET', '/next'));
      (await fixture.next()).answer('next');
      t.equal((await client.answer()).body.toString(), 'next');
    },
  },
  {
    name: 'early-answer-paused',
    says: 'a body that was paused when its answer was complete is dropped likewise',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('POST', '/', [`Content-Length: ${MUCH}`]));
      void client.write(Buffer.alloc(MUCH, 'x'));
      void taken.read();
      await until(() => taken.bodyBytes > 0);
      taken.request.body?.pause();
      taken.answer('enough');
      t.equal((await client.answer()).body.toString(), 'enough');
      void client.write(head('GET', '/next'));
      (await fixture.next()).answer('next');
      t.equal((await client.answer()).body.toString(), 'next');
    },
  },
  {
    name: 'early-answer-close',
    says: 'an answer that closes in the middle of a body reaches a client that is still sending (RFC 9112 §9.6)',
    run: async (t, fixture) => {
      const { client, taken } = await fixture.send(head('POST', '/', [`Content-Length: ${MUCH}`, 'Connection: close']));
      client.pause();
      void client.write(Buffer.alloc(MUCH / 8, 'x'));
      taken.answer('enough');
      await settled(() => client.socket.writableLength);
      client.resume();
      t.equal((await client.answer()).body.toString(), 'enough');
    },
  },
];

/** Request bodies. */
export const bodyClauses: readonly Clause[] = [
  ...lengthClauses,
  ...chunkedClauses,
  ...expectClauses,
  ...earlyAnswerClauses,
];
