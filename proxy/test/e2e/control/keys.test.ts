/** Keys of the control API, with the command itself, the library that publishers use, and a key set on a local HTTPS server. */
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Publisher, parseGripUri } from '@fanoutio/grip';
import { readJwtKey } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { root, startChild } from '../../kit/child.js';
import { open } from '../../kit/clients/http-client.js';
import { type Holdfast, newDirectory, runHoldfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { idOf } from '../../kit/views-fixture.js';

const SECRET = 'a-literal-key-of-the-test-0123';
const SIGNS = 'a-signing-key-of-the-test-4567';
const OPS = 'a-key-of-operators-of-the-test';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pemOf = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' } as never).toString();

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1_000) + seconds;
const token = (claims: object, key = SIGNS, kid?: string) =>
  readJwtKey(key).sign({ exp: inSeconds(600), ...claims }, kid);

/** A node with a keys file, JSON of which is YAML, and an origin that holds streams. */
async function start(
  t: Test,
  entries: readonly object[],
  settings: Readonly<Record<string, string | number | boolean>> = {},
) {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, streamHold('room'));
    response.end('opened\n');
  });
  const directory = newDirectory(t);
  const file = join(directory, 'keys.yaml');
  const write = (next: readonly object[]) => {
    writeFileSync(`${file}.next`, `${JSON.stringify(next, undefined, 1)}\n`, { mode: 0o600 });
    renameSync(`${file}.next`, file);
  };
  write(entries);
  const holdfast = await startHoldfast(t, {
    directory,
    routes: [`* ${origin.target}`],
    settings: { control_keys_file: 'keys.yaml', ...settings },
  });
  return { holdfast, file, write };
}

/** A request to the control API; its status, fields and text. */
async function ask(
  holdfast: Holdfast,
  path: string,
  init: RequestInit & { readonly headers?: Record<string, string> } = {},
) {
  const response = await fetch(`${holdfast.control}${path}`, init);
  return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
}

const publish = (holdfast: Holdfast, headers: Record<string, string>, ...items: readonly object[]) =>
  ask(holdfast, '/publish/', { method: 'POST', headers, body: JSON.stringify({ items }) });

const item = (channel = 'room') => streamItem(channel, 'x\n');

const isLog = (text: string) => (record: { readonly msg?: unknown }) => String(record.msg).includes(text);

const entries = [
  { id: 'literal', key: SECRET, channels: ['room', 'app-*'] },
  { id: 'app', key: SIGNS, iss: 'app' },
  { id: 'bytes', key: `base64:${Buffer.from('some-other-secret-bytes').toString('base64')}`, iss: 'bytes' },
  { id: 'rsa', key: pemOf(rsa.publicKey), iss: 'rsa' },
  { id: 'ops', key: OPS, allow: ['view', 'tap', 'disconnect', 'recover', 'metrics'] },
];

t.test('every form of GRIP_URL publishes, by the library of publishers', async (t) => {
  const { holdfast } = await start(t, entries);
  const { control } = holdfast;
  const key = encodeURIComponent;
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('opened\n');
  let expected = 'opened\n';
  for (const url of [
    `${control}/?iss=app&key=${SIGNS}`,
    `${control}/?iss=bytes&key=base64:${key(Buffer.from('some-other-secret-bytes').toString('base64'))}`,
    `${control}/?iss=rsa&key=${key(pemOf(rsa.privateKey))}`,
    `${control}/?iss=rsa&key=base64:${key(Buffer.from(pemOf(rsa.privateKey)).toString('base64'))}`,
    `${control}/?key=${SECRET}`,
    `${control}?key=${SECRET}`,
    control.replace('http://', `http://literal:${SECRET}@`),
  ]) {
    await new Publisher(parseGripUri(url)).publishHttpStream('room', 'item\n');
    expected += 'item\n';
    await stream.until(expected);
  }
  for (const url of [
    control,
    `${control}/?iss=app&key=wrong`,
    `${control}/?iss=nobody&key=${SIGNS}`,
    `${control}/?key=wrong`,
    `${control}/?key=${SIGNS}`,
    control.replace('http://', 'http://literal:wrong@'),
  ]) {
    const error = await new Publisher(parseGripUri(url)).publishHttpStream('room', 'no\n').then(
      () => undefined,
      (error: { context: { statusCode: number; httpBody: string } }) => error.context,
    );
    t.match(error, { statusCode: 401, httpBody: 'Unauthorized.\n' });
  }
  await new Publisher(parseGripUri(`${control}/?key=${SECRET}`)).publishHttpStream('room', 'last\n');
  await stream.until(`${expected}last\n`);
});

