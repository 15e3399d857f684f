import { fork } from 'node:child_process';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { silentLog, WorkerBackplane } from '../../../dist/index.js';
import { streamMessage } from '../../items.js';
import { RecordingListener } from '../../recorder.js';
import { backplaneContract } from '../contract.js';

/** A real process behind a real IPC channel, in which each group of workers has a primary of its own. It ends with the test. */
function startPrimaries(t: Test) {
  const child = fork(new URL('./primary-process.js', import.meta.url), { serialization: 'advanced', execArgv: [] });
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const listeners = new Map<string, (message: unknown) => void>();
  const closed: Array<() => void> = [];
  child.on('message', ([group, worker, message]: [number, number, unknown]) =>
    listeners.get(`${group}/${worker}`)?.(message),
  );
  child.on('disconnect', () => {
    for (const close of closed) close();
  });
  let groups = 0;
  /** Backplanes of workers that all are in this process, and have a new primary in the other one. */
  const startWorkers = (count: number) => {
    const group = groups++;
    return Array.from({ length: count }, (_, worker) => {
      const port = {
        post: (message: unknown) => void (child.connected && child.send([group, worker, message] as never)),
        listen: (listener: (message: unknown) => void, onClosed: () => void) => {
          listeners.set(`${group}/${worker}`, listener);
          closed.push(onClosed);
        },
      };
      return new WorkerBackplane({ port, history: false, log: silentLog });
    });
  };
  return { child, startWorkers };
}

/** tap ends a file after 30 s. */
t.setTimeout(120_000);

t.test('the contract', async (t) => {
  // A process for each clause would cost more than all that the clauses do.
  const { startWorkers } = startPrimaries(t);
  backplaneContract(t, 'workers', async () => ({ backplanes: startWorkers(3) }), { parts: true });
});

t.test('workers: when the primary has gone, everything under way and everything after is rejected', async (t) => {
  const { child: primary, startWorkers } = startPrimaries(t);
  const [backplane] = startWorkers(1) as [WorkerBackplane];
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
