import type { Log } from '@holdfast/control-api';
import t from 'tap';
import { OverChannelsReport, TELL_EVERY_MS } from '../../dist/channels/over-channels.js';
import { ManualClock } from '../../dist/clock.js';

function scene() {
  const lines: Record<string, unknown>[] = [];
  const warn = (fields: object, message: string) => void lines.push({ ...fields, message });
  const log = { warn } as unknown as Log;
  const clock = new ManualClock();
  const report = new OverChannelsReport(clock, log);
  const tell = (key: string, id = 'c', named?: string) =>
    report.tell({ id, route: { id: named, key }, channels: 25, limit: 20, first: 'c20' });
  return { lines, clock, tell };
}

t.test('route, channels, limit, option and the first that is ignored are named', async (t) => {
  const { lines, tell } = scene();
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

t.test('a route has a line each second, which counts those that had none', async (t) => {
  const { lines, clock, tell } = scene();
  for (let i = 0; i < 100; i++) tell('a');
  tell('b');
  t.strictSame(
    lines.map(({ route, leftOut }) => [route, leftOut]),
    [
      ['a', undefined],
      ['b', undefined],
    ],
  );
  clock.advance(TELL_EVERY_MS);
  for (let i = 0; i < 100; i++) tell('a');
  t.strictSame(
    lines.slice(2).map(({ route, leftOut }) => [route, leftOut]),
    [['a', 99]],
  );
  clock.advance(60 * TELL_EVERY_MS);
  t.equal(clock.pending, 0, 'nothing is left of it but the count');
  tell('a');
  t.equal(lines.at(-1)?.leftOut, 99);
});
