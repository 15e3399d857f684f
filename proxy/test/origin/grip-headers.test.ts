import { generateKeyPairSync } from 'node:crypto';
import { parseSigKey, type SigKey, verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { GRIP_FEATURE, GripHeaders } from '../../dist/origin/grip-headers.js';
import { ManualClock } from '../kit/manual-clock.js';

const NOW = 1_700_000_000;
const clock = new ManualClock(0, NOW * 1_000 + 999);
const grip = new GripHeaders(clock);
const none = () => {
  throw new Error('no files here');
};
const secret = parseSigKey('changeme', none) as SigKey;

const part = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index] as string, 'base64url').toString()) as unknown;

t.test('Grip-Feature names the features, in the order that GRIP libraries know', async (t) => {
  t.strictSame(grip.make('', undefined, undefined), ['Grip-Feature', GRIP_FEATURE]);
  t.equal(
    GRIP_FEATURE,
    'status, session, link:next, link:gone, filter:skip-self, filter:skip-users, filter:require-sub, ' +
      'filter:build-id, filter:var-subst, filter:http-check, filter:http-modify',
  );
});

t.test('Grip-Sig is a JWT whose claims are iss, and exp an hour from now', async (t) => {
  const [name, token = '', ...rest] = grip.make('realm', secret, undefined);
  t.equal(name, 'Grip-Sig');
  t.strictSame(part(token, 0), { typ: 'JWT', alg: 'HS256' });
  t.strictSame(part(token, 1), { iss: 'realm', exp: NOW + 3_600 });
  t.equal(verifyGripSig(token, secret, NOW), true);
  t.equal(verifyGripSig(token, secret, NOW + 3_601), false);
  t.equal(verifyGripSig(token, parseSigKey('other', none) as SigKey, NOW), false);
  t.strictSame(rest, ['Grip-Feature', GRIP_FEATURE]);
});

t.test('Grip-Sig is made with the algorithm of its key', async (t) => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const [pem, alg] of [
    [ec, 'ES256'],
    [rsa, 'RS256'],
  ] as const) {
    const key = parseSigKey('file:key.pem', () => Buffer.from(pem)) as SigKey;
    const [, token = ''] = grip.make('realm', key, undefined);
    t.match(part(token, 0), { alg });
    t.equal(verifyGripSig(token, key, NOW), true);
  }
});

t.test('Grip-Sig is left out without an issuer, or without a key', async (t) => {
  t.strictSame(grip.make('', secret, undefined), ['Grip-Feature', GRIP_FEATURE]);
  t.strictSame(grip.make('realm', undefined, undefined), ['Grip-Feature', GRIP_FEATURE]);
});

t.test('a signature is made anew as time goes on', async (t) => {
  const moving = new ManualClock(0, NOW * 1_000);
  const headers = new GripHeaders(moving);
  const [, first = ''] = headers.make('realm', secret, undefined);
  moving.advance(10_000);
  const [, second = ''] = headers.make('realm', secret, undefined);
  t.match(part(first, 1), { exp: NOW + 3_600 });
  t.match(part(second, 1), { exp: NOW + 3_610 });
});

t.test('Grip-Last is one field per channel, after the others, in the bytes of UTF-8', async (t) => {
  const lastIds = new Map([
    ['b', '2'],
    ['a', 'é'],
  ]);
  t.strictSame(grip.make('', undefined, lastIds), [
    ...['Grip-Feature', GRIP_FEATURE, 'Grip-Last', 'b; last-id=2'],
    ...['Grip-Last', `a; last-id=${Buffer.from('é').toString('latin1')}`],
  ]);
});
