import { type Question, Revocations, uncontained } from '@holdfast/control-api';
import t from 'tap';
import { Inspection } from '../../dist/app/data-plane.js';
import { Expiries } from '../../dist/channels/expiries.js';
import { ChannelPresence } from '../../dist/channels/presence.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { ChannelPositions } from '../../dist/delivery/item-delivery.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';
import { ManualClock } from '../kit/manual-clock.js';

function fixture() {
  const clock = new ManualClock();
  const expiries = new Expiries({ clock, faults: uncontained });
  const presence = new ChannelPresence({ clock, presenceDelay: 0 });
  const interest = { subscribe: () => undefined, unsubscribe() {} };
  const registry = new ChannelRegistry(interest, clock, 0, { expiries, presence });
  const positions = new ChannelPositions();
  const revocations = new Revocations(new ManualClock());
  const orders = { clock, connectionSubscriptionMax: 20 };
  const inspection = new Inspection({ registry, positions, presence, revocations, routes: () => [], orders });
  return { registry, positions, inspection };
}

t.test('subscribers of a channel are counted by kind, with the position of the last item', async (t) => {
  const { registry, positions, inspection } = fixture();
  const question = { about: 'channel', name: 'x' } as const;
  t.strictSame(inspection.answer(question), { subscribers: { response: 0, stream: 0, ws: 0, callback: 0, xmpp: 0 } });
  for (const kind of ['response', 'stream', 'stream', 'ws'] as const)
    registry.add(new RecordingSubscriber(kind), ['x']);
  registry.add(new RecordingSubscriber('ws'), ['y']);
  const subscribers = { response: 1, stream: 2, ws: 1, callback: 0, xmpp: 0 };
  t.strictSame(inspection.answer(question), { subscribers });
  const position = { epoch: 'e', offset: 4 };
  positions.arrived('x', position);
  positions.passed('x', position);
  t.strictSame(inspection.answer(question), { subscribers, position });
});

t.test('subscribers of several channels are counted by kind, in the order of the question', async (t) => {
  const { registry, inspection } = fixture();
  for (const kind of ['response', 'stream', 'stream'] as const) registry.add(new RecordingSubscriber(kind), ['x']);
  registry.add(new RecordingSubscriber('ws'), ['y']);
  t.strictSame(inspection.answer({ about: 'reach', channels: ['y', 'none', 'x'] }), [
    { response: 0, stream: 0, ws: 1, callback: 0, xmpp: 0 },
    { response: 0, stream: 0, ws: 0, callback: 0, xmpp: 0 },
    { response: 1, stream: 2, ws: 0, callback: 0, xmpp: 0 },
  ]);
});

t.test('a connection that has entered is shown and kicked, any other is not known', async (t) => {
  const { registry, inspection } = fixture();
  const subscriber = new RecordingSubscriber('stream');
  const show = { about: 'connection', id: subscriber.id } as const;
  const kick = { about: 'disconnect', id: subscriber.id } as const;
  t.equal(inspection.answer(show), null);
  t.equal(inspection.answer(kick), false);
  registry.enter(subscriber);
  t.strictSame(inspection.answer(show), subscriber.view());
  t.equal(inspection.answer(kick), true);
  t.strictSame(subscriber.heard, ['disconnect']);
  registry.leave(subscriber);
  t.equal(inspection.answer(show), null);
});

t.test('a connection is shown with the time when it expires, as long as it does', async (t) => {
  const { registry, inspection } = fixture();
  const subscriber = new RecordingSubscriber('stream');
  const show = { about: 'connection', id: subscriber.id } as const;
  registry.enter(subscriber, undefined, { date: Date.UTC(2100, 0, 1) });
  t.strictSame(inspection.answer(show), { ...subscriber.view(), expires: '2100-01-01T00:00:00.000Z' });
  registry.setExpiry(subscriber, undefined);
  t.strictSame(inspection.answer(show), subscriber.view());
});

t.test('a question of a newer version is no question to answer', async (t) => {
  const { inspection } = fixture();
  t.throws(() => inspection.answer({ about: 'weather' } as unknown as Question), { message: /weather/ });
});

t.test('members of a channel are those of connections that say who they are', async (t) => {
  const { registry, inspection } = fixture();
  const member = { user: 'ann', info: undefined, announced: false };
  registry.add(new RecordingSubscriber('stream'), ['x'], undefined, member);
  registry.add(new RecordingSubscriber('stream'), ['x']);
  t.strictSame(inspection.answer({ about: 'members', name: 'x' }), {
    connections: 1,
    members: [{ user: 'ann', kind: 'stream', since: '', connections: 1 }],
  });
});
