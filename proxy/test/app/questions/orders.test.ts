/** What the control API has done to connections of one process. */
import type { CloseOrder } from '@holdfast/control-api';
import t from 'tap';
import { ORDER_SLICE, Orders } from '../../../dist/app/questions/orders.js';
import type { Delivery } from '../../../dist/channels/delivery.js';
import { DIRECT_CHANNEL } from '../../../dist/channels/direct-items.js';
import { ChannelRegistry } from '../../../dist/channels/registry.js';
import type { ChangeableChannels, SubscriberKind } from '../../../dist/channels/subscriber.js';
import { SubscriptionList } from '../../../dist/channels/subscription-list.js';
import { RecordingSubscriber } from '../../channels/recording-subscriber.js';
import { ManualClock } from '../../kit/manual-clock.js';

const counts = (response: number, stream: number, ws: number) => ({ response, stream, ws, callback: 0, xmpp: 0 });

/** One whose channels can be changed, unless it is a long poll. */
class Changeable extends RecordingSubscriber {
  readonly list = new SubscriptionList();
  readonly closes: (CloseOrder | undefined)[] = [];
  readonly session = `session of ${this.id}`;
  readonly subscriptions?: ChangeableChannels;
  fails = false;

  constructor(kind: SubscriberKind, take?: (delivery: Delivery) => boolean) {
    super(kind, take);
    if (kind === 'response') return;
    this.subscriptions = {
      join: (channels) => {
        for (const name of channels) this.list.set(name, { name, filters: [] });
        return this.fails ? Promise.reject(new Error('away')) : undefined;
      },
      quit: (channels) => {
        for (const name of channels) this.list.delete(name);
      },
    };
  }

  override disconnect(close?: CloseOrder): void {
    this.closes.push(close);
  }

  override view() {
    return { ...super.view(), channels: this.list.channels };
  }
}

function fixture(...subscribers: readonly RecordingSubscriber[]) {
  const clock = new ManualClock();
  const registry = new ChannelRegistry({ subscribe: () => undefined, unsubscribe() {} }, clock, 0);
  for (const subscriber of subscribers) registry.enter(subscriber, new Map([['user', 'ann']]));
  return { registry, orders: new Orders({ registry, clock, connectionSubscriptionMax: 3 }) };
}

t.test('all connections of a user are ended but those that are spared, with the Close that is ordered', async (t) => {
  const [one, two, three] = [new Changeable('ws'), new Changeable('stream'), new Changeable('ws')];
  const { registry, orders } = fixture(one, two, three);
  const close = { code: 4001, reason: 'signed out' };
  const result = await orders.disconnectUser('ann', [one.id, 'unknown'], close);
  t.strictSame(result, { known: 'here', connections: 2, taken: counts(0, 1, 1) });
  t.strictSame(
    [one, two, three].map(({ closes }) => closes),
    [[], [close], [close]],
  );
  await orders.disconnectUser('ann', [two.id, three.session], undefined);
  t.strictSame(
    [one, two, three].map(({ closes }) => closes.length),
    [1, 1, 1],
    'a session is spared by its Connection-Id',
  );
  for (const subscriber of [one, two, three]) registry.leave(subscriber);
  t.match(await orders.disconnectUser('ann', [], undefined), { known: 'ended', connections: 0 });
  t.match(await orders.disconnectUser('bob', [], undefined), { known: 'never', connections: 0 });
});

t.test('an item is given to the connections of a user, and those count that took it', async (t) => {
  const taken: Delivery[] = [];
  const take = (delivery: Delivery) => taken.push(delivery) > 0;
  const fits = [new Changeable('ws', take), new Changeable('stream', take)];
  const { registry, orders } = fixture(...fits, new Changeable('response', () => false));
  const item = { formats: { 'ws-message': { content: 'x' } } };
  t.strictSame(await orders.deliver({ user: 'ann' }, item), { known: 'here', connections: 3, taken: counts(0, 1, 1) });
  t.equal(taken[0], taken[1], 'it is encoded once');
  t.equal(taken[0]?.item.channel, DIRECT_CHANNEL);
  const [session] = fits as [Changeable];
  for (const id of [session.id, session.session]) {
    t.strictSame(await orders.deliver({ id }, item), { known: 'here', connections: 1, taken: counts(0, 0, 1) });
  }
  registry.leave(session);
  t.match(await orders.deliver({ id: session.session }, item), { known: 'ended', connections: 0 });
  t.match(await orders.deliver({ id: 'never' }, item), { known: 'never', connections: 0 });
  await t.rejects(orders.deliver({ user: 'ann' }, {}), { code: 'ERR_GRIP_ITEM' });
});

t.test('a user with many connections is served in several turns', async (t) => {
  const many = Array.from({ length: ORDER_SLICE + 1 }, () => new RecordingSubscriber('ws'));
  const { orders } = fixture(...many);
  const done = orders.deliver({ user: 'ann' }, { formats: { 'ws-message': { content: 'x' } } });
  t.equal(many.filter(({ heard }) => heard.length > 0).length, ORDER_SLICE);
  t.match(await done, { taken: counts(0, 0, ORDER_SLICE + 1) });
});

t.test('a connection is put on channels and taken off them, as many as it may have', async (t) => {
  const [session, poll] = [new Changeable('ws'), new Changeable('response')];
  const { registry, orders } = fixture(session, poll);
  t.strictSame(await orders.subscribe(session.id, ['a', 'b'], true), { known: 'here', channels: ['a', 'b'] });
  t.strictSame(await orders.subscribe(session.session, ['b', 'c', 'd'], true), { known: 'here', refused: 'full' });
  t.strictSame(session.list.channels, ['a', 'b'], 'nothing has changed');
  t.strictSame(await orders.subscribe(session.id, ['a', 'b', 'c'], true), { known: 'here', channels: ['a', 'b', 'c'] });
  t.strictSame(await orders.subscribe(session.id, ['a', 'x'], false), { known: 'here', channels: ['b', 'c'] });
  t.strictSame(await orders.subscribe(poll.id, ['a'], true), { known: 'here', refused: 'unfit' });
  session.fails = true;
  await t.rejects(orders.subscribe(session.id, ['d'], true), { message: 'away' });
  t.strictSame(session.list.channels, ['b', 'c'], 'what the backplane refuses is left again');
  registry.leave(session);
  t.strictSame(await orders.subscribe(session.id, ['a'], true), { known: 'ended' });
  t.strictSame(await orders.subscribe('never', ['a'], true), { known: 'never' });
});

t.test(
  'nobody can have the name that stands for items of one connection, and everybody is subscribed to it',
  async (t) => {
    const list = new SubscriptionList();
    t.match(list.find(DIRECT_CHANNEL), { prevId: undefined, filters: [] });
    t.strictSame(list.channels, []);
    t.ok(Buffer.byteLength(DIRECT_CHANNEL) > 1_024);
  },
);
