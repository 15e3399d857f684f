import { uncontained } from '@holdfast/control-api';
import t, { type Test } from 'tap';
import { type EdgeListener, Edges } from '../../dist/edge/edges.js';
import type { EdgeHandler } from '../../dist/edge/port.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { realClock } from '../../dist/runtime/clock.js';
import { until } from '../kit/until.js';
import { noLimit } from './clause.js';

/** Answers with the id and the version of the request. */
const echo: EdgeHandler = {
  onRequest: ({ id, version }, response) => {
    const body = Buffer.from(`${id} ${version}`);
    response.writeHead({ status: 200, reason: 'OK', headers: [] }, body.length);
    response.end(body);
  },
  onWebSocket: (_, { response }) => response.abort(),
};

function edgesFor(t: Test, listeners: readonly EdgeListener[]): Edges {
  let requests = 0;
  const settings = {
    clientBufferSize: 16_384,
    clientMaxconn: 100,
    clientKeepAliveTimeout: 60_000,
    clientHeaderTimeout: 60_000,
    clientHalfCloseGrace: 10_000,
    websocketMessageMax: 65_536,
    allowCompression: false,
    certificates: new TlsCertificates('/nonexistent', () => {}),
    isShared: false,
  };
  const edges = new Edges(listeners, echo, settings, {
    clock: realClock,
    faults: uncontained,
    events: {
      connectionRefused: () => {},
      descriptorsShort: () => {},
      requestRefused: () => {},
      proxyRefused: () => {},
    },
    descriptors: noLimit,
    nextId: () => `r${++requests}`,
    probesFailed: () => {},
  });
  t.teardown(() => edges.close());
  return edges;
}

t.test('each listener is served by the edge that it names, all in one process', async (t) => {
  const listeners: EdgeListener[] = [
    { edge: 'node', host: '127.0.0.1', port: 0 },
    { edge: 'uws', host: '127.0.0.1', port: 0 },
    { edge: 'node', host: '127.0.0.1', port: 0 },
  ];
  const edges = edgesFor(t, listeners);
  const answers: string[] = [];
  const own: (string | null)[] = [];
  for (const listener of listeners) {
    const { url, edge } = (await edges.listen(listener)) as EdgeListener & { url: string };
    t.equal(edge, listener.edge);
    const answer = await fetch(url);
    // One that is left out is the node edge's; the library of the other always writes it.
    own.push(answer.headers.get('date'));
    answers.push(await answer.text());
  }
  t.strictSame(answers, ['r1 1.1', 'r2 1.1', 'r3 1.1'], 'ids are unique across edges');
  t.strictSame(
    own.map((date) => date !== null),
    [false, true, false],
  );
  t.equal(edges.connections, 3, 'of all edges');
  edges.stopAccepting();
  await until(() => edges.connections === 0);
});

t.test('a listener that cannot be bound is reported whichever edge it has', async (t) => {
  const taken = edgesFor(t, [{ edge: 'node', host: '127.0.0.1', port: 0 }]);
  const { port = 0 } = await taken.listen({ edge: 'node', host: '127.0.0.1', port: 0 });
  for (const edge of ['node', 'uws'] as const) {
    const listener = { edge, host: '127.0.0.1', port };
    await t.rejects(edgesFor(t, [listener]).listen(listener), { code: 'ERR_EDGE_PORT_IN_USE' });
  }
});
