import type { Backplane } from '@holdfast/control-api';
import { parseItem } from '@holdfast/grip';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import type { Delivery } from '../../dist/channels/delivery.js';
import type { ChannelRegistry, Interest } from '../../dist/channels/registry.js';
import {
  ChannelInterest,
  ChannelPositions,
  type DeliveryEvents,
  type ItemDelivery,
} from '../../dist/delivery/item-delivery.js';
import type { Metrics } from '../../dist/telemetry/metrics.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';
import { configOf, makeNode, noteCalls } from '../kit/app.js';
import { ManualClock } from '../kit/manual-clock.js';

const config = configOf({ settings: { subscription_linger: 0 } });

/** The delivery of a node of the product's own composition, behind its backplane, with what it counts. */
class Fixture {
  readonly clock = new ManualClock();
  readonly counts: string[] = [];
  readonly backplane: Backplane;
  readonly registry: ChannelRegistry;
  readonly delivery: ItemDelivery;

  private constructor(t: Test) {
    const { node, parts } = makeNode({ overrides: { clock: this.clock } }, config);
    t.teardown(() => node.stop());
    this.backplane = parts.backplane;
    this.registry = parts.registry;
    this.delivery = parts.delivery;
    const metrics: DeliveryEvents = parts.telemetry.subscribers as Metrics;
    noteCalls(metrics, 'itemDelivered', (receivers) => void this.counts.push(`delivered ${receivers}`));
    noteCalls(metrics, 'itemHeld', () => void this.counts.push('held'));
    noteCalls(metrics, 'itemReleased', (cause) => void this.counts.push(`released ${cause}`));
    noteCalls(metrics, 'itemsAbandoned', (count) => void this.counts.push(`abandoned ${count}`));
    noteCalls(metrics, 'itemsLost', (reason) => void this.counts.push(`lost ${reason}`));
  }

  static async open(t: Test): Promise<Fixture> {
    const fixture = new Fixture(t);
    await fixture.backplane.start(fixture.delivery);
    return fixture;
  }

  subscribe(channel = 'c', take?: (delivery: Delivery) => boolean): RecordingSubscriber {
    const subscriber = new RecordingSubscriber('stream', take);
    this.registry.enter(subscriber);
    this.registry.add(subscriber, [channel]);
    return subscriber;
  }

  publish(id: string, prevId?: string, channel = 'c'): void {
    const ids = { id, ...(prevId !== undefined && { 'prev-id': prevId }) };
    const item = parseItem({ channel, ...ids, formats: { 'http-stream': { content: id } } });
    void this.backplane.publish([{ type: 'item', item, id }]);
  }
}

t.test('an item goes to each subscriber of its channel once; those who used it are counted', async (t) => {
  const fixture = await Fixture.open(t);
  const [a, b, other] = [fixture.subscribe(), fixture.subscribe('c', () => false), fixture.subscribe('d')];
  fixture.publish('1');
  t.strictSame([a.heard, b.heard, other.heard], [['1'], ['1'], []]);
  t.strictSame(fixture.counts, ['delivered 1']);
});

t.test('all subscribers are given the very same delivery, encoded once', async (t) => {
  const fixture = await Fixture.open(t);
  const deliveries: Delivery[] = [];
  const take = (delivery: Delivery) => {
    deliveries.push(delivery);
    return true;
  };
  fixture.subscribe('c', take);
  fixture.subscribe('c', take);
  fixture.clock.advance(7);
  fixture.publish('1');
  t.equal(deliveries[0], deliveries[1]);
  t.equal(deliveries[0]?.piece, deliveries[1]?.piece);
  t.equal(deliveries[0]?.at, fixture.clock.monotonic());
});

t.test('items pass in the order of their ids', async (t) => {
  const fixture = await Fixture.open(t);
  const { heard } = fixture.subscribe();
  fixture.publish('1');
  fixture.publish('3', '2');
  fixture.publish('2', '1');
  t.strictSame(heard, ['1', '2', '3']);
  t.match(fixture.counts, ['delivered 1', 'held', 'delivered 1', 'released predecessor', 'delivered 1']);
});

t.test('a gap is waited for as long as is set, no longer', async (t) => {
  const fixture = await Fixture.open(t);
  const { heard } = fixture.subscribe();
  fixture.publish('1');
  fixture.publish('3', '2');
  fixture.clock.advance(4_999);
  t.strictSame(heard, ['1']);
  fixture.clock.advance(1);
  t.strictSame(heard, ['1', '3']);
});

t.test('nothing is known or kept of channels without subscribers', async (t) => {
  const fixture = await Fixture.open(t);
  fixture.delivery.onMessage({ type: 'item', id: '1', item: parseItem({ channel: 'c', id: '1', formats: { x: {} } }) });
  t.equal(fixture.delivery.sequencer.channels, 0);
  t.strictSame(fixture.counts, []);
});

