/** Sessions whose clients come back for what they missed. */
import t, { type Test } from 'tap';
import { opcodes } from '../kit/clients/raw-frames.js';
import type { RawSocket } from '../kit/clients/raw-socket.js';
import { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { GRIP, type Joined, SessionFixture, type SessionFixtureOptions } from './session-fixture.js';

const { text } = opcodes;
const open = (t: Test, options: SessionFixtureOptions = {}) => SessionFixture.open(t, { route: 'resume', ...options });

/** A client that asks to come back, with a token if it has one, on these channels. */
async function join(fixture: SessionFixture, token = '', ...channels: readonly string[]): Promise<Joined> {
  const joined = await fixture.join(GRIP, [], `/chat?a=1&holdfast-resume=${token}`);
  for (const channel of channels) await joined.origin.text(`c:${JSON.stringify({ type: 'subscribe', channel })}`);
  return joined;
}

/** The next message: a token, `null` for a gap, or content. */
async function next(client: RawSocket): Promise<{ token: string | null } | string> {
  const [opcode, payload] = await client.brief();
  if (opcode !== text) throw new Error(`opcode ${opcode}`);
  if (!payload.startsWith('{"holdfast-resume":')) return payload;
  return { token: (JSON.parse(payload) as { 'holdfast-resume': string | null })['holdfast-resume'] };
}

/** The next messages, of which content is given, and the last token. */
async function take(client: RawSocket, count: number): Promise<{ content: string[]; token: string }> {
  const content: string[] = [];
  let token = '';
  // Behind every item there is its token.
  while (content.length < count || token === '') {
    const message = await next(client);
    if (typeof message === 'string') {
      content.push(message);
      token = '';
    } else if (message.token !== null) token = message.token;
  }
  return { content, token };
}

const leave = async (fixture: SessionFixture, { client }: Joined, count = 1) => {
  client.reset();
  await fixture.ended(count);
};

t.test('the origin does not see the parameter, and a client that did not ask gets no token', async (t) => {
  const fixture = await open(t);
  const { handshake } = await join(fixture);
  t.match(handshake.line, /^GET \/chat\?a=1 HTTP/);
  const other = await fixture.join();
  await other.origin.text('c:{"type":"subscribe","channel":"a"}');
  await other.origin.text('m:ready');
  t.equal(await next(other.client), 'ready');
  fixture.publish('a', { content: '1' });
  fixture.publish('a', { content: '2' });
  t.strictSame([await next(other.client), await next(other.client)], ['1', '2']);
});

t.test('without the route parameter the request is as any other', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { handshake } = await join(fixture);
  t.match(handshake.line, /^GET \/chat\?a=1&holdfast-resume= HTTP/);
});

t.test('a client is told what it missed, once and in order, and then what is new', async (t) => {
  const fixture = await open(t);
  const first = await join(fixture, '', 'a');
  t.match(await next(first.client), { token: /^[\w-]+$/ });
  fixture.publish('a', { content: '1' });
  const { token, content } = await take(first.client, 1);
  t.strictSame(content, ['1']);
  await leave(fixture, first);
  fixture.publish('a', { content: '2' });
  fixture.publish('a', { content: '3' });
  const second = await join(fixture, token, 'a');
  const missed = await take(second.client, 2);
  fixture.publish('a', { content: '4' });
  const live = await take(second.client, 1);
  t.strictSame([...missed.content, ...live.content], ['2', '3', '4']);
  t.match(fixture.replays, { items: 2, complete: 1, incomplete: 0 });
});

t.test('a token is good before the first item, and for the channels of the target', async (t) => {
  const fixture = await open(t, { target: 'sub=news' });
  const first = await join(fixture);
  const { token } = (await next(first.client)) as { token: string };
  await leave(fixture, first);
  fixture.publish('news', { content: 'missed' });
  const second = await join(fixture, token);
  t.strictSame((await take(second.client, 1)).content, ['missed']);
});

