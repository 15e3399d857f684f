/** The command under npx, which its supervisor ends: the node must not stay behind, and a daemon must. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, commandFile, startChild } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';

const settings = [
  '--http-port',
  '127.0.0.1:0',
  '--push-in-http-port',
  '0',
  '--route',
  '* test',
  '--log-format',
  'json',
];

/** A project that has the command installed. */
function project(t: Test): string {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'package.json'), '{"name":"app","version":"1.0.0"}');
  mkdirSync(join(directory, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(commandFile('holdfast'), join(directory, 'node_modules', '.bin', 'holdfast'));
  return directory;
}

/** The id of the node itself, which its log does not know how it was started. */
async function nodeOf(t: Test, launcher: Child): Promise<number> {
  const [, control] = await launcher.line(/listening on (http:\S+) \(control\)/);
  await launcher.line(/started/);
  const { nodes } = (await (await fetch(`${control}/nodes`)).json()) as { nodes: [{ pid: number }] };
  const { pid } = nodes[0];
  t.teardown(() => isThere(pid) && process.kill(pid, 'SIGKILL'));
  return pid;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const linux = { skip: process.platform !== 'linux' && 'what becomes of a SIGKILL is seen on Linux only' };

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  t.test(`${signal} to npx: the node drains and ends`, linux, async (t) => {
    const args = ['--no-install', 'holdfast', ...settings];
    const npx = startChild(t, { command: 'npx', args, cwd: project(t) });
    const pid = await nodeOf(t, npx);
    t.not(pid, npx.pid);
    npx.signal(signal);
    await until('the node has gone', () => !isThere(pid));
    t.match(npx.stdout, /the npm command that started this process has gone: stopping/);
    t.match(npx.stdout, /"msg":"stopped"/);
  });
}

t.test('a node that a shell has left in the background outlives it', async (t) => {
  const command = commandFile('holdfast');
  const line = `"$0" "$@" & sleep 0.1; exec sleep 600`;
  const shell = startChild(t, { command: 'sh', args: ['-c', line, process.execPath, command, ...settings] });
  const pid = await nodeOf(t, shell);
  shell.signal('SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  t.ok(isThere(pid), 'it is still there');
  process.kill(pid, 'SIGTERM');
  await until('it has gone', () => !isThere(pid));
});
