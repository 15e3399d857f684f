import t from 'tap';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { ManualClock } from '../kit/manual-clock.js';
import { RecordingSubscriber } from './recording-subscriber.js';

/** A registry, and what its interest was told, in order. */
function fixture(linger = 0, live: () => Promise<void> | undefined = () => undefined) {
  const clock = new ManualClock(0);
  const told: string[] = [];
  const interest = {
    subscribe: (channel: string) => {
      told.push(`+${channel}`);
      return live();
    },
    unsubscribe: (channel: string) => void told.push(`-${channel}`),
  };
  return { clock, told, registry: new ChannelRegistry(interest, clock, linger) };
}

t.test('the first subscriber of a channel begins the interest, the last ends it', async (t) => {
  const { told, registry } = fixture();
  const [a, b] = [new RecordingSubscriber(), new RecordingSubscriber()];
  registry.add(a, ['x', 'y']);
  registry.add(b, ['y']);
  t.strictSame(told, ['+x', '+y']);
  t.strictSame([registry.count('x'), registry.count('y'), registry.count('z'), registry.size], [1, 2, 0, 2]);
  registry.remove(a, ['x', 'y']);
  t.strictSame(told, ['+x', '+y', '-x']);
  registry.remove(b, ['y']);
  t.strictSame(told, ['+x', '+y', '-x', '-y']);
  t.equal(registry.size, 0);
});

t.test('adding twice, and removing what is not there, change nothing', async (t) => {
  const { told, registry } = fixture();
  const [a, b] = [new RecordingSubscriber(), new RecordingSubscriber()];
  registry.add(a, ['x', 'x']);
  registry.add(a, ['x']);
  t.equal(registry.count('x'), 1);
  registry.remove(b, ['x']);
  registry.remove(a, ['unknown']);
  t.strictSame(told, ['+x']);
  registry.remove(a, ['x', 'x']);
  t.strictSame(told, ['+x', '-x']);
});

t.test('all: each subscriber once, those on no channel and those that are ending too, until they leave', async (t) => {
  const { registry } = fixture();
  const [held, session] = [new RecordingSubscriber(), new RecordingSubscriber('ws')];
  registry.enter(held);
  registry.add(held, ['x', 'y']);
  registry.enter(session);
  t.strictSame([...registry.all()], [held, session]);
  t.equal(registry.nextToEnd(), held);
  t.strictSame([...registry.all()], [session, held]);
  registry.leave(session);
  registry.leave(held);
  t.strictSame([...registry.all()], []);
});

t.test('a channel lingers after its last response hold', async (t) => {
  const { clock, told, registry } = fixture(60_000);
  const poll = new RecordingSubscriber('response');
  registry.add(poll, ['x']);
  registry.remove(poll, ['x']);
  clock.advance(59_999);
  t.ok(registry.has('x'));
  t.equal(registry.count('x'), 0);
  clock.advance(1);
  t.notOk(registry.has('x'));
  t.strictSame(told, ['+x', '-x']);
});

t.test('a subscriber who comes meanwhile finds the channel live, and calls the end off', async (t) => {
  const { clock, told, registry } = fixture(60_000);
  const [first, second] = [new RecordingSubscriber('response'), new RecordingSubscriber('response')];
  registry.add(first, ['x']);
  registry.remove(first, ['x']);
  clock.advance(59_999);
  registry.add(second, ['x']);
  clock.advance(100_000);
  t.strictSame(told, ['+x']);
  registry.remove(second, ['x']);
  clock.advance(60_000);
  t.strictSame(told, ['+x', '-x']);
  t.equal(clock.pending, 0);
});

t.test('there is no linger after streams and sessions, nor while others are left', async (t) => {
  const { clock, told, registry } = fixture(60_000);
  const [poll, stream] = [new RecordingSubscriber('response'), new RecordingSubscriber('stream')];
  registry.add(poll, ['x']);
  registry.add(stream, ['x']);
  registry.remove(poll, ['x']);
  t.equal(clock.pending, 0);
  registry.remove(stream, ['x']);
  t.strictSame(told, ['+x', '-x']);
});

t.test('a channel that is not live yet: all who join before wait for the same', async (t) => {
  let goLive = () => {};
  const { told, registry } = fixture(0, () => new Promise((resolve) => (goLive = resolve)));
  let live = 0;
  for (let i = 0; i < 2; i++) void registry.add(new RecordingSubscriber(), ['x'])?.then(() => live++);
  t.equal(registry.count('x'), 2, 'items are for them from now on');
  await Promise.resolve();
  t.equal(live, 0);
  goLive();
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(live, 2);
  t.equal(registry.add(new RecordingSubscriber(), ['x']), undefined, 'live at once');
  t.strictSame(told, ['+x']);
});

