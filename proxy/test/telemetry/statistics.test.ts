/** What the statistics feed hears of subscriptions: one end for all the polls of a client that comes back in time. */
import { noStats, type StatsEvents } from '@holdfast/control-api';
import t from 'tap';
import { Statistics } from '../../dist/telemetry/statistics.js';

function scene() {
  const told: string[] = [];
  const stats: StatsEvents = { ...noStats, subscribers: (mode, _channel, count) => void told.push(`${mode} ${count}`) };
  return { statistics: new Statistics(stats, Number.POSITIVE_INFINITY), told: () => told.splice(0) };
}

t.test('a poll that comes back while its channel lingers is the same subscription', async (t) => {
  const { statistics, told } = scene();
  statistics.joined('a', 'response');
  statistics.left('a', 'response', true);
  statistics.joined('a', 'response');
  t.strictSame(told(), ['response 1', 'response 1']);
  statistics.left('a', 'response', true);
  t.strictSame(told(), []);
  statistics.closed('a');
  t.ok(told().includes('response 0'));
});

t.test('each kind of subscriber is counted, and ends, by itself', async (t) => {
  const { statistics, told } = scene();
  statistics.joined('a', 'ws');
  statistics.joined('a', 'stream');
  statistics.joined('a', 'stream');
  told();
  statistics.left('a', 'stream', false);
  statistics.left('a', 'ws', false);
  t.strictSame(told(), ['stream 1', 'ws 0']);
});

t.test('polls that a channel lingered for end when it stays for others', async (t) => {
  const { statistics, told } = scene();
  statistics.joined('a', 'response');
  statistics.left('a', 'response', true);
  told();
  statistics.joined('a', 'stream');
  t.strictSame(told(), ['stream 1', 'response 0']);
});
