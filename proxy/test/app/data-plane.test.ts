import type { Question } from '@holdfast/control-api';
import t from 'tap';
import { Inspection } from '../../dist/app/data-plane.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import { ChannelPositions } from '../../dist/delivery/item-delivery.js';
import { RecordingSubscriber } from '../channels/recording-subscriber.js';
import { ManualClock } from '../kit/manual-clock.js';

function fixture() {
  const registry = new ChannelRegistry({ subscribe: () => undefined, unsubscribe() {} }, new ManualClock(), 0);
  const positions = new ChannelPositions();
  return { registry, positions, inspection: new Inspection(registry, positions) };
}

t.test('subscribers of a channel are counted by kind, with the position of the last item', async (t) => {
  const { registry, positions, inspection } = fixture();
  const question = { about: 'channel', name: 'x' } as const;
  t.strictSame(inspection.answer(question), { subscribers: { response: 0, stream: 0, ws: 0, xmpp: 0 } });
  for (const kind of ['response', 'stream', 'stream', 'ws', 'xmpp'] as const)
    registry.add(new RecordingSubscriber(kind), ['x']);
  registry.add(new RecordingSubscriber('ws'), ['y']);
  const subscribers = { response: 1, stream: 2, ws: 1, xmpp: 1 };
  t.strictSame(inspection.answer(question), { subscribers });
  const position = { epoch: 'e', offset: 4 };
  positions.arrived('x', position);
  positions.passed('x', position);
  t.strictSame(inspection.answer(question), { subscribers, position });
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

t.test('a question of a newer version is no question to answer', async (t) => {
  const { inspection } = fixture();
  t.throws(() => inspection.answer({ about: 'weather' } as unknown as Question), { message: /weather/ });
});
