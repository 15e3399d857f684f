import { createHmac, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { parseSigKey, type SigKey, signGripSig, verifyGripSig } from '../dist/index.js';
import { messageOf } from './grip-error.js';

const now = 1_700_000_000;
const pem = { type: 'pkcs8', format: 'pem' } as const;
const spki = { type: 'spki', format: 'pem' } as const;
const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

function noFile(path: string): Buffer {
  throw new Error(`no file ${path}`);
}

function key(text: string, content?: string, use: 'sign' | 'verify' = 'sign'): SigKey {
  const parsed = parseSigKey(text, content === undefined ? noFile : () => Buffer.from(content), use);
  if (!parsed) throw new Error('no key');
  return parsed;
}

function decode(token: string): { header: unknown; claims: unknown } {
  const [header, claims] = token.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  return { header: JSON.parse(header ?? ''), claims: JSON.parse(claims ?? '') };
}

/** A token of any header and claims, signed with HMAC whatever the header says. */
function forge(header: object, claims: object, secret: string | Buffer): string {
  const input = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const secret = key('changeme');
const ecKey = key(ec.privateKey.export(pem).toString());
const rsaKey = key(rsa.privateKey.export(pem).toString());
const ecPublic = key(ec.publicKey.export(spki).toString(), undefined, 'verify');
const rsaPublic = key(rsa.publicKey.export(spki).toString(), undefined, 'verify');

t.test('a key is text, base64, a PEM text, or a file of PEM or hexadecimal', async (t) => {
  t.equal(parseSigKey('', noFile), undefined);
  t.same(secret, { kind: 'secret', secret: Buffer.from('changeme') });
  t.same(key('base64:AP8='), { kind: 'secret', secret: Buffer.from([0, 255]) });
  t.same(key('file:/k', ' 00FF\n'), { kind: 'secret', secret: Buffer.from([0, 255]) });
  t.match(key('file:/k', ec.privateKey.export(pem).toString()), { kind: 'pem', algorithm: 'ES256' });
  t.match(rsaKey, { kind: 'pem', algorithm: 'RS256' });
  t.match(ecPublic, { kind: 'pem', algorithm: 'ES256' });
  const base64 = Buffer.from(rsa.publicKey.export(spki).toString()).toString('base64');
  t.match(key(`base64:${base64}`, undefined, 'verify'), { kind: 'pem', algorithm: 'RS256' });
});

t.test('a file key is read from its path', async (t) => {
  const paths: string[] = [];
  parseSigKey('file:keys/a.pem', (path) => {
    paths.push(path);
    return Buffer.from('00');
  });
  t.same(paths, ['keys/a.pem']);
});

t.test('older PEM forms sign too, also behind an EC PARAMETERS block', async (t) => {
  const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  const sec1 = key(parameters + ec.privateKey.export({ type: 'sec1', format: 'pem' }).toString());
  t.ok(verifyGripSig(signGripSig('pushpin', sec1, now), ecPublic, now));
  const pkcs1 = key(rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString());
  t.ok(verifyGripSig(signGripSig('pushpin', pkcs1, now), rsaPublic, now));
});

t.test('a key that cannot be read or used is an error of the configuration', async (t) => {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey.export(pem).toString();
  const ed25519 = generateKeyPairSync('ed25519').privateKey.export(pem).toString();
  const short = (modulusLength: number) =>
    generateKeyPairSync('rsa', { modulusLength }).privateKey.export(pem).toString();
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey.export(pem).toString();
  const lock = { cipher: 'aes-256-cbc', passphrase: 'x' };
  const encrypted = ec.privateKey.export({ ...pem, ...lock }).toString();
  const legacy = rsa.privateKey.export({ type: 'pkcs1', format: 'pem', ...lock }).toString();
  const table: [string, string | undefined, RegExp][] = [
    ['base64:', undefined, /^the key is empty$/],
    ['base64:=', undefined, /^the key is empty$/],
    ['base64:AA=A', undefined, /^the text is not base64$/],
    ['base64:AAAAA', undefined, /^the text is not base64$/],
    ['base64:secret!', undefined, /^the text is not base64$/],
    ['base64:schlüssel', undefined, /^the text is not base64$/],
    ['file:/k', undefined, /^cannot read key file '\/k': no file \/k$/],
    ['file:/k', ' \n', /^key file '\/k' is empty$/],
    ['file:/k', '', /^key file '\/k' is empty$/],
    ['file:/k', 'not hex', /^key file '\/k' holds neither a PEM key nor a secret in hexadecimal$/],
    ['file:/k', 'abc', /^key file '\/k' holds neither/],
    [p384, undefined, /^the PEM key is neither an RSA key nor an EC key on the curve P-256$/],
    [ed25519, undefined, /^the PEM key is neither/],
    [pss, undefined, /^the PEM key is neither/],
    [short(1024), undefined, /^the RSA key has 1024 bits: at least 2048 are needed$/],
    [short(512), undefined, /^the RSA key has 512 bits/],
    [encrypted, undefined, /^the private key is encrypted: /],
    ['file:/k', encrypted, /^the private key is encrypted: /],
    [`base64:${Buffer.from(encrypted).toString('base64')}`, undefined, /^the private key is encrypted: /],
    [legacy, undefined, /^the private key is encrypted: /],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----', undefined, /OpenSSH/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', undefined, /^it is a certificate: /],
    ['-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----', undefined, /^it is a certificate/],
    ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', undefined, /^the PEM key cannot be read$/],
    ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', undefined, /^the PEM key cannot be read$/],
  ];
  for (const [text, content, message] of table) {
    t.match(
      messageOf('ERR_GRIP_SIG_KEY', () => key(text, content)),
      message,
    );
  }
});

t.test('Grip-Sig is a JWT with exactly iss and exp, an hour ahead, in the algorithm of the key', async (t) => {
  for (const [signer, alg] of [
    [secret, 'HS256'],
    [ecKey, 'ES256'],
    [rsaKey, 'RS256'],
  ] as const) {
    t.strictSame(decode(signGripSig('pushpin', signer, now + 0.7)), {
      header: { alg, typ: 'JWT' },
      claims: { iss: 'pushpin', exp: now + 3600 },
    });
  }
});

t.test('each issuer and second has its own claims, in whatever order they are asked for', async (t) => {
  for (const [iss, second] of [
    ['a', 5],
    ['b', 5],
    ['a', 6],
    ['a', 5],
    ['a', 5],
  ] as const) {
    t.match(decode(signGripSig(iss, secret, second)).claims, { iss, exp: second + 3600 });
  }
});

t.test(
  'a public key is refused where it is to sign, and taken where it is to verify; a private one does both',
  async (t) => {
    for (const pair of [ec, rsa]) {
      const publicPem = pair.publicKey.export(spki).toString();
      for (const text of [publicPem, `base64:${Buffer.from(publicPem).toString('base64')}`, 'file:/k']) {
        const message = messageOf('ERR_GRIP_SIG_KEY', () => key(text, publicPem));
        t.match(message, /^it is a public key, which cannot sign: the private key is needed$/);
        t.match(key(text, publicPem, 'verify'), { kind: 'pem' });
      }
      t.match(key(pair.privateKey.export(pem).toString(), undefined, 'verify'), { kind: 'pem' });
    }
    t.match(
      messageOf('ERR_GRIP_SIG_KEY', () =>
        key('file:/k', rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()),
      ),
      /public key/,
    );
  },
);

t.test('a public key cannot sign', async (t) => {
  for (const publicKey of [ecPublic, rsaPublic]) {
    t.equal(
      messageOf('ERR_GRIP_SIG_KEY', () => signGripSig('pushpin', publicKey, now)),
      'the key cannot sign',
    );
  }
});

t.test('a signature verifies with its key, private or public, and with no other', async (t) => {
  const pairs: [SigKey, SigKey[]][] = [
    [secret, [secret, key('base64:Y2hhbmdlbWU=')]],
    [ecKey, [ecKey, ecPublic]],
    [rsaKey, [rsaKey, rsaPublic]],
  ];
  const all = [secret, key('other'), ecKey, ecPublic, rsaKey, rsaPublic];
  for (const [signer, accepting] of pairs) {
    const token = signGripSig('pushpin', signer, now);
    for (const verifier of accepting) t.ok(verifyGripSig(token, verifier, now));
    for (const verifier of all.filter((other) => !pairs.some(([s, a]) => s === signer && a.includes(other)))) {
      t.notOk(verifyGripSig(token, verifier, now));
    }
  }
});

t.test('a signature is valid until exp, which must be there, a number and above 0', async (t) => {
  const token = signGripSig('pushpin', secret, now);
  t.ok(verifyGripSig(token, secret, now + 3599));
  t.notOk(verifyGripSig(token, secret, now + 3600));
  const header = { alg: 'HS256', typ: 'JWT' };
  t.ok(verifyGripSig(forge(header, { exp: now + 1 }, 'changeme'), secret, now), 'iss is not looked at');
  t.ok(verifyGripSig(forge({ alg: 'HS256' }, { exp: now + 1, nbf: now + 9 }, 'changeme'), secret, now));
  for (const exp of [undefined, null, 0, -1, now, String(now + 100), [now + 100], true]) {
    t.notOk(verifyGripSig(forge(header, { exp }, 'changeme'), secret, now), JSON.stringify(exp));
  }
  t.notOk(verifyGripSig(forge(header, { exp: 0 }, 'changeme'), secret, -5), 'exp 0 is never valid');
});

t.test('the algorithm must be that of the key: no confusion, no none', async (t) => {
  const claims = { iss: 'pushpin', exp: now + 100 };
  for (const publicKey of [ecPublic, rsaPublic]) {
    if (publicKey.kind !== 'pem') throw new Error('not a PEM key');
    t.notOk(verifyGripSig(forge({ alg: 'HS256' }, claims, publicKey.pem), publicKey, now));
    t.notOk(verifyGripSig(forge({ alg: publicKey.algorithm }, claims, publicKey.pem), publicKey, now));
  }
  t.notOk(verifyGripSig(forge({ alg: 'HS512' }, claims, 'changeme'), secret, now));
  const unsigned = forge({ alg: 'none' }, claims, 'changeme');
  for (const token of [unsigned, unsigned.slice(0, unsigned.lastIndexOf('.') + 1)]) {
    t.notOk(verifyGripSig(token, secret, now));
    t.notOk(verifyGripSig(token, ecPublic, now));
  }
});

t.test('a signature with any byte changed does not verify', async (t) => {
  const token = signGripSig('pushpin', secret, now);
  const payload = token.lastIndexOf('.');
  for (let i = 0; i < payload; i += 7) {
    const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
    t.notOk(verifyGripSig(changed, secret, now), `character ${i}`);
  }
});

t.test('arbitrary tokens never verify and never throw, whatever the key', async () => {
  const broken: SigKey = { kind: 'pem', pem: 'no key', algorithm: 'RS256' };
  const segments = fc.array(fc.oneof(fc.base64String(), fc.string()), { maxLength: 4 }).map((list) => list.join('.'));
  const claims = fc.jsonValue().map((value) => forge({ alg: 'HS256' }, { a: value }, 'other'));
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), segments, claims),
      fc.constantFrom(secret, ecPublic, rsaPublic, broken),
      (token, key) => {
        return verifyGripSig(token, key, now) === false;
      },
    ),
  );
});