t.test('a backplane that cannot subscribe: the subscriber is told, and stays until it is removed', async (t) => {
  const { registry } = fixture(0, () => Promise.reject(new Error('down')));
  const subscriber = new RecordingSubscriber();
  await t.rejects(registry.add(subscriber, ['x', 'y']) as Promise<void>, { message: 'down' });
  t.equal(registry.count('x'), 1);
  registry.remove(subscriber, ['x', 'y']);
  t.equal(registry.size, 0);
});

t.test('after a refusal the next subscriber has the backplane asked again', async (t) => {
  const answers: (Promise<void> | undefined)[] = [Promise.reject(new Error('down')), undefined];
  const { registry } = fixture(0, () => answers.shift());
  const [first, second, third] = [1, 2, 3].map(() => new RecordingSubscriber());
  await t.rejects(registry.add(first as RecordingSubscriber, ['x']) as Promise<void>, { message: 'down' });
  t.equal(registry.add(second as RecordingSubscriber, ['x']), undefined);
  t.equal(registry.add(third as RecordingSubscriber, ['x']), undefined);
  t.strictSame([answers.length, registry.count('x')], [0, 3]);
});

t.test('of: a view that may shrink while it is walked', async (t) => {
  const { registry } = fixture();
  const subscribers = [1, 2, 3].map(() => new RecordingSubscriber());
  for (const subscriber of subscribers) registry.add(subscriber, ['x']);
  let walked = 0;
  for (const subscriber of registry.of('x')) {
    walked++;
    registry.remove(subscriber, ['x']);
  }
  t.equal(walked, 3);
  t.equal([...registry.of('x')].length, 0);
});

t.test('whoever watches hears of each subscription: joined, left, and the channel closed', async (t) => {
  const clock = new ManualClock(0);
  const heard: string[] = [];
  const interest = { subscribe: () => undefined, unsubscribe: () => {} };
  const registry = new ChannelRegistry(interest, clock, 60_000, {
    subscriptions: {
      joined: (channel, kind) => void heard.push(`+${channel} ${kind}`),
      left: (channel, kind, lingers) => void heard.push(`-${channel} ${kind}${lingers ? ' lingers' : ''}`),
      closed: (channel) => void heard.push(`closed ${channel}`),
    },
  });
  const [poll, stream] = [new RecordingSubscriber('response'), new RecordingSubscriber('stream')];
  registry.add(poll, ['x', 'x']);
  registry.add(stream, ['x']);
  registry.remove(poll, ['x', 'unknown']);
  registry.remove(stream, ['x']);
  t.strictSame(heard.splice(0), ['+x response', '+x stream', '-x response', '-x stream', 'closed x']);
  registry.add(poll, ['x']);
  registry.remove(poll, ['x']);
  t.strictSame(heard.splice(0), ['+x response', '-x response lingers']);
  clock.advance(60_000);
  t.strictSame(heard, ['closed x']);
});

t.test(
  'whether an item may be taken: by the formats of those who are there, as far as a few are looked at',
  async (t) => {
    const of = (...keys: string[]) =>
      ({ channel: 'x', formats: Object.fromEntries(keys.map((key) => [key, {}])) }) as never;
    const { registry } = fixture();
    t.equal(registry.mayTake(of('httpStream')), false, 'nobody is there');
    const [stream, poll] = [new RecordingSubscriber('stream'), new RecordingSubscriber('response')];
    registry.add(stream, ['x']);
    t.same([registry.mayTake(of('httpStream')), registry.mayTake(of('wsMessage'))], [true, false]);
    t.equal(registry.mayTake(of('httpRequest')), true, 'callbacks are not among them');
    registry.add(poll, ['x']);
    t.equal(registry.mayTake(of('httpResponse')), true);
    for (let n = 0; n < 20; n++) registry.add(new RecordingSubscriber('stream'), ['x']);
    t.equal(registry.mayTake(of('wsMessage')), true, 'one of those that are not looked at may');
    const pending = fixture(0, () => new Promise(() => {})).registry;
    pending.add(stream, ['x']);
    t.equal(pending.mayTake(of('wsMessage')), true, 'the node that has interest may be another one');
  },
);
