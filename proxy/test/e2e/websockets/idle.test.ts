/** Three thousand sessions that do nothing, of origins that are asked over HTTP: a publish reaches each of them once. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';

/** Of each there are as many requests to the origin at its opening, and all at once at its end. */
const WANTED = 3_000;
const PROCESSES = 2;
const ITEMS = 10;
const BYTES = 100;
/** As in the clients’ process. */
const OPEN_STEP = 500;
/** Connections to the origin, listeners, the log and what Node needs. */
const OTHER_FILES = 500;
/** Of the times in /proc, in every Linux that runs Node. */
const TICKS_PER_SECOND = 100;

/** As many clients as a process can have open files. */
function clientCount(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const files = limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
  const count = Math.min(WANTED, files - OTHER_FILES);
  if (count < WANTED) console.error(`WARNING: only ${files} open files are allowed: ${count} sessions, not ${WANTED}`);
  return count - (count % PROCESSES);
}

/** An origin in as few words as WebSocket-over-HTTP allows: it accepts, subscribes, and agrees to every close. */
const startEventsOrigin = (t: Test) =>
  startOrigin(t, (request, response, seen) => {
    request.on('end', () => {
      const subscribe = 'c:{"type":"subscribe","channel":"everybody"}';
      const opening = `OPEN\r\nTEXT ${subscribe.length.toString(16)}\r\n${subscribe}\r\n`;
      response.setHeader('Content-Type', 'application/websocket-events');
      if (seen.body.startsWith('OPEN')) response.setHeader('Sec-WebSocket-Extensions', 'grip').end(opening);
      else response.end(seen.body);
    });
  });

/** Starts the clients, spread over processes, and waits until all of their sessions are open. */
async function startClients(t: Test, url: string, count: number): Promise<readonly Child[]> {
  const script = join(root, 'proxy', 'dist-test', 'e2e', 'websockets', 'idle-clients.js');
  const args = [script, url, `${count / PROCESSES}`];
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
  const text = `item-${n}-`.padEnd(BYTES, '.');
  const since = Date.now();
  await holdfast.publish({ channel: 'everybody', formats: { 'ws-message': { content: text } } });
  const lines = await Promise.all(children.map((child) => child.line(new RegExp(`^item item-${n}-\\.* (\\d+)$`, 'm'))));
  return Math.max(...lines.map(([, at]) => Number(at))) - since;
}

/** CPU time of a process so far, in µs, and its memory, in KiB. Undefined where there is no /proc. */
function usage({ pid }: Child): { cpu: number; memory: number } | undefined {
  try {
    // The name in parentheses may hold blanks; utime and stime are the 12th and 13th fields after it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    const memory = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { cpu: ((Number(fields[11]) + Number(fields[12])) * 1e6) / TICKS_PER_SECOND, memory: Number(memory) };
  } catch {
    return undefined;
  }
}

t.test('every session gets every item once, and nothing is left when they have been closed', async (t) => {
  const origin = await startEventsOrigin(t);
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target},over_http`],
    settings: { log_level: 'warn', sig_key: 'secret' },
    manyFiles: true,
  });
  const count = clientCount();
  const empty = usage(holdfast.child);
  const since = Date.now();
  const children = await startClients(t, wsUrl(holdfast.clients), count);
  t.comment(`${count} sessions open in ${((Date.now() - since) / 1_000).toFixed(1)} s`);
  await holdfast.holds('ws', count);

  const before = usage(holdfast.child);
  const times: number[] = [];
  for (let n = 0; n < ITEMS; n++) times.push(await deliver(holdfast, children, n));
  const after = usage(holdfast.child);
  await holdfast.publish({ channel: 'everybody', formats: { 'ws-message': { action: 'close', code: 1000 } } });
  const ends = await Promise.all(children.map((child) => child.line(/^end (.*)$/m)));
  const messages = (ITEMS * count) / PROCESSES;
  const each = { closed: count / PROCESSES, otherwise: 0, messages };
  t.strictSame(
    ends.map(([, text]) => JSON.parse(text ?? '')),
    ends.map(() => each),
    'each item came to each client exactly once',
  );
  await holdfast.holds('ws', 0);
  t.equal(await holdfast.metric('holdfast_items_sent_total{kind="ws"}'), ITEMS * count);
  t.equal(await holdfast.metric('holdfast_channels'), 0);
  await origin.requests(2 * count);
  t.equal(
    origin.seen.filter(({ body }) => body.startsWith('CLOSE')).length,
    count,
    'the origin was told of each close',
  );
  t.strictSame(
    holdfast.records().filter(({ level }) => level !== 'info'),
    [],
    'nothing to warn of',
  );

  times.sort((a, b) => a - b);
  t.comment(`an item reached all within ${times[ITEMS / 2]} ms (median), ${times.at(-1)} ms (longest)`);
  if (empty === undefined || before === undefined || after === undefined) return;
  const perDelivery = (after.cpu - before.cpu) / (ITEMS * count);
  const perSession = (before.memory - empty.memory) / count;
  t.comment(`${perDelivery.toFixed(1)} µs of CPU a delivery, ${perSession.toFixed(1)} KiB of memory a session`);
});
