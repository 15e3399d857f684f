/** What the control API shows of a running node, and ending connections of each kind by it. */
import { hostname } from 'node:os';
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';
import { until } from '../../kit/until.js';
import { idOf, openClients, startViews, view } from '../../kit/views-fixture.js';

const holdfast = await startViews(t);
const counts = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });

/** Waits until nobody is left on `room`, for the tests that follow. */
async function empty(t: Parameters<typeof view>[0]): Promise<void> {
  const none = JSON.stringify(counts(0, 0, 0));
  await until('nobody is subscribed', async () => {
    const { body } = await view(t, holdfast, '/channels/room');
    return JSON.stringify(body.subscribers) === none;
  });
}

t.test('/nodes shows the node as it is', async (t) => {
  const { status, body } = await view(t, holdfast, '/nodes');
  t.equal(status, 200);
  const [node, ...others] = body.nodes as Record<string, unknown>[];
  t.strictSame(others, []);
  t.match(node, { host: hostname(), pid: holdfast.child.pid, workers: 1, connections: 0, channels: 0, age: 0 });
  t.match(node, { id: /^[\w-]{36}$/, version: /^\d+\.\d+\.\d+/ });
  const started = Date.parse(String(node?.started));
  t.ok(started <= Date.now() && started > Date.now() - 600_000);
});

t.test('/channels/{name} counts streams, long polls and WebSockets', async (t) => {
  const { poll, stream, socket } = await openClients(t, holdfast, 'counted');
  const { status, body } = await view(t, holdfast, '/channels/room');
  t.equal(status, 200);
  const subscribers = counts(1, 1, 1);
  t.match(body, { channel: 'room', subscribers, nodes: [{ subscribers }], silent: [] });
  t.match((await view(t, holdfast, '/nodes')).body, { nodes: [{ connections: 3, channels: 1 }] });
  t.match((await view(t, holdfast, '/channels/elsewhere')).body, { subscribers: counts(0, 0, 0) });
  stream.drop();
  socket.vanish();
  await holdfast.publish({ channel: 'room', formats: { 'http-response': { body: 'x' } } });
  await poll;
  await empty(t);
});

t.test('names of channels are percent-encoded', async (t) => {
  const name = 'a/b c?d=#%2F';
  const stream = await open(t, `${holdfast.clients}/stream?channel=${encodeURIComponent(name)}`);
  await stream.until('opened\n');
  const { body } = await view(t, holdfast, `/channels/${encodeURIComponent(name)}`);
  t.match(body, { channel: name, subscribers: counts(0, 1, 0) });
  stream.drop();
});

t.test('/connections/{id} shows a stream, a long poll and a session by the ids of the log', async (t) => {
  const { poll, stream, socket } = await openClients(t, holdfast, 'shown');
  await holdfast.publish(streamItem('room', 'item\n'));
  await stream.until('item\n');
  const [pollId, streamId, socketId] = [
    await idOf(holdfast, '/poll?shown'),
    await idOf(holdfast, '/stream?shown'),
    await idOf(holdfast, '/ws?shown'),
  ];
  const rest = { client: '127.0.0.1', channels: ['room'], waiting: 0, silent: [], since: /^\d{4}-.*Z$/ };
  const shown = async (id: string) => (await view(t, holdfast, `/connections/${id}`)).body;
  t.match(await shown(streamId), { id: streamId, kind: 'stream', route: 'web', items: 1, ...rest });
  t.match(await shown(pollId), { id: pollId, kind: 'response', route: 'web', items: 0, ...rest });
  const session = await shown(socketId);
  t.match(session, { id: socketId, kind: 'ws', route: 'sockets', items: 0, ...rest });
  t.strictSame(await shown(String(session.session)), session, 'a session has a Connection-Id too');
  const [{ id: node }] = (await view(t, holdfast, '/nodes')).body.nodes as [{ id: string }];
  t.equal(session.node, node);

  stream.drop();
  socket.vanish();
  await holdfast.publish({ channel: 'room', formats: { 'http-response': { body: 'x' } } });
  await poll;
  await empty(t);
  for (const id of [pollId, streamId, socketId, String(session.session), 'never', '%2F']) {
    const { status, body } = await view(t, holdfast, `/connections/${id}`);
    t.strictSame([status, body.code], [404, 'ERR_CONTROL_CONNECTION']);
  }
});

