/** The load generator: what it does between two publishes. Only what would spoil a measurement unseen. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const source = fileURLToPath(new URL('../c/load.c', import.meta.url));
const skip =
  spawnSync('cc', ['--version']).status === 0
    ? false
    : 'SKIPPED: there is no C compiler (cc), so the load was not tried';

t.test(
  'opening polls that are open takes no time, so that answered ones do not wait for theirs',
  { skip },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-load-test-'));
    const program = join(folder, 'load');
    t.equal(spawnSync('cc', ['-O1', '-o', program, source]).status, 0);
    const server = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const load = spawn(program, ['kind=poll', 'path=/', `port=${port}`, 'count=2'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.teardown(() => {
      load.kill();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    const answers = createInterface(load.stdout)[Symbol.asyncIterator]();
    const open = async () => {
      load.stdin.write('open count=2\n');
      const { value } = await answers.next();
      return JSON.parse(value as string) as { readonly opened: number; readonly wall_us: number };
    };
    t.equal((await open()).opened, 2);
    const times: number[] = [];
    for (let i = 0; i < 10; i++) times.push((await open()).wall_us);
    t.ok(Math.min(...times) < 20_000, `${Math.min(...times)} µs at best`);
  },
);
