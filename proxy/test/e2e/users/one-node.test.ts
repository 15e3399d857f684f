/** The connections of a user on one node: lists, messages, ends and channels by the control API; and the log lines of holds. */
import t from 'tap';
import { streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';
import { idOf } from '../../kit/views-fixture.js';
import { control, idsOf, poll, session, startUsers, stream, userOrigins } from './users-fixture.js';

const routes = await userOrigins(t);
const holdfast = await startUsers(t, routes, { connection_subscription_max: 3, log_level: 'debug' });
const counts = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });
const text = (content: string) => ({
  formats: {
    'http-response': { body: content },
    'http-stream': { content: `${content}\n` },
    'ws-message': { content },
  },
});

t.test('connections of every kind are listed by the user that their origin names', async (t) => {
  const held = await stream(t, holdfast, 'user=ann&s');
  const { answer } = await poll(t, holdfast, 'user=ann&p');
  const direct = await session(t, holdfast, 'user=ann&d');
  const over = await session(t, holdfast, 'user=ann&o', '/over');
  const other = await stream(t, holdfast, 'user=bob');
  const nobody = await stream(t, holdfast, 'nobody');
  const ids = await Promise.all(
    ['/stream?user=ann&s', '/poll?user=ann&p', '/ws?user=ann&d', '/over?user=ann&o'].map((path) =>
      idOf(holdfast, path),
    ),
  );
  const shown = await control(holdfast, 'GET', '/users/ann');
  t.match(shown, { status: 200, body: { user: 'ann', silent: [], cursor: undefined } });
  t.strictSame(idsOf(shown), [...ids].sort());
  for (const one of shown.body.connections as object[])
    t.match(one, { user: 'ann', node: String, client: '127.0.0.1' });

  const listed = async (query: string) => idsOf(await control(holdfast, 'GET', `/connections?${query}`)).length;
  t.equal(await listed(''), 6);
  t.equal(await listed('user=bob'), 1);
  t.equal(await listed('channel=room'), 5, 'the session over HTTP is on none');
  t.equal(await listed('user=ann&route=sockets'), 1);
  t.equal(await listed('route=over'), 1);
  t.match((await control(holdfast, 'GET', '/channels?prefix=ro')).body, {
    channels: [{ channel: 'room', subscribers: counts(1, 3, 1) }],
    silent: [],
  });

  direct.send('i-am eve');
  await direct.text();
  t.equal(await listed('user=ann'), 3, 'the user of a session may change');
  t.equal(await listed('user=eve'), 1);

  for (const one of [held, other, nobody]) one.drop();
  direct.vanish();
  over.vanish();
  await holdfast.publish({ channel: 'room', formats: { 'http-response': { body: 'x' } } });
  await answer;
  await until('nobody is left', async () => (await listed('')) === 0);
});

t.test('a message for a user reaches all of its connections and no other, with counts', async (t) => {
  t.match(await control(holdfast, 'POST', '/users/carl', text('hello')), {
    status: 404,
    body: { code: 'ERR_CONTROL_USER' },
  });
  const held = await stream(t, holdfast, 'user=carl&channel=c');
  const { answer } = await poll(t, holdfast, 'user=carl&channel=c');
  const direct = await session(t, holdfast, 'user=carl');
  const over = await session(t, holdfast, 'user=carl', '/over');
  const other = await session(t, holdfast, 'user=dora');
  t.strictSame(await control(holdfast, 'POST', '/users/carl', text('hello')), {
    status: 200,
    body: { message: 'Delivered', connections: 4, taken: counts(1, 1, 2), silent: [] },
  });
  await held.until('hello\n');
  t.match(await answer, { status: 200, text: 'hello' });
  t.equal(await direct.text(), 'hello');
  t.equal(await over.text(), 'hello');

  const socketsOnly = { formats: { 'ws-message': { content: 'again' } } };
  const again = await control(holdfast, 'POST', '/users/carl', socketsOnly);
  t.match(again, { body: { connections: 3, taken: counts(0, 0, 2) } }, 'a stream has no use for it');
  t.equal(await direct.text(), 'again');
  t.equal(other.untaken, 0);

  held.drop();
  direct.vanish();
  over.vanish();
  other.vanish();
  await until(
    'the user has gone',
    async () => (await control(holdfast, 'POST', '/users/carl', text('x'))).status === 410,
  );
});

t.test(
  'a message for one connection keeps its place among the items of its channels; one for an ended one is 410',
  async (t) => {
    const held = await stream(t, holdfast, 'channel=order');
    const id = await idOf(holdfast, '/stream?channel=order');
    for (let i = 0; i < 10; i++) {
      await holdfast.publish(streamItem('order', `item ${i}\n`));
      t.match(await control(holdfast, 'POST', `/connections/${id}`, text(`own ${i}`)), {
        status: 200,
        body: { connections: 1 },
      });
    }
    await held.until('own 9\n');
    const expected = Array.from({ length: 10 }, (_, i) => `item ${i}\nown ${i}\n`).join('');
    t.equal(held.text, `opened\n${expected}`);
    const closing = { formats: { 'http-stream': { action: 'close' } } };
    t.match(await control(holdfast, 'POST', `/connections/${id}`, closing), {
      status: 200,
      body: { taken: counts(0, 1, 0) },
    });
    t.equal(await held.end(), 'complete');
    t.match(await control(holdfast, 'POST', `/connections/${id}`, closing), {
      status: 410,
      body: { code: 'ERR_CONTROL_GONE' },
    });
    t.match(await control(holdfast, 'POST', '/connections/never', closing), { status: 404 });
    t.equal((await control(holdfast, 'GET', `/connections/${id}`)).status, 404);
  },
);

