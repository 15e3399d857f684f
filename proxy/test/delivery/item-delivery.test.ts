import { LocalBackplane, silentLog } from '@holdfast/control-api';
import { parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import type { Delivery } from '../../dist/channels/delivery.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { ItemDelivery } from '../../dist/delivery/item-delivery.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';
import { ManualClock } from '../kit/manual-clock.js';

/** Delivery behind a backplane, with what it counts. */
class Scene {
  readonly clock = new ManualClock();
  readonly backplane = new LocalBackplane(silentLog);
  readonly registry = new ChannelRegistry(this.backplane, this.clock, 0);
  readonly counts: string[] = [];
  readonly delivery = new ItemDelivery(() => this.registry, {
    clock: this.clock,
    messageWait: 5_000,
    events: {
      itemDelivered: (receivers) => void this.counts.push(`delivered ${receivers}`),
      itemHeld: () => void this.counts.push('held'),
      itemReleased: (cause) => void this.counts.push(`released ${cause}`),
      itemsAbandoned: (count) => void this.counts.push(`abandoned ${count}`),
      itemsLost: (reason) => void this.counts.push(`lost ${reason}`),
    },
    log: silentLog,
  });

  static async open(_t: Test): Promise<Scene> {
    const scene = new Scene();
    await scene.backplane.start(scene.delivery);
    return scene;
  }

  subscribe(channel = 'c', take?: (delivery: Delivery) => boolean): RecordingSubscriber {
    const subscriber = new RecordingSubscriber('stream', take);
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
  const scene = await Scene.open(t);
  const [a, b, other] = [scene.subscribe(), scene.subscribe('c', () => false), scene.subscribe('d')];
  scene.publish('1');
  t.strictSame([a.heard, b.heard, other.heard], [['1'], ['1'], []]);
  t.strictSame(scene.counts, ['delivered 1']);
});

t.test('all subscribers are given the very same delivery, encoded once', async (t) => {
  const scene = await Scene.open(t);
  const deliveries: Delivery[] = [];
  const take = (delivery: Delivery) => {
    deliveries.push(delivery);
    return true;
  };
  scene.subscribe('c', take);
  scene.subscribe('c', take);
  scene.clock.advance(7);
  scene.publish('1');
  t.equal(deliveries[0], deliveries[1]);
  t.equal(deliveries[0]?.piece, deliveries[1]?.piece);
  t.equal(deliveries[0]?.at, scene.clock.monotonic());
});

t.test('items pass in the order of their ids', async (t) => {
  const scene = await Scene.open(t);
  const { heard } = scene.subscribe();
  scene.publish('1');
  scene.publish('3', '2');
  scene.publish('2', '1');
  t.strictSame(heard, ['1', '2', '3']);
  t.match(scene.counts, ['delivered 1', 'held', 'delivered 1', 'released predecessor', 'delivered 1']);
});

t.test('a gap is waited for as long as is set, no longer', async (t) => {
  const scene = await Scene.open(t);
  const { heard } = scene.subscribe();
  scene.publish('1');
  scene.publish('3', '2');
  scene.clock.advance(4_999);
  t.strictSame(heard, ['1']);
  scene.clock.advance(1);
  t.strictSame(heard, ['1', '3']);
});

t.test('nothing is known or kept of channels without subscribers', async (t) => {
  const scene = await Scene.open(t);
  scene.delivery.onMessage({ type: 'item', id: '1', item: parseItem({ channel: 'c', id: '1', formats: { x: {} } }) });
  t.equal(scene.delivery.sequencer.channels, 0);
  t.strictSame(scene.counts, []);
});

t.test('a subscriber may leave while it is given an item, and take others with it', async (t) => {
  const scene = await Scene.open(t);
  const later: RecordingSubscriber[] = [];
  const first = scene.subscribe('c', () => {
    for (const subscriber of [first, ...later]) scene.registry.remove(subscriber, ['c']);
    return true;
  });
  later.push(scene.subscribe());
  scene.publish('1');
  t.strictSame([first.heard, later[0]?.heard], [['1'], []]);
  scene.publish('2');
  t.strictSame(first.heard, ['1']);
});

t.test('a gap: counted by reason, told to the subscribers of the channel, and its last id forgotten', async (t) => {
  const scene = await Scene.open(t);
  const [subscriber, other] = [scene.subscribe(), scene.subscribe('d')];
  scene.publish('1');
  scene.delivery.onGap({ channel: 'c', reason: 'epoch', after: { epoch: 'e', offset: 1 }, until: undefined });
  t.strictSame([subscriber.heard, other.heard], [['1', 'missed'], []]);
  t.strictSame(scene.counts, ['delivered 1', 'lost epoch']);
  t.equal(scene.delivery.sequencer.lastId('c'), undefined);
  scene.publish('9', '8');
  t.equal(subscriber.heard.at(-1), '9');
});

t.test('recover: last ids are forgotten and everybody is asked once; what waits goes on waiting', async (t) => {
  const scene = await Scene.open(t);
  const subscriber = scene.subscribe();
  scene.registry.add(subscriber, ['d']);
  const session = new RecordingSubscriber('ws');
  scene.registry.enter(session);
  scene.publish('1');
  scene.publish('3', '2');
  void scene.backplane.publish([{ type: 'recover' }]);
  t.strictSame([subscriber.heard, session.heard], [['1', 'recover'], ['recover']]);
  t.equal(scene.delivery.sequencer.lastId('c'), undefined);
  scene.publish('9', '8');
  t.strictSame(subscriber.heard.at(-1), '9', 'whatever comes next is the first');
  scene.clock.advance(5_000);
  t.strictSame(subscriber.heard.at(-1), '3');
});
