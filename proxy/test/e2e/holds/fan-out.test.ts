/** A publish to four thousand held streams, one of which has stopped reading: the others miss nothing. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { open } from '../../kit/clients/http-client.js';
import { type Holdfast, type LogRecord, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { fanOutItem, OPEN_STEP } from './fan-out-item.js';

/** So many that a delivery keeps the process busy for some forty milliseconds, in which the buffers of others fill. */
const WANTED = 4_000;
const PROCESSES = 2;
const ITEMS = 10;
const BYTES = 8_192;
/** Between two items for everybody so many go to the stopped reader alone: its buffers, of some 10 MiB, are full by the sixth. */
const STUFFING = Array.from({ length: 40 }, () => streamItem('stalled', '.'.repeat(16_384)));
const STUFFING_TIMES = 3;
/** Connections to the origin, listeners, the log and what Node needs. */
const OTHER_FILES = 500;

/** As many clients as a process can have open files. */
function clientCount(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const files = limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
  const count = Math.min(WANTED, files - OTHER_FILES);
  if (count < WANTED) console.error(`WARNING: only ${files} open files are allowed: ${count} streams, not ${WANTED}`);
  return count - (count % PROCESSES);
}

/** Starts the clients, spread over processes, and waits until all their streams are open. */
async function startClients(t: Test, url: string, count: number): Promise<readonly Child[]> {
  const script = join(root, 'proxy', 'dist-test', 'e2e', 'holds', 'fan-out-clients.js');
  const args = [script, url, `${count / PROCESSES}`, `${ITEMS}`, `${BYTES}`];
  const shell = ['-c', 'ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"', process.execPath, ...args];
  const children = Array.from({ length: PROCESSES }, () => startChild(t, { command: 'sh', args: shell }));
  // Step by step: each has a time limit of its own, whatever all of them take on a busy machine.
  for (let open = OPEN_STEP; open <= count / PROCESSES; open += OPEN_STEP) {
    await Promise.all(children.map((child) => child.line(new RegExp(`^open ${open}$`, 'm'))));
  }
  await Promise.all(children.map((child) => child.line(/^all open$/m)));
  return children;
}

/** Publishes an item and waits until every client has it; resolves with the time that took, in ms. */
async function deliver(holdfast: Holdfast, children: readonly Child[], n: number): Promise<number> {
  const since = Date.now();
  await holdfast.publish(streamItem('everybody', fanOutItem(n, BYTES)));
  const lines = await Promise.all(children.map((child) => child.line(new RegExp(`^item ${n} (\\d+)$`, 'm'))));
  return Math.max(...lines.map(([, at]) => Number(at))) - since;
}

t.test('every stream gets every item once and in order, whatever one of them does', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    response.writeHead(200, streamHold(request.url === '/stalled' ? 'everybody, stalled' : 'everybody'));
    response.end('opened\n');
  });
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { log_level: 'warn' },
    manyFiles: true,
  });
  const count = clientCount();
  const stalled = await open(t, `${holdfast.clients}/stalled`);
  await stalled.until('opened\n');
  stalled.stall();
  const since = Date.now();
  const children = await startClients(t, `${holdfast.clients}/stream`, count);
  t.comment(`${count} streams open in ${((Date.now() - since) / 1_000).toFixed(1)} s`);
  await holdfast.holds('stream', count + 1);

  const times: number[] = [];
  for (let n = 0; n < ITEMS; n++) {
    times.push(await deliver(holdfast, children, n));
    await Promise.all(Array.from({ length: STUFFING_TIMES }, () => holdfast.publish(...STUFFING)));
  }
  await holdfast.publish({ channel: 'everybody', formats: { 'http-stream': { action: 'close' } } });
  const ends = await Promise.all(children.map((child) => child.line(/^end (.*)$/m)));
  const each = { complete: count / PROCESSES, wrong: 0, short: 0, broken: 0 };
  t.strictSame(
    ends.map(([, text]) => JSON.parse(text ?? '')),
    ends.map(() => each),
  );

  const isWarning = ({ msg }: LogRecord) => String(msg).startsWith('slow client');
  await holdfast.record('of the slow client', isWarning);
  const [warning, ...others] = holdfast.records().filter(isWarning);
  t.match(warning, { part: 'hold', msg: 'slow client: closing its stream' });
  t.equal(others.length, 0, 'nobody else was found slow');
  t.equal(await holdfast.metric('holdfast_items_dropped_total{kind="stream",reason="slow-client"}'), 1);
  stalled.resume();
  t.equal(await stalled.end(), 'broken');

  times.sort((a, b) => a - b);
  const total = times.reduce((sum, time) => sum + time, 0);
  const perDelivery = ((total * 1_000) / (ITEMS * count)).toFixed(1);
  t.comment(
    `${ITEMS} items of ${BYTES} bytes to ${count} streams: each reached all within ${times[ITEMS / 2]} ms (median), ` +
      `${times.at(-1)} ms (longest); ${perDelivery} µs a delivery, clients included`,
  );
});
