import { generateKeyPairSync } from 'node:crypto';
import { parseSigKey, type SigKey, verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { Forwarder, GRIP_FEATURE, gripHeaders } from '../../dist/origin/forwarder.js';
import { toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { Target } from '../../dist/routes/target.js';
import { ManualClock } from '../kit/manual-clock.js';
import { NO_RULES } from './forward-rules.js';

const NOW = 1_700_000_000;
const clock = new ManualClock(0, NOW * 1_000 + 999);
const key = (text: string) => parseSigKey(text, () => Buffer.alloc(0)) as SigKey;

const forwarder = new Forwarder(
  {
    rules: NO_RULES,
    sigIss: 'everywhere',
    sigKey: key('the global secret'),
  },
  clock,
);

/** The Grip-Sig that the origin of a route with these properties gets. */
function signature(properties: string, trusted = false): string | undefined {
  const route = toRoute(parseRouteLine(`*${properties} 127.0.0.1:1`, 1) as RouteLine, (text) => key(text));
  const request = { path: '/', host: 'a.example', headers: [], clientAddress: '127.0.0.1' };
  const { headers } = forwarder.forward(request, route, { secure: false, trusted }, route.targets[0] as Target);
  const at = headers.indexOf('Grip-Sig');
  return at === -1 ? undefined : headers[at + 1];
}

function issuer(token: string): unknown {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { iss: unknown };
  return claims.iss;
}

t.test('a route’s sig_iss and sig_key go before the global ones, each by itself', async (t) => {
  const signed: [properties: string, iss: string, secret: string][] = [
    ['', 'everywhere', 'the global secret'],
    [',sig_iss=here', 'here', 'the global secret'],
    [',sig_key=own', 'everywhere', 'own'],
    [',sig_iss=here,sig_key=own', 'here', 'own'],
  ];
  for (const [properties, iss, secret] of signed) {
    const token = signature(properties) ?? '';
    t.equal(issuer(token), iss, `*${properties}`);
    t.equal(verifyGripSig(token, key(secret), NOW), true, `*${properties} is signed with '${secret}'`);
    for (const other of ['the global secret', 'own'].filter((text) => text !== secret)) {
      t.equal(verifyGripSig(token, key(other), NOW), false, `*${properties} is not signed with '${other}'`);
    }
  }
});

t.test('nothing is signed for an origin that gets no Grip fields', async (t) => {
  t.equal(signature(',no_grip,sig_key=own'), undefined);
  t.equal(signature(',sig_key=own', true), undefined, 'a client that is a GRIP proxy itself');
});

const secret = key('changeme');

const part = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index] as string, 'base64url').toString()) as unknown;

t.test('Grip-Feature names the features, in the order that GRIP libraries know', async (t) => {
  t.strictSame(gripHeaders('', undefined, undefined, clock), ['Grip-Feature', GRIP_FEATURE]);
  t.equal(
    GRIP_FEATURE,
    'status, session, link:next, link:gone, filter:skip-self, filter:skip-users, filter:require-sub, ' +
      'filter:build-id, filter:var-subst, filter:http-check, filter:http-modify',
  );
});

t.test('Grip-Sig is a JWT whose claims are iss, and exp an hour from now', async (t) => {
  const [name, token = '', ...rest] = gripHeaders('realm', secret, undefined, clock);
  t.equal(name, 'Grip-Sig');
  t.strictSame(part(token, 0), { typ: 'JWT', alg: 'HS256' });
  t.strictSame(part(token, 1), { iss: 'realm', exp: NOW + 3_600 });
  t.equal(verifyGripSig(token, secret, NOW), true);
  t.equal(verifyGripSig(token, secret, NOW + 3_601), false);
  t.equal(verifyGripSig(token, key('other'), NOW), false);
  t.strictSame(rest, ['Grip-Feature', GRIP_FEATURE]);
});

t.test('Grip-Sig is made with the algorithm of its key', async (t) => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const [pem, alg] of [
    [ec, 'ES256'],
    [rsa, 'RS256'],
  ] as const) {
    const signing = parseSigKey('file:key.pem', () => Buffer.from(pem)) as SigKey;
    const [, token = ''] = gripHeaders('realm', signing, undefined, clock);
    t.match(part(token, 0), { alg });
    t.equal(verifyGripSig(token, signing, NOW), true);
  }
});

t.test('Grip-Sig is left out without an issuer, or without a key', async (t) => {
  t.strictSame(gripHeaders('', secret, undefined, clock), ['Grip-Feature', GRIP_FEATURE]);
  t.strictSame(gripHeaders('realm', undefined, undefined, clock), ['Grip-Feature', GRIP_FEATURE]);
});

t.test('a signature is made anew as time goes on', async (t) => {
  const moving = new ManualClock(0, NOW * 1_000);
  const [, first = ''] = gripHeaders('realm', secret, undefined, moving);
  moving.advance(10_000);
  const [, second = ''] = gripHeaders('realm', secret, undefined, moving);
  t.match(part(first, 1), { exp: NOW + 3_600 });
  t.match(part(second, 1), { exp: NOW + 3_610 });
});

t.test('Grip-Last is one field per channel, after the others, in the bytes of UTF-8', async (t) => {
  const lastIds = new Map([
    ['b', '2'],
    ['a', 'é'],
  ]);
  t.strictSame(gripHeaders('', undefined, lastIds, clock), [
    ...['Grip-Feature', GRIP_FEATURE, 'Grip-Last', 'b; last-id=2'],
    ...['Grip-Last', `a; last-id=${Buffer.from('é').toString('latin1')}`],
  ]);
});