t.test('the one key of an option takes all of these forms', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'key'), `${SECRET}\n`, { mode: 0o600 });
  const holdfast = await startHoldfast(t, { directory, settings: { control_key_file: 'key' } });
  for (const url of [
    `${holdfast.control}/?iss=whatever&key=${SECRET}`,
    `${holdfast.control}/?key=${SECRET}`,
    holdfast.control.replace('http://', `http://any:${SECRET}@`),
  ])
    await new Publisher(parseGripUri(url)).publishHttpStream('room', 'item\n');
  t.match(await publish(holdfast, { authorization: 'Bearer no' }, item()), { status: 401 });
  t.match(await ask(holdfast, '/nodes', { headers: { 'x-api-key': SECRET } }), { status: 200 });
  writeFileSync(join(directory, 'key'), `${OPS}\n`);
  holdfast.child.signal('SIGHUP');
  await until('the new key', async () => (await publish(holdfast, { 'x-api-key': OPS }, item())).status === 200);
  t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 401 });
});

t.test('refusals: status, fields, code and text', async (t) => {
  const { holdfast } = await start(t, entries);
  const json = { accept: 'application/json' };
  const none = await publish(holdfast, {}, item());
  t.match(none, { status: 401, text: 'Unauthorized.\n', headers: { 'www-authenticate': 'Bearer realm="holdfast"' } });
  t.same(JSON.parse((await publish(holdfast, json, item())).text), {
    message: 'Unauthorized.',
    code: 'ERR_CONTROL_UNAUTHENTICATED',
  });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const asSecret = `${encode({ alg: 'HS256' })}.${encode({ iss: 'rsa', exp: inSeconds(600) })}`;
  const forged = createHmac('sha256', pemOf(rsa.publicKey)).update(asSecret).digest('base64url');
  for (const [what, value, reason] of [
    ['expired', token({ iss: 'app', exp: inSeconds(-61) }), 'it has expired'],
    ['foreign', token({ iss: 'app' }, OPS), 'its signature is not of the key'],
    ['of another issuer', token({ iss: 'other' }), 'no key is that of its issuer'],
    ['without an end', readJwtKey(SIGNS).sign({ iss: 'app' }), 'it has no exp'],
    ['not signed', `${encode({ alg: 'none' })}.${encode({ iss: 'app', exp: inSeconds(600) })}.`, 'it has no signature'],
    ['signed with a public key', `${asSecret}.${forged}`, 'its algorithm is none of the key'],
    ['no token', 'nonsense', 'it is neither a key nor a token'],
  ] as const) {
    t.match(await publish(holdfast, { authorization: `Bearer ${value}` }, item()), {
      status: 401,
      text: 'Unauthorized.\n',
      headers: { 'www-authenticate': 'Bearer realm="holdfast", error="invalid_token"' },
    });
    await holdfast.record(what, (record) => record.status === 401 && record.reason === reason);
  }
  t.match(await publish(holdfast, { 'x-api-key': SECRET, 'fastly-key': OPS }, item()), { status: 400 });
  t.match(await ask(holdfast, `/publish/?key=${SECRET}`, { method: 'POST', body: '{"items":[]}' }), { status: 404 });
  for (const [method, path, status] of [
    ['GET', '/', 200],
    ['GET', '/nowhere', 404],
    ['GET', '/publish/', 405],
    ['DELETE', '/nodes', 405],
    ['GET', '/nodes', 401],
    ['GET', '/channels/room', 401],
    ['GET', '/channels/room/items', 401],
    ['GET', '/connections/x', 401],
    ['DELETE', '/connections/x', 401],
    ['POST', '/recover/', 401],
  ] as const)
    t.equal((await ask(holdfast, path, { method })).status, status, `${method} ${path}`);
});

