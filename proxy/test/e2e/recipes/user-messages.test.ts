/** Messages between users with several devices, on several nodes, by the example. */
import t, { type Test } from 'tap';
import { startChild } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';
import { Recipe } from './recipe.js';

const users = await Recipe.start(t, 'user-messages', { nodes: 2 });

/** What devices get. */
interface Message {
  readonly type: string;
  readonly payload?: unknown;
  readonly receiverID?: string;
  readonly senderId?: string;
  readonly timestamp?: string;
}

/** A device of a user at a node. It is live when this resolves: the answer that accepts it subscribes it as well. */
const connect = (t: Test, user: string, node = 0): Promise<WsClient> =>
  openWs(t, wsUrl(users.node(node).clients, `/ws?userId=${encodeURIComponent(user)}`));
const send = (device: WsClient, message: object) => device.send(JSON.stringify(message));
const received = async (device: WsClient) => JSON.parse(await device.text()) as Message;

/** A number of the application's own metrics. */
async function counted(t: Test, name: string): Promise<number> {
  const { text } = await ask(t, `${users.origin}/metrics`);
  return Number(new RegExp(`^user_messages_${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

t.test('a message reaches all devices of its receiver, on all nodes, and nobody else', async (t) => {
  const ann = [await connect(t, 'ann', 0), await connect(t, 'ann', 1)] as const;
  const bob = [await connect(t, 'Bob ✓', 0), await connect(t, 'Bob ✓', 1), await connect(t, 'Bob ✓', 1)] as const;
  const eve = await connect(t, 'eve');
  await users.subscribed(t, 'user-ann', 2);
  await users.subscribed(t, 'user-Bob ✓', 3);
  const forged = { senderId: 'eve', timestamp: '1970-01-01T00:00:00.000Z' };
  const before = new Date().toISOString();
  send(ann[0], { type: 'chat_message', payload: 'hello', receiverId: 'Bob ✓', ...forged });
  for (const device of bob) {
    const { timestamp = '', ...message } = await received(device);
    t.strictSame(message, { type: 'chat_message', payload: 'hello', receiverID: 'Bob ✓', senderId: 'ann' });
    t.ok(timestamp >= before && timestamp <= new Date().toISOString(), timestamp);
  }
  // As the messages of websocket-app have it.
  send(bob[2], { type: 'chat_message', payload: { emoji: ['✓'] }, receiverID: 'ann' });
  for (const device of ann)
    t.match(await received(device), { payload: { emoji: ['✓'] }, receiverID: 'ann', senderId: 'Bob ✓' });
  for (const device of [...ann, ...bob, eve]) {
    await device.ping('all has come');
    t.equal(device.untaken, 0);
  }
  t.strictSame(await bob[0].close(1000), { code: 1000, reason: '' });
  bob[1].vanish();
  await users.subscribed(t, 'user-Bob ✓', 1);
  send(ann[1], { type: 'chat_message', payload: 'still there?', receiverId: 'Bob ✓' });
  t.match(await received(bob[2]), { payload: 'still there?' });
});

t.test('the backend reaches a user by the control API of any node', async (t) => {
  const devices = [await connect(t, 'cat', 0), await connect(t, 'cat', 1)];
  await users.subscribed(t, 'user-cat', 2);
  const content = JSON.stringify({ type: 'notification', payload: 'ready', receiverID: 'cat' });
  const items = [{ channel: 'user-cat', formats: { 'ws-message': { content } } }];
  const curl = startChild(t, {
    command: 'curl',
    args: ['-sf', `${users.node(1).control}/publish/`, '-d', JSON.stringify({ items })],
  });
  t.strictSame(await curl.exited, { code: 0, signal: null });
  for (const device of devices) t.equal(await device.text(), content);
  const { body } = await view(t, users.node(1), '/users/cat');
  t.equal((body.connections as unknown[]).length, 2, 'and sees where the devices are');
});

t.test('devices report what latency they see', async (t) => {
  const [dan, eve] = [await connect(t, 'dan', 0), await connect(t, 'eve', 1)];
  await users.subscribed(t, 'user-eve', 1);
  const reports: number[] = [];
  for (let i = 0; i < 3; i++) {
    send(dan, { type: 'chat_message', payload: i, receiverId: 'eve' });
    const { timestamp = '' } = await received(eve);
    const latency = Date.now() - Date.parse(timestamp);
    reports.push(latency);
    send(eve, { type: 'latency_report', payload: latency });
  }
  for (const payload of [-1, 600_001, 1e308, '5', null, { ms: 5 }, [5]]) send(eve, { type: 'latency_report', payload });
  eve.send('{"type":"latency_report","payload":1e999}');
  send(eve, { type: 'latency_report', payload: 150.25 });
  await until('all reports', async () => (await counted(t, 'latency_milliseconds_count')) === 4);
  const sum = reports.reduce((total, latency) => total + latency, 150.25);
  t.equal(await counted(t, 'latency_milliseconds_sum'), sum);
  t.ok((await counted(t, 'received_total')) >= 12);
});

t.test('what is no message is ignored, and costs nobody the connection', async (t) => {
  const [one, two] = [await connect(t, 'one'), await connect(t, 'two')];
  for (const text of [
    'x',
    'null',
    '[]',
    '{"type":"quiz_ready"}',
    '{"type":"chat_message"}',
    '{"type":["chat_message"]}',
  ])
    one.send(text);
  for (const receiverId of ['', 7, null, ['two'], 'x'.repeat(101), '\ud800'])
    send(one, { type: 'chat_message', payload: 'x', receiverId });
  send(one, { type: 'chat_message', receiverId: 'two' });
  t.match(await received(two), { payload: null, senderId: 'one' });
  await one.ping('alive');
  t.equal(one.untaken, 0);
  t.equal(two.untaken, 0);
});

t.test('a sender learns that a message was not sent', async (t) => {
  const device = await connect(t, 'fay');
  // No name of a channel: the control API refuses it, as it would all of them while it is away.
  send(device, { type: 'chat_message', payload: 'x', receiverId: 'a\nb' });
  t.strictSame(await received(device), { type: 'error', payload: 'not sent', receiverID: 'a\nb' });
});

t.test('a handshake without a user is refused, and /health is for everybody, metrics are not', async (t) => {
  const { clients } = users.node();
  for (const query of ['', '?userId=', '?userId=a&userId=b', '?userId[a]=b', `?userId=${'x'.repeat(101)}`])
    await t.rejects(openWs(t, wsUrl(clients, `/ws${query}`)), { message: 'Unexpected server response: 400' }, query);
  t.equal((await ask(t, `${clients}/health`)).status, 200);
  t.equal((await ask(t, `${clients}/metrics`)).status, 502, 'no route');
});

t.test('a device that sends too much is closed', async (t) => {
  const device = await connect(t, 'loud');
  for (let i = 0; i < 100; i++) device.send('{}');
  t.match(await device.end(), { code: 1008 });
});

t.test('quiet devices get heartbeats, also while the application is away', async (t) => {
  const quick = await Recipe.start(t, 'user-messages', { env: { HEARTBEAT_SECONDS: '1' } });
  const device = await openWs(t, wsUrl(quick.node().clients, '/ws?userId=gil'));
  t.equal(await device.text(), '{"type":"heartbeat"}');
  await quick.stop();
  t.equal(await device.text(), '{"type":"heartbeat"}');
  send(device, { type: 'chat_message', payload: 'to myself', receiverId: 'gil' });
  await quick.restart();
  let message = await received(device);
  while (message.type === 'heartbeat') message = await received(device);
  t.match(message, { type: 'chat_message', payload: 'to myself', senderId: 'gil' });
});
