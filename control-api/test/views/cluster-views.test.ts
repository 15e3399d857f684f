/** The views over HTTP: paths, names, what several nodes amount to, and failures. */
import t, { type Test } from 'tap';
import { SILENT_AFTER_MS } from '../../dist/cluster/cluster.js';
import {
  BackplaneHub,
  ChannelTaps,
  ClusterViews,
  ControlError,
  LocalBackplane,
  mergeAnswers,
  readChannelView,
  silentLog,
  sumChannelViews,
} from '../../dist/index.js';
import { ANSWER_WITHIN_MS } from '../../dist/views/cluster-views.js';
import { startControl } from '../control-fixture.js';
import { ManualClock } from '../manual-clock.js';
import { type Script, ScriptedCluster } from './scripted-cluster.js';

const view = (response: number, stream: number, ws: number, position?: { epoch: string; offset: number }) => ({
  subscribers: { response, stream, ws, callback: 0, xmpp: 0 },
  ...(position !== undefined && { position }),
});

t.test('subscribers are added up by kind', async (t) => {
  t.strictSame(sumChannelViews([view(1, 2, 3), view(10, 20, 30)]), view(11, 22, 33));
  t.strictSame(sumChannelViews([]), view(0, 0, 0));
});

t.test('the furthest position of one epoch is shown; where epochs differ none is', async (t) => {
  const [at3, at7, other] = [
    { epoch: 'e', offset: 3 },
    { epoch: 'e', offset: 7 },
    { epoch: 'f', offset: 1 },
  ];
  t.strictSame(sumChannelViews([view(0, 0, 0, at3), view(0, 0, 0, at7), view(0, 0, 0)]).position, at7);
  t.strictSame(sumChannelViews([view(0, 0, 0, at7), view(0, 0, 0, other)]).position, undefined);
});

t.test('what is no view of a channel is not read as one', async (t) => {
  const bad = [null, undefined, 1, 'x', {}, { subscribers: {} }, { subscribers: { response: 1, stream: -1, ws: 0 } }];
  for (const answer of bad) t.equal(readChannelView(answer), undefined);
  const older = { subscribers: { response: 1, stream: 2, ws: 3 } };
  t.strictSame(readChannelView(older), view(1, 2, 3), 'a node of an earlier version knows fewer kinds');
  t.strictSame(readChannelView({ ...view(1, 2, 3), position: { epoch: 1 }, more: 'x' }), view(1, 2, 3));
});

t.test('the processes of a node answer as one', async (t) => {
  t.strictSame(mergeAnswers({ about: 'channel', name: 'a' }, [view(1, 0, 0), undefined, view(0, 2, 0)]), view(1, 2, 0));
  const found = { id: 'x-1', kind: 'stream' };
  t.strictSame(mergeAnswers({ about: 'connection', id: 'x-1' }, [null, found, undefined]), found);
  t.equal(mergeAnswers({ about: 'connection', id: 'x-1' }, [null, undefined]), null);
  t.equal(mergeAnswers({ about: 'disconnect', id: 'x-1' }, [false, true]), true);
  t.equal(mergeAnswers({ about: 'disconnect', id: 'x-1' }, [false, undefined]), false);
});

/** A control server in front of such nodes. */
async function views(t: Test, scripts: Readonly<Record<string, Script | undefined>> | Error) {
  const nodes = new ScriptedCluster(scripts);
  const clock = new ManualClock();
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog), log: silentLog });
  const control = await startControl(t, {
    views: { cluster: new ClusterViews(nodes, clock), taps: new ChannelTaps(() => hub.share(), clock) },
  });
  const json = async (method: string, path: string, headers?: Record<string, string>) => {
    const answer = await control.ask(method, path, headers);
    t.equal(answer.headers['content-type'], 'application/json');
    return { status: answer.status, allow: answer.headers.allow, body: JSON.parse(answer.body) };
  };
  return { ...control, nodes, clock, json };
}

const counts = (response: number, stream: number, ws: number) => ({
  subscribers: { response, stream, ws, callback: 0, xmpp: 0 },
});
const stream = { id: 'i-1', kind: 'stream', client: '127.0.0.1', since: 'then', channels: ['a'], items: 3, waiting: 0 };
const away = new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away');

t.test('/nodes lists the nodes, whatever Accept says', async (t) => {
  const { json } = await views(t, { a: () => null, b: () => null });
  const rest = { host: 'h', pid: 1, version: '1', workers: 1, connections: 2, channels: 3, age: 4 };
  const started = '1970-01-01T00:00:00.000Z';
  for (const [path, accept] of [
    ['/nodes', 'text/plain'],
    ['/nodes/', 'text/html'],
  ] as const) {
    const { status, body } = await json('GET', path, { Accept: accept });
    t.equal(status, 200);
    t.strictSame(body, {
      nodes: [
        { id: 'a', ...rest, started },
        { id: 'b', ...rest, started },
      ],
      silent: [],
    });
  }
});

