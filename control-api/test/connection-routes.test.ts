/** Requests about connections, users and lists: what the nodes are asked, what is answered, and what is refused. */
import t, { type Test } from 'tap';
import { MAX_EXCEPT, MAX_SUBSCRIBE } from '../dist/connection-requests.js';
import {
  BackplaneHub,
  ChannelTaps,
  ClusterViews,
  ControlAccess,
  KeyTable,
  LocalBackplane,
  type Question,
  silentLog,
} from '../dist/index.js';
import { cursorOf, MAX_PAGE_ROWS, PAGE_ROWS } from '../dist/views/pages.js';
import { keys } from './auth/keys-scene.js';
import { BODY_LIMIT, startControl } from './control-fixture.js';
import { ManualClock } from './manual-clock.js';
import { type Script, ScriptedCluster } from './views/scripted-cluster.js';

const counts = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });
const result = (known: string, connections: number, taken = counts(0, 0, connections)) => ({
  known,
  connections,
  taken,
});
const connection = (id: string, ...channels: readonly string[]) =>
  ({ id, kind: 'ws', client: '127.0.0.1', since: 'then', channels, items: 0, waiting: 0 }) as const;
const hello = { formats: { 'ws-message': { content: 'hello' } } };

/** A control server in front of nodes that answer so; with keys where there are entries. */
async function control(t: Test, scripts: Readonly<Record<string, Script | undefined>>, ...entries: readonly object[]) {
  const nodes = new ScriptedCluster(scripts);
  const clock = new ManualClock();
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog), log: silentLog });
  const table = new KeyTable(keys(...(entries as Readonly<Record<string, unknown>>[])));
  const { ask, log } = await startControl(t, {
    views: { cluster: new ClusterViews(nodes, clock), taps: new ChannelTaps(() => hub.share(), clock) },
    channelNameMax: 255,
    ...(entries.length > 0 && { access: new ControlAccess(table, clock, silentLog) }),
  });
  const json = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await ask(method, path, headers, text);
    t.equal(answer.headers['content-type'], 'application/json');
    return { status: answer.status, body: JSON.parse(answer.body) };
  };
  const asked = () => nodes.asked.map(({ question }) => question);
  return { json, asked, ask, log };
}

t.test(
  'GET /connections: a page of all nodes in order, with the node of each, and a cursor while there are more',
  async (t) => {
    const pages: Record<string, unknown> = {
      a: { rows: [connection('1'), connection('4')], more: true },
      b: { rows: [connection('2'), connection('3'), connection('9')], more: false },
      odd: { rows: 'of another version' },
    };
    const of = (node: string) => () => pages[node];
    const { json, asked } = await control(t, { a: of('a'), b: of('b'), c: undefined, odd: of('odd') });
    t.strictSame(await json('GET', '/connections?user=a%2Fb&channel=news&route=web&limit=3'), {
      status: 200,
      body: {
        connections: [
          { node: 'a', ...connection('1') },
          { node: 'b', ...connection('2') },
          { node: 'b', ...connection('3') },
        ],
        cursor: cursorOf('3'),
        silent: ['c', 'odd'],
      },
    });
    pages.a = { rows: [connection('4')], more: false };
    pages.b = { rows: [], more: false };
    t.match(await json('GET', `/connections?cursor=${cursorOf('3')}`), {
      body: { connections: [{ id: '4' }], cursor: undefined },
    });
    t.strictSame(asked(), [
      { about: 'connections', user: 'a/b', channel: 'news', route: 'web', limit: 3 },
      { about: 'connections', after: '3', limit: PAGE_ROWS },
    ]);
  },
);

t.test('GET /channels: a page of channels with the subscribers of all nodes', async (t) => {
  const row = (channel: string, stream: number) => ({ channel, subscribers: counts(0, stream, 0) });
  const { json, asked } = await control(t, {
    a: () => ({ rows: [row('news-1', 1), row('news-2', 1)], more: false }),
    b: () => ({ rows: [row('news-2', 5)], more: false }),
  });
  const body = { channels: [row('news-1', 1), row('news-2', 6)], silent: [] };
  t.strictSame(await json('GET', '/channels?prefix=news-&limit=1000'), { status: 200, body });
  t.strictSame(asked(), [{ about: 'channels', prefix: 'news-', limit: MAX_PAGE_ROWS }]);
});

