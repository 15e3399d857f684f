/** `npm run demo` as users run it: what it prints, and that nothing of it stays behind when it is killed. */
import { readdirSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { realProcesses } from '../../../dist/runtime/launcher.js';
import { type Child, startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { until } from '../../kit/until.js';

const linux = { skip: process.platform !== 'linux' && 'processes of others are seen on Linux only' };

/** The ids of a process and of all that it has started, and these in their turn. */
function tree(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), realProcesses.look(Number(name))?.parent]);
  const below = (pid: number): number[] => [
    pid,
    ...parents.flatMap(([child, parent]) => (parent === pid && child !== undefined ? below(child) : [])),
  ];
  return below(pid);
}

/** Starts it on free ports; the address of clients, and all its processes. */
async function startDemo(t: Test): Promise<{ npm: Child; clients: string; pids: readonly number[] }> {
  const npm = startChild(t, { command: 'npm', args: ['run', 'demo', '--', '--free-ports'] });
  const [, clients = ''] = await npm.line(/curl -sN (http:\S+)\/stream\n/);
  await npm.line(/Ctrl-C ends it all/);
  const pids = tree(npm.pid);
  t.teardown(() => {
    for (const pid of pids.filter(isThere)) process.kill(pid, 'SIGKILL');
  });
  return { npm, clients, pids };
}

/** Whether it runs: one that has ended may be listed until the system's first process has looked after it. */
function isThere(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

for (const [what, signal, at] of [
  ['SIGTERM to npm', 'SIGTERM', 0],
  ['SIGKILL to npm', 'SIGKILL', 0],
  ['SIGKILL to the demo', 'SIGKILL', -3],
] as const) {
  t.test(`${what} ends the whole demo, with a client that is held`, linux, async (t) => {
    const { clients, pids } = await startDemo(t);
    // npm, perhaps a shell, the demo, the application and Holdfast.
    t.ok(pids.length >= 4, pids.join());
    await (await open(t, `${clients}/stream`)).until('[stream opened]\n');
    const killed = Date.now();
    process.kill(pids.at(at) as number, signal);
    await until('all have gone', () => !pids.some(isThere));
    t.comment(`after ${Date.now() - killed} ms`);
    t.ok(Date.now() - killed < 10_000, 'soon');
  });
}

t.test('what it prints to open in a browser, and what goes wrong later', async (t) => {
  const { npm, clients } = await startDemo(t);
  const [, page = ''] = /(http:\S+\/ui\/#\/try)\n/.exec(npm.stdout) ?? [];
  t.match(await ask(t, page), { status: 200 });
  t.match(await ask(t, `${clients}/stream?channel=${'x'.repeat(300)}`), { status: 502 });
  await until('the warning', () => /^\[holdfast\] warn /m.test(npm.stderr));
});
