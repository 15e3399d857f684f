import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { PIPELINE_MAX } from '../../../dist/edge/node/connection.js';
import { StreamPiece } from '../../../dist/edge/port.js';
import { head } from '../../kit/clients/raw-client.js';
import { until } from '../../kit/until.js';
import { EdgeFixture } from '../clause.js';
import { edgeContract } from '../contract.js';
import { makeNodeEdge } from '../node-edge-maker.js';

edgeContract(t, 'node', { make: makeNodeEdge });

/** Counts the writes to the sockets that servers of this process accept, from each `start` on. */
function countWrites(t: Test): { start(): void; readonly writes: number } {
  const count = {
    writes: 0,
    start() {
      count.writes = 0;
    },
  };
  const watch = (message: unknown) => {
    const { socket } = message as { socket: Socket };
    const { _write, _writev } = socket;
    socket._write = (...args) => {
      count.writes++;
      _write.apply(socket, args);
    };
    socket._writev = (...args) => {
      count.writes++;
      _writev?.apply(socket, args);
    };
  };
  subscribe('net.server.socket', watch);
  t.teardown(() => unsubscribe('net.server.socket', watch));
  return count;
}

t.test('pieces pushed in one turn of the event loop leave in one write', async (t) => {
  const count = countWrites(t);
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const { client, taken } = await fixture.send(head('GET', '/'));
  taken.start(undefined, true);
  await client.receives('\r\n\r\n');
  count.start();
  for (let i = 0; i < 20; i++) taken.response.push(new StreamPiece(Buffer.from(`piece ${i};`)));
  await client.receives('piece 19;');
  t.equal(count.writes, 1);
  taken.response.push(new StreamPiece(Buffer.from('later')));
  await client.receives('later');
  t.equal(count.writes, 2);
});

t.test('a head that was kept back leaves in one write with the first pieces', async (t) => {
  const count = countWrites(t);
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const { client, taken } = await fixture.send(head('GET', '/'));
  taken.start();
  taken.response.push(new StreamPiece(Buffer.from('first')));
  taken.response.push(new StreamPiece(Buffer.from('second')));
  await client.receives('second');
  t.equal(count.writes, 1);
});

t.test('a refused client that does not close is cut after a while', async (t) => {
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const client = await fixture.connect();
  void client.write('nonsense\r\n\r\n');
  await client.closed();
  await until(() => fixture.clock.pending > 0);
  t.equal(fixture.edge.connections, 1, 'its FIN is waited for');
  fixture.clock.advance(2_000);
  await until(() => fixture.edge.connections === 0);
});

t.test('a port that is taken is an error that names the address', async (t) => {
  const squatter = createServer();
  await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve));
  t.teardown(() => squatter.close());
  const { port } = squatter.address() as { port: number };
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  await t.rejects(fixture.edge.listen({ host: '127.0.0.1', port }), {
    name: 'EdgeError',
    code: 'ERR_EDGE_PORT_IN_USE',
    message: `cannot listen on 127.0.0.1:${port}: it is in use`,
    cause: { code: 'EADDRINUSE' },
  });
});

t.test('an address that this machine does not have is an error that says so', async (t) => {
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  await t.rejects(fixture.edge.listen({ host: '192.0.2.1', port: 0 }), {
    code: 'ERR_EDGE_LISTEN',
    message: 'cannot listen on 192.0.2.1:0: no such address',
  });
});

t.test('a bound listener tells its real port and its URL', async (t) => {
  const fixture = await EdgeFixture.open(t, makeNodeEdge);
  const bound = await fixture.edge.listen({ host: '127.0.0.1', port: 0 });
  t.match(bound.url, /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  t.ok(bound.url.endsWith(`:${bound.port}`));
});

t.test(
  'of more small requests in one read than may wait, the first are answered and the connection closes',
  async (t) => {
    const fixture = await EdgeFixture.open(t, makeNodeEdge);
    const client = await fixture.connect();
    const count = 2 * PIPELINE_MAX;
    await client.write(head('GET', '/').repeat(count));
    for (let i = 0; i <= PIPELINE_MAX; i++) {
      (await fixture.next()).answer(`${i}`);
      const answer = await client.answer();
      if (answer.body.toString() !== `${i}`) t.fail(`answer ${i} is ${answer.body}`);
      if (i === PIPELINE_MAX) t.equal(answer.header('connection'), 'close');
    }
    client.end();
    await client.closed();
    t.equal(fixture.handler.count, PIPELINE_MAX + 1);
  },
);
