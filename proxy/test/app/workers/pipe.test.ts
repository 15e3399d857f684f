import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { Channel } from '../../../dist/app/workers/channel.js';
import { encodeFrame, FrameReader, PIPE_FD, Pipe } from '../../../dist/app/workers/pipe.js';
import { realClock } from '../../../dist/runtime/clock.js';
import { failsWithItsProcess } from './gone-process.js';

const frames = [
  ['notify', 'load', { holds: 3 }],
  ['notify', 'backplane', Buffer.from([0, 1, 255])],
  ['notify', 'empty', Buffer.alloc(0)],
  ['ask', 'double', 21, 1],
  ['notify', 'stop', undefined],
];

t.test('frames are read however the bytes are cut, and in order', (t) => {
  const bytes = Buffer.concat(frames.map(encodeFrame));
  for (let cut = 1; cut <= bytes.length; cut++) {
    const reader = new FrameReader();
    const read: unknown[] = [];
    for (let at = 0; at < bytes.length; at += cut)
      reader.read(bytes.subarray(at, at + cut), (frame) => read.push(frame));
    t.strictSame(read, frames, `in pieces of ${cut} bytes`);
  }
  t.end();
});

/** A process with a channel over a pipe that answers `double`, and sends on `echo` what it is sent. */
function startOther(t: Test) {
  const program = fileURLToPath(new URL('./pipe-process.js', import.meta.url));
  const other = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'ignore', 'pipe'] });
  t.teardown(() => other.kill('SIGKILL'));
  const channel = new Channel(new Pipe(other.stdio[PIPE_FD] as Socket), { clock: realClock });
  return { other, channel };
}

t.test('a channel over a pipe keeps order, also of what is larger than the pipe', async (t) => {
  const { channel } = startOther(t);
  const sizes = [0, 1, 100_000, 3_000_000, 5];
  const received: number[] = [];
  const all = new Promise<void>((resolve) => {
    channel.on('echo', (body: Buffer) => {
      received.push(body.length);
      if (received.length === sizes.length) resolve();
    });
  });
  for (const size of sizes) void channel.notify('echo', Buffer.alloc(size), size);
  t.equal(await channel.ask('double', 21), 42);
  await all;
  t.strictSame(received, sizes);
  t.equal(channel.queued, 0, 'all has been sent');
});

t.test('a process that goes away fails what it was asked, and closes the ports', async (t) => {
  const { other, channel } = startOther(t);
  await failsWithItsProcess(t, other, channel);
});
