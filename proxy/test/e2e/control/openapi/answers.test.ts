/** What a running node takes and answers is what control-api/openapi.yaml says, of every operation and of its refusals. */
import t, { type Test } from 'tap';
import { document, type Operation, schemaAt } from '../../../../../control-api/dist-test/openapi/document.js';
import { ask, open } from '../../../kit/clients/http-client.js';
import { type Holdfast, streamItem } from '../../../kit/holdfast.js';
import { until } from '../../../kit/until.js';
import { idOf, openClients, startViews } from '../../../kit/views-fixture.js';

const isPublish = schemaAt('components/schemas/Publish');
const isTapLine = schemaAt('components/schemas/TapLine');
const json = { accept: 'application/json' };

/** Operations that were seen with status 200. */
const seen = new Set<string>();

interface Asked {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks for an operation; the answer must be one that the document has for it. */
async function call(t: Test, holdfast: Holdfast, method: string, template: string, asked: Asked = {}) {
  const { path = template, headers = {}, body } = asked;
  const operation = document.paths[template]?.[method] as Operation;
  const answer = await ask(t, `${holdfast.control}${path}`, {
    method: method.toUpperCase(),
    headers,
    ...(body !== undefined && { body }),
  });
  const { status, text, headers: fields } = answer;
  const where = operation.responses[status] === undefined ? 'MethodNotAllowed' : undefined;
  if (where !== undefined) t.equal(status, 405, `${method} ${path}: ${status} is described`);
  const pointer = pointerTo(template, method, String(status), where);
  const type = String(fields['content-type']);
  const validate = schemaAt(`${pointer}/content/${type.replaceAll('/', '~1')}/schema`);
  const value = type === 'application/json' ? JSON.parse(text) : text;
  t.ok(validate(value), `${method} ${path} ${status}: ${JSON.stringify(validate.errors)} in ${text}`);
  if (status === 200) seen.add(operation.operationId);
  return { status, value, headers: fields };
}

/** Where the document has an answer: with the operation, or among the components. */
function pointerTo(template: string, method: string, status: string, component: string | undefined): string {
  if (component !== undefined) return `components/responses/${component}`;
  const { $ref } = document.paths[template]?.[method]?.responses[status] ?? {};
  return $ref?.slice('#/'.length) ?? `paths/${template.replaceAll('/', '~1')}/${method}/responses/${status}`;
}

const holdfast = await startViews(t, { history_replay: true, callbacks: true, callbacks_allow: '127.0.0.1' });
const publish = (t: Test, body: unknown, asked: Asked = {}) => {
  t.ok(isPublish(body), JSON.stringify(isPublish.errors));
  return call(t, holdfast, 'post', '/publish/', { headers: json, body: JSON.stringify(body), ...asked });
};

t.test('publishes: receipts of every kind, as JSON and as text', async (t) => {
  const { poll, stream, socket } = await openClients(t, holdfast, 'published');
  const item = {
    channel: 'room',
    id: '1',
    formats: { 'http-response': { body: 'x' }, 'http-stream': { content: 'x' }, 'ws-message': { content: 'x' } },
  };
  const { value } = await publish(t, { items: [{ ...item, more: 1 }, item, streamItem('nobody', 'x')] });
  t.match(value, { items: [{ warnings: [/more/] }, { duplicate: true }, { unreceived: true }] });
  await poll;
  const headers = { ...json, prefer: 'wait=1000' };
  const counted = await publish(t, { items: [{ ...item, id: '2' }] }, { headers });
  t.match(counted.value, { items: [{ reach: { response: 0, stream: 1, ws: 1, callback: 0 } }], silent: [] });
  t.equal(counted.headers['preference-applied'], 'wait=1000');
  const text = { headers: { accept: 'text/plain' }, path: '/publish/?reach=1' };
  await publish(t, { items: [streamItem('nobody', 'x')] }, text);
  await publish(t, { items: [] }, { headers: {} });
  const path = '/publish/room?format=http-stream&format=ws-message&id=raw%20&prev-id=2';
  const raw = await call(t, holdfast, 'post', '/publish/{channel}', { path, headers: json, body: 'as it is' });
  t.match(raw.value, { items: [{ id: 'raw ', channel: 'room' }] });
  await stream.until('as it is');
  t.equal(await socket.text(), 'x');
  t.equal(await socket.text(), 'x');
  t.equal(await socket.text(), 'as it is');
  stream.drop();
  socket.vanish();
});

t.test('views, a tap, and the end of a connection', async (t) => {
  const stream = await open(t, `${holdfast.clients}/stream?channel=seen`);
  await stream.until('opened\n');
  const tap = await open(t, `${holdfast.control}/channels/seen/items`);
  seen.add('tapChannel');
  await publish(t, { items: [{ ...streamItem('seen', 'x'), id: '1', 'prev-id': '0', meta: { a: 'b' } }] });
  await tap.until(/\}\n/);
  for (const line of tap.text.split('\n').filter((line) => line !== ''))
    t.ok(isTapLine(JSON.parse(line)), `${line}: ${JSON.stringify(isTapLine.errors)}`);
  tap.drop();
  await call(t, holdfast, 'get', '/nodes', { path: '/nodes' });
  t.match((await call(t, holdfast, 'get', '/config')).value, { yaml: /http_port/ });
  t.match((await call(t, holdfast, 'get', '/routes')).value, { routes: [{ id: 'web' }, { id: 'sockets' }] });
  t.match((await call(t, holdfast, 'get', '/channels/{name}', { path: '/channels/seen' })).value, { channel: 'seen' });
  const path = `/connections/${await idOf(holdfast, '/stream?channel=seen')}`;
  t.match((await call(t, holdfast, 'get', '/connections/{id}', { path })).value, { kind: 'stream' });
  t.equal((await call(t, holdfast, 'delete', '/connections/{id}', { path })).status, 200);
  t.equal((await call(t, holdfast, 'get', '/connections/{id}', { path })).status, 404);
  await stream.end();
});