t.test('/nodes names those that have missed two heartbeats', async (t) => {
  const { json, nodes } = await views(t, { a: () => null, b: () => null, c: () => null });
  const ages = [0, SILENT_AFTER_MS, SILENT_AFTER_MS + 1];
  const all = await nodes.list();
  nodes.list = async () => all.map((node, i) => ({ ...node, age: ages[i] as number }));
  t.match((await json('GET', '/nodes')).body, { nodes: [{ id: 'a' }, { id: 'b' }, { id: 'c' }], silent: ['c'] });
});

t.test('/nodes shows the node that was asked where the others cannot be, and says why', async (t) => {
  const { json, nodes, clock } = await views(t, away);
  const rest = { host: 'h', pid: 1, version: '1', workers: 1, connections: 2, channels: 3, age: 0 };
  nodes.own = { id: 'me', startedAt: 0, ...rest };
  const own = [{ id: 'me', ...rest, started: '1970-01-01T00:00:00.000Z' }];
  t.strictSame(await json('GET', '/nodes'), {
    status: 200,
    allow: undefined,
    body: { nodes: own, silent: [], trouble: 'away' },
  });
  nodes.list = () => new Promise(() => {});
  const late = json('GET', '/nodes');
  while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
  clock.advance(ANSWER_WITHIN_MS);
  t.match(await late, { status: 200, body: { nodes: own, trouble: 'The backplane did not answer in time.' } });
  nodes.list = () => Promise.reject(new Error('a fault of ours'));
  t.match(await json('GET', '/nodes'), { status: 500 });
});

t.test('/nodes lists all, whatever one of them says of its start', async (t) => {
  const { json, nodes } = await views(t, { a: () => null, b: () => null });
  const all = await nodes.list();
  const odd = [Number.NaN, 1e99, 'x', null, undefined, {}] as never[];
  nodes.list = async () => all.map((node, i) => (i === 0 ? { ...node, startedAt: odd.shift() as never } : node));
  while (odd.length > 0) {
    const { status, body } = await json('GET', '/nodes');
    t.equal(status, 200);
    t.match(body.nodes, [{ id: 'a' }, { id: 'b', started: '1970-01-01T00:00:00.000Z' }]);
  }
});

t.test('/channels/{name}/members has those of all nodes, and names the silent', async (t) => {
  const row = (user: string, since: string) => ({ user, kind: 'ws', since, connections: 1 });
  const { json, nodes } = await views(t, {
    a: () => ({ connections: 2, members: [row('ann', '1'), row('bob', '3')] }),
    b: () => ({ connections: 2, members: [row('bob', '2'), row('cy', '4')] }),
    c: undefined,
    odd: () => 'of another version',
  });
  const { status, body } = await json('GET', '/channels/room%2F1/members');
  t.equal(status, 200);
  t.strictSame(body, {
    channel: 'room/1',
    connections: 4,
    capped: false,
    users: 3,
    members: [row('ann', '1'), { ...row('bob', '2'), connections: 2 }, row('cy', '4')],
    silent: ['c', 'odd'],
  });
  t.strictSame(nodes.asked, [{ question: { about: 'members', name: 'room/1' }, withinMs: ANSWER_WITHIN_MS }]);
  const capped = await views(t, {
    a: () => ({ connections: 5_000 }),
    b: () => ({ connections: 1, members: [row('ann', '1')] }),
  });
  const answer = await capped.json('GET', '/channels/room/members');
  t.strictSame(answer.body, { channel: 'room', connections: 5_001, capped: true, silent: [] });
});

t.test('/channels/{name} adds the nodes up, shows each, and names the silent', async (t) => {
  const { json, nodes } = await views(t, {
    a: () => ({ ...view(1, 2, 3), position: { epoch: 'e', offset: 7 } }),
    // Of a version that knows fewer kinds.
    b: () => counts(10, 0, 0),
    c: undefined,
    odd: () => 'of another version',
  });
  const { status, body } = await json('GET', '/channels/news');
  t.equal(status, 200);
  t.strictSame(body, {
    channel: 'news',
    ...view(11, 2, 3),
    position: { epoch: 'e', offset: 7 },
    nodes: [
      { node: 'a', ...view(1, 2, 3), position: { epoch: 'e', offset: 7 } },
      { node: 'b', ...view(10, 0, 0) },
    ],
    silent: ['c', 'odd'],
  });
  t.strictSame(nodes.asked, [{ question: { about: 'channel', name: 'news' }, withinMs: ANSWER_WITHIN_MS }]);
});

