/** Servers as subscribers: made by an origin's answer or by the control API, and sent what is published. */
import t from 'tap';
import { CallbackServer } from '../../../../control-api/dist-test/callbacks/callback-server.js';
import { EventReceiver } from '../../kit/event-receiver.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const server = await CallbackServer.start(t, SECRET);
const receiver = await EventReceiver.start(t);
const origin = await startOrigin(t, (request, response) => {
  const asked = new URL(request.url ?? '', 'http://origin').searchParams;
  const id = asked.get('id') ?? 'by-origin';
  const url = asked.get('url') ?? server.url;
  const make = {
    'Grip-Callback': `<${url}>; id=${id}; secret=${SECRET}; ttl=600`,
    'Grip-Channel': 'room; filter=var-subst',
  };
  switch (request.url?.split('?', 1)[0]) {
    case '/make':
      response.writeHead(201, { ...make, 'Grip-Set-Meta': 'name="Ann"', 'X-Own': '1' }).end('own answer');
      break;
    case '/large':
      response.writeHead(200, make).end('x'.repeat(300_000));
      break;
    case '/cancel':
      response.writeHead(200, { 'Grip-Callback': `cancel; id=${id}` }).end('bye');
      break;
    case '/json':
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' }).end(
        JSON.stringify({
          callback: { id, url, secret: SECRET, channels: [{ name: 'room' }] },
          response: { code: 202, headers: { 'X-Own': '2' }, body: 'from json' },
        }),
      );
      break;
    default:
      response.writeHead(200, { ...make, 'Grip-Callback': 'cancel' }).end();
  }
});
const options = {
  settings: {
    ...receiver.settings('subscription_ended,subscription_parked,item_dropped'),
    callbacks: true,
    callbacks_allow: '127.0.0.0/8',
    log_format: 'json',
  },
  routes: [`*,prefix=p- ${origin.target}`],
};
const holdfast = await startHoldfast(t, options);

const item = (channel: string, body: string, more: object = {}) => ({
  channel,
  formats: { 'http-request': { body, ...more } },
});

/** A request of the control API about callbacks, and its answer. */
async function ask(method: string, path: string, body?: object, node: Holdfast = holdfast) {
  const response = await fetch(`${node.control}${path}`, { method, ...(body && { body: JSON.stringify(body) }) });
  return { status: response.status, view: (await response.json()) as Record<string, unknown> };
}

const active = (id: string, node = holdfast) =>
  until(
    `${id} is active`,
    async () => (await ask('GET', `/subscriptions/${id}`, undefined, node)).view.state === 'active',
  );

t.test('an origin makes one in its answer, which its client gets as it is', async (t) => {
  const response = await fetch(`${holdfast.clients}/make`);
  t.equal(response.status, 201);
  t.equal(response.headers.get('x-own'), '1');
  t.equal(response.headers.get('grip-callback'), null);
  t.equal(await response.text(), 'own answer');
  // What is published after the answer has come is not missed, confirmed or not.
  await holdfast.publish(item('p-room', 'for %(name)s', { method: 'PUT', path: '/x?y=1', headers: { 'X-A': 'é' } }));
  await until('it comes', () => server.taken.length === 1);
  t.match(server.taken[0], { method: 'PUT', url: '/hook/x?y=1', body: 'for Ann', headers: { 'x-a': 'Ã©' } });
  t.strictSame(server.refused, []);
  t.match((await ask('GET', '/subscriptions/p-by-origin')).view, {
    id: 'p-by-origin',
    url: server.url,
    channels: [{ name: 'p-room', filters: ['var-subst'] }],
    meta: { name: 'Ann' },
    state: 'active',
    failures: 0,
    lost: 0,
    backlog: 0,
  });
  t.notMatch(JSON.stringify((await ask('GET', '/subscriptions/p-by-origin')).view), /whsec/);
});

t.test('a long answer is not held up, nor kept', async (t) => {
  const response = await fetch(`${holdfast.clients}/large?id=large`);
  t.equal((await response.text()).length, 300_000);
  await active('p-large');
});

t.test('in JSON too; and it ends when the origin says so', async (t) => {
  const made = await fetch(`${holdfast.clients}/json?id=json`);
  t.equal(made.status, 202);
  t.equal(await made.text(), 'from json');
  await active('p-json');
  const cancelled = await fetch(`${holdfast.clients}/cancel?id=json`);
  t.equal(await cancelled.text(), 'bye');
  t.equal((await ask('GET', '/subscriptions/p-json')).status, 404);
});

t.test('what cannot be is refused: the client gets no success that is none', async (t) => {
  for (const url of ['http://10.0.0.1/', 'http://169.254.169.254/latest', 'http://[::1]/', 'ftp://c.example/']) {
    const response = await fetch(`${holdfast.clients}/make?id=bad&url=${encodeURIComponent(url)}`);
    t.equal(response.status, 502, url);
  }
  t.equal((await fetch(`${holdfast.clients}/other`)).status, 502);
  t.equal((await ask('GET', '/subscriptions/p-bad')).status, 404);
});

t.test('a name that leads to an address that is not public is not connected to', async (t) => {
  const secret = SECRET;
  const closed = await startHoldfast(t, { settings: { callbacks: true, log_format: 'json' } });
  const { port } = new URL(server.url);
  const put = { url: `http://localhost:${port}/hook`, secret, channels: ['a'] };
  t.equal((await ask('PUT', '/subscriptions/a', put, closed)).status, 201);
  const fares = async () => (await ask('GET', '/subscriptions/a', undefined, closed)).view;
  await until('it has failed', async () => (await fares()).error === 'ERR_ORIGIN_BLOCKED');
  const address = await ask('PUT', '/subscriptions/b', { ...put, url: server.url }, closed);
  t.match(address, { status: 400, view: { code: 'ERR_CALLBACK_REFUSED' } });
});

