/** Where in the life of a request its caller is asked for, and what is counted and logged of it. */
import t, { type Test } from 'tap';
import { ControlAccess, KeyTable, silentLog } from '../dist/index.js';
import { keys } from './auth/keys-scene.js';
import { type FixtureOptions, publishBody, startControl } from './control-fixture.js';
import { ManualClock } from './manual-clock.js';
import { requestBytes } from './raw-client.js';

const KEY = 'a-key-of-the-test-0123456789';
const NARROW = 'a-narrow-key-of-the-test-012';

function start(t: Test, overrides: FixtureOptions = {}) {
  const table = new KeyTable(
    keys(
      { id: 'all', key: KEY, allow: ['publish', 'recover'] },
      { id: 'narrow', key: NARROW, channels: ['b'], rate: 2 },
    ),
  );
  return startControl(t, { access: new ControlAccess(table, new ManualClock(), silentLog), ...overrides });
}

const key = (value = KEY) => ({ 'X-API-Key': value });

t.test('unknown paths and methods are answered as without keys, and the root is open', async (t) => {
  const { ask, events } = await start(t);
  for (const [method, path, status] of [
    ['GET', '/', 200],
    ['POST', '/', 200],
    ['GET', '/nowhere', 404],
    ['GET', '/publish/', 405],
    ['POST', '/publish/x/y', 404],
    ['POST', `/publish/?key=${KEY}`, 404],
  ] as const)
    t.equal((await ask(method, path)).status, status, `${method} ${path}`);
  t.same(events.requests, [], 'they need no permission, and are not counted');
});

t.test('a stranger is refused before anything is said of its request', async (t) => {
  const { ask } = await start(t);
  for (const [name, headers] of [
    ['empty', {}],
    ['of an unknown coding', { 'Content-Encoding': 'x', 'Content-Length': '1' }],
    ['too large', { 'Content-Length': '2000000' }],
  ] as const)
    t.equal((await ask('POST', '/publish/', headers)).status, 401, name);
  t.equal((await ask('POST', '/publish/', { ...key(), 'Content-Encoding': 'x' })).status, 415, 'a known one is told');
  t.equal((await ask('POST', '/publish/', { Accept: 'image/png' })).status, 406, 'Accept goes first, as before a 405');
});

t.test('and before its body is read, or asked for', async (t) => {
  const { client } = await start(t);
  const stranger = await client();
  await stranger.write('POST /publish/ HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\nExpect: 100-continue\r\n\r\n');
  t.match(await stranger.answer(), { status: 401, headers: { connection: 'close' } });
  const known = await client();
  await known.write(
    `POST /publish/ HTTP/1.1\r\nHost: a\r\nX-API-Key: ${KEY}\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n`,
  );
  t.match(await known.answer(), { status: 100 });
});

t.test('a web page is refused first, whatever it has', async (t) => {
  const { ask } = await start(t);
  const answer = await ask('POST', '/publish/', { ...key(), Origin: 'http://evil.example' }, publishBody(['a', '1']));
  t.match(answer, { status: 403 });
  t.match(answer.headers['www-authenticate'], undefined);
});

t.test('counts and lines', async (t) => {
  const { ask, events, log } = await start(t);
  await ask('POST', '/publish/', {}, publishBody(['a', '1']));
  await ask('POST', '/publish/', key('wrong'), publishBody(['a', '1']));
  await ask('POST', '/publish/', key(), publishBody(['a', '1']));
  await ask('POST', '/publish/', key(), 'nonsense');
  await ask('POST', '/publish/', key(NARROW), publishBody(['b', '1'], ['a', '1']));
  await ask('POST', '/publish/', key(NARROW), publishBody(['b', '1'], ['b', '2'], ['b', '3'], ['b', '4'], ['b', '5']));
  await ask('POST', '/recover/', key(NARROW));
  await ask('POST', '/recover/', key());
  t.same(events.requests, [
    'publish  unauthenticated',
    'publish  unauthenticated',
    'publish all ok',
    'publish all refused',
    'publish narrow forbidden',
    'publish narrow rate',
    'recover narrow forbidden',
    'recover all ok',
  ]);
  const refused = log.at('warn').map(({ fields: { status, key, action, channel, items, reason, client } }) => ({
    ...{ status, key, action, channel, items, reason, client },
  }));
  t.match(refused, [
    { status: 401, key: undefined, reason: undefined, client: '127.0.0.1' },
    { status: 401, reason: 'it is neither a key nor a token' },
    { status: 400, key: 'all', action: 'publish' },
    { status: 403, key: 'narrow', action: 'publish', channel: 'a', items: 2 },
    { status: 429, key: 'narrow', action: 'publish', items: 5 },
    { status: 403, key: 'narrow', action: 'recover' },
  ]);
  t.match(log.at('info'), [{ fields: { key: 'all', action: 'recover', status: 200, client: '127.0.0.1' } }]);
  t.notMatch(JSON.stringify(log.lines), /a-key-of|a-narrow|wrong/);
});

