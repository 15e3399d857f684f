/** Answers to requests that were held without node's object, whose head and body are one write; with and without direct writes. */
import t, { type Test } from 'tap';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { DirectWrites } from '../../dist/runtime/node-internals/socket-writes.js';
import { head } from '../kit/clients/raw-client.js';
import { settled, until } from '../kit/until.js';
import { EdgeFixture, type MakeEdge } from './clause.js';
import { makeNodeEdge, nodeEdge } from './node-edge-maker.js';
import type { Taken } from './scripted-handler.js';

const makers: Readonly<Record<string, MakeEdge>> = {
  'direct writes': makeNodeEdge,
  'no direct writes': (surroundings) =>
    nodeEdge(surroundings, new TlsCertificates('/nonexistent', () => {}), new DirectWrites(undefined)),
};

const HEAD = { status: 200, reason: 'Fine', headers: ['X-One', '\xe9', 'Connection', 'hop', 'Hop', '1'] };

/** More than the buffers of a loopback connection take. */
const LONG = Buffer.alloc(12 * 1024 * 1024, 'long ');

function answer({ response }: Taken, answerHead = HEAD, body: Buffer | undefined = Buffer.from('held')): void {
  response.writeHead(answerHead, body?.length ?? 0);
  response.end(body);
}

for (const [name, make] of Object.entries(makers)) {
  const held = async (test: Test, request = head('GET', '/hold')) => {
    const fixture = await EdgeFixture.open(test, make);
    const { client, taken } = await fixture.send(request);
    taken.response.goIdle?.();
    return { fixture, client, taken };
  };

  t.test(`${name}: the bytes on the wire, and the connection goes on`, async (t) => {
    const { fixture, client, taken } = await held(t);
    answer(taken);
    const expected = 'HTTP/1.1 200 Fine\r\nX-One: \xe9\r\nContent-Length: 4\r\n\r\nheld';
    await client.receives('held');
    t.equal(client.text, expected);
    t.equal((await client.answer()).body.toString(), 'held');
    t.equal(taken.response.bodyBytes, 4);
    void client.write(head('GET', '/next'));
    (await fixture.next()).answer('next');
    t.equal((await client.answer()).body.toString(), 'next');
  });

  t.test(`${name}: the next request, which has come already, is served after it`, async (t) => {
    const { fixture, client, taken } = await held(t, head('GET', '/hold') + head('GET', '/behind'));
    answer(taken);
    const next = await fixture.next();
    t.equal(next.request.path, '/behind');
    next.answer('behind');
    t.equal((await client.answer()).body.toString(), 'held');
    t.equal((await client.answer()).body.toString(), 'behind');
  });

  t.test(`${name}: two answers of one turn that are the same but for one thing`, async (t) => {
    const fixture = await EdgeFixture.open(t, make);
    const body = Buffer.from('held');
    const all = [];
    for (let i = 0; i < 4; i++) all.push(await fixture.send(head('GET', `/${i}`)));
    for (const { taken } of all) taken.response.goIdle?.();
    const [one, two, three, four] = all.map(({ taken }) => taken);
    answer(one as Taken, HEAD, body);
    answer(two as Taken, HEAD, body);
    answer(three as Taken, HEAD, Buffer.from('else'));
    fixture.edge.closeAfterAnswers(true);
    answer(four as Taken, HEAD, body);
    const texts = await Promise.all(all.map(async ({ client }) => (await client.answer()).body.toString()));
    t.strictSame(texts, ['held', 'held', 'else', 'held']);
    t.equal(await all[3]?.client.closed(), 'fin', 'the last of its connection');
    t.notOk(all[0]?.client.isClosed);
  });

  t.test(`${name}: the last answer of a connection says so`, async (t) => {
    const { fixture, client, taken } = await held(t);
    fixture.edge.closeAfterAnswers(true);
    answer(taken);
    await client.closed();
    t.match(client.text, /\r\nContent-Length: 4\r\nConnection: close\r\n\r\nheld$/);
  });

  t.test(`${name}: statuses without a body`, async (t) => {
    for (const [status, length] of [
      [204, undefined],
      [304, '4'],
    ] as const) {
      const { fixture, client, taken } = await held(t);
      answer(taken, { status, reason: '', headers: [] });
      await client.receives('\r\n\r\n');
      const framing = length === undefined ? '' : `Content-Length: ${length}\r\n`;
      t.equal(client.text, `HTTP/1.1 ${status} \r\n${framing}\r\n`);
      await client.answer();
      void client.write(head('GET', '/next'));
      (await fixture.next()).answer('next');
      t.equal((await client.answer()).body.toString(), 'next', `after ${status}`);
    }
  });

  t.test(`${name}: a head that cannot be sent is refused, and another follows`, async (t) => {
    const { client, taken } = await held(t);
    t.throws(() => answer(taken, { status: 200, reason: '', headers: ['X-A', 'a\nb'] }), { code: 'ERR_EDGE_HEAD' });
    taken.answer('instead');
    t.equal((await client.answer()).body.toString(), 'instead');
  });

  t.test(`${name}: a body that comes in parts, later than its head`, async (t) => {
    const { client, taken } = await held(t);
    taken.start(8);
    await client.receives('\r\n\r\n');
    taken.response.write(Buffer.from('part'));
    taken.response.end(Buffer.from('part'));
    t.equal((await client.answer()).body.toString(), 'partpart');
  });

  t.test(`${name}: a long answer arrives whole, and the next is not before it`, async (t) => {
    const { fixture, client, taken } = await held(t);
    client.pause();
    answer(taken, HEAD, LONG);
    void client.write(head('GET', '/next'));
    client.resume();
    t.ok((await client.answer()).body.equals(LONG));
    (await fixture.next()).answer('next');
    t.equal((await client.answer()).body.toString(), 'next');
  });

  t.test(`${name}: a client that takes nothing of it is cut in time`, async (t) => {
    const { fixture, client, taken } = await held(t);
    client.pause();
    await settled(() => client.received.length);
    answer(taken, HEAD, LONG);
    await until('the cut', () => {
      fixture.clock.advance(fixture.limits.writeTimeout / 4);
      return fixture.refused.includes('write_timeout');
    });
    client.resume();
    await client.closed();
  });
}
