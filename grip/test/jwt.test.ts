import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import t from 'tap';
import { type JwtKey, peekJwt, readJwk, readJwtKey } from '../dist/index.js';
import { messageOf } from './grip-error.js';

const pemOf = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' } as never).toString();
const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ec256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  ec384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  ec521: generateKeyPairSync('ec', { namedCurve: 'secp521r1' }),
  ed25519: generateKeyPairSync('ed25519'),
  ed448: generateKeyPairSync('ed448'),
};

/** A token with this header, signed by HMAC. */
function hmacToken(header: object, claims: object, secret: string | Buffer, hash = 'sha256'): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac(hash, secret).update(input).digest('base64url')}`;
}

for (const [name, { publicKey, privateKey }] of Object.entries(pairs)) {
  t.test(`${name}: what the private key signs, the public key verifies, and no other`, async (t) => {
    const [own, open] = [readJwtKey(pemOf(privateKey)), readJwtKey(pemOf(publicKey))];
    t.equal(own.kind, 'private');
    t.equal(open.kind, 'public');
    const token = own.sign({ iss: 'a', exp: 1 }, 'k1');
    t.same(open.verify(token), { claims: { iss: 'a', exp: 1 } }, 'claims are not looked at');
    t.same(own.verify(token).claims, { iss: 'a', exp: 1 });
    t.equal(peekJwt(token)?.header.kid, 'k1');
    for (const [other, pair] of Object.entries(pairs)) {
      if (other === name) continue;
      t.notOk(readJwtKey(pemOf(pair.publicKey)).verify(token).claims, `not by ${other}`);
    }
    t.throws(() => open.sign({}), { code: 'ERR_GRIP_SIG_KEY' }, 'a public key signs nothing');
    t.same(readJwk(publicKey.export({ format: 'jwk' })).verify(token).claims, { iss: 'a', exp: 1 }, 'as a JWK');
    const jwkText = JSON.stringify(privateKey.export({ format: 'jwk' }));
    t.same(open.verify(readJwtKey(jwkText).sign({ x: 1 })).claims, { x: 1 }, 'as the text of a JWK');
  });
}

t.test('a secret takes its own algorithms, as text, as base64 and as JWK', async (t) => {
  const key = readJwtKey('opensesame');
  t.equal(key.kind, 'secret');
  t.equal(key.bytes, 10);
  for (const [alg, hash] of [
    ['HS256', 'sha256'],
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ] as const) {
    t.same(key.verify(hmacToken({ alg }, { a: 1 }, 'opensesame', hash)), { claims: { a: 1 } }, alg);
    t.notOk(key.verify(hmacToken({ alg }, { a: 1 }, 'opensesamf', hash)).claims, `${alg} with another secret`);
  }
  const same = [
    readJwtKey(`base64:${Buffer.from('opensesame').toString('base64')}`),
    readJwtKey(JSON.stringify({ kty: 'oct', k: Buffer.from('opensesame').toString('base64url') })),
  ];
  for (const one of same) t.ok(one.verify(key.sign({})).claims);
});

t.test('the algorithm is that of the key, whatever the token names', async (t) => {
  const { publicKey } = pairs.rsa;
  const open = readJwtKey(pemOf(publicKey));
  const forged = (secret: string | Buffer, header: object = { alg: 'HS256' }) =>
    hmacToken(header, { iss: 'a' }, secret);
  const spki = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  for (const secret of [
    spki,
    spki.trim(),
    publicKey.export({ type: 'spki', format: 'der' }),
    spki.replace(/\n/g, '\r\n'),
  ])
    t.equal(open.verify(forged(secret)).fault, 'its algorithm is none of the key');
  const none = (alg: string) =>
    `${Buffer.from(JSON.stringify({ alg })).toString('base64url')}.${Buffer.from('{"iss":"a"}').toString('base64url')}.`;
  for (const key of [open, readJwtKey('secret-of-sixteen')]) {
    for (const alg of ['none', 'None', 'NONE', 'HS256', 'RS256']) t.notOk(key.verify(none(alg)).claims, alg);
  }
  t.equal(open.verify(none('none')).fault, 'it has no signature');
});

t.test('a public key is never a secret, in whatever form it is given', async (t) => {
  const spki = pemOf(pairs.rsa.publicKey);
  const jwk = JSON.stringify(pairs.rsa.publicKey.export({ format: 'jwk' }));
  for (const text of [spki, `\n${spki}`, `base64:${Buffer.from(spki).toString('base64')}`, jwk, ` ${jwk}`])
    t.equal(readJwtKey(text).kind, 'public');
});

t.test('a JWK that names its algorithm takes no other', async (t) => {
  const rs512: JwtKey = readJwk({ ...pairs.rsa.publicKey.export({ format: 'jwk' }), alg: 'RS512' });
  const rs256 = readJwtKey(pemOf(pairs.rsa.privateKey));
  t.same(rs512.algorithms, ['RS512']);
  t.equal(rs512.verify(rs256.sign({})).fault, 'its algorithm is none of the key');
  t.throws(() => readJwk({ ...pairs.rsa.publicKey.export({ format: 'jwk' }), alg: 'HS256' }), {
    code: 'ERR_GRIP_SIG_KEY',
  });
});

t.test('what is no usable key is refused, and not quoted', async (t) => {
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  const odd = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
  const x = generateKeyPairSync('x25519').publicKey;
  for (const [text, reason] of [
    ['', 'the key is empty'],
    ['base64:', 'the key is empty'],
    ['base64:%%%', 'the text is not base64'],
    [pemOf(short), 'the RSA key has 1024 bits: at least 2048 are needed'],
    [pemOf(odd), 'the EC key is on none of the curves P-256, P-384 and P-521'],
    [pemOf(x), 'the key is neither RSA, EC, Ed25519 nor Ed448'],
    ['-----BEGIN PUBLIC KEY-----\nSECRETTEXT\n-----END PUBLIC KEY-----', 'the PEM key cannot be read'],
    ['{"kty":"RSA","n":"SECRETTEXT"}', 'the JWK cannot be read'],
    ['{"kty":"oct"}', 'the JWK has no secret'],
  ] as const)
    t.equal(
      messageOf('ERR_GRIP_SIG_KEY', () => readJwtKey(text)),
      reason,
    );
});

t.test('tokens in odd forms are refused without an exception', async (t) => {
  const key = readJwtKey('opensesame');
  const [head, payload, signature] = key.sign({ iss: 'a' }).split('.') as [string, string, string];
  const crit = hmacToken({ alg: 'HS256', crit: ['x'], x: 1 }, {}, 'opensesame');
  t.equal(key.verify(crit).fault, 'it has a critical header that is not known');
  for (const token of [
    '',
    '.',
    '..',
    `${head}.${payload}`,
    `${head}.${payload}.`,
    `${head}.${payload}.${signature}.x`,
    `${head}.${payload}.${signature}=`,
    `${head}.${payload}. ${signature}`,
    `${head}.e30.${signature}`,
    hmacToken({ alg: 'HS256' }, ['a'], 'opensesame'),
    `${Buffer.from('[]').toString('base64url')}.${payload}.${signature}`,
    `${Buffer.from('null').toString('base64url')}.${payload}.${signature}`,
    'a'.repeat(100_000),
    `${'a'.repeat(10_000)}.${'b'.repeat(10_000)}.c`,
  ]) {
    t.notOk(key.verify(token).claims, token.slice(0, 60));
  }
  for (const token of ['', 'a', 'a.b', 'a.b.c', `${head}.${payload}`, `${head}.${payload}.a.b`, `!.${payload}.a`])
    t.equal(peekJwt(token), undefined);
});
