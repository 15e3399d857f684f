/** Callbacks over a real server: the challenge, what is sent, what is made of answers, and when it ends. */
import { lookup } from 'node:dns';
import { parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import { CALLBACK_FIRST_RETRY_MS } from '../../dist/callbacks/back-off.js';
import { IDLE_CONNECTIONS, SWEEP_MS } from '../../dist/callbacks/deliverer.js';
import {
  BackplaneHub,
  type Callback,
  CallbackDeliverer,
  type CallbackReports,
  LAST_CALLBACKS_MS,
  LocalBackplane,
  LocalCallbacks,
  silentLog,
  uncontained,
} from '../../dist/index.js';
import { until } from '../backplane/redis/redis-fixture.js';
import { rememberedIds } from '../items.js';
import { ManualClock } from '../manual-clock.js';
import { CallbackServer } from './callback-server.js';
import { callback, requestMessage, SECRET } from './callbacks-fixture.js';

interface Options {
  readonly hostMax?: number;
  readonly patience?: number;
  readonly isAllowed?: (host: string) => boolean;
}

async function start(t: Test, { hostMax = 4, patience = 60_000, isAllowed = () => true }: Options = {}) {
  const hub = new BackplaneHub({ inner: new LocalBackplane(silentLog, rememberedIds()), log: silentLog });
  await hub.start();
  const store = new LocalCallbacks({ share: hub.share({ watches: true }), backlogMax: 1_000 });
  const events: string[] = [];
  const reports: CallbackReports = {
    asked: (kind, result) => events.push(`${kind} ${result}`),
    dropped: ({ id }, reason, count) => events.push(`${id} dropped ${reason} ${count}`),
    parked: ({ id }, { error }) => events.push(`${id} parked ${error}`),
    ended: ({ id }, reason) => events.push(`${id} ended ${reason}`),
  };
  const clock = new ManualClock(0, Date.now());
  const deliverer = new CallbackDeliverer({
    store,
    // Every name is this machine.
    addresses: {
      isAllowed,
      lookup: ((_: string, options: object, done: never) => lookup('127.0.0.1', options, done)) as never,
    },
    hostMax,
    patience,
    clock,
    random: () => 0,
    reports,
    log: silentLog,
    faults: uncontained,
  });
  await deliverer.start();
  const server = await CallbackServer.start(t, SECRET);
  t.teardown(async () => {
    await deliverer.close();
    await hub.close();
  });
  const make = (id: string, channels: readonly string[], more: Partial<Callback> = {}) =>
    store.put(callback(id, channels, { url: server.url, expires: clock.wall() + 86_400_000, ...more }));
  const publish = (channel: string, ...bodies: readonly string[]) =>
    hub.publish(bodies.map((body) => requestMessage(channel, body)));
  const bodies = () => server.taken.map(({ body }) => body);
  const active = (id: string) =>
    until(`${id} is active`, async () => (await store.read(id))?.status.state === 'active');
  /** Waits until so many attempts have failed: then it pauses. */
  const failed = (id: string, count: number) =>
    until(`failure ${count} of ${id}`, async () => (await store.read(id))?.status.failures === count);
  return { failed, hub, store, deliverer, server, events, clock, make, publish, bodies, active };
}

t.test('a server is asked before anything is sent to it, and gets what came meanwhile', async (t) => {
  const { server, make, publish, bodies } = await start(t);
  server.confirm = () => 503;
  await make('a', ['x', 'y']);
  await publish('x', '1');
  await until('it is asked', () => server.challenges.length === 1);
  const asked = new URL(server.challenges[0]?.url ?? '', server.url).searchParams;
  t.equal(asked.get('hub.mode'), 'subscribe');
  t.strictSame(asked.getAll('hub.topic'), ['x', 'y']);
  t.ok(Number(asked.get('hub.lease_seconds')) > 86_000);
  t.strictSame(bodies(), []);
  server.confirm = (text) => text;
  await make('a', ['x', 'y']);
  await until('the item comes', () => bodies().length === 1);
  await publish('y', '2');
  await until('the next comes', () => bodies().length === 2);
  t.equal(server.challenges.length, 2, 'asked once, when it has confirmed');
});

for (const [what, confirm] of [
  ['another text', () => 'no'],
  ['404', () => 404],
] as const) {
  t.test(`a server that answers the challenge with ${what} gets nothing until the callback is made anew`, async (t) => {
    const { store, server, events, make, publish, bodies } = await start(t);
    server.confirm = confirm;
    await make('a', ['x']);
    await publish('x', '1');
    await until('it is parked', () => events.some((event) => event.startsWith('a parked')));
    t.match(await store.read('a'), { status: { state: 'parked', confirmed: false }, backlog: { items: 1 } });
    server.confirm = (text) => text;
    await make('a', ['x']);
    await until('the item comes', () => bodies().length === 1);
  });
}

t.test('items come in order, one at a time, signed, each under an id that stays', async (t) => {
  const { failed, server, clock, make, publish, bodies, active } = await start(t);
  await make('a', ['x']);
  await active('a');
  let failures = 2;
  server.reply = () => (failures-- > 0 ? 500 : 204);
  await publish('x', '1', '2', '3');
  for (const count of [1, 2]) {
    await failed('a', count);
    clock.advance(CALLBACK_FIRST_RETRY_MS * 2 ** (count - 1));
  }
  await until('all come', () => bodies().length === 3);
  t.strictSame(bodies(), ['1', '2', '3']);
  const attempts = server.arrivals.filter(({ id }) => id !== undefined);
  t.equal(new Set(attempts.map(({ id }) => id)).size, 3);
  t.equal(new Set(attempts.slice(0, 3).map(({ id }) => id)).size, 1, 'every attempt has the same id');
  t.equal(server.most, 1);
  t.strictSame(server.refused, []);
});

t.test('to one host so many at a time', async (t) => {
  const { server, make, publish, bodies, active } = await start(t, { hostMax: 2 });
  const ids = Array.from({ length: 8 }, (_, n) => `id-${n}`);
  for (const id of ids) await make(id, ['x']);
  await Promise.all(ids.map(active));
  let isOpen = false;
  const waiting: Array<() => void> = [];
  server.reply = () => (isOpen ? 204 : new Promise((resolve) => waiting.push(() => resolve(204))));
  server.most = 0;
  await publish('x', '1');
  await until('two wait', () => waiting.length === 2);
  isOpen = true;
  for (const go of waiting) go();
  await until('all come', () => bodies().length === 8);
  t.equal(server.most, 2);
});

t.test('Retry-After is obeyed, and redirects are not followed', async (t) => {
  const { failed, store, server, clock, make, publish, bodies, active } = await start(t);
  await make('a', ['x']);
  await active('a');
  const attempts = () => server.arrivals.filter(({ id }) => id !== undefined).length;
  server.reply = () => ({ status: 429, headers: { 'Retry-After': '30' } });
  await publish('x', '1');
  await failed('a', 1);
  server.reply = () => ({ status: 307, headers: { Location: server.url } });
  clock.advance(29_000);
  t.equal(attempts(), 1);
  clock.advance(1_000);
  await until('it is sent again', () => attempts() === 2);
  await failed('a', 2);
  server.reply = () => 204;
  clock.advance(60_000);
  await until('it comes', () => bodies().length === 1);
  t.match((await store.read('a'))?.status, { failures: 0, error: 'status 307', state: 'active' });
});

t.test('when attempts have failed for too long it is parked, with what waits; made anew, it goes on', async (t) => {
  const { failed, store, server, events, clock, make, publish, bodies, active } = await start(t, { patience: 3_000 });
  await make('a', ['x']);
  await active('a');
  await server.goAway();
  await publish('x', '1', '2');
  const isParked = () => events.includes('a parked ECONNREFUSED');
  for (const count of [1, 2, 3]) {
    await failed('a', count);
    clock.advance(CALLBACK_FIRST_RETRY_MS * 2 ** (count - 1));
  }
  await until('it is parked', isParked);
  t.match(await store.read('a'), { status: { state: 'parked', error: 'ECONNREFUSED' }, backlog: { items: 2 } });
  await publish('x', '3');
  await server.comeBack();
  await make('a', ['x']);
  await until('all come', () => bodies().length === 3);
  t.strictSame(bodies(), ['1', '2', '3']);
  t.equal(server.challenges.length, 1, 'its server has confirmed it before');
});

t.test('410 ends it, and so does an item that says so; a time that is over too', async (t) => {
  const { hub, store, server, events, clock, make, publish, active } = await start(t);
  for (const id of ['gone', 'closed']) await make(id, [id]);
  await make('expired', ['z'], { expires: clock.wall() + 5_000 });
  for (const id of ['gone', 'closed', 'expired']) await active(id);
  server.reply = () => 410;
  await publish('gone', '1');
  await until('it has ended', () => events.includes('gone ended gone'));
  const item = parseItem({ channel: 'closed', formats: { 'http-request': { action: 'close' } } });
  await hub.publish([{ type: 'item', item, id: 'close' }]);
  await until('it is closed', () => events.includes('closed ended closed'));
  clock.advance(SWEEP_MS);
  await until('its time is over', () => events.includes('expired ended expired'));
  t.equal(await store.read('gone'), undefined);
  t.equal(await store.read('expired'), undefined);
});

t.test('an address to which nothing may go is not connected to, whatever made the callback', async (t) => {
  const { store, server, make, publish } = await start(t, { isAllowed: () => false });
  await make('a', ['x']);
  await publish('x', '1');
  await until('it has failed', async () => (await store.read('a'))?.status.error === 'address not allowed');
  t.equal(server.arrivals.length, 0);
});

t.test('an answer that is lost has the item sent again, under the same id', async (t) => {
  const { failed, server, clock, make, publish, bodies, active } = await start(t);
  await make('a', ['x']);
  await active('a');
  let isFirst = true;
  server.reply = () => {
    const reply = isFirst ? 'hang-up' : 204;
    isFirst = false;
    return reply;
  };
  await publish('x', '1');
  await failed('a', 1);
  clock.advance(CALLBACK_FIRST_RETRY_MS);
  await until('it comes', () => bodies().length === 1);
  const [lost, taken] = server.arrivals.filter(({ id }) => id !== undefined);
  t.equal(lost?.id, taken?.id);
});

t.test('a node that ends waits for what is under way for a while, and then breaks it off', async (t) => {
  const { store, deliverer, server, events, clock, make, publish, active } = await start(t);
  await make('a', ['x']);
  await active('a');
  let asked = false;
  server.reply = () => {
    asked = true;
    return new Promise(() => {});
  };
  await publish('x', '1');
  await until('it is under way', () => asked);
  t.match(await store.read('a'), { status: { failures: 0 } });
  let isClosed = false;
  const closed = deliverer.close().then(() => (isClosed = true));
  clock.advance(LAST_CALLBACKS_MS - 1);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(isClosed, false);
  clock.advance(1);
  await closed;
  t.notOk(events.some((event) => event.startsWith('a parked')));
});

t.test('unused connections are kept up to a number, to however many servers', async (t) => {
  const { deliverer, server, make, bodies, publish } = await start(t);
  const { port } = new URL(server.url);
  const count = IDLE_CONNECTIONS + 20;
  for (let n = 0; n < count; n++) await make(`id-${n}`, ['x'], { url: `http://h${n}.test:${port}/hook` });
  await until('all have confirmed', () => server.challenges.length === count);
  await publish('x', '1');
  await until('all have the item, and been answered', () => bodies().length === count && deliverer.underWay === 0);
  t.ok(deliverer.idle > 0 && deliverer.idle <= IDLE_CONNECTIONS, `${deliverer.idle} are kept`);
  t.strictSame(server.refused, []);
});
