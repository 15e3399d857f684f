/** Who is on a channel, in the control API and in published items; with workers it is the same. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, newDirectory } from '../../kit/holdfast.js';
import {
  changesOf,
  itemsOf,
  lastChange,
  membersOf,
  presenceRoutes,
  startPresence,
  stream,
} from '../../kit/presence-fixture.js';
import { until } from '../../kit/until.js';
import { view } from '../../kit/views-fixture.js';

const routes = await presenceRoutes(t);
const alone = await startPresence(t, routes);

/** What holds for a node, however many processes it has. */
function suite(t: Test, name: string, holdfast: Holdfast): void {
  t.test(`${name}: members are users, by the meta of streams, long polls and sessions over HTTP`, async (t) => {
    const clients = await Promise.all([
      stream(t, holdfast, '/list/stream?channel=who&user=ann&info=Ann'),
      open(t, `${holdfast.clients}/other/stream?channel=who&user=hidden`),
      open(t, `${holdfast.clients}/list/stream?channel=who`),
    ]);
    const socket = await openWs(t, wsUrl(holdfast.clients, '/list/ws?channel=who&user=bob'));
    const second = await openWs(t, wsUrl(holdfast.clients, '/list/ws?channel=who&user=ann'));
    await until('both are there', async () => (await membersOf(t, holdfast, 'who')).length === 2);
    await until('with three connections', async () => {
      const { body } = await view(t, holdfast, '/channels/who/members');
      return body.connections === 3;
    });
    const { status, body } = await view(t, holdfast, '/channels/who/members');
    t.equal(status, 200);
    t.match(body, { channel: 'who', connections: 3, users: 2, capped: false, silent: [] });
    const [ann, bob] = [...(body.members as { user: string }[])].sort((a, b) => (a.user < b.user ? -1 : 1));
    t.match(ann, { user: 'ann', kind: 'stream', since: /^20\d\d-.*Z$/, info: 'Ann', connections: 2 });
    t.match(bob, { user: 'bob', kind: 'ws', connections: 1 });
    for (const client of clients) client.drop();
    socket.vanish();
    await until('one is left', async () => (await membersOf(t, holdfast, 'who')).join() === 'ann');
    second.vanish();
    await until('nobody is left', async () => (await membersOf(t, holdfast, 'who')).length === 0);
  });

  t.test(`${name}: the first connection of a user is a join, the last a leave, and a reconnect neither`, async (t) => {
    const watch = await stream(t, holdfast, '/other/stream?channel=room$presence');
    const first = await stream(t, holdfast, '/live/stream?channel=room&user=ann&info=Ann');
    await lastChange(watch, '+ann');
    const [joined] = itemsOf(watch);
    t.match(joined, { type: 'presence', channel: 'room', users: 1, join: [{ user: 'ann', info: 'Ann' }], leave: [] });
    const second = await openWs(t, wsUrl(holdfast.clients, '/live/ws?channel=room&user=ann'));
    await stream(t, holdfast, '/live/stream?channel=room&user=bob');
    await lastChange(watch, '+bob');
    first.drop();
    // A reconnect within the delay; who leaves after it would leave after ann, had she left.
    second.vanish();
    const third = await stream(t, holdfast, '/live/stream?channel=room&user=ann');
    const cy = await stream(t, holdfast, '/live/stream?channel=room&user=cy');
    await lastChange(watch, '+cy');
    cy.drop();
    await lastChange(watch, '-cy');
    t.strictSame(changesOf(watch), ['+ann', '+bob', '+cy', '-cy']);
    third.drop();
    await lastChange(watch, '-ann');
    t.match(itemsOf(watch).at(-1), { users: 1, join: [], leave: [{ user: 'ann' }] });
  });
}

suite(t, 'one process', alone);

t.test('workers', async (t) => {
  const holdfast = await startPresence(t, routes, { workers: 2 });
  suite(t, 'workers', holdfast);

  t.test('what a worker had that is killed leaves, once each', async (t) => {
    const watches = await Promise.all(
      Array.from({ length: 6 }, () => stream(t, holdfast, '/other/stream?channel=lost$presence')),
    );
    const users = Array.from({ length: 8 }, (_, i) => `u${i}`);
    const clients = await Promise.all(
      users.map((user) => stream(t, holdfast, `/live/stream?channel=lost&user=${user}`)),
    );
    const joins = users.map((user) => `+${user}`);
    const [anyWatch] = watches;
    if (anyWatch === undefined) throw new Error('no watch');
    await until('all have joined', () => changesOf(anyWatch).length === users.length);
    t.strictSame(changesOf(anyWatch).sort(), joins);
    const { pid } = holdfast.child;
    const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
    const broken = new Set<number>();
    for (const [i, client] of clients.entries()) void client.end().then(() => broken.add(i));
    const ended = new Set<number>();
    for (const [i, watch] of watches.entries()) void watch.end().then(() => ended.add(i));
    process.kill(Number(worker), 'SIGKILL');
    await until('some are gone', async () => {
      const left = await membersOf(t, holdfast, 'lost');
      return left.length === users.length - broken.size && broken.size + ended.size > 0;
    });
    const watch = watches.find((_, i) => !ended.has(i));
    if (watch === undefined) {
      t.pass('no watch was on the other worker');
      return;
    }
    const gone = [...broken].map((i) => `-u${i}`).sort();
    await until('they have left', () => changesOf(watch).length === users.length + gone.length);
    t.strictSame(changesOf(watch).slice(users.length).sort(), gone);
  });
});

t.test('a channel without presence says nothing, and one with a list publishes nothing', async (t) => {
  const watch = await stream(t, alone, '/other/stream?channel=calm$presence');
  await stream(t, alone, '/list/stream?channel=calm&user=ann');
  await stream(t, alone, '/other/stream?channel=calm&user=bob');
  await stream(t, alone, '/live/stream?channel=calm&user=cy');
  await lastChange(watch, '+cy');
  t.strictSame(changesOf(watch), ['+cy']);
  t.strictSame((await membersOf(t, alone, 'calm')).sort(), ['ann', 'cy']);
});

t.test('a session that becomes another user joins as that, and leaves as the one it was', async (t) => {
  const watch = await stream(t, alone, '/other/stream?channel=late$presence');
  const socket = await openWs(t, wsUrl(alone.clients, '/live/ws?channel=late&user=ann'));
  await lastChange(watch, '+ann');
  socket.send('!user bob');
  await lastChange(watch, '-ann');
  t.strictSame(changesOf(watch), ['+ann', '+bob', '-ann']);
  t.strictSame(await membersOf(t, alone, 'late'), ['bob']);
});

t.test('a key sees the members of its channels only', async (t) => {
  const key = 'a-key-for-some-channels-0123456789';
  const directory = newDirectory(t);
  const entries = [{ id: 'some', key, allow: ['view'], channels: ['room-*'] }];
  writeFileSync(join(directory, 'keys.yaml'), JSON.stringify(entries), { mode: 0o600 });
  const holdfast = await startPresence(t, routes, { control_keys_file: 'keys.yaml' }, directory);
  const ask = async (channel: string, headers: Record<string, string> = {}) =>
    (await fetch(`${holdfast.control}/channels/${channel}/members`, { headers })).status;
  t.equal(await ask('room-1', { 'X-API-Key': key }), 200);
  t.equal(await ask('other', { 'X-API-Key': key }), 403);
  t.equal(await ask('room-1'), 401);
});
