/** Who is refused, and what of: by credentials, channels, permissions and rate; and starts with bad keys, or none. */
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJwtKey } from '@holdfast/grip';
import t from 'tap';
import { open } from '../../../kit/clients/http-client.js';
import { newDirectory, runHoldfast, startHoldfast, streamItem } from '../../../kit/holdfast.js';
import { until } from '../../../kit/until.js';
import { idOf } from '../../../kit/views-fixture.js';
import {
  ask,
  entries,
  inSeconds,
  isLog,
  item,
  OPS,
  pemOf,
  publish,
  rsa,
  SECRET,
  SIGNS,
  start,
  token,
} from './keys-fixture.js';

const [VIEWS_ROOM, VIEWS_OTHER, RATED] = [1, 2, 3].map((n) => `a-further-key-of-the-test-${n}`) as [
  string,
  string,
  string,
];

/** A node for the tests of a single process, each of which has keys of its own. */
const { holdfast } = await start(t, [
  ...entries,
  { id: 'room', key: VIEWS_ROOM, allow: ['view', 'disconnect'], channels: ['room'] },
  { id: 'other', key: VIEWS_OTHER, allow: ['view', 'disconnect'], channels: ['other'] },
  { id: 'rated', key: RATED, rate: 5 },
]);

t.test('refusals: status, fields, code and text', async (t) => {
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
  const stream = await open(t, `${holdfast.clients}/?held`);
  await stream.until('opened\n');
  const id = await idOf(holdfast, '/?held');
  const [own, foreign] = [{ 'x-api-key': VIEWS_ROOM }, { 'x-api-key': VIEWS_OTHER }];
  t.match(await ask(holdfast, '/channels/room', { headers: own }), { status: 200 });
  t.match(await ask(holdfast, '/channels/other', { headers: own }), { status: 403 });
  t.match(await ask(holdfast, `/connections/${id}`, { headers: foreign }), { status: 403 });
  t.match(await ask(holdfast, `/connections/${id}`, { method: 'DELETE', headers: foreign }), { status: 403 });
  t.match(await ask(holdfast, `/connections/${id}`, { headers: own }), { status: 200 });
  t.match(await ask(holdfast, `/connections/${id}`, { method: 'DELETE', headers: own }), { status: 200 });
  t.match(await ask(holdfast, `/connections/${id}`, { headers: own }), { status: 404 });
});

t.test('a rate: twice as many items at once, then 429 with the fields that say when', async (t) => {
  const headers = { 'x-api-key': RATED };
  t.match(await publish(holdfast, headers, ...Array(11).fill(item())), { status: 429, text: /at most 10 at once/ });
  t.match(await publish(holdfast, headers, ...Array(10).fill(item())), { status: 200 });
  const over = await publish(holdfast, headers, ...Array(10).fill(item()));
  t.match(over, {
    status: 429,
    headers: { 'retry-after': '2', 'ratelimit-policy': '"key";q=10;w=2', ratelimit: /^"key";r=\d;t=2$/ },
  });
  await until('the rate is there again', async () => (await publish(holdfast, headers, item())).status === 200);
  t.ok((await holdfast.metric('holdfast_control_requests_total{action="publish",key="rated",result="rate"}')) >= 2);
});

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
