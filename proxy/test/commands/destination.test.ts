import { parseSigKey, verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { destinationOf } from '../../dist/commands/destination.js';
import type { PublishFlags } from '../../dist/config/command-flags.js';

const NOW = 1_700_000_000;

function to(spec: string | undefined, flags: Partial<PublishFlags> = {}, gripUrl?: string) {
  const all = { seq: true, eol: true, ...(spec !== undefined && { spec }), ...flags };
  const destination = destinationOf(all, gripUrl, NOW);
  if (destination.kind === 'zeromq') return destination.spec;
  const { url, authorization } = destination;
  return authorization === undefined ? url.href : [url.href, authorization];
}

t.test('the spec, else GRIP_URL, else the control API of this machine', async (t) => {
  t.equal(to('http://a:1', {}, 'http://b:2'), 'http://a:1/publish/');
  t.equal(to(undefined, {}, 'http://b:2'), 'http://b:2/publish/');
  t.equal(to(undefined, {}, ''), 'http://localhost:5561/publish/');
  t.equal(to(undefined), 'http://localhost:5561/publish/');
});

t.test('/publish/ follows the path; query and fragment belong to the GRIP URL alone', async (t) => {
  t.equal(to('http://a:1/'), 'http://a:1/publish/');
  t.equal(to('https://a/base'), 'https://a/base/publish/');
  t.equal(to('https://a/base//?verify-iss=x#y'), 'https://a/base/publish/');
});

t.test('tcp and ipc are ZeroMQ', async (t) => {
  t.equal(to('tcp://127.0.0.1:5560'), 'tcp://127.0.0.1:5560');
  t.equal(to(undefined, {}, 'ipc:///run/x'), 'ipc:///run/x');
});

t.test('iss and key: a token signed with the key', async (t) => {
  for (const [written, key] of [
    ['secret', 'secret'],
    ['base64:AP%2B%2F', 'base64:AP+/'],
    ['base64:AP+/', 'base64:AP+/'],
  ] as const) {
    const [url, authorization] = to(`http://a:1/?iss=me&key=${written}`);
    t.equal(url, 'http://a:1/publish/');
    const token = String(authorization).replace(/^Bearer /, '');
    t.match(JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()), { alg: 'HS256' });
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    t.match(claims, { iss: 'me', exp: NOW + 3600 });
    const verifying = parseSigKey(key, () => Buffer.alloc(0));
    t.ok(verifying && verifyGripSig(token, verifying, NOW), written);
  }
});

t.test('key alone is the token; iss alone is nothing', async (t) => {
  t.same(to('http://a:1/?key=abc'), ['http://a:1/publish/', 'Bearer abc']);
  t.equal(to('http://a:1/?iss=me'), 'http://a:1/publish/');
  t.equal(to('http://a:1/?iss=me&key='), 'http://a:1/publish/');
});

t.test('user and password, of the flag or the URL; a token; flags go before the URL', async (t) => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  t.same(to('https://a', { user: 'u:p' }), ['https://a/publish/', basic('u:p')]);
  t.same(to('https://u%40x:p%3A@a'), ['https://a/publish/', basic('u@x:p:')]);
  t.same(to('https://u:p@a', { user: 'v:q' }), ['https://a/publish/', basic('v:q')]);
  t.same(to('https://u:p@a/?key=k', { bearer: 'b' }), ['https://a/publish/', 'Bearer b']);
});

t.test('secrets do not go over plain http, except within this machine', async (t) => {
  for (const [spec, flags] of [
    ['http://a', { user: 'u:p' }],
    ['http://a', { bearer: 'b' }],
    ['http://u:p@a', {}],
    ['http://127.0.0.1.example', { bearer: 'b' }],
  ] as const)
    t.throws(() => to(spec, flags), { code: 'ERR_PUBLISH_ARGUMENT', message: 'Authentication requires https' });
  for (const host of ['localhost', '127.0.0.1:1', '[::1]:1'])
    t.same(to(`http://${host}`, { bearer: 'b' }), [`http://${host}/publish/`, 'Bearer b']);
});

t.test('what is neither, and keys that cannot sign, are refused', async (t) => {
  for (const spec of ['', 'localhost', '127.0.0.1:5561', 'ftp://a', 'http://'])
    t.throws(() => to(spec), { code: 'ERR_PUBLISH_ARGUMENT', message: /^--spec: / }, JSON.stringify(spec));
  t.throws(() => to('http://a/?iss=me&key=base64:'), {
    code: 'ERR_PUBLISH_ARGUMENT',
    message: /^key in the GRIP URL: /,
  });
});
