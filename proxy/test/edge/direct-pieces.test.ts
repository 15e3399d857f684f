import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { StreamPiece } from '../../dist/edge/port.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { DirectWrites, streamBinding } from '../../dist/runtime/node-internals/socket-writes.js';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { settled, until } from '../kit/until.js';
import { EdgeFixture, type MakeEdge } from './clause.js';
import { makeNodeEdge, nodeEdge } from './node-edge-maker.js';
import type { Taken } from './scripted-handler.js';

/** An edge on a node that does not have what direct writes take. */
const makeWithout: MakeEdge = (surroundings) =>
  nodeEdge(surroundings, new TlsCertificates('/nonexistent', () => {}), new DirectWrites(undefined));

const makers = { 'direct writes': makeNodeEdge, 'no direct writes': makeWithout };

/** Counts the writes that go through the stream of a server's socket. */
function countWrites(t: Test): { writes: number } {
  const count = { writes: 0 };
  const watch = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    const { _write } = socket;
    socket._write = (...args) => {
      count.writes++;
      _write.apply(socket, args);
    };
  };
  subscribe('net.server.socket', watch);
  t.teardown(() => unsubscribe('net.server.socket', watch));
  return count;
}

/** A stream that is held. */
function hold(taken: Taken): void {
  taken.start(undefined, true);
  taken.response.goIdle?.();
}

/** A piece that cannot be taken for another. */
const piece = (number: number) => new StreamPiece(Buffer.from(`${number}:${'x'.repeat(16_384)};`));

/** Has a client that does not read get pieces, each in a turn of its own, until many wait; then it reads. */
async function stall(t: Test, client: RawClient, taken: Taken): Promise<void> {
  client.pause();
  hold(taken);
  let count = 0;
  let expected = '';
  while (taken.response.waiting < 2 ** 20) {
    const next = piece(count++);
    expected += next.payload;
    taken.response.push(next);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(await settled(() => taken.response.waiting));
  client.resume();
  await until(() => taken.response.waiting === 0);
  const last = piece(count);
  taken.response.push(last);
  taken.response.end();
  const answer = await client.answer();
  t.ok(answer.body.toString() === expected + last.payload, 'every byte, in order');
  t.equal(answer.whole, true);
}

t.test('this version of node has what direct writes take', async (t) => {
  t.ok(streamBinding());
});

t.test('a piece goes to a held stream past the stream of its socket', async (t) => {
  const count = countWrites(t);
  for (const [make, writes] of [
    [makeNodeEdge, 0],
    [makeWithout, 1],
  ] as const) {
    const fixture = await EdgeFixture.open(t, make);
    const { client, taken } = await fixture.send(head('GET', '/'));
    hold(taken);
    await client.receives('\r\n\r\n');
    count.writes = 0;
    taken.response.push(new StreamPiece(Buffer.from('piece')));
    await client.receives('piece');
    t.equal(count.writes, writes);
  }
});

for (const [name, make] of Object.entries(makers)) {
  t.test(`${name}: a client that stops reading gets everything in order once it reads`, async (t) => {
    const fixture = await EdgeFixture.open(t, make);
    const { client, taken } = await fixture.send(head('GET', '/'));
    await stall(t, client, taken);
    void client.write(head('GET', '/next'));
    (await fixture.next()).answer('next');
    t.equal((await client.answer()).body.toString(), 'next');
  });

  t.test(`${name}: the same on a unix socket`, async (t) => {
    const fixture = await EdgeFixture.open(t, make);
    // A path in the fixtures of this test may be longer than one of a socket can be.
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'edge');
    await fixture.edge.listen({ path });
    const client = await RawClient.to(t, { path });
    void client.write(head('GET', '/'));
    await stall(t, client, await fixture.next());
  });

  t.test(
    `${name}: a client that resets while much waits for it is gone, and nobody else gets what it was to get`,
    async (t) => {
      const fixture = await EdgeFixture.open(t, make);
      const { client, taken } = await fixture.send(head('GET', '/'));
      client.pause();
      hold(taken);
      while (taken.response.waiting < 2 ** 20) {
        taken.response.push(piece(0));
        await new Promise((resolve) => setImmediate(resolve));
      }
      const other = await fixture.send(head('GET', '/other'));
      hold(other.taken);
      client.reset();
      taken.response.push(piece(1));
      await until(() => taken.gones === 1);
      taken.response.push(piece(2));
      other.taken.response.push(new StreamPiece(Buffer.from('mine')));
      other.taken.response.end();
      t.equal((await other.client.answer()).body.toString(), 'mine');
      t.equal(fixture.edge.connections, 1);
    },
  );
}
