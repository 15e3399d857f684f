import t from 'tap';
import type { Interest } from '../../dist/channels/registry.js';
import { ChannelInterest } from '../../dist/delivery/channel-interest.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';
import { ManualClock } from '../kit/manual-clock.js';

function scene(updateOnFirstSubscription: boolean) {
  const clock = new ManualClock(0);
  const told: string[] = [];
  const subscribers = new Map<string, Set<RecordingSubscriber>>();
  const noting = (name: string, live?: Promise<void>): Interest => ({
    subscribe: (channel) => {
      told.push(`${name}+${channel}`);
      return live;
    },
    unsubscribe: (channel) => void told.push(`${name}-${channel}`),
  });
  const live = Promise.resolve();
  const interest = new ChannelInterest({
    backplane: noting('backplane', live),
    sequencer: { forget: (channel) => void told.push(`forget ${channel}`) },
    clock,
    updateOnFirstSubscription,
    subscribersOf: (channel) => subscribers.get(channel) ?? new Set(),
  });
  return { clock, told, subscribers, interest, live };
}

t.test('interest is passed on; when a channel is live is for the backplane to say', async (t) => {
  const { told, interest, live } = scene(false);
  t.equal(interest.subscribe('x'), live);
  t.strictSame(told, ['backplane+x']);
});

t.test('with the interest goes what is known of the order of the channel', async (t) => {
  const { told, interest } = scene(false);
  interest.unsubscribe('x');
  t.strictSame([...told].sort(), ['backplane-x', 'forget x']);
});

t.test('a second after the first subscription all who are there then recover, where that is wanted', async (t) => {
  const { clock, subscribers, interest } = scene(true);
  const [first, second] = [new RecordingSubscriber(), new RecordingSubscriber()];
  subscribers.set('x', new Set([first]));
  void interest.subscribe('x');
  clock.advance(999);
  subscribers.get('x')?.add(second);
  t.strictSame(first.heard, []);
  clock.advance(1);
  t.strictSame([first.heard, second.heard], [['recover'], ['recover']]);
  clock.advance(10_000);
  t.strictSame(first.heard, ['recover'], 'once');
});

t.test('and not where it is not', async (t) => {
  const { clock, interest } = scene(false);
  void interest.subscribe('x');
  t.equal(clock.pending, 0);
});
