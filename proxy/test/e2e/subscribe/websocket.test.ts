/** Direct subscription by WebSocket: handshakes, the frames of clients, and who is refused. */
import t from 'tap';
import WebSocket from 'ws';
import { WsClient } from '../../kit/clients/ws-client.js';
import type { Holdfast } from '../../kit/holdfast.js';
import { bearer, startSubscribe, token, tokenFor } from './tokens.js';

const message = (channel: string, content: string) => ({ channel, formats: { 'ws-message': { content } } });

interface Opening {
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly protocols?: readonly string[];
}

/** A client, or the status of its refusal. */
function open(holdfast: Holdfast, { query = '', headers = {}, protocols = [] }: Opening): Promise<WsClient | number> {
  const socket = new WebSocket(`${holdfast.clients.replace('http', 'ws')}/sub${query}`, [...protocols], { headers });
  t.teardown(() => socket.terminate());
  const client = new WsClient(socket);
  return new Promise((resolve, reject) => {
    socket.once('open', () => resolve(client));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
    socket.once('error', reject);
  });
}

const opened = async (holdfast: Holdfast, opening: Opening) => (await open(holdfast, opening)) as WsClient;

/** Sends a frame, and returns the answer. */
async function say(client: WsClient, frame: unknown): Promise<unknown> {
  client.send(JSON.stringify(frame));
  return JSON.parse(await client.text());
}

t.test('channels of the query, then those of frames, each checked', async (t) => {
  const holdfast = await startSubscribe(t, { target: ',public_channels=news' });
  const client = await opened(holdfast, { query: '?channel=a', headers: bearer(tokenFor('u', 'a', 'b-*')) });
  await holdfast.publish(message('a', '1'));
  t.equal(await client.text(), '1');
  t.strictSame(await say(client, { subscribe: ['b-1', 'news'], id: 1 }), {
    holdfast: 'ok',
    subscribed: ['b-1', 'news'],
    id: 1,
  });
  await holdfast.publish(message('b-1', '2'), message('news', '3'));
  t.strictSame([await client.text(), await client.text()].sort(), ['2', '3']);
  t.strictSame(await say(client, { subscribe: ['b-2', 'c'] }), { holdfast: 'error', error: 'forbidden', channel: 'c' });
  t.strictSame(await say(client, { unsubscribe: ['a', 'never'], id: 'x' }), {
    holdfast: 'ok',
    unsubscribed: ['a'],
    id: 'x',
  });
  await holdfast.publish(message('a', 'no'), message('b-2', 'no'), message('b-1', '4'));
  t.equal(await client.text(), '4');
  client.send('c:{"type":"subscribe","channel":"secret"}');
  t.strictSame(JSON.parse(await client.text()), { holdfast: 'error', error: 'bad_frame' });
  client.send(Buffer.from('{"subscribe":["news"]}'));
  t.strictSame(JSON.parse(await client.text()), { holdfast: 'error', error: 'bad_frame' });
  t.strictSame(await say(client, { subscribe: [''] }), { holdfast: 'error', error: 'bad_channel' });
});

t.test('no client has more channels than connection_subscription_max', async (t) => {
  const holdfast = await startSubscribe(t, { settings: { connection_subscription_max: 3 } });
  const headers = bearer(tokenFor('u', '*'));
  t.equal(await open(holdfast, { query: '?channel=1&channel=2&channel=3&channel=4', headers }), 400);
  const client = await opened(holdfast, { query: '?channel=1', headers });
  t.match(await say(client, { subscribe: ['1', '2', '3'] }), { holdfast: 'ok' });
  t.match(await say(client, { subscribe: ['4'] }), { error: 'too_many' });
  t.match(await say(client, { subscribe: ['4'], unsubscribe: ['1'] }), { holdfast: 'ok', unsubscribed: ['1'] });
});

t.test('another token of the same user takes the place of the one before', async (t) => {
  const holdfast = await startSubscribe(t);
  const client = await opened(holdfast, { query: '?channel=a', headers: bearer(tokenFor('u', 'a')) });
  t.match(await say(client, { subscribe: ['b'] }), { error: 'forbidden' });
  t.match(await say(client, { token: tokenFor('v', 'b') }), { error: 'other_user' });
  t.match(await say(client, { token: `${tokenFor('u', 'b')}x` }), { error: 'bad_token' });
  t.strictSame(await say(client, { token: tokenFor('u', 'b'), subscribe: ['b'] }), {
    holdfast: 'ok',
    subscribed: ['b'],
    unsubscribed: ['a'],
  });
  await holdfast.publish(message('a', 'no'), message('b', 'yes'));
  t.equal(await client.text(), 'yes');
});

t.test('a token as a subprotocol: another one is chosen, and the token never comes back', async (t) => {
  const holdfast = await startSubscribe(t);
  const text = tokenFor('u', 'a');
  const client = await opened(holdfast, { query: '?channel=a', protocols: [`holdfast-token.${text}`, 'holdfast'] });
  t.equal(client.socket.protocol, 'holdfast');
  await t.rejects(open(holdfast, { query: '?channel=a', protocols: [`holdfast-token.${text}`] }), /subprotocol/);
  t.notMatch(holdfast.child.stdout, text);
});

t.test('refused handshakes', async (t) => {
  const holdfast = await startSubscribe(t, { target: ',allow_origin=https://a.example' });
  const asked = (opening: Opening) => open(holdfast, opening);
  const cookie = `holdfast_token=${tokenFor('u', 'a')}`;
  const query = '?channel=a';
  t.equal(await asked({ query }), 401);
  t.equal(await asked({ query, headers: bearer('x') }), 401);
  t.equal(await asked({ query, headers: bearer(tokenFor('u', 'b')) }), 403);
  t.equal(await asked({ query, headers: bearer(token({ channels: ['a'], exp: 5 })) }), 401);
  t.equal(await asked({ query, headers: { cookie, origin: 'https://evil.example' } }), 403, 'another site (CSWSH)');
  t.equal(await asked({ query, headers: { cookie, origin: 'null' } }), 403);
  t.type(await asked({ query, headers: { cookie, origin: 'https://a.example' } }), WsClient);
  t.type(await asked({ query, headers: { cookie, origin: holdfast.clients } }), WsClient, 'its own pages');
  t.equal(await asked({ query: '/else?channel=a', headers: { cookie } }), 404);
  t.type(await asked({ query: '/ws', headers: { cookie } }), WsClient, 'without a channel at first');
});