t.test('GET /users/{user}: the connections of a user; none where it has none', async (t) => {
  const { json, asked } = await control(t, {
    a: () => ({ rows: [connection('1')], more: false }),
    b: () => ({ rows: [], more: false }),
  });
  const body = { user: 'ann@x', connections: [{ node: 'a', ...connection('1') }], silent: [] };
  t.strictSame(await json('GET', '/users/ann%40x'), { status: 200, body });
  t.strictSame(asked(), [{ about: 'connections', user: 'ann@x', limit: PAGE_ROWS }]);
});

t.test('DELETE takes a code and a reason, and of a user spares those that are named', async (t) => {
  const { json, asked } = await control(t, { a: (q) => (q.about === 'disconnect' ? true : result('here', 2)) });
  const close = { code: 4001, reason: 'signed out' };
  t.match(await json('DELETE', '/connections/i-1?code=4001&reason=signed+out'), { status: 200 });
  t.match(await json('DELETE', '/connections/i-1?reason=bye'), { status: 200 });
  t.strictSame(await json('DELETE', '/users/ann?code=4001&reason=signed%20out&except=i-1&except=i-2'), {
    status: 200,
    body: { message: 'Disconnected', connections: 2, silent: [] },
  });
  t.strictSame(asked(), [
    { about: 'disconnect', id: 'i-1', close },
    { about: 'disconnect', id: 'i-1', close: { code: 1008, reason: 'bye' } },
    { about: 'disconnect-user', user: 'ann', except: ['i-1', 'i-2'], close },
  ]);
});

t.test(
  'POST to a connection or user: 200 with what took it, 410 when it has ended, 404 when it is not known',
  async (t) => {
    let known: [string, string] = ['here', 'ended'];
    const answer = (n: 0 | 1) => () =>
      result(known[n], known[n] === 'here' ? 2 : 0, counts(0, known[n] === 'here' ? 1 : 0, 0));
    const { json, asked, log } = await control(t, { a: answer(0), b: answer(1), c: undefined });
    for (const [path, to, code] of [
      ['/connections/i-1', { id: 'i-1' }, 'ERR_CONTROL_CONNECTION'],
      ['/users/ann', { user: 'ann' }, 'ERR_CONTROL_USER'],
    ] as const) {
      known = ['here', 'ended'];
      t.strictSame(await json('POST', path, hello), {
        status: 200,
        body: { message: 'Delivered', connections: 2, taken: counts(0, 1, 0), silent: ['c'] },
      });
      t.match(asked().at(-1), { about: 'deliver', to, item: { formats: { 'ws-message': { content: 'hello' } } } });
      known = ['never', 'ended'];
      t.match(await json('POST', path, hello), { status: 410, body: { code: 'ERR_CONTROL_GONE', silent: ['c'] } });
      known = ['never', 'never'];
      t.match(await json('POST', path, hello), { status: 404, body: { code, silent: ['c'] } });
    }
    const { item } = asked().at(-1) as Question & { readonly item: Readonly<Record<string, unknown>> };
    t.strictSame([Object.keys(item), item.channel], [['channel', 'formats'], '']);
    t.strictSame(log.at('warn'), [], 'that a connection has ended is no fault of the caller');
  },
);

