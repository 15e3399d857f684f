/** The API of fanloop by the example: WebSockets that subscribe by frames, and publishers with a key. */
import t, { type Test } from 'tap';
import { startChild } from '../../kit/child.js';
import { ask } from '../../kit/clients/http-client.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { Recipe } from './recipe.js';

const KEY = 'a key of publishers';
const fanloop = await Recipe.start(t, 'fanloop', { env: { FANLOOP_API_KEY: KEY }, nodes: 2 });

/** A client of a node. */
const connect = (t: Test, node = 0): Promise<WsClient> => openWs(t, wsUrl(fanloop.node(node).clients, '/ws'));
const frame = (action: string, channel: unknown) => JSON.stringify({ action, channel });

/** Publishes as a program would, to a node. */
function publish(t: Test, channel: string, body: string, headers: Record<string, string> = { 'X-API-Key': KEY }) {
  const url = `${fanloop.node().clients}/publish/${encodeURIComponent(channel)}`;
  return ask(t, url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body });
}

t.test('the smoke test: a client that subscribes gets what curl publishes', async (t) => {
  const client = await connect(t);
  // As a line, which is what a program in a pipe sends.
  client.send(`${frame('subscribe', 'smoke')}\n`);
  await fanloop.subscribed(t, 'smoke', 1);
  const fields = ['-H', `X-API-Key: ${KEY}`, '-H', 'Content-Type: application/json'];
  const url = `${fanloop.node().clients}/publish/smoke`;
  const curl = startChild(t, {
    command: 'curl',
    args: ['-sf', '-w', '%{http_code}', '-X', 'POST', url, ...fields, '-d', '{"smoke":true,"n":1}'],
  });
  t.strictSame(await curl.exited, { code: 0, signal: null });
  t.equal(curl.stdout, '202', 'and no body');
  t.equal(await client.text(), '{"channel":"smoke","data":{"smoke":true,"n":1}}');
});

t.test('what is published by one node reaches the clients of all', async (t) => {
  const clients = [await connect(t, 0), await connect(t, 1), await connect(t, 1)];
  for (const client of clients) client.send(frame('subscribe', 'orders'));
  await fanloop.subscribed(t, 'orders', 3);
  t.match(await publish(t, 'orders', '{"id":42,"status":"shipped"}'), { status: 202, text: '' });
  for (const client of clients)
    t.equal(await client.text(), '{"channel":"orders","data":{"id":42,"status":"shipped"}}');
});

t.test('JSON is passed on as it was written, other text as a string', async (t) => {
  const client = await connect(t);
  const channel = 'odd "name"/✓';
  client.send(frame('subscribe', channel));
  await fanloop.subscribed(t, channel, 1);
  const bodies = [
    ['{"n":12345678901234567890.10}', '{"n":12345678901234567890.10}'],
    ['[1, null]', '[1, null]'],
    ['"text"', '"text"'],
    ['not JSON: "✓"\n', '"not JSON: \\"✓\\"\\n"'],
    ['{"closed":1},"data":2', '"{\\"closed\\":1},\\"data\\":2"'],
  ] as const;
  for (const [body] of bodies) t.equal((await publish(t, channel, body)).status, 202);
  for (const [, data] of bodies) t.equal(await client.text(), `{"channel":${JSON.stringify(channel)},"data":${data}}`);
});

t.test('a client leaves a channel, and what is no frame is ignored', async (t) => {
  const client = await connect(t);
  client.send(frame('subscribe', 'left'));
  client.send(frame('subscribe', 'kept'));
  await fanloop.subscribed(t, 'left', 1);
  const noFrames = [
    'not JSON',
    'null',
    '7',
    '[]',
    '{}',
    '{"action":"subscribe"}',
    frame('subscribe', 7),
    frame('subscribe', ''),
    frame('shout', 'left'),
  ];
  for (const text of noFrames) client.send(text);
  client.send(frame('unsubscribe', 'never'));
  client.send(frame('unsubscribe', 'left'));
  await fanloop.subscribed(t, 'left', 0);
  await publish(t, 'left', '1');
  await publish(t, 'kept', '2');
  t.equal(await client.text(), '{"channel":"kept","data":2}');
  await client.ping('all has come');
  t.equal(client.untaken, 0);
  t.strictSame(await client.close(1000), { code: 1000, reason: '' });
  await fanloop.subscribed(t, 'kept', 0);
});

t.test('publishers without the key, without a body and with no channel', async (t) => {
  const refused: Record<string, Record<string, string>> = {
    'no key': {},
    'another key': { 'X-API-Key': 'dev-key' },
    'a part of it': { 'X-API-Key': KEY.slice(0, -1) },
    'in another field': { Authorization: `Bearer ${KEY}` },
  };
  for (const [what, headers] of Object.entries(refused))
    t.match(await publish(t, 'orders', '{}', headers), { status: 401, text: '' }, what);
  t.equal((await publish(t, 'orders', '')).status, 400, 'an empty body');
  t.equal((await publish(t, 'a\nb', '{}')).status, 400, 'no name of a channel');
  t.equal((await publish(t, 'orders', `"${'x'.repeat(300_000)}"`)).status, 413);
});

t.test('probes, and requests that are no WebSocket', async (t) => {
  const { clients } = fanloop.node();
  for (const probe of ['liveness', 'readiness'])
    t.equal((await ask(t, `${clients}/actuator/health/${probe}`)).status, 200, probe);
  t.equal((await ask(t, `${clients}/actuator/prometheus`)).status, 404, 'metrics are not for clients');
  t.match(await ask(t, `${clients}/ws`), { status: 400, text: 'Open a WebSocket here.\n' });
  t.equal((await ask(t, `${fanloop.origin}/ws`)).status, 501, 'past the proxy');
});

t.test('the application is restarted: no client notices, and frames of meanwhile count', async (t) => {
  const client = await connect(t, 1);
  client.send(frame('subscribe', 'before'));
  await fanloop.subscribed(t, 'before', 1);
  await fanloop.stop();
  client.send(frame('subscribe', 'meanwhile'));
  await client.ping('not dead');
  await fanloop.restart();
  await fanloop.subscribed(t, 'meanwhile', 1);
  for (const channel of ['before', 'meanwhile']) {
    t.equal((await publish(t, channel, '1')).status, 202);
    t.equal(await client.text(), `{"channel":"${channel}","data":1}`);
  }
});

t.test('without a node that takes it, a publisher gets 503', async (t) => {
  await fanloop.node().child.stop();
  const url = `${fanloop.origin}/publish/orders`;
  t.equal((await ask(t, url, { method: 'POST', headers: { 'X-API-Key': KEY }, body: '1' })).status, 503);
});