t.test('one channel that the key does not cover refuses the body, and nothing of it is published', async (t) => {
  const { holdfast } = await start(t, entries);
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('opened\n');
  const five = ['room', 'app-1', 'news', 'room', 'app-2'].map(item);
  const refused = await publish(holdfast, { 'x-api-key': SECRET, accept: 'application/json' }, ...five);
  t.match(refused, {
    status: 403,
    headers: { 'www-authenticate': 'Bearer realm="holdfast", error="insufficient_scope"' },
  });
  t.match(JSON.parse(refused.text), { code: 'ERR_CONTROL_FORBIDDEN', channel: 'news' });
  t.equal(
    (await publish(holdfast, { 'x-api-key': SECRET }, item('news'))).text,
    'Forbidden: the key does not cover the channel.\n',
  );
  t.match(await publish(holdfast, { 'x-api-key': OPS }, item()), { status: 403 });
  t.match(await publish(holdfast, { 'x-api-key': SECRET }, streamItem('room', 'good\n')), { status: 200 });
  await stream.until('opened\ngood\n');
  const line = await holdfast.record('of the refusal', (record) => record.status === 403 && record.channel === 'news');
  t.match(line, { key: 'literal', action: 'publish', client: '127.0.0.1', items: 5, code: 'ERR_CONTROL_FORBIDDEN' });
  for (const [path, method] of [
    ['/nodes', 'GET'],
    ['/channels/room', 'GET'],
    ['/channels/room/items', 'GET'],
    ['/connections/x', 'DELETE'],
    ['/recover/', 'POST'],
  ] as const)
    t.equal((await ask(holdfast, path, { method, headers: { 'x-api-key': SECRET } })).status, 403, path);
  t.match(await ask(holdfast, '/recover/', { method: 'POST', headers: { 'x-api-key': OPS } }), { status: 200 });
});

t.test('a key with channels sees and ends only what is on its channels', async (t) => {
  const { holdfast } = await start(t, [
    { id: 'room', key: SECRET, allow: ['view', 'disconnect'], channels: ['room'] },
    { id: 'other', key: SIGNS, allow: ['view', 'disconnect'], channels: ['other'] },
  ]);
  const stream = await open(t, `${holdfast.clients}/?held`);
  await stream.until('opened\n');
  const id = await idOf(holdfast, '/?held');
  const [own, foreign] = [{ 'x-api-key': SECRET }, { 'x-api-key': SIGNS }];
  t.match(await ask(holdfast, '/channels/room', { headers: own }), { status: 200 });
  t.match(await ask(holdfast, '/channels/other', { headers: own }), { status: 403 });
  t.match(await ask(holdfast, `/connections/${id}`, { headers: foreign }), { status: 403 });
  t.match(await ask(holdfast, `/connections/${id}`, { method: 'DELETE', headers: foreign }), { status: 403 });
  t.match(await ask(holdfast, `/connections/${id}`, { headers: own }), { status: 200 });
  t.match(await ask(holdfast, `/connections/${id}`, { method: 'DELETE', headers: own }), { status: 200 });
  t.match(await ask(holdfast, `/connections/${id}`, { headers: own }), { status: 404 });
});