t.test('subscribe and unsubscribe: the channels that the connection has then, or why not', async (t) => {
  let answer: object = { known: 'here', channels: ['a', 'b'] };
  const { json, asked } = await control(t, { a: () => ({ known: 'never' }), b: () => answer });
  const channels = ['a', 'b'];
  t.strictSame(await json('POST', '/connections/i-1/subscribe', { channels: ['a', 'b', 'a'] }), {
    status: 200,
    body: { message: 'Subscribed', node: 'b', channels, silent: [] },
  });
  t.match(await json('POST', '/connections/i-1/unsubscribe', { channels: ['c'] }), {
    body: { message: 'Unsubscribed' },
  });
  t.strictSame(asked(), [
    { about: 'subscribe', id: 'i-1', channels, isOn: true },
    { about: 'subscribe', id: 'i-1', channels: ['c'], isOn: false },
  ]);
  for (const [next, status, code] of [
    [{ known: 'here', refused: 'unfit' }, 409, 'ERR_CONTROL_SUBSCRIBE'],
    [{ known: 'here', refused: 'full' }, 409, 'ERR_CONTROL_SUBSCRIBE'],
    [{ known: 'ended' }, 410, 'ERR_CONTROL_GONE'],
    [{ known: 'never' }, 404, 'ERR_CONTROL_CONNECTION'],
  ] as const) {
    answer = next;
    t.match(await json('POST', '/connections/i-1/subscribe', { channels }), { status, body: { code } });
  }
});

t.test('bad queries and bodies are 400 with what is wrong, and no node is asked', async (t) => {
  const { json, asked, ask } = await control(t, { a: () => null });
  const many = (count: number) => Array.from({ length: count }, (_, i) => `c-${i}`);
  for (const [method, path, body, message] of [
    ['GET', '/connections?limit=0', undefined, `'limit' is not a whole number from 1 to ${MAX_PAGE_ROWS}`],
    ['GET', `/connections?limit=${MAX_PAGE_ROWS + 1}`, undefined, 'limit'],
    ['GET', '/channels?limit=1e2', undefined, 'limit'],
    ['GET', '/users/ann?cursor=!', undefined, "'cursor' is none of a list"],
    ['GET', '/connections?uesr=1', undefined, "unknown parameter 'uesr'"],
    ['GET', `/connections?user=${'x'.repeat(1_025)}`, undefined, "'user' is longer than any name"],
    ['GET', `/connections?channel=${'x'.repeat(256)}`, undefined, 'channel_name_max'],
    ['GET', `/channels?prefix=${'x'.repeat(1_025)}`, undefined, 'prefix'],
    ['DELETE', '/connections/a?code=1005', undefined, "'code' is none that a Close frame may have"],
    ['DELETE', '/connections/a?code=04001', undefined, 'code'],
    ['DELETE', '/connections/a?except=b', undefined, "unknown parameter 'except'"],
    ['DELETE', `/users/a?reason=${'x'.repeat(124)}`, undefined, "'reason' is longer than 123 bytes"],
    [
      'DELETE',
      `/users/a?${many(MAX_EXCEPT + 1)
        .map((id) => `except=${id}`)
        .join('&')}`,
      undefined,
      "'except' names more than",
    ],
    ['POST', '/users/a', '{', 'the body'],
    ['POST', '/users/a', [hello], 'the body is not an object'],
    ['POST', '/users/a', { ...hello, channel: 'x' }, "'channel' has no meaning here"],
    ['POST', '/connections/a', { ...hello, 'prev-id': 'x' }, "'prev-id' has no meaning here"],
    ['POST', '/connections/a', { items: [] }, "'items' has no meaning here"],
    ['POST', '/connections/a/subscribe', {}, "'channels' is not a list of names"],
    ['POST', '/connections/a/subscribe', { channels: [] }, "'channels' is not a list of names"],
    ['POST', '/connections/a/subscribe', { channels: [1] }, 'channels[0] is not a text'],
    ['POST', '/connections/a/subscribe', { channels: ['a\nb'] }, 'control character'],
    ['POST', '/connections/a/subscribe', { channels: many(MAX_SUBSCRIBE + 1) }, 'more than'],
    ['POST', '/connections/a/unsubscribe', { channels: ['a'], chanels: 1 }, "unknown member 'chanels'"],
  ] as const) {
    const answer = await json(method, path, body);
    t.match(answer, { status: 400, body: { code: 'ERR_CONTROL_ARGUMENT' } }, `${method} ${path}`.slice(0, 60));
    t.ok(answer.body.message.includes(message), `${answer.body.message} has ${message}`);
  }
  t.match(await json('POST', '/users/a', { formats: {} }), { status: 400, body: { code: 'ERR_GRIP_ITEM' } });
  t.match(await json('POST', '/users/a', { formats: { 'ws-message': { content: 1 } } }), { status: 400 });
  for (const path of ['/connections/a?x', '/connections/a?limit=1']) t.equal((await ask('GET', path)).status, 404);
  t.equal((await ask('POST', '/users/a?x', {}, '{}')).status, 404);
  t.match(await json('POST', '/users/a', 'x', { 'Content-Encoding': 'x' }), { status: 415 });
  t.match(await json('POST', '/users/a', 'x', { 'Content-Encoding': 'gzip' }), { status: 400 });
  t.match(await json('POST', '/users/a', 'x'.repeat(BODY_LIMIT + 1)), { status: 413 });
  t.strictSame(asked(), []);
});

