import { type OccupancyCounts, PRESENCE_MEMBERS_MAX } from '@holdfast/control-api';
import t from 'tap';
import { ChannelPresence, MEMBER_INFO_MAX, memberOf } from '../../dist/channels/presence.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { USER_NAME_BYTES } from '../../dist/channels/users.js';
import { ManualClock } from '../kit/manual-clock.js';
import { RecordingSubscriber } from './recording-subscriber.js';

function fixture() {
  const calls: string[] = [];
  const counts: OccupancyCounts = {
    enter: (group, member, note) => void calls.push(`enter ${group} ${member} ${note}`),
    leave: (group, member) => void calls.push(`leave ${group} ${member}`),
  };
  const clock = new ManualClock();
  const presence = new ChannelPresence({ clock, presenceDelay: 5_000, counts });
  const interest = { subscribe: () => undefined, unsubscribe() {} };
  const registry = new ChannelRegistry(interest, clock, 60_000, { presence });
  return { calls, presence, registry, clock };
}

const member = (user: string, info?: string, announced = true) => ({ user, info, announced });

t.test('a connection is a member where its route has presence and its meta a user', async (t) => {
  const meta = new Map([
    ['user', '42'],
    ['info', '{"name":"Ann"}'],
  ]);
  t.equal(memberOf({}, meta), undefined);
  t.equal(memberOf({ presence: undefined }, meta), undefined);
  t.strictSame(memberOf({ presence: 'list' }, meta), member('42', '{"name":"Ann"}', false));
  t.strictSame(memberOf({ presence: 'events' }, new Map([['user', '42']])), member('42'));
  t.equal(memberOf({ presence: 'events' }, new Map([['info', 'x']])), undefined);
  t.equal(memberOf({ presence: 'events' }, new Map([['user', '']])), undefined);
});

t.test('the names of users, and what is known of them, are limited in bytes', async (t) => {
  const of = (user: string, info = '') =>
    memberOf(
      { presence: 'list' },
      new Map([
        ['user', user],
        ['info', info],
      ]),
    );
  t.equal(of('a\ud800b\udfff')?.user, 'a\ufffdb\ufffd');
  const longest = 'x'.repeat(USER_NAME_BYTES);
  t.equal(of(longest)?.user, longest);
  t.equal(of(`${longest}x`), undefined);
  t.equal(of('a', 'x'.repeat(MEMBER_INFO_MAX))?.info?.length, MEMBER_INFO_MAX);
  t.strictSame(of('a', 'x'.repeat(MEMBER_INFO_MAX + 1)), member('a', undefined, false));
});

t.test('members are listed once for each user, in the order of their coming, until they leave', async (t) => {
  const { presence, registry, clock } = fixture();
  const [poll, stream, socket] = [
    new RecordingSubscriber('response'),
    new RecordingSubscriber('stream'),
    new RecordingSubscriber('ws'),
  ];
  registry.add(stream, ['room'], undefined, member('ann', 'A'));
  registry.add(socket, ['room', 'other'], undefined, member('ann', 'B'));
  registry.add(poll, ['room'], undefined, member('bob'));
  registry.add(new RecordingSubscriber('ws'), ['room']);
  t.strictSame(presence.view('room'), {
    connections: 3,
    members: [
      { user: 'ann', kind: 'stream', since: '', info: 'A', connections: 2 },
      { user: 'bob', kind: 'response', since: '', connections: 1 },
    ],
  });
  registry.remove(stream, ['room']);
  registry.remove(poll, ['room']);
  clock.advance(5_000);
  t.strictSame(presence.view('room'), {
    connections: 1,
    members: [{ user: 'ann', kind: 'ws', since: '', info: 'B', connections: 1 }],
  });
  registry.remove(socket, ['room', 'other']);
  t.strictSame(presence.view('room'), { connections: 0, members: [] });
  t.strictSame(presence.view('other'), { connections: 0, members: [] });
});

t.test('a user whose long poll was answered is listed until the next one, or as long as it may take', async (t) => {
  const { presence, registry, clock } = fixture();
  const poll = () => new RecordingSubscriber('response');
  const [first, second, other] = [poll(), poll(), poll()];
  registry.add(first, ['room'], undefined, member('ann', 'A'));
  registry.add(other, ['room'], undefined, member('bob'));
  registry.remove(first, ['room']);
  const between = { user: 'ann', kind: 'response', since: '', info: 'A', connections: 0 };
  t.strictSame(presence.view('room').members?.at(-1), between);
  t.equal(presence.view('room').connections, 1);
  clock.advance(3_000);
  registry.add(second, ['room'], undefined, member('ann', 'A'));
  t.strictSame(presence.view('room').members?.at(-1), { ...between, connections: 1 });
  registry.remove(second, ['room']);
  registry.remove(other, ['room']);
  clock.advance(4_999);
  t.strictSame(
    presence.view('room').members?.map(({ user }) => user),
    ['ann', 'bob'],
  );
  clock.advance(1);
  t.strictSame(presence.view('room'), { connections: 0, members: [] });
  // The channel itself still lingers.
  clock.advance(60_000);
  t.equal(clock.pending, 0);
});

t.test('who is announced enters and leaves, once for each subscription, under the user of that time', async (t) => {
  const { calls, registry } = fixture();
  const [one, quiet] = [new RecordingSubscriber('ws'), new RecordingSubscriber('ws')];
  registry.add(one, ['a', 'b'], undefined, member('ann', 'A'));
  registry.add(one, ['a'], undefined, member('ann', 'A'));
  registry.add(quiet, ['a'], undefined, member('bob', undefined, false));
  t.strictSame(calls.splice(0), ['enter a ann A', 'enter b ann A']);
  registry.memberChanged(one, ['a', 'b', 'c'], member('cy'));
  t.strictSame(calls.splice(0), ['leave a ann', 'enter a cy undefined', 'leave b ann', 'enter b cy undefined']);
  registry.memberChanged(one, ['b'], undefined);
  registry.remove(quiet, ['a']);
  registry.remove(one, ['a', 'b']);
  registry.remove(one, ['a']);
  t.strictSame(calls, ['leave b cy', 'leave a cy']);
});

t.test('channels of joins and leaves have no members themselves', async (t) => {
  const { calls, presence, registry } = fixture();
  registry.add(new RecordingSubscriber('ws'), ['room$presence'], undefined, member('ann'));
  t.strictSame(calls, []);
  t.strictSame(presence.view('room$presence'), { connections: 0, members: [] });
});

t.test('beyond the limit members are only counted', async (t) => {
  const { presence, registry } = fixture();
  const add = (user: string) => registry.add(new RecordingSubscriber('ws'), ['room'], undefined, member(user));
  for (let i = 0; i < PRESENCE_MEMBERS_MAX; i++) add(`u${i}`);
  add('u0');
  t.equal(presence.view('room').members?.length, PRESENCE_MEMBERS_MAX);
  add('one more');
  t.strictSame(presence.view('room'), { connections: PRESENCE_MEMBERS_MAX + 2 });
});
