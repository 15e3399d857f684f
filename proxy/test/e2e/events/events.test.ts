/** The events of one node, posted to the customer's own system: what they are, and what becomes of them when that is away. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startNode } from '../../../dist/index.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { EVENTS_KEY, EventReceiver, isOrdered } from '../../kit/event-receiver.js';
import {
  type HoldfastOptions,
  newDirectory,
  responseItem,
  runHoldfast,
  startHoldfast,
  streamItem,
} from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';

const DELAY = { events_vacated_delay: '500ms' };

/** A node whose origin holds what is asked of it on the channel of its query. */
async function start(t: Test, settings: HoldfastOptions['settings'], routes: readonly string[] = []) {
  const origin = await startOrigin(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://origin');
    const channel = searchParams.get('channel') ?? 'room';
    const user = searchParams.get('user');
    const meta = user === null ? {} : { 'Grip-Set-Meta': `user="${user}"` };
    if (pathname === '/stream') response.writeHead(200, { ...streamHold(channel), ...meta }).end('opened\n');
    else response.writeHead(200, { ...responseHold(channel), ...meta }).end('nothing new\n');
  });
  return startHoldfast(t, {
    settings: { log_format: 'json', client_half_close_grace: 0, ...settings },
    routes: [...routes, `*,id=web ${origin.target}`],
  });
}

async function stream(t: Test, clients: string, query: string) {
  const answer = await open(t, `${clients}/stream?${query}`);
  await answer.until('opened\n');
  return answer;
}

t.test('a channel is occupied by its first client and vacated after its last', async (t) => {
  const receiver = await EventReceiver.start(t);
  const holdfast = await start(t, receiver.settings('channel_occupied,channel_vacated', DELAY));
  const [one, two] = [await stream(t, holdfast.clients, 'channel=a'), await stream(t, holdfast.clients, 'channel=a')];
  const [occupied] = await receiver.have('channel_occupied', 1);
  one.drop();
  const other = await stream(t, holdfast.clients, 'channel=b');
  two.drop();
  const back = await stream(t, holdfast.clients, 'channel=a');
  other.drop();
  const [vacated] = await receiver.have('channel_vacated', 1);
  t.match(occupied, { channel: 'a', seq: Number, node: String, time: String });
  t.match(vacated, { channel: 'b' }, 'a was left for less than the delay');
  back.drop();
  await receiver.have('channel_vacated', 2);
  t.strictSame(
    receiver.events.map(({ type, channel }) => `${type} ${channel}`),
    ['channel_occupied a', 'channel_occupied b', 'channel_vacated b', 'channel_vacated a'],
  );
  t.ok(isOrdered(receiver.events));
  t.equal(await holdfast.metric('holdfast_events_sent_total{event="channel_vacated"}'), 2);
  t.equal(await holdfast.metric('holdfast_events_waiting'), 0);
});

t.test('a tap is no client', async (t) => {
  const receiver = await EventReceiver.start(t);
  const holdfast = await start(t, receiver.settings('channel_occupied,channel_vacated', DELAY));
  const tap = await open(t, `${holdfast.control}/channels/tapped/items`);
  await stream(t, holdfast.clients, 'channel=a');
  await receiver.have('channel_occupied', 1);
  t.strictSame(
    receiver.events.map(({ channel }) => channel),
    ['a'],
  );
  tap.drop();
});

t.test('long polls that come back make no events', async (t) => {
  const receiver = await EventReceiver.start(t);
  const settings = receiver.settings('channel_occupied,channel_vacated', { events_vacated_delay: 0 });
  const holdfast = await start(t, { ...settings, subscription_linger: 4 });
  for (let polls = 0; polls < 3; polls++) {
    const poll = ask(t, `${holdfast.clients}/poll?channel=p`);
    await holdfast.holds('response', 1);
    await holdfast.publish(responseItem('p', 'item\n'));
    t.equal((await poll).text, 'item\n');
  }
  await receiver.have('channel_vacated', 1);
  t.strictSame(
    receiver.events.map(({ type }) => type),
    ['channel_occupied', 'channel_vacated'],
  );
});

t.test('connections open and close, and their users come and go', async (t) => {
  const receiver = await EventReceiver.start(t);
  const types = 'connection_opened,connection_closed,user_online,user_offline';
  const holdfast = await start(t, {
    ...receiver.settings(types, DELAY),
    events_channels: 'a*',
    subscription_linger: 0,
  });
  const one = await stream(t, holdfast.clients, 'channel=a1&user=ann');
  const two = await stream(t, holdfast.clients, 'channel=other&user=ann');
  await receiver.have('connection_opened', 2);
  await receiver.have('user_online', 1);
  two.drop();
  await receiver.have('connection_closed', 1);
  t.equal(receiver.of('user_offline').length, 0);
  await holdfast.publish({ channel: 'a1', formats: { 'http-stream': { content: 'x\n' } } });
  await one.until('x\n');
  one.drop();
  const [, closed] = await receiver.have('connection_closed', 2);
  await receiver.have('user_offline', 1);
  const [opened] = receiver.of('connection_opened');
  t.match(opened, { kind: 'stream', route: 'web', user: 'ann', id: String });
  t.match(closed, { id: opened?.id, user: 'ann', reason: 'client-gone', channels: ['a1'], items: 1, duration: Number });
  t.match(receiver.of('connection_closed')[0], { channels: [] }, 'other channels are not named');
  t.match(receiver.of('user_online'), [{ user: 'ann', seq: Number }]);
  t.match(receiver.of('user_offline'), [{ user: 'ann', seq: Number }]);
});

