import { generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import t from 'tap';
import { controlActions, readOneKey } from '../../dist/index.js';
import { keys, read } from './keys-scene.js';

const SECRET = 'a-secret-of-the-test-0123456789';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString();

t.test('defaults: publish, on all channels, without a rate', async (t) => {
  const [key] = keys({ id: 'a', key: SECRET });
  t.match(key, { id: 'a', rate: undefined, issuer: undefined, audience: undefined, certificateNames: ['a'] });
  t.same([...(key?.grant.actions ?? [])], ['publish']);
  t.equal(key?.grant.channels, undefined);
});

t.test('all members', async (t) => {
  const { keys, problems, warnings } = read(
    [
      { id: 'a', key: SECRET, previous: `${SECRET}x`, previous_until: '2030-01-01T00:00:00Z', allow: ['view', 'tap'] },
      { id: 'b', key_file: 'b.pem', iss: 'b', aud: 'holdfast', channels: ['x-*'], rate: 5, client_cert: 'b.example' },
      { id: 'c', jwks: 'https://idp.example/jwks', iss: 'https://idp.example/', aud: 'x', jwks_ca: 'ca.pem' },
      { id: 'd', client_cert: true, allow: 'metrics', channels: ['*'] },
      { id: 'e', key: SECRET.toUpperCase(), previous_file: 'e', previous_until: '2030-01-01T00:00+02:00', iss: 'e' },
    ],
    { 'b.pem': pem, 'ca.pem': '-----BEGIN CERTIFICATE-----', e: SECRET },
  );
  t.same(problems, []);
  t.same(warnings, []);
  t.same(
    keys.map(({ id }) => id),
    ['a', 'b', 'c', 'd', 'e'],
  );
  t.match(keys[1], { issuer: 'b', audience: 'holdfast', rate: 5, certificateNames: ['b.example'] });
  t.equal(keys[1]?.material[0]?.digests.length, 0, 'a key for tokens is nothing to be sent itself');
  t.match(keys[3], { material: [], certificateNames: ['d'], grant: { channels: undefined } });
  t.same(
    keys[4]?.material.map(({ until }) => until),
    [Number.POSITIVE_INFINITY, Date.UTC(2029, 11, 31, 22)],
  );
});

/** What is wrong, and the problem: the line is that of the member. */
const wrong: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
  [{ key: SECRET }, '1: entry 1: id: missing'],
  [{ id: 'a b', key: SECRET }, '1: entry 1: id: expected up to 64 letters, digits'],
  [{ id: 7, key: SECRET }, '1: entry 1: id: expected up to 64 letters'],
  [{ id: 'a'.repeat(65), key: SECRET }, '1: entry 1: id: expected up to 64'],
  [{ id: 'a' }, '1: entry 1 (a): id: there is neither key, key_file, jwks nor client_cert'],
  [{ id: 'a', key: 12345678 }, '2: entry 1 (a): key: expected a text, in quotes'],
  [{ id: 'a', key: '' }, '2: entry 1 (a): key: expected a text'],
  [{ id: 'a', key: null }, '2: entry 1 (a): key: expected a text'],
  [{ id: 'a', key: ['x'] }, '2: entry 1 (a): key: expected a text'],
  [{ id: 'a', key: `${SECRET}\nx` }, '2: entry 1 (a): key: expected at most 4096 visible ASCII characters'],
  [{ id: 'a', key: 'x'.repeat(4_097) }, '2: entry 1 (a): key: expected at most 4096'],
  [{ id: 'a', key: 'base64:%' }, '2: entry 1 (a): key: the text is not base64'],
  [{ id: 'a', key: 'file:/x' }, '2: entry 1 (a): key: a path is given as key_file'],
  [{ id: 'a', key: pem }, '2: entry 1 (a): key: a key that is not a secret verifies tokens: iss is needed'],
  [{ id: 'a', key_file: 'gone' }, '2: entry 1 (a): key_file: cannot read gone: ENOENT'],
  [{ id: 'a', key_file: 'empty' }, '2: entry 1 (a): key_file: empty is empty'],
  [{ id: 'a', key: SECRET, key_file: 'x' }, '3: entry 1 (a): key_file: cannot be given together with key'],
  [{ id: 'a', key: SECRET, previous: 'x' }, '3: entry 1 (a): previous: previous_until is missing'],
  [
    { id: 'a', key: SECRET, previous_until: '2030-01-01T00:00:00Z' },
    '3: entry 1 (a): previous_until: there is no previous',
  ],
  [
    { id: 'a', key: SECRET, previous: 'x', previous_until: '2030-01-01' },
    '4: entry 1 (a): previous_until: expected a point',
  ],
  [
    { id: 'a', key: SECRET, previous: 'x', previous_until: '2030-13-01T00:00Z' },
    '4: entry 1 (a): previous_until: there is no such',
  ],
  [
    { id: 'a', key: SECRET, previous: SECRET, previous_until: '2030-01-01T00:00Z' },
    '3: entry 1 (a): previous: the same as key',
  ],
  [
    { id: 'a', previous: 'x', previous_until: '2030-01-01T00:00Z', client_cert: true },
    '2: entry 1 (a): previous: there is no present',
  ],
  [{ id: 'a', key: SECRET, aud: 'x' }, '3: entry 1 (a): aud: iss is missing'],
  [{ id: 'a', iss: 'x', client_cert: true }, '2: entry 1 (a): iss: there is no key that its tokens'],
  [{ id: 'a', key: SECRET, iss: '' }, '3: entry 1 (a): iss: expected a text'],
  [{ id: 'a', jwks: 'http://idp.example/', iss: 'x' }, '2: entry 1 (a): jwks: expected an https URL'],
  [{ id: 'a', jwks: 'https://u:p@idp.example/', iss: 'x' }, '2: entry 1 (a): jwks: a URL with credentials'],
  [{ id: 'a', jwks: 'https://idp.example/' }, '2: entry 1 (a): jwks: iss is missing'],
  [
    { id: 'a', jwks: 'https://idp.example/', iss: 'x', key: SECRET },
    '2: entry 1 (a): jwks: cannot be given together with key',
  ],
  [{ id: 'a', key: SECRET, jwks_ca: 'x' }, '3: entry 1 (a): jwks_ca: there is no jwks'],
  [{ id: 'a', key: SECRET, allow: ['publish', 'admin'] }, '3: entry 1 (a): allow: "admin" is none of publish, recover'],
  [{ id: 'a', key: SECRET, allow: [] }, '3: entry 1 (a): allow: expected a list of publish'],
  [{ id: 'a', key: SECRET, allow: null }, '3: entry 1 (a): allow: expected a list'],
  [{ id: 'a', key: SECRET, channels: [] }, '3: entry 1 (a): channels: expected a list'],
  [{ id: 'a', key: SECRET, channels: [7] }, '3: entry 1 (a): channels: expected a list'],
  [{ id: 'a', key: SECRET, channels: ['x'.repeat(1_025)] }, '3: entry 1 (a): channels: a pattern is empty or too long'],
  [{ id: 'a', key: SECRET, channels: Array(101).fill('x') }, '3: entry 1 (a): channels: more than 100 patterns'],
  [{ id: 'a', key: SECRET, rate: 0 }, '3: entry 1 (a): rate: expected a whole number from 1 to 1000000'],
  [{ id: 'a', key: SECRET, rate: '5' }, '3: entry 1 (a): rate: expected a whole number'],
  [{ id: 'a', key: SECRET, rate: 1.5 }, '3: entry 1 (a): rate: expected a whole number'],
  [{ id: 'a', key: SECRET, rate: 1e9 }, '3: entry 1 (a): rate: expected a whole number'],
  [{ id: 'a', key: SECRET, client_cert: '' }, '3: entry 1 (a): client_cert: a name is empty'],
  [{ id: 'a', key: SECRET, chanels: ['x'] }, '3: entry 1 (a): chanels: not a member of a key; those are id, key'],
];

