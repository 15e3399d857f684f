/** Direct subscription over HTTP: who gets which channels, in which form, and who is refused. */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJwtKey } from '@holdfast/grip';
import { EventSource } from 'eventsource';
import t from 'tap';
import { newDirectory, responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';
import { bearer, KEY, now, startSubscribe, token, tokenFor } from './tokens.js';

t.test('an EventSource with a token gets the items of its channels', async (t) => {
  const holdfast = await startSubscribe(t);
  const source = new EventSource(`${holdfast.clients}/sub?channel=a&channel=b`, {
    fetch: (url, init) =>
      fetch(url, { ...init, headers: { ...init.headers, ...bearer(tokenFor('u', 'a', 'b')) } } as RequestInit),
  });
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  await holdfast.holds('stream', 1);
  await holdfast.publish(
    streamItem('a', 'data: 1\n\n'),
    streamItem('c', 'data: 2\n\n'),
    streamItem('b', 'data: 3\n\n'),
  );
  await until('two events', () => received.length === 2);
  t.strictSame(received, ['1', '3']);
});

t.test('the form is chosen by the path, or by Accept; items go out as they are', async (t) => {
  const holdfast = await startSubscribe(t, { target: ',public_channels=news' });
  const open = async (path: string, accept: string) => {
    const controller = new AbortController();
    t.teardown(() => controller.abort());
    return fetch(`${holdfast.clients}/sub${path}?channel=news`, { headers: { accept }, signal: controller.signal });
  };
  const cases = [
    ['', 'text/event-stream', 'text/event-stream'],
    ['', '*/*', 'text/event-stream'],
    ['', 'application/x-ndjson', 'application/x-ndjson'],
    ['/lines', '*/*', 'application/x-ndjson'],
    ['', 'text/plain', 'text/plain; charset=utf-8'],
    ['/stream', 'text/event-stream', 'text/plain; charset=utf-8'],
    ['', `text/plain, ${'a/b, '.repeat(300)}`, 'text/event-stream'],
  ] as const;
  for (const [path, accept, type] of cases) {
    const response = await open(path, accept);
    t.equal(response.status, 200);
    t.equal(response.headers.get('content-type'), type, `${path} ${accept}`);
    t.equal(response.headers.get('cache-control'), 'no-store');
  }
  const lines = (await open('/lines', '*/*')).body?.getReader();
  await holdfast.holds('stream', cases.length + 1);
  await holdfast.publish(streamItem('news', '{"a":1}\n'));
  t.equal(Buffer.from((await lines?.read())?.value ?? []).toString(), '{"a":1}\n');

  for (const [path, accept] of [
    ['/poll', '*/*'],
    ['', 'application/json'],
  ] as const) {
    const polled = open(path, accept);
    await holdfast.holds('response', 1);
    await holdfast.publish(responseItem('news', 'now'));
    t.equal(await (await polled).text(), 'now');
    await holdfast.holds('response', 0);
  }
});

t.test('refusals, as RFC 6750 has them', async (t) => {
  const holdfast = await startSubscribe(t, { target: ',token_iss=me,token_aud=here,public_channels=news' });
  const good = { sub: 'u', channels: ['a'], iss: 'me', aud: 'here' };
  const ask = async (headers: Record<string, string>, query = '?channel=a', method = 'GET') => {
    const response = await fetch(`${holdfast.clients}/sub${query}`, { headers, method });
    await response.body?.cancel();
    return [response.status, response.headers.get('www-authenticate') ?? ''] as const;
  };
  t.equal((await ask(bearer(token(good))))[0], 200);
  t.strictSame(await ask({}), [401, 'Bearer realm="holdfast"'], 'no token');
  const [head = '', payload = '', signature = ''] = token(good).split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const altered = encode({ ...good, channels: ['*'], exp: now() + 60 });
  const invalid: Record<string, string> = {
    altered: `${head}.${altered}.${signature}`,
    'alg none': `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
    'no signature': `${head}.${payload}.`,
    'another key': token(good, 'another-key-0123456789'),
    expired: token({ ...good, exp: now() - 1 }),
    'without exp': readJwtKey(KEY).sign(good),
    'not yet valid': token({ ...good, nbf: now() + 120 }),
    'expire_at passed': token({ ...good, expire_at: now() - 1 }),
    'another issuer': token({ ...good, iss: 'you' }),
    'another audience': token({ ...good, aud: 'there' }),
    'no token at all': 'x',
  };
  for (const [name, text] of Object.entries(invalid)) {
    const [status, challenge] = await ask(bearer(text));
    t.equal(status, 401, name);
    t.match(challenge, /error="invalid_token"/, name);
    t.equal((await ask(bearer(text), '?channel=news'))[0], 401, `${name}, on a public channel`);
  }
  const [status, challenge] = await ask(bearer(token(good)), '?channel=a&channel=b');
  t.equal(status, 403);
  t.match(challenge, /error="insufficient_scope"/);
  t.equal((await ask(bearer(token(good)), '?channel=a,b'))[0], 403, 'a comma is a part of the name');
  t.equal((await ask(bearer(token(good)), '?channel=a&channel=news'))[0], 200);
  t.match(await ask({ authorization: 'Basic abc' }), [400, /invalid_request/]);
  t.equal((await ask({}, '?channel=news'))[0], 200, 'a public channel');
  t.equal((await ask({}, ''))[0], 400, 'no channel');
  t.equal((await ask({}, '?channel='))[0], 400, 'an empty name');
  t.equal((await ask({}, '?match_urlpattern=news'))[0], 400);
  t.equal((await ask({}, '?topic=news'))[0], 200, 'as Mercure has it');
  t.equal((await ask({}, '/else?channel=news'))[0], 404);
  t.equal((await ask({}, '?channel=news', 'POST'))[0], 405);
  t.equal((await ask({}, '?channel=news', 'HEAD'))[0], 405);
});

t.test('a public key is no secret: HMAC by its text is refused', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'key.pem'), pem);
  const holdfast = await startHoldfast(t, { directory, routes: ['* subscribe,token_key=file:key.pem'] });
  const ask = async (text: string) => {
    const response = await fetch(`${holdfast.clients}/?channel=a`, { headers: bearer(text) });
    await response.body?.cancel();
    return response.status;
  };
  const claims = { channels: ['a'], exp: now() + 60 };
  t.equal(await ask(readJwtKey(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()).sign(claims)), 200);
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  t.equal(await ask(`${body}.${createHmac('sha256', pem).update(body).digest('base64url')}`), 401);
});

t.test('sub is the user of the hold, by which it is limited', async (t) => {
  const holdfast = await startSubscribe(t, { route: ',limit_holds=1,limit_key=user' });
  const open = async (user: string) => {
    const controller = new AbortController();
    t.teardown(() => controller.abort());
    const headers = bearer(tokenFor(user, 'a'));
    return (await fetch(`${holdfast.clients}/sub?channel=a`, { headers, signal: controller.signal })).status;
  };
  t.equal(await open('alice'), 200);
  t.equal(await open('alice'), 429);
  t.equal(await open('bob'), 200);
});

t.test('pages: CORS with credentials for sites that are named, never for all; cookies of no other', async (t) => {
  const holdfast = await startSubscribe(t, { target: ',public_channels=news,allow_origin=https://a.example' });
  const open = await startSubscribe(t, { target: ',public_channels=news,allow_origin=*' });
  const cookie = `holdfast_token=${tokenFor('u', 'a')}`;
  const ask = async (node: typeof holdfast, headers: Record<string, string>, channel = 'a', method = 'GET') => {
    const response = await fetch(`${node.clients}/sub?channel=${channel}`, { headers, method });
    await response.body?.cancel();
    const { status, headers: fields } = response;
    return {
      status,
      origin: fields.get('access-control-allow-origin'),
      credentials: fields.get('access-control-allow-credentials'),
    };
  };
  const site = { origin: 'https://a.example' };
  const stranger = { origin: 'https://b.example' };
  const granted = { status: 200, origin: site.origin, credentials: 'true' };
  t.strictSame(await ask(holdfast, { ...site, cookie }), granted);
  t.match(await ask(holdfast, { cookie }), { status: 200, origin: null });
  t.match(await ask(holdfast, { cookie, 'sec-fetch-site': 'same-origin' }), { status: 200 });
  t.match(await ask(holdfast, { cookie, 'sec-fetch-site': 'cross-site' }), { status: 401 }, 'an image of another site');
  t.match(await ask(holdfast, { ...stranger, cookie }), { status: 403, origin: null });
  t.match(await ask(holdfast, { origin: 'null' }, 'news'), { status: 403, origin: null });
  t.match(await ask(open, stranger, 'news'), { status: 200, origin: '*', credentials: null });
  t.match(await ask(open, { ...stranger, cookie }), { status: 401, origin: '*', credentials: null });
  t.match(await ask(open, { ...stranger, ...bearer(tokenFor('u', 'a')) }), { status: 200, origin: '*' });
  const preflight = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' };
  t.strictSame(await ask(holdfast, { ...site, ...preflight }, 'a', 'OPTIONS'), { ...granted, status: 204 });
  t.match(await ask(holdfast, { ...stranger, ...preflight }, 'a', 'OPTIONS'), { status: 403 });
});

t.test('a token in the query counts only where the route says so, and is in no log', async (t) => {
  const quiet = await startSubscribe(t);
  const holdfast = await startSubscribe(t, { target: ',token_query=access' });
  const text = tokenFor('u', 'a');
  for (const [node, name, status] of [
    [quiet, 'holdfast-token', 401],
    [holdfast, 'access', 200],
  ] as const) {
    const response = await fetch(`${node.clients}/sub?channel=a&${name}=${text}`);
    await response.body?.cancel();
    t.equal(response.status, status);
  }
  await holdfast.holds('stream', 0);
  t.notMatch(quiet.child.stdout, text);
  t.notMatch(holdfast.child.stdout, text);
});
