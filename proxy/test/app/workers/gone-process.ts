/** What a channel does when the process at its other end has gone; the same over each kind of connection. */
import type { ChildProcess } from 'node:child_process';
import type { Test } from 'tap';
import type { Channel } from '../../../dist/app/workers/channel.js';

/** Kills the other process, which answers `double`, in the middle of a question. */
export async function failsWithItsProcess(t: Test, other: ChildProcess, channel: Channel): Promise<void> {
  t.equal(await channel.ask('double', 1), 2);
  const closed = new Promise<void>((resolve) => channel.port('link').listen(() => {}, resolve));
  other.kill('SIGSTOP');
  const asked = channel.ask('double', 2);
  other.kill('SIGKILL');
  await t.rejects(asked, { message: 'the other process has gone' });
  await closed;
  await t.rejects(channel.ask('double', 3), { message: 'the other process has gone' });
  await channel.notify('echo', Buffer.from('lost'));
}