t.test('by the control API: made, shown, listed, made anew, ended', async (t) => {
  const put = {
    url: server.url,
    secret: SECRET,
    channels: ['api', { name: 'api-2', filters: ['skip-self'] }],
    ttl: 60,
  };
  const made = await ask('PUT', '/subscriptions/api%2F1', put);
  t.match(made, { status: 201, view: { id: 'api/1', channels: [{ name: 'api' }, { name: 'api-2' }] } });
  t.equal((await ask('PUT', '/subscriptions/api%2F1', put)).status, 200);
  const list = (await ask('GET', '/subscriptions/')).view;
  t.ok((list.subscriptions as { id: string }[]).some(({ id }) => id === 'api/1'));
  t.match(await ask('DELETE', '/subscriptions/api%2F1'), { status: 200, view: { id: 'api/1', ended: true } });
  t.match(await ask('DELETE', '/subscriptions/api%2F1'), { status: 404, view: { code: 'ERR_CALLBACK_UNKNOWN' } });
  const bad: [object, RegExp][] = [
    [{ ...put, url: 'x' }, /URL must begin/],
    [{ ...put, secret: 'x' }, /secret/],
    [{ ...put, channels: [] }, /no channels/],
    [{ ...put, channels: [{ name: 'a', filters: ['http-check'] }] }, /asks a server/],
    [{ ...put, ttl: 0 }, /ttl/],
    [{ ...put, more: 1 }, /no member "more"/],
  ];
  for (const [body, message] of bad) {
    const { status, view } = await ask('PUT', '/subscriptions/bad', body);
    t.equal(status, 400);
    t.match(view.message, message);
  }
  t.equal((await ask('GET', '/subscriptions?after=x')).status, 400);
});

t.test('many are listed in parts, by a cursor', async (t) => {
  const ids = Array.from({ length: 120 }, (_, n) => `many-${n}`);
  const put = { url: server.url, secret: SECRET, channels: ['many'] };
  await Promise.all(ids.map((id) => ask('PUT', `/subscriptions/${id}`, put)));
  const seen = new Set<string>();
  for (let path = '/subscriptions'; path !== ''; ) {
    const { subscriptions, next } = (await ask('GET', path)).view as { subscriptions: { id: string }[]; next?: string };
    t.ok(subscriptions.length <= 100);
    for (const { id } of subscriptions) seen.add(id);
    path = next === undefined ? '' : `/subscriptions?after=${next}`;
  }
  t.ok(ids.every((id) => seen.has(id)));
  const shown = (await ask('GET', '/channels/many')).view;
  t.match(shown, { subscribers: { callback: 120, stream: 0 } });
  t.equal(await holdfast.metric('holdfast_callbacks{state="parked"}'), 0);
  await Promise.all(ids.map((id) => ask('DELETE', `/subscriptions/${id}`)));
});

t.test('a tap shows what is sent', async (t) => {
  const end = new AbortController();
  t.teardown(() => end.abort());
  const tap = await fetch(`${holdfast.control}/channels/tapped/items`, { signal: end.signal });
  await holdfast.publish(item('tapped', 'x', { path: '/y' }));
  const { value } = (await tap.body?.getReader().read()) ?? {};
  t.match(JSON.parse(Buffer.from(value ?? []).toString()), {
    channel: 'tapped',
    formats: { 'http-request': { method: 'POST', path: '/y', body: 'x' } },
  });
});

t.test('an end is said by an event, and counted', async (t) => {
  const put = { url: server.url, secret: SECRET, channels: ['over'] };
  await ask('PUT', '/subscriptions/over', put);
  await active('over');
  await holdfast.publish({ channel: 'over', formats: { 'http-request': { action: 'close' } } });
  const [ended] = await receiver.have('subscription_ended', 1);
  t.match(ended, { subscription: 'over', channels: ['over'], reason: 'closed' });
  t.equal((await ask('GET', '/subscriptions/over')).status, 404);
  t.equal(await holdfast.metric('holdfast_callbacks_over_total{reason="closed"}'), 1);
  t.ok((await holdfast.metric('holdfast_callback_requests_total{result="taken"}')) >= 1);
  t.ok((await holdfast.metric('holdfast_callback_challenges_total{result="taken"}')) >= 1);
});

t.test('a server that does not want it has it parked, which is said by an event', async (t) => {
  server.confirm = () => 404;
  await ask('PUT', '/subscriptions/unwanted', { url: server.url, secret: SECRET, channels: ['u'] });
  const [parked] = await receiver.have('subscription_parked', 1);
  t.match(parked, { subscription: 'unwanted', error: 'status 404' });
  t.match((await ask('GET', '/subscriptions/unwanted')).view, { state: 'parked', error: 'status 404' });
  server.confirm = (text) => text;
});

t.test('by way of a worker', async (t) => {
  const node = await startHoldfast(t, { ...options, settings: { ...options.settings, workers: 2 } });
  const response = await fetch(`${node.clients}/make?id=worker`);
  t.equal(await response.text(), 'own answer');
  const before = server.taken.length;
  await node.publish(item('p-room', 'over workers'));
  await until('it comes', () => server.taken.length > before);
  t.match(server.taken.at(-1), { body: 'over workers' });
  t.equal(await (await fetch(`${node.clients}/cancel?id=worker`)).text(), 'bye');
  t.equal((await ask('GET', '/subscriptions/p-worker', undefined, node)).status, 404);
});

t.test('without callbacks nothing of it is there', async (t) => {
  const node = await startHoldfast(t, { routes: options.routes });
  t.equal((await fetch(`${node.clients}/make`)).status, 502);
  t.equal((await fetch(`${node.control}/subscriptions`)).status, 404);
});
