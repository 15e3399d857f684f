import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readJwtKey } from '@holdfast/grip';
import t from 'tap';
import { KeyTable } from '../../dist/index.js';
import { access, keys } from './keys-scene.js';

const SECRET = 'a-secret-of-the-test-0123456789';
const OTHER = 'another-secret-of-the-test-0123';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
const spki = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const pkcs8 = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

const sign = (claims: object, key = SECRET) => readJwtKey(key).sign(claims);
const bearer = (claims: object, key = SECRET) => `Bearer ${sign(claims, key)}`;
/** A token with whatever claims. */
function hmac(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

const detail = (more: object) => [{ type: 'urn:holdfast:control', ...more }];

t.test('a literal key, by all of its fields', async (t) => {
  const { who } = access({ id: 'a', key: SECRET }, { id: 'b', key: `base64:${Buffer.from(OTHER).toString('base64')}` });
  for (const [value, name] of [
    [`Bearer ${SECRET}`, 'Authorization'],
    [`Basic ${Buffer.from(`x:${SECRET}`).toString('base64')}`, 'Authorization'],
    [SECRET, 'X-API-Key'],
    [SECRET, 'Fastly-Key'],
  ] as const)
    t.equal(await who(value, name), 'a');
  t.equal(await who(`base64:${Buffer.from(OTHER).toString('base64')}`, 'X-API-Key'), 'b', 'as it is written');
  t.equal(await who(OTHER, 'X-API-Key'), 'b', 'and what it stands for');
  for (const value of [SECRET.slice(1), `${SECRET}x`, SECRET.toUpperCase(), 'a', 'null', 'undefined', '__proto__'])
    t.equal(await who(value, 'X-API-Key'), '401 it is neither a key nor a token', value);
  t.equal(await who('x', 'Host'), '401');
});

t.test('a key with an issuer is not accepted itself, nor is a public one', async (t) => {
  const { who } = access({ id: 'a', key: SECRET, iss: 'a' }, { id: 'b', key: spki, iss: 'b' });
  t.match(await who(SECRET, 'X-API-Key'), /^401/);
  t.match(await who(spki.replace(/\n/g, ' ').trim(), 'X-API-Key'), /^401/);
});

t.test('tokens by kind of key', async (t) => {
  const { who, now } = access(
    { id: 'hs', key: SECRET, iss: 'hs' },
    { id: 'rs', key: spki, iss: 'rs' },
    { id: 'ed', key: ed.publicKey.export({ type: 'spki', format: 'pem' }).toString(), iss: 'ed' },
  );
  const exp = now() + 600;
  t.equal(await who(bearer({ iss: 'hs', exp })), 'hs');
  t.equal(await who(bearer({ iss: 'rs', exp }, pkcs8)), 'rs');
  t.equal(
    await who(bearer({ iss: 'ed', exp }, ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())),
    'ed',
  );
  t.equal(await who(sign({ iss: 'hs', exp }), 'X-API-Key'), 'hs', 'in whatever field');
  t.equal(await who(bearer({ iss: 'rs', exp })), '401 its algorithm is none of the key');
  t.equal(await who(bearer({ iss: 'hs', exp }, OTHER)), '401 its signature is not of the key');
  t.equal(await who(bearer({ iss: 'nobody', exp })), '401 no key is that of its issuer');
  t.equal(await who(bearer({ exp })), '401 no key is that of its issuer');
  t.equal(await who(bearer({ iss: ['hs'], exp })), '401 no key is that of its issuer');
});

t.test('an RSA key used as secret, and alg none', async (t) => {
  const { who, now } = access({ id: 'rs', key: spki, iss: 'rs' });
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = encode({ iss: 'rs', exp: now() + 600 });
  for (const secret of [spki, spki.trim(), rsa.publicKey.export({ type: 'spki', format: 'der' })]) {
    const input = `${encode({ alg: 'HS256', typ: 'JWT' })}.${claims}`;
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    t.equal(await who(`Bearer ${token}`), '401 its algorithm is none of the key');
  }
  for (const alg of ['none', 'None', 'nOnE'])
    t.match(await who(`Bearer ${encode({ alg })}.${claims}.`), /^401 it (has no signature|is malformed)/);
});

t.test('exp is required, and a minute of skew allowed', async (t) => {
  const { who, now, clock } = access({ id: 'a', key: SECRET, iss: 'a' });
  const at = now();
  // By hand: the library signs no wrong claims.
  const fields = (more: object) => who(`Bearer ${hmac({ iss: 'a', ...more })}`);
  t.equal(await fields({}), '401 it has no exp');
  for (const exp of ['9999999999', null, -1, 0, [9_999_999_999]])
    t.equal(await fields({ exp }), '401 its exp is no number of seconds', String(exp));
  t.equal(await fields({ exp: at - 59 }), 'a');
  t.equal(await fields({ exp: at - 60 }), '401 it has expired');
  t.equal(await fields({ exp: at + 600, nbf: at + 60 }), 'a');
  t.equal(await fields({ exp: at + 600, nbf: at + 61 }), '401 it is not valid yet');
  t.equal(await fields({ exp: at + 600, nbf: 'now' }), '401 its nbf is no number of seconds');
  t.equal(await fields({ exp: at + 600, sub: {} }), '401 its sub or jti is no text');

  const token = bearer({ iss: 'a', exp: at + 10 });
  t.equal(await who(token), 'a');
  clock.advance(69_999);
  t.equal(await who(token), 'a', 'remembered until it expires');
  clock.advance(1);
  t.equal(await who(token), '401 it has expired', 'and no longer');
});

t.test('the audience, where the key has one', async (t) => {
  const { who, now } = access({ id: 'a', key: SECRET, iss: 'a', aud: 'holdfast' }, { id: 'b', key: OTHER, iss: 'b' });
  const exp = now() + 600;
  t.equal(await who(bearer({ iss: 'a', exp, aud: 'holdfast' })), 'a');
  t.equal(await who(bearer({ iss: 'a', exp, aud: ['x', 'holdfast'] })), 'a');
  for (const aud of [undefined, 'x', ['x'], 'holdfast2', { holdfast: 1 }, null])
    t.equal(await who(bearer({ iss: 'a', exp, aud })), '401 its aud is not that of the key', JSON.stringify(aud));
  t.equal(await who(bearer({ iss: 'b', exp, aud: 'x' }, OTHER)), 'b');
});

t.test('the previous key, until its time', async (t) => {
  const { who, clock, now } = access(
    { id: 'a', key: SECRET, previous: OTHER, previous_until: '2026-01-01T01:00:00Z' },
    { id: 'b', key: `${SECRET}b`, previous: `${OTHER}b`, previous_until: '2026-01-01T01:00:00Z', iss: 'b' },
  );
  const token = bearer({ iss: 'b', exp: now() + 86_400 }, `${OTHER}b`);
  for (const value of [`Bearer ${OTHER}`, `Bearer ${SECRET}`]) t.equal(await who(value), 'a');
  t.equal(await who(token), 'b');
  t.equal(await who(bearer({ iss: 'b', exp: now() + 600 }, `${SECRET}b`)), 'b');
  clock.advance(3_600_000);
  t.match(await who(`Bearer ${OTHER}`), /^401/);
  t.equal(await who(`Bearer ${SECRET}`), 'a');
  t.match(await who(token), /^401/, 'what it has signed goes with it, remembered or not');
  t.equal(await who(bearer({ iss: 'b', exp: now() + 600 }, `${SECRET}b`)), 'b');
});

t.test('what a connection has shown before counts as long as it would count anew', async (t) => {
  const {
    access: made,
    clock,
    now,
  } = access(
    { id: 'a', key: OTHER, previous: SECRET, previous_until: '2026-01-01T01:00:00Z' },
    { id: 'b', key: `${SECRET}b`, iss: 'b' },
  );
  const connection = {};
  const who = async (credential: string, ...further: string[]) => {
    const found = await made.identify({ rawHeaders: ['X-API-Key', credential, ...further], connection });
    return 'status' in found ? found.status : found.name;
  };
  const token = sign({ iss: 'b', exp: now() + 600 }, `${SECRET}b`);
  for (const credential of [SECRET, SECRET, OTHER, token, token, SECRET]) {
    t.equal(await who(credential), credential === token ? 'b' : 'a');
  }
  t.equal(await who(SECRET, 'Fastly-Key', OTHER), 400, 'beside another');
  t.equal(await who(SECRET.replace(/.$/, '~')), 401);
  t.equal(await who(SECRET), 'a');
  clock.advance(3_599_999);
  t.equal(await who(SECRET), 'a');
  clock.advance(1);
  t.equal(await who(SECRET), 401, 'its time is over');
  t.equal(await who(token), 401);
  const brief = sign({ iss: 'b', exp: now() + 60 }, `${SECRET}b`);
  t.equal(await who(brief), 'b');
  clock.advance(120_000);
  t.equal(await who(brief), 401, 'and so is this one');
  const fresh = sign({ iss: 'b', exp: now() + 600 }, `${SECRET}b`);
  t.equal(await who(fresh), 'b');
  made.replace(new KeyTable(keys({ id: 'a', key: OTHER })));
  t.equal(await who(fresh), 401, 'its key was taken away');
  t.equal(await who(OTHER), 'a');
  made.replace(new KeyTable(keys({ id: 'c', key: OTHER })));
  t.equal(await who(OTHER), 'c', 'it is another key now');
});

t.test('a certificate, where no credential is sent', async (t) => {
  const { access: made } = access({ id: 'a', key: SECRET }, { id: 'b', client_cert: ['b.example', 'spiffe://b'] });
  const named = async (names: readonly string[], ...rawHeaders: string[]) => {
    const found = await made.identify({ rawHeaders, certificateNames: () => names });
    return 'status' in found ? found.status : found.name;
  };
  t.equal(await named(['x', 'spiffe://b']), 'b');
  t.equal(await named(['a']), 'a', 'by its id');
  t.equal(await named(['b']), 401, 'which the names that are listed replace');
  t.equal(await named([]), 401);
  t.equal(await named(['a', 'b.example']), 401, 'of two keys it is neither');
  t.equal(await named(['b.example'], 'X-API-Key', SECRET), 'a', 'what is sent goes first');
  t.equal(await named(['b.example'], 'X-API-Key', 'x'), 401);
});

t.test('a token narrows its key, and never widens it', async (t) => {
  const { access: made, now } = access({
    ...{ id: 'a', key: SECRET, iss: 'a' },
    ...{ allow: ['publish', 'view'], channels: ['orders-*', 'news'] },
  });
  const rights = async (details?: unknown) => {
    const token = sign({ iss: 'a', exp: now() + 600, authorization_details: details });
    const found = await made.identify({ rawHeaders: ['X-API-Key', token] });
    if ('status' in found) return found.logged?.reason;
    const covers = (action: 'publish' | 'view' | 'tap', channel: string) =>
      found.allows(action) && found.refuseChannel(action, channel) === undefined ? `${action} ${channel}` : undefined;
    const asked = (['publish', 'view', 'tap'] as const).flatMap((action) =>
      ['orders-7', 'orders-8', 'news', 'other'].map((channel) => covers(action, channel)),
    );
    return asked.filter((one) => one !== undefined).join(', ');
  };
  const all = 'publish orders-7, publish orders-8, publish news, view orders-7, view orders-8, view news';
  t.equal(await rights(), all);
  t.equal(await rights(detail({})), all);
  t.equal(await rights(detail({ actions: ['publish', 'tap'], channels: ['orders-7'] })), 'publish orders-7');
  t.equal(await rights(detail({ channels: ['*'] })), all, 'not beyond the channels of the key');
  t.equal(await rights(detail({ actions: ['tap', 'metrics'] })), '', 'nor beyond its actions');
  t.equal(await rights(detail({ channels: ['other', 'n*'] })), 'publish news, view news');
  t.equal(
    await rights([
      ...detail({ actions: ['publish'], channels: ['news'] }),
      ...detail({ actions: ['view'], channels: ['orders-7'] }),
    ]),
    'publish news, view orders-7',
    'each detail by itself',
  );
  t.equal(await rights([]), '');
  t.equal(await rights([{ type: 'other', actions: ['publish'] }]), '', 'details of others give nothing here');
  t.equal(await rights(detail({ actions: [] })), '');
  t.equal(await rights(detail({ channels: [] })), '');
  for (const [details, reason] of [
    [{}, 'authorization_details is no list'],
    [['x'], 'authorization_details[0] is no object'],
    [[{}], 'authorization_details[0] has no type'],
    [detail({ locations: ['https://x'] }), 'authorization_details[0] has a member that is not known'],
    [detail({ actions: 'publish' }), 'actions of authorization_details[0] is no list of texts'],
    [detail({ channels: [7] }), 'channels of authorization_details[0] is no list of texts'],
    [Array(101).fill({ type: 'x' }), 'it has more than 100 authorization_details'],
    [detail({ channels: Array(101).fill('x') }), 'its authorization_details have more than 100 channels'],
  ] as const)
    t.equal(await rights(details), reason);
});

t.test('the rate counts for the key, however it is shown', async (t) => {
  const { access: made, clock, now } = access({ id: 'a', key: SECRET, iss: 'a', rate: 2 });
  const publish = async (exp: number) => {
    const found = await made.identify({ rawHeaders: ['X-API-Key', sign({ iss: 'a', exp })] });
    return 'status' in found ? found.status : (found.refuseItems([{ channel: 'x' }])?.status ?? 200);
  };
  t.same(
    [await publish(now() + 1), await publish(now() + 2), await publish(now() + 3), await publish(now() + 4)],
    [200, 200, 200, 200],
  );
  t.equal(await publish(now() + 5), 429);
  made.replace(new KeyTable(keys({ id: 'a', key: SECRET, iss: 'a', rate: 2 })));
  t.equal(await publish(now() + 5), 429, 'also after a reload');
  clock.advance(500);
  t.equal(await publish(now() + 5), 200);
});

t.test('what goes on ends with its credential or its key', async (t) => {
  const {
    access: made,
    clock,
    now,
  } = access({ id: 'a', key: SECRET, iss: 'a', allow: 'tap' }, { id: 'b', key: OTHER, allow: 'tap' });
  const found = async (credential: string) => {
    const one = await made.identify({ rawHeaders: ['X-API-Key', credential] });
    if ('status' in one) throw new Error(String(one.status));
    return one;
  };
  const [a, b] = [await found(sign({ iss: 'a', exp: now() + 10 })), await found(OTHER)];
  t.ok(a.mayStill('tap', 'x') && b.mayStill('tap', 'x'));
  clock.advance(70_000);
  t.notOk(a.mayStill('tap', 'x'), 'the token has expired');
  t.ok(b.mayStill('tap', 'x'));
  const reload = (...entries: Readonly<Record<string, unknown>>[]) => made.replace(new KeyTable(keys(...entries)));
  reload({ id: 'b', key: OTHER, allow: 'tap', channels: ['y'] });
  t.notOk(b.mayStill('tap', 'x'), 'the channel is taken away');
  t.ok(b.mayStill('tap', 'y'));
  reload({ id: 'b', key: SECRET, allow: 'tap' });
  t.notOk(b.mayStill('tap', 'x'), 'the key is another one');
  reload({ id: 'b', key: SECRET, previous: OTHER, previous_until: '2026-02-01T00:00Z', allow: 'tap' });
  t.ok(b.mayStill('tap', 'x'), 'it is the previous one now');
  reload({ id: 'b', key: OTHER, allow: 'view' });
  t.notOk(b.mayStill('tap', 'x'), 'the action is taken away');
  reload({ id: 'c', key: OTHER, allow: 'tap' });
  t.notOk(b.mayStill('tap', 'x'), 'it is gone');
});

t.test('tokens that were verified are bounded in number, and forgotten at a reload', async (t) => {
  const { who, access: made, now } = access({ id: 'a', key: SECRET, iss: 'a' });
  const first = bearer({ iss: 'a', exp: now() + 600, jti: 'first' });
  t.equal(await who(first), 'a');
  for (let i = 0; i < 10_050; i++) await who(bearer({ iss: 'a', exp: now() + 600, jti: String(i) }));
  t.equal(await who(first), 'a', 'one that was forgotten is verified again');
  made.replace(new KeyTable(keys({ id: 'a', key: OTHER, iss: 'a' })));
  t.match(await who(first), /^401/);
});

t.test('odd credentials are refused without an exception', async (t) => {
  const { who } = access({ id: 'a', key: SECRET, iss: 'a' }, { id: 'b', key: spki, iss: 'b' });
  for (let i = 0; i < 500; i++) {
    const bytes = randomBytes(1 + (i % 200))
      .toString('latin1')
      .replace(/[\r\n\0]/g, '');
    t.match(await who(`Bearer x${bytes}`), /^401/);
    t.match(
      await who(`Bearer ${randomBytes(20).toString('base64url')}.${randomBytes(20).toString('base64url')}.a`),
      /^401/,
    );
  }
});