for (const [members, problem] of wrong) {
  t.test(problem, async (t) => {
    const { keys, problems } = read([members], { empty: ' \n' });
    const lines = problems.map(({ line, text }) => `${line}: ${text}`);
    t.ok(
      lines.some((line) => line.startsWith(problem)),
      lines.join('\n'),
    );
    t.same(keys, []);
    t.notMatch(lines.join('\n'), SECRET);
  });
}

t.test('what two entries must not share names the second, and the first', async (t) => {
  const share = (...entries: readonly Readonly<Record<string, unknown>>[]) =>
    read(entries).problems.map(({ line, text }) => `${line}: ${text}`);
  t.same(share({ id: 'a', key: SECRET }, { id: 'a', key: `${SECRET}2` }).slice(0, 1), [
    '11: entry 2 (a): id: that of entry 1 too',
  ]);
  t.same(share({ id: 'a', key: SECRET }, { id: 'b', key: SECRET }), ['12: entry 2 (b): key: that of entry 1 too']);
  t.same(share({ id: 'a', key: SECRET, iss: 'x' }, { id: 'b', key: `${SECRET}2`, iss: 'x' }), [
    '13: entry 2 (b): iss: that of entry 1 too',
  ]);
  t.same(share({ id: 'a', client_cert: 'x' }, { id: 'b', client_cert: 'x' }), [
    '12: entry 2 (b): client_cert: that of entry 1 too',
  ]);
  t.match(share({ id: 'a', key: SECRET }, { id: 'b', key: `base64:${Buffer.from(SECRET).toString('base64')}` }), [
    /entry 2 \(b\): key: that of entry 1/,
  ]);
});

t.test('a thousand keys, and one more', async (t) => {
  const many = (count: number) =>
    read(Array.from({ length: count }, (_, i) => ({ id: `k${i}`, key: `${SECRET}${i}` })));
  t.same(many(1_000).problems, []);
  t.same(many(1_001).problems, [{ line: 10_001, text: 'more than 1000 keys' }]);
});

t.test('doubtful keys are warned of', async (t) => {
  t.match(read([{ id: 'a', key: 'short' }]).warnings, [{ line: 2, text: /^entry 1 \(a\): key: of 5 bytes/ }]);
  t.match(read([{ id: 'a', jwks: 'https://idp.example/', iss: 'x' }]).warnings, [{ text: /without aud every token/ }]);
});

t.test('the one key may do everything, sent itself or as the signer of tokens', async (t) => {
  const [key] = readOneKey(SECRET).keys;
  t.match(key, { id: 'control', issuer: 'any', rate: undefined });
  t.same([...(key?.grant.actions ?? [])], [...controlActions]);
  t.equal(key?.material[0]?.digests.length, 1);
  t.ok(key?.material[0]?.token);
  t.equal(readOneKey(pem).keys[0]?.material[0]?.digests.length, 0, 'a public key only verifies');
  t.same(readOneKey('file:x').problems, [{ line: 0, text: 'control_key: a path is given as control_key_file' }]);
});

t.test('a key shows its text nowhere', async (t) => {
  const made = keys({ id: 'a', key: SECRET }, { id: 'b', key: `${SECRET}b`, iss: 'b' });
  for (const shown of [JSON.stringify(made), inspect(made, { depth: 10, showHidden: true })]) {
    t.notMatch(shown, SECRET);
    t.notMatch(shown, Buffer.from(SECRET).toString('hex').slice(0, 20));
  }
});