t.test('DELETE ends a stream, a long poll and a session, each as kicked', async (t) => {
  const { stream, socket, poll } = await openClients(t, holdfast, 'kicked');
  const end = async (id: string) => {
    const { status, body } = await view(t, holdfast, `/connections/${id}`, 'DELETE');
    t.match({ status, body }, { status: 200, body: { message: 'Disconnected', silent: [] } });
    await holdfast.record(`the end of ${id}`, (record) => record.id === id && record.reason === 'kicked');
    t.equal((await view(t, holdfast, `/connections/${id}`, 'DELETE')).status, 404, 'only once');
  };

  await end(await idOf(holdfast, '/stream?kicked'));
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'opened\n');

  await end(await idOf(holdfast, '/poll?kicked'));
  await t.rejects(poll, 'without an answer');

  const { body } = await view(t, holdfast, `/connections/${await idOf(holdfast, '/ws?kicked')}`);
  t.equal((await view(t, holdfast, `/connections/${body.session}`, 'DELETE')).status, 200);
  t.strictSame(await socket.end(), { code: 1008, reason: '' });
  t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="kicked"}'), 1);
  await empty(t);
});

t.test('a session that has no channel is found and ended too', async (t) => {
  const socket = await openWs(t, wsUrl(holdfast.clients, '/ws?alone'));
  const id = await idOf(holdfast, '/ws?alone');
  t.match((await view(t, holdfast, `/connections/${id}`)).body, { kind: 'ws', channels: [] });
  t.equal((await view(t, holdfast, `/connections/${id}`, 'DELETE')).status, 200);
  t.match(await socket.end(), { code: 1008 });
});

t.test('a stream that is ended within its initial body breaks off', async (t) => {
  const origin = await ScriptedOrigin.start(t);
  const node = await startHoldfast(t, { settings: { log_format: 'json' }, routes: [`* ${origin.target}`] });
  const path = origin.script({ headers: streamHold('room'), body: (response) => void response.write('beginning') });
  const stream = await open(t, `${node.clients}${path}`);
  await stream.until('beginning');
  const id = await idOf(node, path);
  t.equal((await view(t, node, `/connections/${id}`, 'DELETE')).status, 200);
  t.equal(await stream.end(), 'broken');
});

t.test('a stream whose client does not read is cut', async (t) => {
  const stream = await open(t, `${holdfast.clients}/stream?channel=slow`);
  await stream.until('opened\n');
  const id = await idOf(holdfast, '/stream?channel=slow');
  stream.stall();
  const waiting = async () => Number((await view(t, holdfast, `/connections/${id}`)).body.waiting);
  const big = 'x'.repeat(60_000);
  for (let i = 0; i < 400 && (await waiting()) === 0; i++) await holdfast.publish(streamItem('slow', big));
  t.ok((await waiting()) > 0, 'what it has not taken is shown');
  t.equal((await view(t, holdfast, `/connections/${id}`, 'DELETE')).status, 200);
  await until('its connection is gone', async () => {
    const { body } = await view(t, holdfast, '/nodes');
    return (body.nodes as { connections: number }[])[0]?.connections === 0;
  });
});

t.test('publishers that know nothing of views are answered as before', async (t) => {
  t.match(await ask(t, `${holdfast.control}/`), { status: 200, text: 'Pushpin API\n' });
  t.match(await ask(t, `${holdfast.control}/connections/`), { status: 404, text: 'Not Found\n' });
});
