/** Keys of options and of routes lines: tried when they are read, wherever they stand. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { KeyReader, readWhole, SECRET_FILE_MAX } from '../../../dist/config/files/read-file.js';
import { assertKeys, readRoutes } from '../../../dist/routes/routes-source.js';
import { failure, load, type Setup, yaml } from '../fixture.js';

const pair = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
const privatePem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
const shortPem = generateKeyPairSync('rsa', { modulusLength: 1024 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const lockedPem = pair.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
  .toString();

/** Files of every wrong kind, and what is said of them. */
const files: Readonly<Record<string, readonly [content: string, why: RegExp]>> = {
  'public.pem': [publicPem, /it is a public key, which cannot sign/],
  'short.pem': [shortPem, /the RSA key has 1024 bits/],
  'locked.pem': [lockedPem, /the private key is encrypted/],
  'cert.pem': ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', /it is a certificate/],
  'broken.pem': ['-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', /the PEM key cannot be read/],
  empty: ['', /key file '.*empty' is empty/],
  'text.txt': ['a text that is no key', /holds neither a PEM key nor a secret in hexadecimal/],
  'large.hex': [
    '00'.repeat(SECRET_FILE_MAX),
    new RegExp(`cannot read key file '.*': larger than ${SECRET_FILE_MAX} bytes`),
  ],
};

const setup = (config: string): Setup => ({
  files: {
    'c.yaml': config,
    ...Object.fromEntries(Object.entries(files).map(([name, [content]]) => [name, content])),
    'private.pem': privatePem,
    'dir/file': '',
  },
  argv: ['--config', 'c.yaml'],
});

for (const option of ['sig_key', 'resume_key']) {
  for (const [name, [, why]] of Object.entries(files)) {
    t.test(`${option}: ${name} is one clear error with its place`, async (t) => {
      const error = failure(t, setup(`sig_iss: a\n${option}: file:${name}\n`));
      t.equal(error.code, 'ERR_CONFIG_KEY');
      t.match(error.message, new RegExp(`c\\.yaml:2: ${option}: .*${why.source}[^\n]*$`));
    });
  }
}

t.test('a key file that is a directory, or is not there, is one too', async (t) => {
  t.match(
    failure(t, setup('sig_key: file:dir\n')).message,
    /c\.yaml:1: sig_key: cannot read key file '.*dir': EISDIR$/,
  );
  t.match(failure(t, setup('sig_key: file:none\n')).message, /'.*none': ENOENT$/);
  t.match(failure(t, setup('sig_key_file: dir\n')), {
    code: 'ERR_CONFIG_FILE',
    message: /sig_key_file: cannot read .*: EISDIR/,
  });
});

t.test('what a secret file holds is tried like what is written in the option', async (t) => {
  t.match(failure(t, setup('sig_key_file: public.pem\n')).message, /c\.yaml:1: sig_key_file: it is a public key/);
  t.match(failure(t, setup('sig_key_file: empty\n')).message, /c\.yaml:1: sig_key_file: .*empty is empty/);
  t.match(failure(t, setup('upstream_key_file: empty\n')).message, /upstream_key_file: .*empty is empty/);
  t.match(failure(t, setup('sig_key_file: large.hex\n')).message, /sig_key_file: cannot read .*: larger than/);
  t.match(load(t, setup('sig_key_file: private.pem\n')).config.sigKey, { kind: 'pem', algorithm: 'ES256' });
});

t.test('several bad keys are reported together', async (t) => {
  const { problems } = failure(
    t,
    setup('sig_key: file:public.pem\nupstream_key: "base64:?"\nresume_key: file:empty\n'),
  );
  t.strictSame(
    problems.map(({ code, key }) => `${code} ${key}`),
    ['ERR_CONFIG_KEY sig_key', 'ERR_CONFIG_KEY upstream_key', 'ERR_CONFIG_KEY resume_key'],
  );
});

t.test('upstream_key only verifies: a public key is what it is meant for', async (t) => {
  t.match(load(t, setup('upstream_key: file:public.pem\n')).config.upstreamKey, { kind: 'pem' });
  for (const name of ['short.pem', 'locked.pem', 'cert.pem', 'broken.pem', 'empty'])
    t.match(failure(t, setup(`upstream_key: file:${name}\n`)), { code: 'ERR_CONFIG_KEY', message: /upstream_key: / });
});

t.test('resume_key has the same forms as sig_key', async (t) => {
  const keyOf = (text: string) => load(t, setup(`resume_key: ${JSON.stringify(text)}\n`)).config.resumeKey;
  t.equal(keyOf(''), undefined);
  t.same(keyOf('text'), { kind: 'secret', secret: Buffer.from('text') });
  t.same(keyOf('base64:AAEC'), { kind: 'secret', secret: Buffer.from([0, 1, 2]) });
  t.match(keyOf('file:private.pem'), { kind: 'pem' });
});

t.test('keys of routes lines: the line and its column, and a start that does not go on without them', async (t) => {
  const dir = t.testdir();
  for (const [name, [content]] of Object.entries(files)) writeFileSync(join(dir, name), content);
  mkdirSync(join(dir, 'dir'));
  for (const [name, [, why]] of [...Object.entries(files), ['dir', ['', /EISDIR/]] as const]) {
    const config = { routes: ['a.test h:1', `b.test,sig_key=file:${name} h:1`], routesDir: dir };
    const reading = readRoutes(config);
    t.match(reading.errors, [{ code: 'ERR_CONFIG_KEY', line: 2, message: why }], name);
    t.throws(() => assertKeys(reading, config), { code: 'ERR_CONFIG_KEY', message: /^routes: line 2, / }, name);
  }
  const other = { routes: ['a.test h:1', 'bad'], routesDir: dir };
  t.doesNotThrow(() => assertKeys(readRoutes(other), other), 'other bad lines are left out, as by Pushpin');
});

t.test('lines with the same key share it', async (t) => {
  const lines = ['a.test,sig_key=s h:1', 'b.test,sig_key=s h:1', 'c.test,sig_key=t h:1'];
  const [a, b, c] = readRoutes({ routes: lines, routesDir: '/' }).table.routes;
  t.equal(a?.sigKey, b?.sigKey);
  t.not(a?.sigKey, c?.sigKey);
});

t.test('the same text may be good to verify with and not to sign with', async (t) => {
  const reader = new KeyReader('/');
  t.match(reader.read(publicPem, 'verify'), { kind: 'pem' });
  t.throws(() => reader.read(publicPem, 'sign'), { code: 'ERR_GRIP_SIG_KEY' });
});

t.test('a device that never ends is refused at the limit', async (t) => {
  t.throws(() => readWhole('/dev/zero', SECRET_FILE_MAX), /larger than/);
  t.match(failure(t, yaml('sig_key: file:/dev/zero\n')).message, /larger than/);
  t.match(failure(t, yaml('sig_key_file: /dev/zero\n')).message, /larger than/);
  t.match(failure(t, { argv: ['--config', '/dev/zero'] }).message, /cannot read \/dev\/zero: larger than/);
});