t.test('the history, and what it forgets', async (t) => {
  await publish(t, { items: [1, 2].map((i) => ({ ...streamItem('kept', 'x'), id: `${i}`, version: i })) });
  t.match((await publish(t, { items: [{ ...streamItem('kept', 'x'), version: 1 }] })).value, {
    items: [{ stale: true }],
  });
  const path = '/channels/kept/history';
  const page = await call(t, holdfast, 'get', '/channels/{name}/history', { path: `${path}?limit=1&reverse` });
  t.match(page.value, { items: [{ id: '2', version: 2 }] });
  const since = `${path}?since=other:1`;
  t.equal((await call(t, holdfast, 'get', '/channels/{name}/history', { path: since })).status, 410);
  t.equal((await call(t, holdfast, 'delete', '/channels/{name}/history', { path })).status, 200);
});

t.test('users, members, and what is sent to connections', async (t) => {
  const held = '/stream?channel=own&user=ann';
  const stream = await open(t, `${holdfast.clients}${held}`);
  await stream.until('opened\n');
  const asked = (method: string, template: string, path = template, body?: object) =>
    call(t, holdfast, method, template, { path, ...(body !== undefined && { body: JSON.stringify(body) }) });
  t.match((await asked('get', '/connections', '/connections?user=ann&limit=1')).value, {
    connections: [{ user: 'ann' }],
  });
  t.match((await asked('get', '/users/{user}', '/users/ann')).value, {
    user: 'ann',
    connections: [{ kind: 'stream' }],
  });
  t.match((await asked('get', '/channels', '/channels?prefix=ow')).value, { channels: [{ channel: 'own' }] });
  t.match((await asked('get', '/channels/{name}/members', '/channels/own/members')).value, { capped: false });
  const id = await idOf(holdfast, held);
  const item = { formats: { 'http-stream': { content: 'direct\n' } } };
  t.match((await asked('post', '/connections/{id}', `/connections/${id}`, item)).value, { taken: { stream: 1 } });
  t.match((await asked('post', '/users/{user}', '/users/ann', item)).value, { connections: 1 });
  await stream.until('direct\ndirect\n');
  const more = { channels: ['more'] };
  for (const to of ['subscribe', 'unsubscribe'] as const)
    t.equal((await asked('post', `/connections/{id}/${to}`, `/connections/${id}/${to}`, more)).status, 200);
  t.equal((await asked('post', '/connections/{id}/subscribe', `/connections/${id}/subscribe`, {})).status, 400);
  t.equal((await asked('get', '/connections', '/connections?who=ann')).status, 400);
  t.match((await asked('delete', '/users/{user}', '/users/ann?except=x')).value, { connections: 1 });
  await stream.end();
  t.equal((await asked('post', '/users/{user}', '/users/ann', item)).status, 410);
  t.equal((await asked('delete', '/users/{user}', '/users/nobody')).status, 404);
  t.match((await asked('post', '/tokens/revoke', '/tokens/revoke', { sub: 'ann' })).value, { sub: 'ann', ended: 0 });
  t.equal((await asked('post', '/tokens/revoke', '/tokens/revoke', {})).status, 400);
});