t.test('a target that cannot be asked is down', async (t) => {
  const receiver = await EventReceiver.start(t);
  const holdfast = await start(t, receiver.settings('target_down'), ['*,path_beg=/down,id=gone 127.0.0.1:1']);
  for (let tries = 0; tries < 3; tries++) t.equal((await ask(t, `${holdfast.clients}/down`)).status, 502);
  await receiver.have('target_down', 1);
  t.match(receiver.events, [
    { type: 'target_down', route: 'gone', target: /127\.0\.0\.1:1$/, failures: 1, code: String },
  ]);
  t.equal(receiver.events.length, 1, 'once a minute');
});

t.test('while the receiver is away events wait; then all come, in order', async (t) => {
  const receiver = await EventReceiver.start(t);
  const settings = receiver.settings('channel_occupied,channel_vacated', { ...DELAY, events_batch_max: 10 });
  const holdfast = await start(t, settings);
  await stream(t, holdfast.clients, 'channel=first');
  await receiver.have('channel_occupied', 1);
  await receiver.goAway();
  const names = Array.from({ length: 25 }, (_, n) => `c${n}`);
  const clients = await Promise.all(names.map((name) => stream(t, holdfast.clients, `channel=${name}`)));
  for (const client of clients) client.drop();
  await holdfast.record('a post failed', ({ error }) => error === 'ECONNREFUSED');
  await holdfast.publish(streamItem('first', 'still served\n'));
  await receiver.comeBack();
  await receiver.have('channel_vacated', names.length);
  t.equal(receiver.of('channel_occupied').length, 1 + names.length);
  t.ok(isOrdered(receiver.events));
  for (const name of names) {
    t.strictSame(
      receiver.events.filter(({ channel }) => channel === name).map(({ type }) => type),
      ['channel_occupied', 'channel_vacated'],
    );
  }
  t.ok(receiver.posts.every(({ events }) => events.length <= 10));
  t.ok((await holdfast.metric('holdfast_events_posts_total{result="failed"}')) > 0);
});

t.test('410 stops it until the next start', async (t) => {
  const receiver = await EventReceiver.start(t);
  receiver.status = 410;
  const holdfast = await start(t, receiver.settings('channel_occupied'));
  await stream(t, holdfast.clients, 'channel=a');
  await holdfast.record('the stop', ({ status, receiver: where }) => status === 410 && where === receiver.url);
  await stream(t, holdfast.clients, 'channel=b');
  await receiver.goAway();
  t.equal(receiver.asked, 1);
});

t.test('keys rotate: receivers with the old and with the new one take the same posts', async (t) => {
  const next = `whsec_${Buffer.alloc(32, 2).toString('base64')}`;
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'keys'), `${EVENTS_KEY}\n${next}\n`);
  for (const key of [EVENTS_KEY, next]) {
    const receiver = await EventReceiver.start(t, key);
    const { events_key: _, ...settings } = receiver.settings('channel_occupied');
    const holdfast = await start(t, { ...settings, events_key_file: join(directory, 'keys') });
    await stream(t, holdfast.clients, 'channel=a');
    await receiver.have('channel_occupied', 1);
    t.strictSame(receiver.refused, []);
    t.notMatch(holdfast.child.stdout, /whsec_/);
  }
});

t.test('what waits when a node ends is sent', async (t) => {
  const receiver = await EventReceiver.start(t);
  const holdfast = await start(t, receiver.settings('connection_closed', { events_batch_wait: '60s' }));
  await stream(t, holdfast.clients, 'channel=a');
  await holdfast.child.stop();
  t.match(receiver.events, [{ type: 'connection_closed', reason: 'shutdown' }]);
});

t.test('a node in a program of yours sends them too', async (t) => {
  const receiver = await EventReceiver.start(t);
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, streamHold('a')).end('opened\n');
  });
  const log = { error() {}, warn() {}, info() {}, debug() {} };
  const settings = { ...receiver.settings('channel_occupied,connection_closed'), routes: [`* ${origin.target}`] };
  const node = await startNode({ ...settings, http_port: '127.0.0.1:0', push_in_http_port: 0 }, { log });
  await stream(t, node.addresses.clients[0] as string, '');
  await receiver.have('channel_occupied', 1);
  await node.stop();
  t.match(receiver.of('connection_closed'), [{ reason: 'shutdown' }]);
});

t.test('the keys are not printed', async (t) => {
  const directory = newDirectory(t);
  const child = runHoldfast(t, {
    directory,
    args: ['print-config', '--events-url', 'https://hooks.example/', '--route', '* test'],
    env: { HOLDFAST_EVENTS_KEY: EVENTS_KEY },
  });
  await child.exited;
  t.match(child.stdout, 'events_url: https://hooks.example/');
  t.match(child.stdout, '# events_key: <redacted>');
  t.notMatch(child.stdout + child.stderr, 'whsec_');
});
