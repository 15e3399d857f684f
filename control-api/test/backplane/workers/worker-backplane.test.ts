import { fork } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { silentLog, WorkerBackplane } from '../../../dist/index.js';
import { streamMessage } from '../../items.js';
import { RecordingListener } from '../../recorder.js';
import { backplaneContract } from '../contract.js';

/** Backplanes of workers that all are in this process; the primary is a real process behind a real IPC channel. */
async function startWorkers(count: number) {
  const primary = fork(new URL('./primary-process.js', import.meta.url), { serialization: 'advanced', execArgv: [] });
  const listeners: Array<(message: unknown) => void> = [];
  const closed: Array<() => void> = [];
  primary.on('message', ([worker, message]: [number, unknown]) => listeners[worker]?.(message));
  primary.on('disconnect', () => {
    for (const close of closed) close();
  });
  const backplanes = Array.from({ length: count }, (_, worker) => {
    const port = {
      post: (message: unknown) => void (primary.connected && primary.send([worker, message] as never)),
      listen: (listener: (message: unknown) => void, onClosed: () => void) => {
        listeners[worker] = listener;
        closed.push(onClosed);
      },
    };
    return new WorkerBackplane({ port, history: false, log: silentLog });
  });
  const dispose = async () => {
    if (primary.exitCode !== null || primary.signalCode !== null) return;
    primary.kill('SIGKILL');
    await once(primary, 'exit');
  };
  return { primary, backplanes, dispose };
}

/** tap ends a file after 30 s; each clause starts three processes. */
t.setTimeout(120_000);

backplaneContract(t, 'workers', () => startWorkers(3), { parts: true });

t.test('workers: when the primary has gone, everything under way and everything after is rejected', async (t) => {
  const { primary, backplanes, dispose } = await startWorkers(1);
  t.teardown(dispose);
  const [backplane] = backplanes as [WorkerBackplane];
  await backplane.start(new RecordingListener());
  primary.kill('SIGSTOP');
  const waits: Promise<unknown>[] = [
    backplane.publish([streamMessage('a', '1')]),
    backplane.subscribe('a') as Promise<void>,
  ];
  primary.kill('SIGKILL');
  for (const wait of waits) await t.rejects(wait as Promise<void>, { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  await t.rejects(backplane.publish([]), { code: 'ERR_BACKPLANE_UNAVAILABLE' });
  t.match(backplane.unavailableReason, /primary/);
  await backplane.close();
});
