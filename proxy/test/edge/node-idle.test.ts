/** The contract of `Edge` once more, on a node edge whose answers are all held: each goes idle as soon as it can. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { AHEAD_MAX, EARLY_MAX, GARBAGE_MAX, LOOK_MS } from '../../dist/edge/node/early-bytes.js';
import { type ClientResponse, type EdgeHandler, ResponseWrapper, StreamPiece } from '../../dist/edge/port.js';
import { head } from '../kit/clients/raw-client.js';
import { settled, until } from '../kit/until.js';
import { hideUpgrades } from '../runtime/hide-upgrades.js';
import { EdgeFixture, type MakeEdge } from './clause.js';
import { edgeContract } from './contract.js';
import { makeNodeEdge } from './node-edge-maker.js';

/** Goes idle whenever something has been done that may be followed by nothing for long. */
class Idle extends ResponseWrapper {
  constructor(inner: ClientResponse) {
    super(inner);
    this.goIdle();
  }

  override writeHead(...args: Parameters<ClientResponse['writeHead']>): void {
    super.writeHead(...args);
    if (args[1] === undefined) this.goIdle();
  }

  override write(chunk: Buffer): boolean {
    const taken = super.write(chunk);
    this.goIdle();
    return taken;
  }
}

const idling: MakeEdge = (surroundings) => {
  const { handler: inner } = surroundings;
  const handler: EdgeHandler = {
    onRequest: (request, response) => inner.onRequest(request, new Idle(response)),
    onWebSocket: (request, handshake) => inner.onWebSocket(request, handshake),
  };
  return makeNodeEdge({ ...surroundings, handler });
};

edgeContract(t, 'node, idle', {
  make: idling,
  limits: [
    {
      what: 'Trailers',
      why: 'An idle answer is held and goes on with items: what its origin sent behind its own body is not the end.',
      clauses: ['answer-trailers'],
    },
  ],
});

/** The sockets that servers of this process accept, in their order. */
function acceptedSockets(t: Test): (Socket & { parser?: unknown })[] {
  const sockets: Socket[] = [];
  const watch = (message: unknown) => sockets.push((message as { socket: Socket }).socket);
  subscribe('net.server.socket', watch);
  t.teardown(() => unsubscribe('net.server.socket', watch));
  return sockets;
}

t.test('the connection of an idle answer is not parsed, until it is complete and more comes', async (t) => {
  const sockets = acceptedSockets(t);
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const { client, taken } = await fixture.send(head('GET', '/1'));
  t.ok(sockets[0]?.parser);
  taken.response.goIdle?.();
  t.notOk(sockets[0]?.parser, 'before the head');
  taken.start(undefined, true);
  await client.receives('\r\n\r\n');
  taken.response.push(new StreamPiece(Buffer.from('piece')));
  taken.response.end();
  t.equal((await client.answer()).body.toString(), 'piece');
  await until(() => sockets[0]?.writableLength === 0);
  t.notOk(sockets[0]?.parser, 'still');
  void client.write(head('GET', '/2'));
  const next = await fixture.next();
  t.ok(sockets[0]?.parser);
  next.start(undefined, true);
  next.response.goIdle?.();
  t.notOk(sockets[0]?.parser, 'in the body');
  next.response.push(new StreamPiece(Buffer.from('more')));
  next.response.end(Buffer.from('the end'));
  t.equal((await client.answer()).body.toString(), 'morethe end');
  t.equal(sockets.length, 1);
});

t.test('a client that sends without end behind an idle answer is held back', async (t) => {
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const { client, taken } = await fixture.send(head('GET', '/hold'));
  taken.response.goIdle?.();
  const request = head('GET', '/next', [`X-Filler: ${'x'.repeat(8_000)}`]);
  const count = 2_000;
  void client.write(request.repeat(count));
  t.ok((await settled(() => client.socket.bytesWritten - client.socket.writableLength)) < count * request.length);
  t.equal(fixture.handler.count, 1);
  taken.answer('held');
  t.equal((await client.answer()).body.toString(), 'held');
  for (let i = 0; i < count; i++) {
    (await fixture.next()).answer(`${i}`);
    const answer = await client.answer();
    if (answer.body.toString() !== `${i}`) t.fail(`answer ${i} is ${answer.body}`);
  }
});

t.test('where node does not let go of a connection, an idle answer keeps its parser and goes on', async (t) => {
  hideUpgrades(t);
  const sockets = acceptedSockets(t);
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const { client, taken } = await fixture.send(head('GET', '/1'));
  taken.response.goIdle?.();
  t.ok(sockets[0]?.parser);
  taken.start(undefined, true);
  taken.response.push(new StreamPiece(Buffer.from('piece')));
  taken.response.end();
  t.equal((await client.answer()).body.toString(), 'piece');
  void client.write(head('GET', '/2'));
  (await fixture.next()).answer('next');
  t.equal((await client.answer()).body.toString(), 'next');
});

/** A request behind which there is more, on a connection of a held answer. */
async function hold(t: Test) {
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const { client, taken } = await fixture.send(head('GET', '/hold'));
  taken.response.goIdle?.();
  return { fixture, client, taken };
}

t.test('what cannot be a request behind an idle answer is read and dropped, and refused after it', async (t) => {
  const { client, taken } = await hold(t);
  await client.write('x'.repeat(GARBAGE_MAX / 2));
  taken.answer('held');
  t.equal((await client.answer()).body.toString(), 'held');
  t.equal((await client.answer()).status, 400);
});

t.test('a client that goes on with that is cut', async (t) => {
  const { client, taken } = await hold(t);
  void client.write('x'.repeat(2 * GARBAGE_MAX));
  await until(() => taken.gones === 1);
  await client.closed();
});

t.test('a client that has gone behind more than is read is noticed all the same', async (t) => {
  const { fixture, client, taken } = await hold(t);
  const request = head('GET', '/next', [`X-Filler: ${'x'.repeat(8_000)}`]);
  await client.write(request.repeat(Math.ceil((2 * EARLY_MAX) / request.length)));
  client.reset();
  await until(() => {
    fixture.clock.advance(LOOK_MS);
    return taken.gones === 1;
  });
  t.equal(fixture.handler.count, 1);
});

t.test('a client that sends without end behind an idle answer is cut when it cannot be looked after', async (t) => {
  const { fixture, client, taken } = await hold(t);
  const request = head('GET', '/next', [`X-Filler: ${'x'.repeat(8_000)}`]);
  void client.write(request.repeat(2_000));
  const sent = () => client.socket.bytesWritten - client.socket.writableLength;
  const before = await settled(sent);
  let read = 0;
  let looks = 0;
  for (; taken.gones === 0 && looks < 20; looks++) {
    read = sent() - before;
    fixture.clock.advance(LOOK_MS);
    await settled(sent);
  }
  t.equal(taken.gones, 1, `after ${looks} looks`);
  t.ok(looks > 1);
  t.ok(read < AHEAD_MAX + 4 * 2 ** 20, `little more was read: ${read} bytes, with what the buffers between hold`);
});