t.test('DELETE ends sessions with the code and reason that it names, and spares those that are excepted', async (t) => {
  const [first, second] = [await session(t, holdfast, 'user=fay&1'), await session(t, holdfast, 'user=fay&2')];
  const held = await stream(t, holdfast, 'user=fay');
  const spared = await idOf(holdfast, '/ws?user=fay&1');
  const ended = await control(holdfast, 'DELETE', `/users/fay?code=4001&reason=signed%20out&except=${spared}`);
  t.strictSame(ended, { status: 200, body: { message: 'Disconnected', connections: 2, silent: [] } });
  t.strictSame(await second.end(), { code: 4001, reason: 'signed out' });
  t.equal(await held.end(), 'complete');
  t.strictSame(idsOf(await control(holdfast, 'GET', '/users/fay')), [spared]);
  t.equal((await control(holdfast, 'DELETE', `/connections/${spared}?code=4409`)).status, 200);
  t.strictSame(await first.end(), { code: 4409, reason: '' });
  t.match(await control(holdfast, 'DELETE', '/users/fay'), { status: 404, body: { code: 'ERR_CONTROL_USER' } });
});

t.test('sessions and streams are put on channels and taken off them; a long poll is not', async (t) => {
  const direct = await session(t, holdfast, 'sub');
  const held = await stream(t, holdfast, 'channel=first');
  for (const [path, first] of [
    ['/ws?sub', 'room'],
    ['/stream?channel=first', 'first'],
  ] as const) {
    const id = await idOf(holdfast, path);
    const change = (what: string, ...channels: string[]) =>
      control(holdfast, 'POST', `/connections/${id}/${what}`, { channels });
    t.match(await change('subscribe', 'news', 'sport'), { status: 200, body: { channels: [first, 'news', 'sport'] } });
    t.match(await change('subscribe', 'fourth'), { status: 409, body: { code: 'ERR_CONTROL_SUBSCRIBE' } });
    t.match(await change('unsubscribe', first, 'sport'), { status: 200, body: { channels: ['news'] } });
  }
  for (const channel of ['room', 'first', 'sport', 'news'])
    await holdfast.publish({ channel, ...text(`on ${channel}`) });
  t.equal(await direct.text(), 'on news');
  await held.until('on news\n');
  t.equal(held.text, 'opened\non news\n');
  const { answer } = await poll(t, holdfast, 'channel=polled');
  const id = await idOf(holdfast, '/poll?channel=polled');
  const refused = await control(holdfast, 'POST', `/connections/${id}/subscribe`, { channels: ['x'] });
  t.match(refused, { status: 409, body: { message: /long poll/ } });
  await holdfast.publish({ channel: 'polled', ...text('done') });
  await answer;
  held.drop();
  direct.vanish();
});

t.test('at debug the lines that open and end a hold name its channels', async (t) => {
  const held = await stream(t, holdfast, 'channel=logged');
  const opened = await holdfast.record('the opening', ({ url }) => String(url).endsWith('channel=logged'));
  t.match(opened, {
    hold: 'stream',
    channel_names: ['logged'],
    msg: new RegExp(`accept id=${opened.id} .*channels=\\["logged"\\]`),
  });
  held.drop();
  const ended = await holdfast.record('the end', ({ id, reason }) => id === opened.id && reason !== undefined);
  t.match(ended, { channels: 1, channel_names: ['logged'] });
});

t.test('the line that opens a hold or session has its id in the combined form too', async (t) => {
  const combined = await startUsers(t, routes, { log_access: 'combined' });
  const held = await stream(t, combined, 'x');
  const direct = await session(t, combined, 'x');
  await combined.child.line(/^127\.0\.0\.1 .*GET \/stream\?x .* id=[\w-]+\n/m);
  await combined.child.line(/^127\.0\.0\.1 .*GET \/ws\?x .* id=[\w-]+\n/m);
  const [, id] = /GET \/ws\?x .* id=([\w-]+)\n/.exec(combined.child.stdout) as unknown as [string, string];
  t.match(await control(combined, 'GET', `/connections/${id}`), { status: 200, body: { kind: 'ws' } });
  held.drop();
  direct.vanish();
});

t.test('with workers it is the same: all of them are asked', async (t) => {
  const workers = await startUsers(t, routes, { workers: 2 });
  const sockets = await Promise.all([1, 2, 3, 4].map((n) => session(t, workers, `user=gus&${n}`)));
  const { body } = await control(workers, 'GET', '/users/gus?limit=3');
  t.equal((body.connections as unknown[]).length, 3);
  const rest = await control(workers, 'GET', `/users/gus?limit=3&cursor=${body.cursor}`);
  t.match(rest, { body: { cursor: undefined } });
  t.equal(idsOf(rest).length, 1);
  t.match((await control(workers, 'GET', '/channels')).body, {
    channels: [{ channel: 'room', subscribers: counts(0, 0, 4) }],
  });
  t.match(await control(workers, 'POST', '/users/gus', text('hi')), {
    body: { connections: 4, taken: counts(0, 0, 4) },
  });
  for (const socket of sockets) t.equal(await socket.text(), 'hi');
  const spared = await idOf(workers, '/ws?user=gus&1');
  t.match(await control(workers, 'DELETE', `/users/gus?code=4001&except=${spared}`), { body: { connections: 3 } });
  for (const socket of sockets.slice(1)) t.match(await socket.end(), { code: 4001 });
  t.match(await control(workers, 'POST', `/connections/${spared}/subscribe`, { channels: ['own'] }), {
    status: 200,
    body: { channels: ['room', 'own'] },
  });
  await workers.publish({ channel: 'own', ...text('published') });
  t.equal(await sockets[0]?.text(), 'published');
  sockets[0]?.vanish();
});