t.test(
  'a key for some channels has no lists and no users, and connections only all of whose channels it covers',
  async (t) => {
    const all = ['view', 'disconnect', 'publish', 'subscribe'];
    const [narrow, wide, blunt] = [
      'a-narrow-key-of-the-test-012',
      'a-wide-key-of-the-test-01234',
      'a-blunt-key-of-the-test-0123',
    ];
    const { json, asked } = await control(
      t,
      {
        a: (question) => {
          switch (question.about) {
            case 'connection':
              if (question.id === 'mine') return connection('mine', 'my-1', 'my-2');
              if (question.id === 'idle') return connection('idle');
              return question.id === 'other' ? connection('other', 'my-1', 'other') : null;
            case 'disconnect':
              return true;
            case 'deliver':
            case 'disconnect-user':
              return result('here', 1);
            case 'subscribe':
              return { known: 'here', channels: [] };
            default:
              return { rows: [], more: false };
          }
        },
      },
      { id: 'narrow', key: narrow, allow: all, channels: ['my-*'], rate: 1 },
      { id: 'wide', key: wide, allow: all },
      { id: 'blunt', key: blunt, allow: ['view', 'disconnect', 'publish'] },
    );
    const by = (key: string) => ({ 'X-API-Key': key });
    const requests = [
      ['GET', '/connections', undefined],
      ['GET', '/channels', undefined],
      ['GET', '/users/ann', undefined],
      ['DELETE', '/users/ann', undefined],
      ['POST', '/users/ann', hello],
    ] as const;
    const onOne = (id: string, channel = 'my-3') =>
      [
        ['GET', `/connections/${id}`, undefined],
        ['DELETE', `/connections/${id}?code=4001`, undefined],
        ['POST', `/connections/${id}/subscribe`, { channels: [channel] }],
        ['POST', `/connections/${id}/unsubscribe`, { channels: [channel] }],
        ['POST', `/connections/${id}`, hello],
      ] as const;
    const statuses = async (rows: ReadonlyArray<readonly [string, string, unknown]>, key: string) => {
      const found: number[] = [];
      for (const [method, path, body] of rows) found.push((await json(method, path, body, by(key))).status);
      return found;
    };
    t.strictSame(await statuses([...requests, ...onOne('other'), ...onOne('idle')], narrow), Array(15).fill(403));
    t.notOk(
      asked().some(({ about }) => about !== 'connection'),
      'nothing was done',
    );
    t.strictSame(await statuses(onOne('mine'), narrow), [200, 200, 200, 200, 200]);
    t.strictSame(
      await statuses(onOne('mine', 'other').slice(2, 4), narrow),
      [403, 403],
      'a channel that it does not cover',
    );
    t.strictSame(await statuses(onOne('none').slice(0, 4), narrow), [404, 404, 404, 404]);
    t.strictSame(await statuses([...requests, ...onOne('other')], wide), Array(10).fill(200));
    t.strictSame(
      await statuses(onOne('other'), blunt),
      [200, 200, 403, 403, 200],
      'to subscribe is a permission of its own',
    );
    let [status, times] = [200, 0];
    while (status === 200 && times++ < 5) ({ status } = await json('POST', '/connections/mine', hello, by(narrow)));
    t.equal(status, 429, 'the rate of a key counts what is sent to connections');
  },
);
