/** Clients whose connection is dead without a word of it: the kernel is asked to look for them, on both edges. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

/** In ms; the first probe comes after less, and so does the last. */
const MINUTE = 60_000;

/** The kernel's ticks in a second, in what it shows of timers. */
const TICKS = 100;

const linux = existsSync('/proc/net/tcp') ? {} : { skip: 'no /proc/net/tcp on this system' };

/** When the kernel probes the node's end of this connection, in ms from now; undefined when it does not. */
function probedIn(serverPort: number, clientPort: number): number | undefined {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const ends = [`:${hex(serverPort)}`, `:${hex(clientPort)}`];
  for (const line of readFileSync('/proc/net/tcp', 'latin1').split('\n')) {
    const [, local = '', remote = '', , , timer = ''] = line.trim().split(/\s+/);
    if (!local.endsWith(ends[0] as string) || !remote.endsWith(ends[1] as string)) continue;
    const [kind, when = ''] = timer.split(':');
    return kind === '02' ? (Number.parseInt(when, 16) * 1_000) / TICKS : undefined;
  }
  return undefined;
}

async function start(t: Test, settings: Readonly<Record<string, string | number>>) {
  const origin = await startOrigin(t, (_, response) => {
    response.writeHead(200, streamHold('room')).end('opened\n');
  });
  return startHoldfast(t, { routes: [`* ${origin.target}`], settings });
}

const isolated: { skip?: string } =
  spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']).status === 0
    ? {}
    : { skip: 'no network of its own can be had here' };

const edges = ['node', 'uws'];

/** They wait for the kernel most of a minute: both at once, and beside the other tests. */
const children = edges.map((edge) => {
  const program = join(root, 'proxy', 'dist-test', 'e2e', 'operation', 'vanishing.js');
  return isolated.skip
    ? undefined
    : startChild(t, { command: 'unshare', args: ['-n', process.execPath, program, edge] });
});

// Each edge, and each number of workers: what is asked of the kernel is asked by the edge, in whatever process.
for (const [edge, workers] of [
  ['node', 1],
  ['uws', 2],
] as const) {
  t.test(`${edge}, ${workers} workers: a held connection is probed within a minute`, linux, async (t) => {
    const holdfast = await start(t, { edge, workers });
    const wire = await connectTo(t, holdfast.clients);
    wire.send('GET / HTTP/1.1', 'Host: a', '');
    await wire.until('opened\n');
    const [server, client] = [Number(new URL(holdfast.clients).port), wire.socket.localPort as number];
    // While something is on its way the kernel has another timer.
    const probe = await until('the timer of probes', () => probedIn(server, client));
    t.ok(probe > 0 && probe < MINUTE, `${probe} ms`);
    t.notMatch(holdfast.child.stdout, 'clients that vanish');
  });
}

for (const [i, edge] of edges.entries()) {
  t.test(`${edge}: holds of clients that cannot be reached any more end within a minute`, isolated, async (t) => {
    const child = children[i] as Child;
    t.match(await child.exited, { code: 0 }, child.stderr);
    const [before, after] = child.stdout.trim().split('\n').map(Number);
    t.equal(before, 3, 'a stream, a long poll and a WebSocket were held');
    t.ok((after as number) < MINUTE, `${after} ms`);
  });
}
