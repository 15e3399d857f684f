/** The port that the workers of a node have in common: how its connections are divided, and that no other node gets onto it. */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { type Holdfast, newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';

const WORKERS = 2;
const CONNECTIONS = 1_000;

async function start(t: Test, edge: string): Promise<Holdfast> {
  const origin = await startOrigin(t, (_request, response) => response.end('plain\n'));
  return startHoldfast(t, { routes: [`* ${origin.target}`], settings: { workers: WORKERS, edge } });
}

/** Opens a connection, has it answered once, and leaves it open. */
async function ask(t: Test, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.write('GET / HTTP/1.1\r\nHost: site\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  if (!answer.toString('latin1').startsWith('HTTP/1.1 200 ')) throw new Error(`answered: ${answer}`);
  return socket;
}

/** How many connections on this port each worker has, as the kernel lists them. */
function sharesOf({ child }: Holdfast, port: number): number[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const established = '01';
  const names = new Set<string>();
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(local) && fields[3] === established) names.add(`socket:[${fields[9]}]`);
  }
  const workers = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ');
  return workers.map((pid) => {
    const files = `/proc/${pid}/fd`;
    return readdirSync(files).filter((fd) => names.has(readlinkSync(`${files}/${fd}`))).length;
  });
}

for (const edge of ['node', 'uws']) {
  t.test(`the ${edge} edge`, async (t) => {
    const holdfast = await start(t, edge);
    const port = Number(new URL(holdfast.clients).port);

    await t.test(`${edge}: connections are divided evenly among the workers`, async (t) => {
      // One after another: of several at once a primary that hands them out gives fewer to a worker that lacks CPU.
      for (let i = 0; i < CONNECTIONS; i++) await ask(t, port);
      const shares = sharesOf(holdfast, port);
      t.equal(
        shares.reduce((sum, share) => sum + share, 0),
        CONNECTIONS,
      );
      const most = (1.15 * CONNECTIONS) / WORKERS;
      t.equal(shares.length, WORKERS);
      for (const share of shares) t.ok(share <= most, `a worker has ${share} of ${CONNECTIONS} connections`);
    });

    await t.test(`${edge}: a second node with workers does not get onto the port`, async (t) => {
      const args = ['--route', '* test', '--workers', '2', '--edge', edge, '--port', `127.0.0.1:${port}`];
      const second = runHoldfast(t, { directory: newDirectory(t), args: [...args, '--control-port', '0'] });
      t.match(await second.exited, { code: 1 });
      t.equal(second.stderr, `holdfast: cannot listen on 127.0.0.1:${port}: it is in use\n`);
      await ask(t, port);
    });
  });
}
