/** The events of a node with workers: the primary counts over all of them, and sends. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { EventReceiver } from '../../kit/event-receiver.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const types = 'channel_occupied,channel_vacated,connection_opened,connection_closed,user_online,user_offline';
const receiver = await EventReceiver.start(t);
const origin = await startOrigin(t, (request, response) => {
  const user = new URL(request.url ?? '', 'http://origin').searchParams.get('user') ?? 'ann';
  response.writeHead(200, { ...streamHold('room'), 'Grip-Set-Meta': `user="${user}"` }).end('opened\n');
});
const holdfast = await startHoldfast(t, {
  settings: {
    ...receiver.settings(types, { events_vacated_delay: '500ms' }),
    log_format: 'json',
    client_half_close_grace: 0,
    workers: 2,
  },
  routes: [`*,id=web ${origin.target}`],
});

t.test('a channel with clients of several workers is occupied once, and vacated once', async (t) => {
  const clients = await Promise.all(Array.from({ length: 6 }, (_, n) => open(t, `${holdfast.clients}/?${n}`)));
  for (const client of clients) await client.until('opened\n');
  await receiver.have('connection_opened', 6);
  await receiver.have('user_online', 1);
  for (const client of clients.splice(0, 5)) client.drop();
  await receiver.have('connection_closed', 5);
  t.equal(receiver.of('channel_vacated').length, 0);
  clients[0]?.drop();
  await receiver.have('channel_vacated', 1);
  await receiver.have('user_offline', 1);
  t.strictSame(
    ['channel_occupied', 'channel_vacated', 'user_online', 'user_offline'].map((type) => receiver.of(type).length),
    [1, 1, 1, 1],
  );
});

t.test('what a worker had that is killed is vacated', async (t) => {
  const before = receiver.of('channel_vacated').length;
  const bob = await open(t, `${holdfast.clients}/?user=bob`);
  await bob.until('opened\n');
  await until('user bob', () => receiver.of('user_online').some(({ user }) => user === 'bob'));
  let isGone = false;
  void bob.end().then(() => {
    isGone = true;
  });
  // One after the other: a port that the system has chosen goes with the last worker.
  const children = `/proc/${holdfast.child.pid}/task/${holdfast.child.pid}/children`;
  for (const [n, pid] of readFileSync(children, 'utf8').trim().split(' ').entries()) {
    if (isGone) break;
    process.kill(Number(pid), 'SIGKILL');
    const ended = () => holdfast.metric('holdfast_workers_ended_total{cause="SIGKILL"}');
    await until('its end', async () => (await ended()) === n + 1);
    await until('the next one', async () => (await holdfast.metric('holdfast_workers')) === 2);
  }
  t.equal(await bob.end(), 'broken');
  await receiver.have('channel_vacated', before + 1);
  await until('bob is gone', () => receiver.of('user_offline').some(({ user }) => user === 'bob'));
});

t.test('what workers report when they end is sent', async (t) => {
  const before = receiver.of('connection_closed').length;
  const clients = await Promise.all([1, 2, 3, 4].map((n) => open(t, `${holdfast.clients}/?last${n}`)));
  for (const client of clients) await client.until('opened\n');
  await holdfast.child.stop();
  const closed = receiver.of('connection_closed').slice(before);
  t.equal(closed.length, 4);
  t.match(closed, Array(4).fill({ reason: 'shutdown' }));
});
