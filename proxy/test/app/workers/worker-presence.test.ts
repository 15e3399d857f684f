import t from 'tap';
import { carryOut, type PresenceRow, WorkerPresence } from '../../../dist/app/workers/worker-presence.js';

t.test('what a worker says of members comes in its order, and in one notification for a turn', async (t) => {
  const sent: (readonly PresenceRow[])[] = [];
  const presence = new WorkerPresence({
    notify: async (_: string, body?: unknown) => void sent.push(body as readonly PresenceRow[]),
  });
  presence.enter('room', 'ann', 'Ann');
  presence.enter('room', 'bob');
  presence.leave('room', 'ann');
  t.strictSame(sent, []);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(sent.length, 1);
  const calls: string[] = [];
  carryOut(sent[0] ?? [], {
    enter: (group, member, note) => void calls.push(`enter ${group} ${member} ${note}`),
    leave: (group, member) => void calls.push(`leave ${group} ${member}`),
  });
  t.strictSame(calls, ['enter room ann Ann', 'enter room bob undefined', 'leave room ann']);

  for (let i = 0; i < 2_500; i++) presence.leave('room', String(i));
  t.strictSame(
    sent.slice(1).map((rows) => rows.length),
    [1_000, 1_000],
  );
  await new Promise((resolve) => setImmediate(resolve));
  t.strictSame(
    sent.slice(3).map((rows) => rows.length),
    [500],
  );
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(sent.length, 4);
});
