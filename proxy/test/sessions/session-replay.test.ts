/** Sessions whose clients come back for what they missed. */
import t, { type Test } from 'tap';
import { opcodes } from '../kit/clients/raw-frames.js';
import type { RawSocket } from '../kit/clients/raw-socket.js';
import { until } from '../kit/until.js';
import { GRIP, type Joined, SessionScene } from './session-scene.js';

const { text } = opcodes;
const open = (t: Test, options = {}) => SessionScene.open(t, { route: 'resume', ...options });

/** A client that asks to come back, with a token if it has one, on these channels. */
async function join(scene: SessionScene, token = '', ...channels: readonly string[]): Promise<Joined> {
  const joined = await scene.join(GRIP, [], `/chat?a=1&holdfast-resume=${token}`);
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

const leave = async (scene: SessionScene, { client }: Joined, count = 1) => {
  client.reset();
  await scene.ended(count);
};

t.test('the origin does not see the parameter, and a client that did not ask gets no token', async (t) => {
  const scene = await open(t);
  const { handshake } = await join(scene);
  t.match(handshake.line, /^GET \/chat\?a=1 HTTP/);
  const other = await scene.join();
  await other.origin.text('c:{"type":"subscribe","channel":"a"}');
  await other.origin.text('m:ready');
  t.equal(await next(other.client), 'ready');
  scene.publish('a', { content: '1' });
  scene.publish('a', { content: '2' });
  t.strictSame([await next(other.client), await next(other.client)], ['1', '2']);
});

t.test('without the route parameter the request is as any other', async (t) => {
  const scene = await SessionScene.open(t);
  const { handshake } = await join(scene);
  t.match(handshake.line, /^GET \/chat\?a=1&holdfast-resume= HTTP/);
});

t.test('a client is told what it missed, once and in order, and then what is new', async (t) => {
  const scene = await open(t);
  const first = await join(scene, '', 'a');
  t.match(await next(first.client), { token: /^[\w-]+$/ });
  scene.publish('a', { content: '1' });
  const { token, content } = await take(first.client, 1);
  t.strictSame(content, ['1']);
  await leave(scene, first);
  scene.publish('a', { content: '2' });
  scene.publish('a', { content: '3' });
  const second = await join(scene, token, 'a');
  const missed = await take(second.client, 2);
  scene.publish('a', { content: '4' });
  const live = await take(second.client, 1);
  t.strictSame([...missed.content, ...live.content], ['2', '3', '4']);
  t.match(scene.replays, { items: 2, complete: 1, incomplete: 0 });
});

t.test('a token is good before the first item, and for the channels of the target', async (t) => {
  const scene = await open(t, { target: 'sub=news' });
  const first = await join(scene);
  const { token } = (await next(first.client)) as { token: string };
  await leave(scene, first);
  scene.publish('news', { content: 'missed' });
  const second = await join(scene, token);
  t.strictSame((await take(second.client, 1)).content, ['missed']);
});

t.test('items that come before the history is told follow it', async (t) => {
  const scene = await open(t);
  const first = await join(scene, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(scene, first);
  scene.publish('a', { content: 'missed' });
  const { read } = scene.backplane;
  let go = () => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  scene.backplane.read = async (...args) => {
    const page = await read.apply(scene.backplane, args);
    scene.publish('a', { content: 'live 1' });
    await gate;
    scene.publish('a', { content: 'live 2' });
    return page;
  };
  const second = await join(scene, token, 'a');
  await until('the live item', () => scene.counts.delivered === 1);
  go();
  t.strictSame((await take(second.client, 3)).content, ['missed', 'live 1', 'live 2']);
});

t.test('a channel that the origin comes to later is told then, whatever was told before', async (t) => {
  const scene = await open(t);
  const first = await join(scene, '', 'a', 'b');
  await until('both channels', () => scene.registry.size === 2);
  scene.publish('a', { content: 'a1' });
  scene.publish('b', { content: 'b1' });
  const { token } = await take(first.client, 2);
  await leave(scene, first);
  scene.publish('b', { content: 'b2' });
  const second = await join(scene, token, 'a');
  await until('a channel', () => scene.registry.size === 1);
  scene.publish('a', { content: 'a2' });
  const between = await take(second.client, 1);
  t.strictSame(between.content, ['a2']);
  await leave(scene, second, 2);
  scene.publish('a', { content: 'a3' });
  const third = await join(scene, between.token, 'a', 'b');
  t.strictSame((await take(third.client, 2)).content.sort(), ['a3', 'b2']);
});

t.test('what the history has not kept is a gap that the client is told of', async (t) => {
  const scene = await open(t);
  const first = await join(scene, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(scene, first);
  for (let i = 0; i < 20; i++) scene.publish('a', { content: `${i}` });
  const second = await join(scene, token, 'a');
  t.strictSame(await next(second.client), { token: null });
  t.match(await next(second.client), { token: /^[\w-]+$/ }, 'and from where on it may come back');
  scene.publish('a', { content: 'live' });
  t.equal(await next(second.client), 'live');
  t.strictSame(scene.replays, { items: 0, complete: 0, incomplete: 1 });
});

t.test('so is a token that is none', async (t) => {
  const scene = await open(t);
  const { client, origin } = await join(scene, 'forged');
  t.strictSame(await next(client), { token: null });
  await origin.text('m:content');
  t.equal(await next(client), 'content');
});

t.test('filters apply to what was missed, and close is for those who were there', async (t) => {
  const scene = await open(t);
  const subscribe = { type: 'subscribe', channel: 'a', filters: ['skip-self'] };
  const first = await join(scene);
  await first.origin.text(`c:${JSON.stringify(subscribe)}`);
  const { token } = (await next(first.client)) as { token: string };
  await leave(scene, first);
  scene.publish('a', { content: 'mine' }, {}, { sender: 'me' });
  scene.publish('a', { action: 'close' });
  scene.publish('a', { content: 'yours' }, {}, { sender: 'you' });
  const second = await join(scene, token);
  await second.origin.text('c:{"type":"set-meta","name":"user","value":"me"}');
  await second.origin.text(`c:${JSON.stringify(subscribe)}`);
  t.strictSame((await take(second.client, 1)).content, ['yours']);
});

t.test('a channel that was left is not told of again', async (t) => {
  const scene = await open(t);
  const first = await join(scene, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(scene, first);
  scene.publish('a', { content: 'missed' });
  const second = await join(scene, token);
  await second.origin.text('c:{"type":"subscribe","channel":"a"}');
  await second.origin.text('c:{"type":"unsubscribe","channel":"a"}');
  await second.origin.text('m:end');
  const content: string[] = [];
  for (let message = await next(second.client); message !== 'end'; message = await next(second.client)) {
    if (typeof message === 'string') content.push(message);
  }
  // Whether it was told before it was left is a matter of time; after the end there is nothing more.
  t.ok(content.length <= 1);
  scene.publish('a', { content: 'live' });
  await second.origin.text('m:again');
  t.equal(await next(second.client), 'again');
});

t.test('a client that has missed more than may wait for it gets all of it', async (t) => {
  const scene = await open(t, { clientQueueSize: 1_000 });
  const first = await join(scene, '', 'a');
  const { token } = (await next(first.client)) as { token: string };
  await leave(scene, first);
  for (let i = 0; i < 10; i++) scene.publish('a', { content: `${i}${'x'.repeat(200_000)}` });
  const second = await join(scene, token, 'a');
  second.client.pause();
  await until('the channel', () => scene.registry.size === 1);
  second.client.resume();
  const { content } = await take(second.client, 10);
  t.strictSame(
    content.map((one) => one[0]),
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'],
  );
});