t.test('a rate: twice as many items at once, then 429 with the fields that say when', async (t) => {
  const { holdfast } = await start(t, [{ id: 'a', key: SECRET, rate: 5 }]);
  const headers = { 'x-api-key': SECRET };
  t.match(await publish(holdfast, headers, ...Array(11).fill(item())), { status: 429, text: /at most 10 at once/ });
  t.match(await publish(holdfast, headers, ...Array(10).fill(item())), { status: 200 });
  const over = await publish(holdfast, headers, ...Array(10).fill(item()));
  t.match(over, {
    status: 429,
    headers: { 'retry-after': '2', 'ratelimit-policy': '"key";q=10;w=2', ratelimit: /^"key";r=\d;t=2$/ },
  });
  await until('the rate is there again', async () => (await publish(holdfast, headers, item())).status === 200);
  t.ok((await holdfast.metric('holdfast_control_requests_total{action="publish",key="a",result="rate"}')) >= 2);
});

t.test('a key is changed by SIGHUP while 1,000 publishes run: none is refused', async (t) => {
  const before = { id: 'a', key: SECRET, allow: ['publish'] };
  const { holdfast, write } = await start(t, [before, { id: 'b', key: SIGNS, iss: 'b' }]);
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('opened\n');
  let current = SECRET;
  let signs = SIGNS;
  let sent = 0;
  const refused: number[] = [];
  const run = async () => {
    while (sent < 1_000) {
      const n = ++sent;
      const headers =
        n % 2 === 0
          ? { 'x-api-key': current }
          : { authorization: `Bearer ${token({ iss: 'b', jti: String(n) }, signs)}` };
      const { status } = await publish(holdfast, headers, item());
      if (status !== 200) refused.push(status);
    }
  };
  const publishers = Array.from({ length: 8 }, run);
  const previous_until = new Date(Date.now() + 3_600_000).toISOString();
  for (let i = 1; i <= 4; i++) {
    await until(`${i * 200} publishes`, () => sent >= i * 200);
    const next = [`${SECRET}-${i}`, `${SIGNS}-${i}`] as const;
    write([
      { ...before, key: next[0], previous: current, previous_until },
      { id: 'b', key: next[1], previous: signs, previous_until, iss: 'b' },
    ]);
    holdfast.child.signal('SIGHUP');
    await until('the new key', async () => (await publish(holdfast, { 'x-api-key': next[0] })).status === 200);
    [current, signs] = next;
  }
  await Promise.all(publishers);
  t.same(refused, []);
  await stream.until(`opened\n${'x\n'.repeat(1_000)}`);
  t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 401 }, 'the first key is gone');
});

t.test(
  'a bad keys file changes nothing, and the log says which entry and line; a good one is taken without being asked',
  async (t) => {
    const { holdfast, file, write } = await start(t, [{ id: 'a', key: SECRET }]);
    const bad = '- id: a\n  key: fresh-key-0123456789\n- id: b\n  key: other-key-0123456789\n  rate: fast\n';
    writeFileSync(file, bad);
    await holdfast.record('of the problem', isLog(`${file}:5: entry 2 (b): rate: expected a whole number`));
    await holdfast.record('of the decision', isLog('keeping the keys in force'));
    t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 200 });
    t.match(await publish(holdfast, { 'x-api-key': 'fresh-key-0123456789' }, item()), { status: 401 });
    for (const [content, problem] of [
      ['', 'it has no keys'],
      ['- id: a\n  key: *x\n', 'has to be in quotes'],
      ['- id: a\n  key: "x\n', 'it is not valid YAML'],
    ] as const) {
      writeFileSync(file, content);
      holdfast.child.signal('SIGHUP');
      await holdfast.record(problem, isLog(problem));
      t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 200 }, problem);
    }
    write([{ id: 'a', key: OPS }]);
    await until('the new key', async () => (await publish(holdfast, { 'x-api-key': OPS }, item())).status === 200);
    t.match(await publish(holdfast, { 'x-api-key': SECRET }, item()), { status: 401 });
  },
);

