/** What becomes an event: channels and users by their counts, gaps, and what data planes report, as far as it is asked for. */
import t from 'tap';
import { type CustomerEvent, CustomerEvents, type EventType, LocalOccupancy } from '../../dist/index.js';
import { ManualClock } from '../manual-clock.js';

const DELAY_MS = 5_000;

function fixture(types: readonly EventType[], channels: readonly string[] = []) {
  const clock = new ManualClock();
  const sent: CustomerEvent[] = [];
  const events = new CustomerEvents({
    types,
    channels,
    node: 'n1',
    outbox: {
      offer: (event) => void sent.push(event),
      close: async () => void sent.push({ type: 'gap', time: 'end' }),
    },
    channelCounts: new LocalOccupancy({ clock, delay: DELAY_MS }),
    userCounts: new LocalOccupancy({ clock, delay: DELAY_MS }),
    clock,
  });
  events.start();
  const texts = () => sent.map(({ type, channel, user }) => `${type} ${channel ?? user ?? ''}`);
  return { clock, sent, events, texts };
}

t.test('a channel is occupied and vacated, with increasing numbers', async (t) => {
  const { clock, sent, events } = fixture(['channel_occupied', 'channel_vacated']);
  events.subscribed('a');
  clock.advance(1_000);
  events.unsubscribed('a');
  clock.advance(DELAY_MS + 1_000);
  t.match(sent, [
    { type: 'channel_occupied', channel: 'a', node: 'n1', time: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ },
    { type: 'channel_vacated', channel: 'a' },
  ]);
  t.ok(Number(sent[1]?.seq) > Number(sent[0]?.seq));
});

t.test('who comes back within the delay makes no event', async (t) => {
  const { clock, events, texts } = fixture(['channel_occupied', 'channel_vacated']);
  events.subscribed('a');
  clock.advance(1_000);
  events.unsubscribed('a');
  clock.advance(DELAY_MS - 1_000);
  events.subscribed('a');
  clock.advance(10 * DELAY_MS);
  t.strictSame(texts(), ['channel_occupied a']);
});

t.test('only what is asked for is sent, of the channels that are asked for', async (t) => {
  const { clock, events, texts } = fixture(['channel_vacated', 'gap'], ['room-*', 'x']);
  for (const channel of ['room-1', 'x', 'other']) {
    events.subscribed(channel);
    events.gap({ channel, reason: 'trimmed', after: { epoch: 'e', offset: 1 }, until: undefined });
  }
  events.report({ type: 'target_down', time: '' });
  clock.advance(1_000);
  for (const channel of ['room-1', 'x', 'other']) events.unsubscribed(channel);
  clock.advance(DELAY_MS + 1_000);
  t.strictSame(texts(), ['gap room-1', 'gap x', 'channel_vacated room-1', 'channel_vacated x']);
  t.equal(events.users, undefined);
});

t.test('an event of a connection has those of its channels that are asked for', async (t) => {
  const { sent, events } = fixture(['connection_closed'], ['room-*']);
  events.report({ type: 'connection_closed', channels: ['room-1', 'other'], time: '' });
  events.report({ type: 'connection_opened', time: '' });
  t.strictSame(sent, [{ type: 'connection_closed', channels: ['room-1'], time: '', node: 'n1' }]);
});

t.test('users are online while they have a connection', async (t) => {
  const { clock, events, texts } = fixture(['user_online', 'user_offline']);
  events.users?.enter('ann', '');
  events.users?.enter('ann', '');
  clock.advance(1_000);
  events.users?.leave('ann', '');
  clock.advance(2 * DELAY_MS);
  t.strictSame(texts(), ['user_online ann']);
  events.users?.leave('ann', '');
  clock.advance(2 * DELAY_MS);
  t.strictSame(texts(), ['user_online ann', 'user_offline ann']);
});

t.test('a gap has where it is', async (t) => {
  const { sent, events } = fixture(['gap']);
  const [after, until] = [1, 7].map((offset) => ({ epoch: 'e', offset }));
  events.gap({ channel: 'a', reason: 'trimmed', after: after as never, until });
  t.match(sent, [{ type: 'gap', channel: 'a', reason: 'trimmed', after, until, node: 'n1' }]);
});

t.test('it ends when what waits was sent', async (t) => {
  const { sent, events, clock } = fixture(['channel_occupied', 'user_online']);
  await events.close();
  t.match(sent, [{ time: 'end' }]);
  events.subscribed('a');
  clock.advance(1_000);
  t.equal(sent.length, 1);
});