t.test('a subscriber may leave while it is given an item, and take others with it', async (t) => {
  const fixture = await Fixture.open(t);
  const later: RecordingSubscriber[] = [];
  const first = fixture.subscribe('c', () => {
    for (const subscriber of [first, ...later]) fixture.registry.remove(subscriber, ['c']);
    return true;
  });
  later.push(fixture.subscribe());
  fixture.publish('1');
  t.strictSame([first.heard, later[0]?.heard], [['1'], []]);
  fixture.publish('2');
  t.strictSame(first.heard, ['1']);
});

t.test('a gap: counted by reason, told to the subscribers of the channel, and its last id forgotten', async (t) => {
  const fixture = await Fixture.open(t);
  const [subscriber, other] = [fixture.subscribe(), fixture.subscribe('d')];
  fixture.publish('1');
  fixture.delivery.onGap({ channel: 'c', reason: 'epoch', after: { epoch: 'e', offset: 1 }, until: undefined });
  t.strictSame([subscriber.heard, other.heard], [['1', 'missed'], []]);
  t.strictSame(fixture.counts, ['delivered 1', 'lost epoch']);
  t.equal(fixture.delivery.sequencer.lastId('c'), undefined);
  fixture.publish('9', '8');
  t.equal(subscriber.heard.at(-1), '9');
});

t.test('recover: last ids are forgotten and everybody is asked once; what waits goes on waiting', async (t) => {
  const fixture = await Fixture.open(t);
  const subscriber = fixture.subscribe();
  fixture.registry.add(subscriber, ['d']);
  const session = new RecordingSubscriber('ws');
  fixture.registry.enter(session);
  fixture.publish('1');
  fixture.publish('3', '2');
  void fixture.backplane.publish([{ type: 'recover' }]);
  t.strictSame([subscriber.heard, session.heard], [['1', 'recover'], ['recover']]);
  t.equal(fixture.delivery.sequencer.lastId('c'), undefined);
  fixture.publish('9', '8');
  t.strictSame(subscriber.heard.at(-1), '9', 'whatever comes next is the first');
  fixture.clock.advance(5_000);
  t.strictSame(subscriber.heard.at(-1), '3');
});

const at = (offset: number, epoch = 'e') => ({ epoch, offset });

t.test('nothing is known of a channel before its first item, nor after it was forgotten', async (t) => {
  const positions = new ChannelPositions();
  t.equal(positions.latest('a'), undefined);
  const first = at(5);
  positions.arrived('a', first);
  t.strictSame(positions.passed('a', first), at(5));
  t.strictSame(positions.latest('a'), at(5));
  positions.forget('a');
  t.equal(positions.latest('a'), undefined);
});

t.test('an item that waits holds back what is claimed, not what is given out', async (t) => {
  const positions = new ChannelPositions();
  const [five, six, seven] = [at(5), at(6), at(7)] as const;
  for (const position of [five, six, seven]) positions.arrived('a', position);
  t.strictSame(positions.passed('a', six), at(4));
  t.strictSame(positions.passed('a', five), at(6));
  t.strictSame(positions.passed('a', seven), at(7));
});

t.test('property: no item at or before what is claimed is still to be given out', async () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 30 }), (keys) => {
      const positions = new ChannelPositions();
      const all = keys.map((_, i) => at(i + 1));
      for (const position of all) positions.arrived('a', position);
      const order = all.map((position, i) => [keys[i] as number, position] as const).sort(([a], [b]) => a - b);
      const out = new Set<number>();
      for (const [, position] of order) {
        const { offset } = positions.passed('a', position);
        out.add(position.offset);
        for (let i = 1; i <= offset; i++) if (!out.has(i)) return false;
        if (offset < keys.length && out.has(offset + 1)) return false;
      }
      return positions.latest('a')?.offset === keys.length;
    }),
  );
});

function interestFixture(updateOnFirstSubscription: boolean) {
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
  const { told, interest, live } = interestFixture(false);
  t.equal(interest.subscribe('x'), live);
  t.strictSame(told, ['backplane+x']);
});

t.test('with the interest goes what is known of the order of the channel', async (t) => {
  const { told, interest } = interestFixture(false);
  interest.unsubscribe('x');
  t.strictSame([...told].sort(), ['backplane-x', 'forget x']);
});

t.test('a second after the first subscription all who are there then recover, where that is wanted', async (t) => {
  const { clock, subscribers, interest } = interestFixture(true);
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
  const { clock, interest } = interestFixture(false);
  void interest.subscribe('x');
  t.equal(clock.pending, 0);
});
