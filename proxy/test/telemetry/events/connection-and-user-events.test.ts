/** Events of connections and users, from what the parts of a data plane report. */

import type { CustomerEvent, EventSink } from '@holdfast/control-api';
import t from 'tap';
import { ConnectionEvents, EVENT_CHANNELS_MAX } from '../../../dist/telemetry/events/connection-events.js';
import { USER_BYTES, UserEvents } from '../../../dist/telemetry/events/user-events.js';
import { ManualClock } from '../../kit/manual-clock.js';

function connections(types = ['connection_opened', 'connection_closed']) {
  const clock = new ManualClock();
  const sent: CustomerEvent[] = [];
  const sink: EventSink = {
    users: undefined,
    wants: (type) => types.includes(type),
    report: (event) => void sent.push(event),
  };
  const events = new ConnectionEvents(sink, clock);
  const request = { id: 'r1' } as never;
  const requestEnded = (hold: string | undefined, retry = false) =>
    events.requestEnded({ request, route: { id: 'web' }, hold, retry } as never);
  const holdEnded = (reason: string, channels: readonly string[] = ['a']) =>
    events.holdEnded(
      request,
      { id: 'web' } as never,
      {
        kind: 'response',
        reason,
        items: 1,
        dropped: 0,
        duration: 7,
        channels,
      } as never,
    );
  return { clock, sent, events, requestEnded, holdEnded };
}

t.test('a request that is asked again is the same connection: opened once, closed once', async (t) => {
  const { clock, sent, events, requestEnded, holdEnded } = connections();
  requestEnded('response');
  events.set({ id: 'r1' } as never, 'ann');
  clock.advance(100);
  holdEnded('retried');
  requestEnded('response', true);
  clock.advance(100);
  holdEnded('answered');
  t.match(sent, [
    { type: 'connection_opened', id: 'r1', kind: 'response', route: 'web' },
    { type: 'connection_closed', id: 'r1', user: 'ann', reason: 'answered', channels: ['a'], items: 1, duration: 200 },
  ]);
  t.equal(sent.length, 2);
});

t.test('one that its origin answers without a hold, when it is asked again, is closed', async (t) => {
  const { sent, requestEnded, holdEnded } = connections();
  requestEnded('response');
  holdEnded('retried');
  requestEnded(undefined, true);
  requestEnded(undefined, true);
  t.match(sent[1], { type: 'connection_closed', id: 'r1', reason: 'retried' });
  t.equal(sent.length, 2);
});

t.test('a request without a hold is no connection', async (t) => {
  const { sent, requestEnded } = connections();
  requestEnded(undefined);
  t.equal(sent.length, 0);
});

t.test('only what is wanted is reported', async (t) => {
  const { sent, requestEnded, holdEnded } = connections(['connection_closed']);
  requestEnded('response');
  holdEnded('timeout');
  t.strictSame(
    sent.map(({ type }) => type),
    ['connection_closed'],
  );
});

t.test('an event names so many channels, and the number of the others', async (t) => {
  const { sent, requestEnded, holdEnded } = connections();
  requestEnded('response');
  holdEnded(
    'timeout',
    Array.from({ length: EVENT_CHANNELS_MAX + 3 }, (_, n) => `c${n}`),
  );
  t.equal((sent[1]?.channels as string[] | undefined)?.length, EVENT_CHANNELS_MAX);
  t.equal(sent[1]?.channels_omitted, 3);
});

t.test('a session has its Connection-Id, and the code with which it was closed here', async (t) => {
  const { sent, events } = connections();
  const session = { request: { id: 'r2' }, route: { id: 'chat' }, connectionId: 'c-1' };
  events.sessionOpened({ ...session, status: 403 } as never);
  events.sessionOpened({ ...session, status: 101 } as never);
  const end = { kind: 'ws', reason: 'kicked', items: 0, dropped: 0, duration: 5, channels: [] };
  events.sessionEnded(session.request as never, session.route as never, end as never, session.connectionId);
  t.match(sent, [
    { type: 'connection_opened', id: 'r2', session: 'c-1', kind: 'ws', route: 'chat' },
    { type: 'connection_closed', id: 'r2', session: 'c-1', reason: 'kicked', code: 1008, duration: 5 },
  ]);
  t.equal(sent.length, 2);
});

function users(linger: number) {
  const clock = new ManualClock();
  const counts = new Map<string, number>();
  const change = (by: number) => (user: string) => void counts.set(user, (counts.get(user) ?? 0) + by);
  const events = new UserEvents({ enter: change(1), leave: change(-1) }, clock, linger);
  return { clock, counts, events };
}

const stream = { id: 's', kind: 'stream' } as const;
const poll = (n: number) => ({ id: `p${n}`, kind: 'response' }) as const;

t.test('a connection counts for its user, as long as that is its user', async (t) => {
  const { counts, events } = users(0);
  events.set(stream, 'ann');
  events.set(stream, 'ann');
  t.equal(counts.get('ann'), 1);
  events.set(stream, 'bob');
  t.strictSame([counts.get('ann'), counts.get('bob')], [0, 1]);
  events.set(stream, '');
  t.equal(counts.get('bob'), 0);
  events.set(stream, 'ann');
  events.leave(stream);
  events.leave(stream);
  t.equal(counts.get('ann'), 0);
});

t.test('a name that is too long is none', async (t) => {
  const { counts, events } = users(0);
  events.set(stream, 'é'.repeat(USER_BYTES));
  t.equal(counts.size, 0);
  events.set(stream, 'x'.repeat(USER_BYTES));
  t.equal(counts.size, 1);
});

t.test('the user of long polls stays for the linger, with one connection, however many have left', async (t) => {
  const { clock, counts, events } = users(1_000);
  for (let n = 0; n < 5; n++) {
    events.set(poll(n), 'ann');
    events.leave(poll(n));
    t.equal(counts.get('ann'), 1);
    clock.advance(900);
  }
  clock.advance(99);
  t.equal(counts.get('ann'), 1);
  clock.advance(1);
  t.equal(counts.get('ann'), 0);
  t.equal(clock.pending, 0);
});