t.test('a start with bad keys is refused, and so is check-config', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'keys.yaml'), '- id: a\n  key: short-secret\n  allow: [everything]\n');
  writeFileSync(
    join(directory, 'c.yaml'),
    'http_port: 127.0.0.1:0\npush_in_http_port: 0\ncontrol_keys_file: keys.yaml\n',
  );
  for (const command of [[], ['check-config']]) {
    const child = runHoldfast(t, { directory, args: ['--config', 'c.yaml', ...command] });
    t.equal((await child.exited).code, 1);
    t.match(child.stderr, /keys\.yaml:3: entry 1 \(a\): allow: "everything" is none of publish, recover/);
    t.notMatch(child.stdout + child.stderr, 'short-secret');
  }
});

t.test('with keys a public address needs no other permission, without them the message names the keys', async (t) => {
  const directory = newDirectory(t);
  const address = { push_in_http_addr: '0.0.0.0' };
  const holdfast = await startHoldfast(t, { directory, settings: { ...address, control_key: SECRET } });
  t.notMatch(holdfast.child.stdout, 'on a public address');
  const port = new URL(holdfast.control).port;
  t.equal((await fetch(`http://127.0.0.1:${port}/nodes`)).status, 401);
  writeFileSync(
    join(directory, 'd.yaml'),
    'http_port: 127.0.0.1:0\npush_in_http_port: 0\npush_in_http_addr: 0.0.0.0\n',
  );
  const child = runHoldfast(t, { directory, args: ['--config', 'd.yaml'] });
  t.equal((await child.exited).code, 1);
  t.match(child.stderr, /set keys \(control_keys_file or control_key\)/);
  const allowed = await startHoldfast(t, { settings: { ...address, push_in_http_allow_public: true } });
  await allowed.record('of the warning', isLog('keys (control_keys_file, control_key) keep others out'));
});

