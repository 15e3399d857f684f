/** Who is connected as which user in a process, and which users and connections have ended lately. */
import t from 'tap';
import { ENDED_IDS, EndedIds } from '../../dist/channels/ended-ids.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { ENDED_USERS, USER_NAME_BYTES, UserIndex } from '../../dist/channels/users.js';
import { ManualClock } from '../kit/manual-clock.js';
import { RecordingSubscriber } from './recording-subscriber.js';

t.test('connections are found by their user, until they leave or have another', async (t) => {
  const users = new UserIndex();
  const [one, two, none] = [new RecordingSubscriber(), new RecordingSubscriber('ws'), new RecordingSubscriber()];
  users.set(one, 'ann');
  users.set(two, 'ann');
  users.set(none, undefined);
  t.strictSame([...users.of('ann')], [one, two]);
  t.equal(users.userOf(one), 'ann');
  t.equal(users.userOf(none), undefined);
  users.set(two, 'bob');
  t.strictSame([...users.of('ann')], [one]);
  t.strictSame([...users.of('bob')], [two]);
  users.leave(one);
  users.leave(none);
  users.set(two, undefined);
  for (const user of ['ann', 'bob']) {
    t.equal(users.of(user).size, 0);
    t.ok(users.hasEnded(user));
  }
  t.notOk(users.hasEnded('never'));
  users.set(one, 'ann');
  t.notOk(users.hasEnded('ann'), 'is there again');
});

t.test('a name that is empty or too long is none', async (t) => {
  const users = new UserIndex();
  const subscriber = new RecordingSubscriber();
  for (const name of ['', 'x'.repeat(USER_NAME_BYTES + 1), 'é'.repeat(USER_NAME_BYTES / 2 + 1)]) {
    users.set(subscriber, name);
    t.equal(users.of(name).size, 0);
    t.equal(users.userOf(subscriber), undefined);
  }
  users.set(subscriber, 'é'.repeat(Math.floor(USER_NAME_BYTES / 2)));
  t.type(users.userOf(subscriber), 'string');
});

t.test('of the users that have gone only the last are remembered', async (t) => {
  const users = new UserIndex();
  const subscriber = new RecordingSubscriber();
  for (let i = 0; i <= ENDED_USERS; i++) {
    users.set(subscriber, `user-${i}`);
    users.leave(subscriber);
  }
  t.notOk(users.hasEnded('user-0'));
  t.ok(users.hasEnded('user-1'));
  t.ok(users.hasEnded(`user-${ENDED_USERS}`));
});

t.test('of the connections that have ended only the last are remembered', async (t) => {
  const ended = new EndedIds();
  for (let i = 0; i <= ENDED_IDS; i++) ended.add(`id-${i}`);
  t.notOk(ended.has('id-0'));
  t.ok(ended.has('id-1'));
  t.ok(ended.has(`id-${ENDED_IDS}`));
});

t.test('the registry knows the user of who enters with the meta for it, and who has left', async (t) => {
  const registry = new ChannelRegistry({ subscribe: () => undefined, unsubscribe() {} }, new ManualClock(), 0);
  const subscriber = new RecordingSubscriber();
  registry.enter(subscriber, new Map([['user', 'ann']]));
  t.strictSame([...registry.users.of('ann')], [subscriber]);
  registry.identify(subscriber.id, 'bob');
  t.strictSame([...registry.users.of('bob')], [subscriber]);
  t.notOk(registry.hasEnded(subscriber.id));
  registry.leave(subscriber, true);
  t.notOk(registry.hasEnded(subscriber.id), 'it comes back');
  t.equal(registry.users.of('bob').size, 0);
  registry.enter(subscriber);
  registry.leave(subscriber);
  t.ok(registry.hasEnded(subscriber.id));
  registry.identify(subscriber.id, 'ann');
  t.equal(registry.users.of('ann').size, 0, 'who has left has no user');
});
