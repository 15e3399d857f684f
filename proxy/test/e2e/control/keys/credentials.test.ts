/** What a caller may name its key by: every form that publishers, the commands of Holdfast and scrapes use. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Publisher, parseGripUri } from '@fanoutio/grip';
import t from 'tap';
import { commandFile, startChild } from '../../../kit/child.js';
import { open } from '../../../kit/clients/http-client.js';
import { newDirectory, startHoldfast } from '../../../kit/holdfast.js';
import { until } from '../../../kit/until.js';
import { ask, entries, item, OPS, pemOf, publish, rsa, SECRET, SIGNS, start } from './keys-fixture.js';

/** A node for all tests of a keys file; of its keys, `all` publishes and taps. Its metrics need a key. */
const { holdfast } = await start(
  t,
  [...entries, { id: 'all', key: `${SIGNS}2`, iss: 'all', allow: ['publish', 'tap'] }],
  { admin_auth: true },
);

t.test('every form of GRIP_URL publishes, by the library of publishers', async (t) => {
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

t.test('admin_auth: metrics need a key, probes do not', async (t) => {
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
  const run = (args: readonly string[], env: Record<string, string> = {}) =>
    startChild(t, {
      command: process.execPath,
      args: [commandFile('holdfast'), ...args],
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