t.test('items that come before the history is told follow it', async (t) => {
  const gate = new Turn();
  const afterRead = async () => {
    fixture.publish('a', { content: 'live 1' });
    await gate.promise;
    fixture.publish('a', { content: 'live 2' });
  };
  const fixture = await open(t, { afterRead });
  const first = await join(fixture, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(fixture, first);
  fixture.publish('a', { content: 'missed' });
  const second = await join(fixture, token, 'a');
  await until('the live item', () => fixture.counts.delivered === 1);
  gate.resolve();
  t.strictSame((await take(second.client, 3)).content, ['missed', 'live 1', 'live 2']);
});

t.test('a channel that the origin comes to later is told then, whatever was told before', async (t) => {
  const fixture = await open(t);
  const first = await join(fixture, '', 'a', 'b');
  await until('both channels', () => fixture.registry.size === 2);
  fixture.publish('a', { content: 'a1' });
  fixture.publish('b', { content: 'b1' });
  const { token } = await take(first.client, 2);
  await leave(fixture, first);
  fixture.publish('b', { content: 'b2' });
  const second = await join(fixture, token, 'a');
  await until('a channel', () => fixture.registry.size === 1);
  fixture.publish('a', { content: 'a2' });
  const between = await take(second.client, 1);
  t.strictSame(between.content, ['a2']);
  await leave(fixture, second, 2);
  fixture.publish('a', { content: 'a3' });
  const third = await join(fixture, between.token, 'a', 'b');
  t.strictSame((await take(third.client, 2)).content.sort(), ['a3', 'b2']);
});

t.test('what the history has not kept is a gap that the client is told of', async (t) => {
  const fixture = await open(t);
  const first = await join(fixture, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(fixture, first);
  for (let i = 0; i < 20; i++) fixture.publish('a', { content: `${i}` });
  const second = await join(fixture, token, 'a');
  t.strictSame(await next(second.client), { token: null });
  t.match(await next(second.client), { token: /^[\w-]+$/ }, 'and from where on it may come back');
  fixture.publish('a', { content: 'live' });
  t.equal(await next(second.client), 'live');
  t.strictSame(fixture.replays, { items: 0, complete: 0, incomplete: 1 });
});

t.test('so is a token that is none', async (t) => {
  const fixture = await open(t);
  const { client, origin } = await join(fixture, 'forged');
  t.strictSame(await next(client), { token: null });
  await origin.text('m:content');
  t.equal(await next(client), 'content');
});

t.test('filters apply to what was missed, and close is for those who were there', async (t) => {
  const fixture = await open(t);
  const subscribe = { type: 'subscribe', channel: 'a', filters: ['skip-self'] };
  const first = await join(fixture);
  await first.origin.text(`c:${JSON.stringify(subscribe)}`);
  const { token } = (await next(first.client)) as { token: string };
  await leave(fixture, first);
  fixture.publish('a', { content: 'mine' }, {}, { sender: 'me' });
  fixture.publish('a', { action: 'close' });
  fixture.publish('a', { content: 'yours' }, {}, { sender: 'you' });
  const second = await join(fixture, token);
  await second.origin.text('c:{"type":"set-meta","name":"user","value":"me"}');
  await second.origin.text(`c:${JSON.stringify(subscribe)}`);
  t.strictSame((await take(second.client, 1)).content, ['yours']);
});

t.test('a channel that was left is not told of again', async (t) => {
  const fixture = await open(t);
  const first = await join(fixture, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(fixture, first);
  fixture.publish('a', { content: 'missed' });
  const second = await join(fixture, token);
  await second.origin.text('c:{"type":"subscribe","channel":"a"}');
  await second.origin.text('c:{"type":"unsubscribe","channel":"a"}');
  await second.origin.text('m:end');
  const content: string[] = [];
  for (let message = await next(second.client); message !== 'end'; message = await next(second.client)) {
    if (typeof message === 'string') content.push(message);
  }
  // Whether it was replayed before it was left is a matter of time; after the end there is nothing more.
  t.ok(content.length <= 1);
  fixture.publish('a', { content: 'live' });
  await second.origin.text('m:again');
  t.equal(await next(second.client), 'again');
});

t.test('a client that has missed more than may wait for it gets all of it', async (t) => {
  const fixture = await open(t, { settings: { client_queue_size: 1_024 } });
  const first = await join(fixture, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(fixture, first);
  for (let i = 0; i < 10; i++) fixture.publish('a', { content: `${i}${'x'.repeat(200_000)}` });
  const second = await join(fixture, token, 'a');
  second.client.pause();
  await until('the channel', () => fixture.registry.size === 1);
  second.client.resume();
  const { content } = await take(second.client, 10);
  t.strictSame(
    content.map((one) => one[0]),
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  );
});
