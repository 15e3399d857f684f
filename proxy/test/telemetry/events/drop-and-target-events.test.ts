/** Events that may be many: dropped items and failures of targets are counted together. */

import type { CustomerEvent, EventSink } from '@holdfast/control-api';
import t from 'tap';
import { DROPS_MAX, DropEvents } from '../../../dist/telemetry/events/drop-events.js';
import { TARGETS_MAX, TargetEvents } from '../../../dist/telemetry/events/target-events.js';
import { ManualClock } from '../../kit/manual-clock.js';

function fixture() {
  const clock = new ManualClock();
  const sent: CustomerEvent[] = [];
  const sink: EventSink = { users: undefined, wants: () => true, report: (event) => void sent.push(event) };
  return { clock, sent, sink };
}

t.test('drops of a second are one event for each channel and cause', async (t) => {
  const { clock, sent, sink } = fixture();
  const drops = new DropEvents(sink, clock);
  for (let n = 0; n < 1_000; n++) drops.dropped('a', 'stream', 'slow-client');
  drops.dropped('a', 'ws', 'slow-client');
  drops.dropped('b', 'stream', 'rate-limit');
  t.equal(sent.length, 0);
  clock.advance(1_000);
  t.match(sent, [
    { type: 'item_dropped', channel: 'a', kind: 'stream', reason: 'slow-client', count: 1_000 },
    { channel: 'a', kind: 'ws', count: 1 },
    { channel: 'b', reason: 'rate-limit', count: 1 },
  ]);
  clock.advance(10_000);
  t.equal(sent.length, 3);
  t.equal(clock.pending, 0);
});

t.test('drops on too many channels are one event without a channel', async (t) => {
  const { clock, sent, sink } = fixture();
  const drops = new DropEvents(sink, clock);
  for (let n = 0; n < DROPS_MAX + 5; n++) drops.dropped(`c${n}`, 'stream', 'slow-client');
  clock.advance(1_000);
  t.equal(sent.length, DROPS_MAX + 1);
  t.match(sent.at(-1), { type: 'item_dropped', count: 5 });
  t.notOk('channel' in (sent.at(-1) as object));
});

const target = (port: number) => ({ kind: 'http', host: '127.0.0.1', port, tls: false }) as never;
const failed = (events: TargetEvents, port: number, code: string) =>
  events.failed({ id: '1', route: undefined, target: target(port) }, { code } as never);

t.test('a target that goes on failing has an event at once, and then one a minute', async (t) => {
  const { clock, sent, sink } = fixture();
  const events = new TargetEvents(sink, clock);
  for (let n = 0; n < 10; n++) failed(events, 1, 'ERR_ORIGIN_CONNECT');
  t.match(sent, [{ type: 'target_down', code: 'ERR_ORIGIN_CONNECT', failures: 1 }]);
  clock.advance(60_000);
  t.match(sent[1], { failures: 9 });
  clock.advance(60_000);
  t.equal(sent.length, 2);
  t.equal(clock.pending, 0, 'it is forgotten');
  failed(events, 1, 'ERR_ORIGIN_CONNECT');
  t.equal(sent.length, 3);
});

t.test('targets are distinguished up to a number', async (t) => {
  const { sent, sink, clock } = fixture();
  const events = new TargetEvents(sink, clock);
  for (let port = 1; port <= TARGETS_MAX + 1; port++) failed(events, port, 'ERR_ORIGIN_CONNECT');
  t.equal(sent.length, TARGETS_MAX);
});
