/** The load generator: only what would spoil a measurement unseen. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const source = fileURLToPath(new URL('../c/load.c', import.meta.url));
const skip =
  spawnSync('cc', ['--version']).status === 0
    ? false
    : 'SKIPPED: there is no C compiler (cc), so the load was not tried';

interface Answer {
  readonly opened: number;
  readonly wall_us: number;
  readonly lost: number;
  /** µs, and how many. */
  readonly receipts: readonly (readonly [number, number])[];
}

/** Compiles the load, starts it with these options beside a server, and returns how it is asked. */
async function startLoad(t: Test, server: Server, options: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-load-test-'));
  const program = join(folder, 'load');
  t.equal(spawnSync('cc', ['-O1', '-o', program, source]).status, 0);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const load = spawn(program, [...options, `port=${port}`, `control_port=${port}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => {
    load.kill();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const answers = createInterface(load.stdout)[Symbol.asyncIterator]();
  return async (command: string) => {
    load.stdin.write(`${command}\n`);
    const { value } = await answers.next();
    return JSON.parse(value as string) as Answer;
  };
}

t.test(
  'opening polls that are open takes no time, so that answered ones do not wait for theirs',
  { skip },
  async (t) => {
    const ask = await startLoad(
      t,
      createServer(() => {}),
      ['kind=poll', 'path=/', 'count=2'],
    );
    t.equal((await ask('open count=2')).opened, 2);
    const times: number[] = [];
    for (let i = 0; i < 10; i++) times.push((await ask('open count=2')).wall_us);
    t.ok(Math.min(...times) < 20_000, `${Math.min(...times)} µs at best`);
  },
);

t.test(
  'a receipt counts from when its own item was due, however many others were published meanwhile',
  { skip },
  async (t) => {
    const items = 10;
    const published: Buffer[] = [];
    let stream: ServerResponse | undefined;
    const server = createHttpServer((request, response) => {
      if (request.method === 'GET') {
        stream = response;
        response.flushHeaders();
        return;
      }
      request.on('data', (bytes: Buffer) => published.push(bytes));
      request.on('end', () => {
        response.end('ok');
        // All at once, when the last is there.
        if (published.length === items) stream?.write(Buffer.concat(published));
      });
    });
    t.teardown(() => server.closeAllConnections());
    const ask = await startLoad(t, server, ['format=raw', 'path=/', 'publish_path=/', 'count=1', 'size=100']);
    t.equal((await ask('open count=1')).opened, 1);
    const { lost, receipts } = await ask('pace rate=20 seconds=0.5');
    t.equal(lost, 0);
    t.equal(
      receipts.reduce((sum, [, count]) => sum + count, 0),
      items,
    );
    const longest = Math.max(...receipts.map(([us]) => us));
    // Between the first and the last, less what a step of the histogram is wide.
    t.ok(longest > 440_000, `the first item was received after ${longest} µs`);
  },
);
