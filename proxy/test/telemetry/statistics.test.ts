/** What the statistics feed gets of subscriptions and items: one end for all the polls of a client that comes back in time. */
import { noStats, type StatsEvents } from '@holdfast/control-api';
import { parseItem, subscriberKinds } from '@holdfast/grip';
import t from 'tap';
import { Delivery } from '../../dist/channels/delivery.js';
import { Statistics } from '../../dist/telemetry/statistics.js';

function fixture() {
  const reported: string[] = [];
  const stats: StatsEvents = {
    ...noStats,
    subscribers: (mode, _channel, count) => void reported.push(`${mode} ${count}`),
  };
  return { statistics: new Statistics(stats, Number.POSITIVE_INFINITY), reported: () => reported.splice(0) };
}

t.test('a poll that comes back while its channel lingers is the same subscription', async (t) => {
  const { statistics, reported } = fixture();
  statistics.joined('a', 'response');
  statistics.left('a', 'response', true);
  statistics.joined('a', 'response');
  t.strictSame(reported(), ['response 1', 'response 1']);
  statistics.left('a', 'response', true);
  t.strictSame(reported(), []);
  statistics.closed('a');
  t.ok(reported().includes('response 0'));
});

t.test('each kind of subscriber is counted, and ends, by itself', async (t) => {
  const { statistics, reported } = fixture();
  statistics.joined('a', 'ws');
  statistics.joined('a', 'stream');
  statistics.joined('a', 'stream');
  reported();
  statistics.left('a', 'stream', false);
  statistics.left('a', 'ws', false);
  t.strictSame(reported(), ['stream 1', 'ws 0']);
});

t.test('polls that a channel lingered for end when it stays for others', async (t) => {
  const { statistics, reported } = fixture();
  statistics.joined('a', 'response');
  statistics.left('a', 'response', true);
  reported();
  statistics.joined('a', 'stream');
  t.strictSame(reported(), ['stream 1', 'response 0']);
});

t.test('an item is reported for each format that it has, in the order of the table', async (t) => {
  const delivered: string[] = [];
  const counted: string[] = [];
  const stats: StatsEvents = {
    ...noStats,
    delivered: (delivery) => void delivered.push(JSON.stringify(delivery)),
    counted: (route, counts) => void counted.push(`${route} ${JSON.stringify(counts)}`),
  };
  const statistics = new Statistics(stats, 2);
  for (const kind of ['ws', 'ws', 'response', 'stream'] as const) statistics.joined('c', kind);
  const formats = {
    'ws-message': { content: 'abc' },
    'http-stream': { content: '' },
    'http-response': { body: 'abcde' },
  };
  statistics.itemArrived(new Delivery(parseItem({ channel: 'c', id: 'i', formats }), 0));
  t.strictSame(delivered, [
    '{"channel":"c","itemId":"i","transport":"http-response","receivers":1,"blocks":3}',
    '{"channel":"c","itemId":"i","transport":"http-stream","receivers":1,"blocks":1}',
    '{"channel":"c","itemId":"i","transport":"ws-message","receivers":2,"blocks":4}',
  ]);
  statistics.itemArrived(
    new Delivery(parseItem({ channel: 'c', size: 9, formats: { 'ws-message': { action: 'hint' } } }), 0),
  );
  t.strictSame(delivered.slice(3), ['{"channel":"c","transport":"ws-message","receivers":2,"blocks":10}']);
  t.strictSame(counted.splice(0), [' {"received":1,"blocks-received":3}', ' {"received":1,"blocks-received":5}']);

  const events = statistics.over({
    subscriberOpened() {},
    subscriberEnded() {},
    itemDropped() {},
    itemSent() {},
    limited() {},
  });
  for (const kind of subscriberKinds) events.itemSent(kind, 'r');
  const others = subscriberKinds.slice(1).map(() => 'r {"sent":1}');
  t.strictSame(counted, ['r {"sent":1,"http-response-sent":1}', ...others]);
});
