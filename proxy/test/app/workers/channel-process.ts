/** The other end of a channel, in a process of its own. */

import { Channel } from '../../../dist/app/workers/channel.js';
import { realClock } from '../../../dist/runtime/clock.js';

const channel = new Channel(process, { clock: realClock });
channel.answer('double', (n: number) => 2 * n);
channel.answer('fail', () => {
  throw new Error('not today');
});
channel.on('echo', (body: Buffer) => void channel.notify('echo', body));
