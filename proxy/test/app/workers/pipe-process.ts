/** The other end of a channel over a pipe, in a process of its own. */
import { Socket } from 'node:net';
import { Channel } from '../../../dist/app/workers/channel.js';
import { PIPE_FD, Pipe } from '../../../dist/app/workers/pipe.js';
import { realClock } from '../../../dist/runtime/clock.js';

const channel = new Channel(new Pipe(new Socket({ fd: PIPE_FD, readable: true, writable: true })), {
  clock: realClock,
});
channel.answer('double', (n: number) => 2 * n);
channel.on('echo', (body: Buffer) => void channel.notify('echo', body, body.length));
