/** Key sets over time, from a real HTTPS server. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readJwtKey } from '@holdfast/grip';
import t from 'tap';
import { MAX_JWKS_KEYS } from '../../dist/auth/jwks.js';
import { ControlAccess, KeyTable, readKeyEntries } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingLog } from '../recorder.js';
import { entry, keys } from './keys-scene.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

const directory = mkdtempSync(join(tmpdir(), 'holdfast-jwks-'));
t.teardown(() => rmSync(directory, { recursive: true, force: true }));
const [certFile, keyFile] = [join(directory, 'crt'), join(directory, 'key')];
execFileSync(
  'openssl',
  [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
    ...['-subj', '/CN=idp', '-addext', 'subjectAltName=IP:127.0.0.1', '-out', certFile, '-keyout', keyFile],
  ],
  { stdio: 'pipe' },
);
const tls = { key: readFileSync(keyFile), cert: readFileSync(certFile, 'utf8') };

type Pair = { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
const pairs = Object.fromEntries(
  ['a', 'b', 'c'].map((name) => [name, generateKeyPairSync('ec', { namedCurve: 'P-256' })]),
) as Record<'a' | 'b' | 'c', Pair>;
const jwk = (name: keyof typeof pairs, more: object = { kid: name }) => ({
  ...pairs[name].publicKey.export({ format: 'jwk' }),
  ...more,
});

/** A provider, and a node that trusts it; its clock is moved by hand. */
async function start(...first: object[]) {
  const provider = { set: first, fetched: 0, isDown: false };
  const server = createServer(tls, (_, response) => {
    provider.fetched++;
    if (provider.isDown) response.writeHead(500).end();
    else response.end(JSON.stringify({ keys: provider.set }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const clock = new ManualClock(1_000, Date.UTC(2026, 0, 1));
  const log = new RecordingLog();
  const jwks = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const members = { id: 'idp', jwks, iss: 'idp', aud: 'x', jwks_ca: 'ca' };
  const { keys: made } = readKeyEntries([entry(members)], () => tls.cert);
  const access = new ControlAccess(new KeyTable(made), clock, log);
  const token = (name: keyof typeof pairs, kid: string | undefined = name, ttl = 2 * DAY) =>
    readJwtKey(pairs[name].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()).sign(
      { iss: 'idp', aud: 'x', exp: Math.floor((clock.wall() + ttl) / 1_000) },
      kid,
    );
  const who = async (text: string) => {
    const found = await access.identify({ rawHeaders: ['X-API-Key', text] });
    return 'status' in found ? found.status : found.name;
  };
  /** Until the fetches that are under way are over. */
  const settled = async (count: number) => {
    const lines = () => log.lines.filter(({ message }) => message.startsWith('key set')).length;
    while (lines() < count) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { access, clock, log, provider, token, who, settled, made };
}

t.test('fetched before the first token comes, and once', async (t) => {
  const { who, token, provider, settled } = await start(jwk('a'), jwk('b'));
  await settled(1);
  t.equal(await who(token('a')), 'idp');
  t.equal(await who(token('b')), 'idp');
  t.equal(provider.fetched, 1);
});

t.test('tokens that come while it is fetched wait for it', async (t) => {
  const { who, token, provider } = await start(jwk('a'));
  t.same(await Promise.all([who(token('a')), who(token('a')), who(token('b'))]), ['idp', 'idp', 401]);
  t.equal(provider.fetched, 1);
});

t.test('fetched again for an unknown kid, at most once in 30 s', async (t) => {
  const { who, token, provider, clock, settled } = await start(jwk('a'));
  await settled(1);
  provider.set = [jwk('a'), jwk('b')];
  clock.advance(29_999);
  t.equal(await who(token('b')), 401);
  t.equal(provider.fetched, 1);
  clock.advance(1);
  t.same(await Promise.all([who(token('b')), who(token('c')), who(token('a'))]), ['idp', 401, 'idp']);
  t.equal(provider.fetched, 2);
  for (let i = 0; i < 50; i++) t.equal(await who(token('c', `unknown-${i}`)), 401);
  t.equal(provider.fetched, 2, 'whatever kids come');
});

t.test('a key that was withdrawn counts no more after ten minutes, nor does what it has verified', async (t) => {
  const { who, token, provider, clock, settled } = await start(jwk('a'), jwk('b'));
  await settled(1);
  const text = token('a');
  t.equal(await who(text), 'idp');
  provider.set = [jwk('b')];
  clock.advance(10 * MINUTE);
  t.equal(await who(text), 'idp');
  clock.advance(1);
  t.equal(await who(text), 'idp', 'the set is fetched beside this request');
  await settled(2);
  t.equal(await who(text), 401);
  t.equal(await who(token('b')), 'idp');
});

t.test('a provider that is away: what is known counts for a day, and then nothing', async (t) => {
  const { who, token, provider, clock, settled } = await start(jwk('a'));
  await settled(1);
  const text = token('a');
  t.equal(await who(text), 'idp');
  provider.isDown = true;
  clock.advance(DAY);
  t.equal(await who(text), 'idp');
  await settled(2);
  clock.advance(1);
  t.equal(await who(text), 503);
  t.equal(await who(token('a')), 503);
  provider.isDown = false;
  clock.advance(30_000);
  t.equal(await who(token('a')), 'idp');
});

t.test('a provider that was never there', async (t) => {
  const { who, token, provider, clock, settled, log } = await start();
  provider.isDown = true;
  t.equal(await who(token('a')), 503);
  await settled(1);
  t.match(log.at('warn'), [{ fields: { reason: 'it is answered 500', inUse: false } }]);
  provider.isDown = false;
  provider.set = [jwk('a')];
  t.equal(await who(token('a')), 503, 'within 30 s');
  clock.advance(30_000);
  t.equal(await who(token('a')), 'idp');
});

t.test('keys by kid and algorithm', async (t) => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const { who, token, settled, log } = await start(
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'a' },
    jwk('a', { kid: 'other', use: 'enc' }),
    jwk('a', { kid: 'signs', key_ops: ['sign'] }),
    jwk('a', { kid: 'odd', alg: 'RS256' }),
    jwk('a', { kid: 7 }),
    { ...short.publicKey.export({ format: 'jwk' }), kid: 'short' },
    { kty: 'oct', k: 'c2VjcmV0', kid: 'oct' },
    { kty: 'XYZ' },
    jwk('b', {}),
    jwk('c', { kid: 'c', use: 'sig', key_ops: ['verify'], alg: 'ES256' }),
    ...([null, 'x', 7, []] as unknown[] as object[]),
  );
  await settled(1);
  t.match(log.at('info'), [{ fields: { keys: 3, skipped: 11 } }]);
  for (const kid of ['a', 'other', 'signs', 'odd', 'short', 'oct']) t.equal(await who(token('a', kid)), 401, kid);
  t.equal(await who(token('b', undefined)), 401, 'a kid that no key has');
  t.equal(
    await who(readJwtKey(pem('b')).sign({ iss: 'idp', aud: 'x', exp: 1_800_000_000 })),
    'idp',
    'without kid each that fits is tried',
  );
  t.equal(await who(token('c')), 'idp');
});

const pem = (name: keyof typeof pairs) => pairs[name].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

t.test('keys beyond the limit are not known', async (t) => {
  const many = Array.from({ length: MAX_JWKS_KEYS }, (_, i) => jwk('a', { kid: `a${i}` }));
  const { who, token, settled } = await start(...many, jwk('b'));
  await settled(1);
  t.equal(await who(token('a', `a${MAX_JWKS_KEYS - 1}`)), 'idp');
  t.equal(await who(token('b')), 401);
});

t.test('a reload asks no provider again', async (t) => {
  const { access, made, who, token, provider, settled } = await start(jwk('a'));
  await settled(1);
  access.replace(new KeyTable([...made]));
  t.equal(await who(token('a')), 'idp');
  t.equal(provider.fetched, 1);
  access.replace(new KeyTable(keys({ id: 'x', key: 'a-key-of-the-test-0123456789' })));
  t.equal(await who(token('a')), 401, 'and without the key its tokens are nothing');
});

t.test('a reload while keys are fetched: the request is judged by the keys that are in force then', async (t) => {
  const { access, made, who, token, settled } = await start(jwk('a'));
  const [still, gone] = [who(token('a')), who(token('a'))];
  access.replace(new KeyTable([...made]));
  t.same(await Promise.all([still, gone]), ['idp', 'idp']);
  await settled(1);
  const other = await start(jwk('a'));
  const late = other.who(other.token('a'));
  other.access.replace(new KeyTable(keys({ id: 'x', key: 'a-key-of-the-test-0123456789' })));
  t.equal(await late, 401);
});
