import type { Log } from '@holdfast/control-api';
import t from 'tap';
import { OverChannelsReport } from '../../dist/channels/subscriber-deps.js';
import { ManualClock } from '../kit/manual-clock.js';

function fixture() {
  const lines: Record<string, unknown>[] = [];
  const warn = (fields: object, message: string) => void lines.push({ ...fields, message });
  const log = { warn } as unknown as Log;
  const clock = new ManualClock();
  const report = new OverChannelsReport(clock, log);
  const tell = (key: string, id = 'c', named?: string) =>
    report.report({ id, route: { id: named, key }, channels: 25, limit: 20, first: 'c20' });
  return { lines, clock, tell };
}

t.test('route, channels, limit, option and the first that is ignored are named', async (t) => {
  const { lines, tell } = fixture();
  tell('*,*,*,*', 'a-1', 'web');
  tell('*,*,*,*', 'a-2');
  const line = { channels: 25, limit: 20, option: 'connection_subscription_max', channel: 'c20' };
  const message = (route: string) =>
    `the origin of route ${route} names 25 channels for one connection: those beyond connection_subscription_max (20) are ignored`;
  t.strictSame(lines, [
    { id: 'a-1', route: 'web', ...line, message: message('web') },
    { id: 'a-2', route: '*,*,*,*', ...line, message: message('*,*,*,*') },
  ]);
});

t.test('a route has a line each second, with how often it was', async (t) => {
  const { lines, clock, tell } = fixture();
  for (let i = 0; i < 100; i++) tell('a');
  tell('b');
  const told = () => lines.map(({ route, again }) => [route, again]);
  const first = [
    ['a', undefined],
    ['b', undefined],
  ];
  t.strictSame(told(), first);
  clock.advance(1_000);
  t.strictSame(told(), [...first, ['a', 99]]);
  clock.advance(60_000);
  t.equal(clock.pending, 0, 'nothing is left of it');
});
