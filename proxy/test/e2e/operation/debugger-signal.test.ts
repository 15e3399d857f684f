/** SIGUSR1, with which Node opens a debugger that runs any code for every process that reaches its port. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { ask } from '../../kit/clients/http-client.js';
import { startHoldfast } from '../../kit/holdfast.js';

/** The processes that a process has started, which are its workers. */
function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

for (const workers of [1, 2]) {
  t.test(`no debugger opens at SIGUSR1, and clients are served on (workers: ${workers})`, async (t) => {
    const holdfast = await startHoldfast(t, { routes: ['* test'], settings: { workers } });
    const { pid } = holdfast.child;
    const pids = [pid, ...children(pid)];
    t.equal(pids.length, workers === 1 ? 1 : 1 + workers);
    for (const each of pids) process.kill(each, 'SIGUSR1');
    for (let i = 0; i < 20; i += 1) t.match(await ask(t, `${holdfast.clients}/`), { status: 200 });
    t.strictSame([pid, ...children(pid)], pids, 'all of them live');
    const noted = () => holdfast.records().filter(({ msg }) => String(msg).startsWith('SIGUSR1'));
    t.equal(noted().length, pids.length, 'each of them says so');
    t.match(await holdfast.child.stop(), { code: 0 });
    t.equal(holdfast.child.stderr, '');
  });
}
