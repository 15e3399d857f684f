import { fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import t, { type Test } from 'tap';
import { ANSWER_MS, CHANNEL_QUEUE_MAX, Channel, type IpcEnd } from '../../../dist/app/workers/channel.js';
import { realClock } from '../../../dist/runtime/clock.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { failsWithItsProcess } from './gone-process.js';

/** A channel to a real process that answers `double`, fails `fail`, and sends on `echo` what it is sent. */
function startOther(t: Test) {
  const other = fork(new URL('./channel-process.js', import.meta.url), { serialization: 'advanced', execArgv: [] });
  t.teardown(() => other.kill('SIGKILL'));
  return { other, channel: new Channel(other, { clock: realClock }) };
}

t.test('telling keeps order and bytes; asking gets the answer, or the failure', async (t) => {
  const { channel } = startOther(t);
  const received: Buffer[] = [];
  const third = new Promise<void>((resolve) => {
    channel.on('echo', (body: Buffer) => {
      received.push(body);
      if (received.length === 3) resolve();
    });
  });
  for (const text of ['a', 'b', 'c']) void channel.notify('echo', Buffer.from(text));
  t.equal(await channel.ask('double', 21), 42);
  await t.rejects(channel.ask('fail'), { message: 'not today' });
  await third;
  t.equal(Buffer.concat(received).toString(), 'abc');
  t.equal(channel.queued, 0, 'all has been sent');
});

t.test('a process that goes away fails what it was asked, and closes the ports', async (t) => {
  const { other, channel } = startOther(t);
  await failsWithItsProcess(t, other, channel);
});

/** An end that sends nothing until the test has it send. */
class StuckEnd extends EventEmitter implements IpcEnd {
  readonly connected = true;
  readonly sent: Array<() => void> = [];

  send(_message: unknown, _handle: undefined, _options: undefined, sent: (error: Error | null) => void): boolean {
    this.sent.push(() => sent(null));
    return false;
  }
}

t.test('what waits is counted; over the limit the owner is told, once', async (t) => {
  const end = new StuckEnd();
  let overflows = 0;
  const channel = new Channel(end, { clock: new ManualClock(), overflowed: () => void overflows++ });
  const half = CHANNEL_QUEUE_MAX / 2;
  void channel.notify('a', 0, half);
  t.ok(channel.queued >= half && channel.queued < CHANNEL_QUEUE_MAX);
  t.equal(overflows, 0);
  void channel.notify('a', 0, half);
  void channel.notify('a', 0, half);
  t.equal(overflows, 1);
  for (const sent of end.sent) sent();
  t.equal(channel.queued, 0);
});

t.test('an answer that does not come in time is a failure', async (t) => {
  const clock = new ManualClock();
  const channel = new Channel(new StuckEnd(), { clock });
  const asked = channel.ask('metrics');
  clock.advance(ANSWER_MS);
  await t.rejects(asked, { message: 'no answer about metrics' });
  t.equal(clock.pending, 0);
});