t.test(
  'a key set of a provider, by HTTPS: fetched once, again for a new kid, and not for every unknown one',
  async (t) => {
    const directory = newDirectory(t);
    const authority = makeCertificate({ directory, base: 'ca' });
    const { key, cert } = makeCertificate({ directory, base: 'idp', names: ['IP:127.0.0.1'], issuer: authority });
    const [first, second] = [generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ed25519')];
    const jwk = ({ publicKey }: { publicKey: KeyObject }, kid: string) => ({
      ...publicKey.export({ format: 'jwk' }),
      kid,
    });
    const symmetric = { kty: 'oct', kid: 'oct', k: Buffer.from(SIGNS).toString('base64url') };
    const set = [jwk(first, 'one'), symmetric];
    let fetched = 0;
    const provider = createServer({ key, cert }, (_, response) => {
      fetched++;
      response.end(JSON.stringify({ keys: set }));
    });
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    t.teardown(() => void provider.close());
    const jwks = `https://127.0.0.1:${(provider.address() as AddressInfo).port}/jwks.json`;
    const idp = { id: 'idp', jwks, iss: 'https://idp/', aud: 'holdfast' };
    const { holdfast } = await start(t, [
      { ...idp, jwks_ca: authority.certFile },
      { id: 'distrusted', jwks, iss: 'https://distrusted/', aud: 'holdfast' },
    ]);
    const by = (pair: { privateKey: KeyObject }, kid: string, claims: object = {}) => ({
      authorization: `Bearer ${token({ iss: 'https://idp/', aud: 'holdfast', ...claims }, pemOf(pair.privateKey), kid)}`,
    });
    t.match(await publish(holdfast, by(first, 'one'), item()), { status: 200 });
    t.match(await publish(holdfast, by(first, 'one', { jti: '2' }), item()), { status: 200 });
    t.equal(fetched, 1);
    t.match(await publish(holdfast, by(first, 'one', { aud: 'other' }), item()), { status: 401 });
    t.match(await publish(holdfast, by(second, 'one'), item()), { status: 401 });
    const symmetrically = { authorization: `Bearer ${token({ iss: 'https://idp/', aud: 'holdfast' }, SIGNS, 'oct')}` };
    t.match(await publish(holdfast, symmetrically, item()), { status: 401 }, 'a secret in a set is no secret');
    set.push(jwk(second, 'two'));
    for (let i = 0; i < 20; i++) await publish(holdfast, by(second, 'two', { jti: `n${i}` }), item());
    t.equal(fetched, 1, 'not again within 30 s, whatever is unknown');
    t.match(await publish(holdfast, by(first, 'one', { iss: 'https://distrusted/' }), item()), {
      status: 503,
      headers: { 'retry-after': '5' },
    });
    await holdfast.record('of the refusal', (record) => record.jwks === jwks && typeof record.reason === 'string');
  },
);

t.test('a provider that is away, slow, too large or nonsense costs an answer, and no more', async (t) => {
  const directory = newDirectory(t);
  const authority = makeCertificate({ directory, base: 'ca' });
  const { key, cert } = makeCertificate({ directory, base: 'idp', names: ['IP:127.0.0.1'], issuer: authority });
  const provider = createServer({ key, cert }, (request, response) => {
    if (request.url === '/slow') return;
    if (request.url === '/large') response.end(`{"keys":[${' '.repeat(300_000)}]}`);
    else if (request.url === '/moved') response.writeHead(302, { location: '/good' }).end();
    else response.end('<html>');
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    provider.closeAllConnections();
    provider.close();
  });
  const base = `https://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const names = ['slow', 'large', 'moved', 'nonsense'];
  const { holdfast } = await start(t, [
    { id: 'good', key: SECRET },
    ...names.map((id) => ({ id, jwks: `${base}/${id}`, jwks_ca: authority.certFile, iss: id, aud: 'x' })),
  ]);
  for (const id of names) {
    const headers = { authorization: `Bearer ${token({ iss: id, aud: 'x' }, pemOf(rsa.privateKey), 'k')}` };
    const [away, good] = await Promise.all([
      publish(holdfast, headers, item()),
      publish(holdfast, { 'x-api-key': SECRET }, item()),
    ]);
    t.match(away, { status: 503, text: /cannot be fetched/ }, id);
    t.match(good, { status: 200 });
    await holdfast.record(
      id,
      (record) => record.jwks === `${base}/${id}` && isLog('key set cannot be fetched')(record),
    );
  }
});

t.test('admin_auth: metrics need a key, probes do not', async (t) => {
  const { holdfast } = await start(t, entries, { admin_auth: true });
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`${holdfast.url('admin')}${path}`, { headers });
  t.equal((await get('/metrics')).status, 401);
  t.equal((await get('/metrics')).headers.get('www-authenticate'), 'Bearer realm="holdfast"');
  t.equal((await get('/metrics', { 'x-api-key': SECRET })).status, 403);
  t.equal((await get('/metrics', { authorization: `Bearer ${OPS}` })).status, 200);
  t.equal((await get('/livez')).status, 200);
  t.equal((await get('/readyz')).status, 200);
  t.equal((await get('/nowhere')).status, 404);
});

t.test('the commands publish, tap and token', async (t) => {
  const { holdfast } = await start(t, [
    ...entries,
    { id: 'all', key: `${SIGNS}2`, iss: 'all', allow: ['publish', 'tap'] },
  ]);
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    startChild(t, {
      command: process.execPath,
      args: [join(root, 'proxy', 'bin', 'holdfast.js'), ...args],
      env: { GRIP_URL: '', ...env },
    });
  const GRIP_URL = `${holdfast.control}/?iss=all&key=${SIGNS}2`;
  const tap = run(['tap', 'room'], { GRIP_URL });
  await until('the tap shows an item', async () => {
    t.equal((await run(['publish', 'room', 'hello'], { GRIP_URL }).exited).code, 0);
    return tap.stdout.includes('hello');
  });
  const line = await holdfast.record('of the tap', (record) => record.action === 'tap');
  t.match(line, { key: 'all', client: '127.0.0.1', path: '/channels/room/items' });
  for (const args of [
    ['publish', '--spec', `${holdfast.control}/?key=${SECRET}`, 'room', 'x'],
    ['publish', '--spec', holdfast.control, '-B', SECRET, 'room', 'x'],
    ['publish', '--spec', holdfast.control, '-u', `me:${SECRET}`, 'room', 'x'],
  ])
    t.match(await run(args).exited, { code: 0 }, args.join(' '));
  const refused = run(['publish', '--spec', holdfast.control, 'room', 'x']);
  t.equal((await refused.exited).code, 1);
  t.match(refused.stderr, 'Unauthorized.');
  const denied = run(['tap', 'room', '--control', holdfast.control, '-B', SECRET]);
  t.equal((await denied.exited).code, 1);
  t.match(denied.stderr, /answered 403: Forbidden: the key does not allow this/);

  const made = run(['token', '--channels', 'room,app-*', '--allow', 'publish', '--ttl', '1m', '--sub', 'script'], {
    GRIP_URL,
  });
  t.equal((await made.exited).code, 0);
  const authorization = `Bearer ${made.stdout.trim()}`;
  t.match(await publish(holdfast, { authorization }, item('app-7')), { status: 200 });
  t.match(await publish(holdfast, { authorization }, item('news')), { status: 403 });
  t.match(await ask(holdfast, '/channels/room/items', { headers: { authorization } }), { status: 403 });
  await holdfast.record('with the subject', (record) => record.channel === 'news' && record.sub === 'script');
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'key.pem'), pemOf(rsa.privateKey));
  const signed = run(['token', '--iss', 'rsa', '--key-file', join(directory, 'key.pem')]);
  t.equal((await signed.exited).code, 0);
  t.match(await publish(holdfast, { authorization: `Bearer ${signed.stdout.trim()}` }, item()), { status: 200 });
  for (const [args, text] of [
    [['token'], '--iss is missing'],
    [['token', '--iss', 'a'], '--key-file or --key is missing'],
    [['token', '--iss', 'a', '--key', SIGNS, '--ttl', '0s'], '--ttl: expected a time'],
    [['token', '--iss', 'a', '--key', SIGNS, '--allow', 'all'], '--allow: "all" is none of'],
    [['token', '--iss', 'a', '--key', SIGNS, '--channels', ','], '--channels: expected'],
    [['token', '--iss', 'a', '--key', pemOf(rsa.publicKey)], 'it is a public key, which cannot sign'],
  ] as const) {
    const child = run(args);
    t.equal((await child.exited).code, 1, text);
    t.match(child.stderr, text);
    t.notMatch(child.stderr, SIGNS);
  }
});

t.test('a running tap ends when its key is taken away', async (t) => {
  const { holdfast, write } = await start(t, [
    { id: 'a', key: SECRET, allow: 'tap' },
    { id: 'b', key: SIGNS },
  ]);
  const response = await fetch(`${holdfast.control}/channels/room/items`, { headers: { 'x-api-key': SECRET } });
  t.equal(response.status, 200);
  await publish(holdfast, { 'x-api-key': SIGNS }, item(), item());
  write([{ id: 'b', key: SIGNS }]);
  const text = await response.text();
  t.match(text, /\{"end":"revoked"/);
  const ended = await holdfast.record('of its end', isLog('control request ended'));
  t.match(ended, { key: 'a', action: 'tap', items: 2, client: '127.0.0.1' });
});

t.test('with workers', async (t) => {
  const { holdfast } = await start(t, [{ id: 'a', key: SECRET, rate: 10 }], { workers: 2 });
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('opened\n');
  const headers = { 'x-api-key': SECRET };
  const started = performance.now();
  const answers = await Promise.all(Array.from({ length: 50 }, () => publish(holdfast, headers, item())));
  const taken = answers.filter(({ status }) => status === 200).length;
  const most = 20 + Math.ceil((performance.now() - started) / 100);
  t.ok(taken >= 20 && taken <= most, `${taken} of 50, as many as one node may: ${most}`);
  await stream.until(`opened\n${'x\n'.repeat(taken)}`);
  t.match(await publish(holdfast, {}, item()), { status: 401 });
});
