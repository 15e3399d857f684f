/** The contract of `Edge` once more, on a node edge whose answers are all held: each is settled as soon as it can be. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { ClientResponse, EdgeHandler } from '../../dist/edge/edge.js';
import { ResponseWrapper } from '../../dist/edge/response-wrapper.js';
import { StreamPiece } from '../../dist/edge/stream-piece.js';
import { type MakeEdge, Scene } from './clause.js';
import { edgeContract } from './contract.js';
import { makeNodeEdge } from './node-edge-maker.js';
import { head } from './raw-client.js';
import { settled, until } from './wait.js';

/** Settles whenever something has been done that may be followed by nothing for long. */
class Settled extends ResponseWrapper {
  constructor(inner: ClientResponse) {
    super(inner);
    this.settle();
  }

  override writeHead(...args: Parameters<ClientResponse['writeHead']>): void {
    super.writeHead(...args);
    if (args[1] === undefined) this.settle();
  }

  override write(chunk: Buffer): boolean {
    const taken = super.write(chunk);
    this.settle();
    return taken;
  }
}

const settling: MakeEdge = (surroundings) => {
  const { handler: inner } = surroundings;
  const handler: EdgeHandler = {
    onRequest: (request, response) => inner.onRequest(request, new Settled(response)),
    onWebSocket: (request, handshake) => inner.onWebSocket(request, handshake),
  };
  return makeNodeEdge({ ...surroundings, handler });
};

edgeContract(t, 'node, settled', { make: settling });

/** The sockets that servers of this process accept, in their order. */
function acceptedSockets(t: Test): (Socket & { parser?: unknown })[] {
  const sockets: Socket[] = [];
  const watch = (message: unknown) => sockets.push((message as { socket: Socket }).socket);
  subscribe('net.server.socket', watch);
  t.teardown(() => unsubscribe('net.server.socket', watch));
  return sockets;
}

t.test('an answer that is settled has nobody parse its connection, until it is complete and more comes', async (t) => {
  const sockets = acceptedSockets(t);
  const scene = await Scene.open(t, makeNodeEdge);
  const { client, taken } = await scene.send(head('GET', '/1'));
  t.ok(sockets[0]?.parser);
  taken.response.settle?.();
  t.notOk(sockets[0]?.parser, 'before the head');
  taken.start(undefined, true);
  await client.receives('\r\n\r\n');
  taken.response.push(new StreamPiece(Buffer.from('piece')));
  taken.response.end();
  t.equal((await client.answer()).body.toString(), 'piece');
  await until(() => sockets[0]?.writableLength === 0);
  t.notOk(sockets[0]?.parser, 'still');
  void client.write(head('GET', '/2'));
  const next = await scene.next();
  t.ok(sockets[0]?.parser);
  next.start(undefined, true);
  next.response.settle?.();
  t.notOk(sockets[0]?.parser, 'in the body');
  next.response.push(new StreamPiece(Buffer.from('more')));
  next.response.end(Buffer.from('the end'));
  t.equal((await client.answer()).body.toString(), 'morethe end');
  t.equal(sockets.length, 1);
});

t.test('a client that sends without end behind a settled answer is held back', async (t) => {
  const scene = await Scene.open(t, makeNodeEdge);
  const { client, taken } = await scene.send(head('GET', '/hold'));
  taken.response.settle?.();
  const request = head('GET', '/next', [`X-Filler: ${'x'.repeat(8_000)}`]);
  const count = 2_000;
  void client.write(request.repeat(count));
  t.ok((await settled(() => client.socket.bytesWritten - client.socket.writableLength)) < count * request.length);
  t.equal(scene.handler.count, 1);
  taken.answer('held');
  t.equal((await client.answer()).body.toString(), 'held');
  for (let i = 0; i < count; i++) {
    (await scene.next()).answer(`${i}`);
    const answer = await client.answer();
    if (answer.body.toString() !== `${i}`) t.fail(`answer ${i} is ${answer.body}`);
  }
});