t.test('recover, the greeting, a drain', async (t) => {
  for (const headers of [{}, json]) {
    await call(t, holdfast, 'post', '/recover/', { headers });
    await call(t, holdfast, 'get', '/', { headers });
  }
  for (const method of ['get', 'post', 'delete']) t.equal((await call(t, holdfast, method, '/drain')).status, 200);
  await until('it serves', async () => (await call(t, holdfast, 'get', '/drain')).value.state === 'serving');
});

t.test('callbacks: made, made anew, shown, listed and ended', async (t) => {
  const template = '/subscriptions/{id}';
  const asked = { path: '/subscriptions/42', headers: json };
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  const wish = { url: 'http://127.0.0.1:1/hook', secret, channels: ['room', { name: 'b', filters: ['skip-self'] }] };
  t.ok(schemaAt('components/schemas/SubscriptionWish')(wish));
  for (const status of [201, 200])
    t.equal((await call(t, holdfast, 'put', template, { ...asked, body: JSON.stringify(wish) })).status, status);
  // With an error, when its server was asked in vain.
  await until('it has failed', async () => (await call(t, holdfast, 'get', template, asked)).value.failures > 0);
  await call(t, holdfast, 'get', '/subscriptions', { headers: json });
  t.equal((await call(t, holdfast, 'get', '/subscriptions', { path: '/subscriptions?after=x' })).status, 400);
  t.equal((await call(t, holdfast, 'put', template, { ...asked, body: '{}' })).status, 400);
  for (const status of [200, 404]) t.equal((await call(t, holdfast, 'delete', template, asked)).status, status);
});

t.test('refusals: in JSON with a code of their status, and in text', async (t) => {
  const refusals: readonly (readonly [status: number, method: string, template: string, asked: Asked])[] = [
    [400, 'post', '/publish/', { body: '{"items":[{}]}' }],
    [400, 'post', '/publish/', { body: 'x' }],
    [400, 'post', '/publish/', { body: 'x', headers: { 'content-encoding': 'gzip' } }],
    [400, 'post', '/publish/{channel}', { path: '/publish/room', body: 'x' }],
    [400, 'post', '/publish/{channel}', { path: '/publish/room?format=http-steam', body: 'x' }],
    [400, 'post', '/publish/{channel}', { path: '/publish/%ff?format=http-stream', body: 'x' }],
    [404, 'get', '/connections/{id}', { path: '/publish/room?format=http-stream&no=1' }],
    [406, 'post', '/publish/', { body: '{"items":[]}', headers: { accept: 'image/png' } }],
    [413, 'post', '/publish/', { body: 'x'.repeat(1_000_001) }],
    [415, 'post', '/publish/', { body: 'x', headers: { 'content-encoding': 'compress' } }],
    [403, 'post', '/publish/', { body: 'x', headers: { origin: 'http://page.example' } }],
    [405, 'post', '/publish/', { path: '/nodes' }],
    [431, 'get', '/', { headers: { 'x-long': 'x'.repeat(20_000) } }],
    [400, 'get', '/channels/{name}', { path: '/channels/%ff' }],
    [404, 'delete', '/connections/{id}', { path: '/connections/nobody' }],
  ];
  for (const [status, method, template, asked] of refusals)
    for (const headers of [json, {}]) {
      const answer = await call(t, holdfast, method, template, { ...asked, headers: { ...headers, ...asked.headers } });
      t.equal(answer.status, status, `${method} ${template} ${JSON.stringify(asked).slice(0, 100)}`);
    }
});

t.test('with keys: 401 without one; the examples of the document are published', async (t) => {
  const keyed = await startViews(t, { control_key: 'a-key-of-this-test-0123456789' });
  for (const headers of [json, {}, { ...json, authorization: 'Bearer wrong' }])
    t.equal((await call(t, keyed, 'post', '/publish/', { headers, body: '{"items":[]}' })).status, 401);
  const { post } = document.paths['/publish/'] ?? {};
  type Examples = Readonly<
    Record<string, { readonly examples?: Readonly<Record<string, { readonly value: object }>> }>
  >;
  const contents = (post?.requestBody?.content ?? {}) as Examples;
  for (const [name, { value }] of Object.entries(contents['application/json']?.examples ?? {})) {
    t.ok(isPublish(value), name);
    const headers = { ...json, 'x-api-key': 'a-key-of-this-test-0123456789' };
    t.equal((await call(t, keyed, 'post', '/publish/', { headers, body: JSON.stringify(value) })).status, 200, name);
  }
});

t.test('every operation was asked for, and answered with 200', async (t) => {
  const all = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  t.strictSame([...seen].sort(), all.map(({ operationId }) => operationId).sort());
});
