/** Presence over several nodes: one list, one join and one leave, whichever node a user is on, and when one is killed. */
import t from 'tap';
import {
  changesOf,
  itemsOf,
  lastChange,
  membersOf,
  presenceRoutes,
  startPresence,
  stream,
} from '../../kit/presence-fixture.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';

/** How long a node may be listed that does not exist any more, in ms. */
const FORGOTTEN_MS = 10_000;

t.setTimeout(120_000);
const redis = await startRedis(t);
const routes = await presenceRoutes(t);
const settings = { redis_url: redis.url };
const [one, two, three] = await Promise.all([
  startPresence(t, routes, settings),
  startPresence(t, routes, settings),
  startPresence(t, routes, { ...settings, workers: 2 }),
]);

t.test('a user on three nodes is one member, joins once and leaves once', async (t) => {
  const watches = await Promise.all([one, two].map((node) => stream(t, node, '/other/stream?channel=room$presence')));
  const clients = await Promise.all(
    [one, two, three].map((node) => stream(t, node, '/live/stream?channel=room&user=ann&info=Ann')),
  );
  for (const node of [one, two, three]) {
    const { body } = await view(t, node, '/channels/room/members');
    t.match(body, { connections: 3, users: 1, members: [{ user: 'ann', info: 'Ann', connections: 3 }], silent: [] });
  }
  const bob = await stream(t, two, '/live/stream?channel=room&user=bob');
  for (const watch of watches) await lastChange(watch, '+bob');
  for (const client of clients.slice(1)) client.drop();
  bob.drop();
  for (const watch of watches) await lastChange(watch, '-bob');
  clients[0]?.drop();
  for (const watch of watches) {
    await lastChange(watch, '-ann');
    t.strictSame(changesOf(watch), ['+ann', '+bob', '-bob', '-ann']);
  }
});

t.test('who moves to another node within the delay neither leaves nor joins', async (t) => {
  const watch = await stream(t, one, '/other/stream?channel=moves$presence');
  const [before, other] = await Promise.all(
    ['ann', 'bob'].map((user) => stream(t, two, `/live/stream?channel=moves&user=${user}`)),
  );
  await until('both have joined', () => changesOf(watch).length === 2);
  before?.drop();
  await stream(t, three, '/live/stream?channel=moves&user=ann');
  other?.drop();
  await lastChange(watch, '-bob');
  t.notOk(changesOf(watch).includes('-ann'));
});

t.test('when a node is killed the list is right in time, and those leave, once, that were only there', async (t) => {
  const watches = await Promise.all([one, two].map((node) => stream(t, node, '/other/stream?channel=dies$presence')));
  const lost = Array.from({ length: 20 }, (_, i) => `u${i}`);
  await Promise.all([
    ...lost.map((user) => stream(t, three, `/live/stream?channel=dies&user=${user}`)),
    stream(t, three, '/live/stream?channel=dies&user=both'),
    stream(t, one, '/live/stream?channel=dies&user=both'),
    stream(t, one, '/live/stream?channel=dies&user=stays'),
  ]);
  for (const watch of watches) await until('all have joined', () => changesOf(watch).length === lost.length + 2);
  t.equal((await membersOf(t, two, 'dies')).length, lost.length + 2);
  const killedAt = Date.now();
  three.child.signal('SIGKILL');
  await three.child.exited;
  await until('the list is right', async () => (await membersOf(t, two, 'dies')).sort().join() === 'both,stays');
  t.ok(Date.now() - killedAt <= FORGOTTEN_MS, 'in time');

  const gone = lost.map((user) => `-${user}`).sort();
  for (const watch of watches) {
    await until('they have left', () => changesOf(watch).length >= 2 * lost.length + 2);
    t.strictSame(
      changesOf(watch)
        .slice(lost.length + 2)
        .sort(),
      gone,
    );
    const leaves = itemsOf(watch).filter(({ leave = [] }) => leave.length > 0);
    t.ok(leaves.length <= 3, `${leaves.length} items`);
  }
  t.match((await view(t, one, '/channels/dies/members')).body, { users: 2, silent: [] });
});