t.test('names are percent-encoded, one segment of the path', async (t) => {
  const { json, nodes } = await views(t, { a: () => counts(0, 0, 0) });
  for (const name of ['', 'a/b', 'a b?c=d#e', '..', '100%', 'snow ☃', 'items', '\n']) {
    t.match(await json('GET', `/channels/${encodeURIComponent(name)}`), { status: 200, body: { channel: name } });
    t.strictSame(nodes.asked.at(-1)?.question, { about: 'channel', name });
  }
  const asked = nodes.asked.length;
  for (const name of ['%', '%zz', '%ff', 'a%2']) {
    const refused = { message: 'Malformed name in the path.', code: 'ERR_CONTROL_NAME' };
    t.match(await json('GET', `/channels/${name}`), { status: 400, body: refused });
  }
  t.equal(nodes.asked.length, asked);
});

t.test('/connections/{id} shows the connection of the node that has it', async (t) => {
  const { json } = await views(t, { a: () => null, b: () => stream, c: undefined });
  t.strictSame(await json('GET', '/connections/i-1'), {
    status: 200,
    allow: undefined,
    body: { node: 'b', ...stream, silent: ['c'] },
  });
});

t.test('DELETE /connections/{id} asks all nodes, and says which one had it', async (t) => {
  const { json, nodes } = await views(t, { a: () => false, b: () => true });
  const { status, body } = await json('DELETE', '/connections/i%2F1');
  t.equal(status, 200);
  t.strictSame(body, { message: 'Disconnected', node: 'b', silent: [] });
  t.strictSame(nodes.asked[0]?.question, { about: 'disconnect', id: 'i/1' });
});

t.test('a connection that no node has is 404, with the nodes that were silent', async (t) => {
  const { json, events } = await views(t, { a: ({ about }) => (about === 'connection' ? null : false), b: undefined });
  const body = { message: 'No such connection.', code: 'ERR_CONTROL_CONNECTION', silent: ['b'] };
  for (const method of ['GET', 'DELETE']) {
    t.strictSame(await json(method, '/connections/i-1'), { status: 404, allow: undefined, body });
  }
  t.strictSame(events.seen, ['rejected ERR_CONTROL_CONNECTION', 'rejected ERR_CONTROL_CONNECTION']);
});

t.test('while the backplane is away a node that has not joined has nothing to show: 503', async (t) => {
  const { json, ask } = await views(t, away);
  for (const [method, path] of [
    ['GET', '/nodes'],
    ['GET', '/channels/a'],
    ['GET', '/connections/a'],
    ['DELETE', '/connections/a'],
  ] as const) {
    const body = { message: 'Backplane unavailable.', code: 'ERR_BACKPLANE_UNAVAILABLE' };
    t.strictSame(await json(method, path), { status: 503, allow: undefined, body });
  }
  t.equal((await ask('GET', '/nodes')).headers['retry-after'], '1');
});

t.test('a backplane that does not even refuse is given up after a while', async (t) => {
  const { json, nodes, clock } = await views(t, {});
  nodes.list = () => new Promise(() => {});
  nodes.ask = () => new Promise(() => {});
  for (const path of ['/nodes', '/channels/a']) {
    const answer = json('GET', path);
    while (clock.pending === 0) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(2 * ANSWER_WITHIN_MS);
    t.match(await answer, { status: 503, body: { code: 'ERR_BACKPLANE_UNAVAILABLE' } });
  }
});

t.test('other methods are 405, with those that the path takes', async (t) => {
  const { json, nodes } = await views(t, { a: () => true });
  for (const [method, path, allow] of [
    ['POST', '/nodes', 'GET'],
    ['DELETE', '/channels/a', 'GET'],
    ['POST', '/channels/a/items', 'GET'],
    ['PUT', '/connections/a', 'GET, DELETE, POST'],
  ] as const) {
    const body = { message: `Method not allowed: ${method}.`, code: 'ERR_CONTROL_METHOD' };
    t.strictSame(await json(method, path), { status: 405, allow, body });
  }
  t.strictSame(nodes.asked, []);
});

t.test('paths beside them are not found, and without views neither are these', async (t) => {
  const { ask } = await views(t, { a: () => counts(0, 0, 0) });
  for (const path of ['/node', '/nodes/a', '/channels/a/b', '/channels/a?b', '/connections/', '/nodes?x']) {
    t.match(await ask('GET', path), { status: 404, body: 'Not Found\n' });
  }
  const without = await startControl(t);
  for (const path of ['/nodes', '/channels/a', '/connections/a', '/channels/a/items', '/users/a']) {
    t.match(await without.ask('GET', path), { status: 404, body: 'Not Found\n' });
  }
});