t.test('requests of a connection keep their order while the key of a token is fetched', async (t) => {
  const table = new KeyTable(keys({ id: 'all', key: KEY }));
  const inner = new ControlAccess(table, new ManualClock(), silentLog);
  const waiting: Array<() => void> = [];
  // What a key set does to a request: its caller is known later.
  const access = {
    identify: (caller: Parameters<ControlAccess['identify']>[0]) =>
      caller.rawHeaders.includes('X-Slow')
        ? new Promise((resolve) => waiting.push(() => resolve(inner.identify(caller))))
        : inner.identify(caller),
  } as unknown as ControlAccess;
  const { client, listener } = await startControl(t, { access });
  const one = await client();
  await one.write(
    [
      requestBytes('POST', '/publish/', { ...key(), 'X-Slow': '1' }, publishBody(['a', '1'])),
      requestBytes('POST', '/publish/', key(), publishBody(['a', '2'])),
      requestBytes('POST', '/publish/', { ...key(), 'X-Slow': '1' }, publishBody(['a', '3'])),
      requestBytes('POST', '/publish/', key(), publishBody(['a', '4'])),
    ].join(''),
  );
  const other = await client();
  await other.write(requestBytes('POST', '/publish/', key(), publishBody(['a', '5'])));
  t.equal((await other.answer())?.status, 200, 'other connections do not wait');
  t.same(listener.messages.length, 1);
  // The last first.
  for (const go of waiting.reverse()) go();
  for (let i = 0; i < 4; i++) t.equal((await one.answer())?.status, 200);
  t.same(
    listener.messages.map((message) => (message.type === 'item' ? message.id : '')),
    ['5', '1', '2', '3', '4'],
  );
});

t.test('a client that goes while its caller is not known yet costs nothing', async (t) => {
  const waiting: Array<() => void> = [];
  const inner = new ControlAccess(new KeyTable(keys({ id: 'all', key: KEY })), new ManualClock(), silentLog);
  const access = {
    identify: (caller: Parameters<ControlAccess['identify']>[0]) =>
      new Promise((resolve) => waiting.push(() => resolve(inner.identify(caller)))),
  } as unknown as ControlAccess;
  const { client, server, listener } = await startControl(t, { access });
  const gone = await client();
  await gone.write(requestBytes('POST', '/publish/', key(), publishBody(['a', '1'])));
  while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  gone.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (const go of waiting) go();
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.same(listener.messages, []);
  await server.close();
});

t.test('a page of an allowed origin asks before without a key, and needs one for what it asks for', async (t) => {
  const Origin = 'https://ops.example';
  const { ask, listener } = await start(t, { allowedOrigins: { allows: (origin) => origin === Origin } });
  const preflight = { Origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-api-key' };
  t.match(await ask('OPTIONS', '/publish/', preflight), { status: 200 });
  const refused = await ask('POST', '/publish/', { Origin }, publishBody(['a', '1']));
  t.match(refused, { status: 401, headers: { 'access-control-allow-origin': Origin, 'www-authenticate': /^Bearer/ } });
  t.match(await ask('POST', '/publish/', { Origin, ...key() }, publishBody(['a', '2'])), { status: 200 });
  t.match(await ask('POST', '/publish/', { Origin: 'https://evil.test', ...key() }, publishBody(['a', '3'])), {
    status: 403,
  });
  t.strictSame(listener.labels, ['a/2']);
});
