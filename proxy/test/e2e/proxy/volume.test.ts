/** Hundreds of mebibytes through the proxy, each way: every byte, in little memory, and at the pace of the reader. */
import { existsSync, readFileSync } from 'node:fs';
import { type ClientRequest, get, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { PatternCheck, sendPattern } from '../../kit/pattern.js';
import { until } from '../../kit/until.js';

const MIB = 1024 ** 2;
/** What goes through: four times what the proxy may grow by, so that it is found out when it keeps a quarter. */
const WHOLE = 512 * MIB;
/** The same where one end stops reading: four times what may be between the ends. */
const STOPPED = 256 * MIB;
/** What the proxy may take beyond its idle size: sockets' buffers and what waits for the garbage collector. */
const GROWTH_MAX = 128 * MIB;
/** What all buffers between two ends may hold while the far end does not read; the kernel's come first. */
const BETWEEN_MAX = 64 * MIB;

/** A memory figure of a process from /proc, in bytes: `VmRSS` now, `VmHWM` at most so far. */
function memory(holdfast: Holdfast, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${holdfast.child.pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1_024;
}

const hasProc = existsSync('/proc/self/status');
if (!hasProc) console.error('WARNING: no /proc on this system: the memory of the proxy is not measured');

/** Runs a transfer, tells its figures, and checks that the proxy stayed small. */
async function measured(t: Test, holdfast: Holdfast, bytes: number, transfer: () => Promise<void>): Promise<void> {
  const idle = hasProc ? memory(holdfast, 'VmRSS') : 0;
  const since = Date.now();
  await transfer();
  const seconds = (Date.now() - since) / 1_000;
  const peak = hasProc ? memory(holdfast, 'VmHWM') : 0;
  const mib = (bytes: number) => `${(bytes / MIB).toFixed(0)} MiB`;
  t.comment(`${mib(bytes)} in ${seconds.toFixed(1)} s; proxy: idle ${mib(idle)}, peak ${mib(peak)}`);
  t.ok(peak - idle < GROWTH_MAX, `grew by ${mib(peak - idle)}`, { skip: hasProc ? false : 'no /proc' });
}

/** An origin that sends so much to GET and checks what it is sent otherwise. */
async function start(t: Test, bytes: number) {
  const uploads: { check: PatternCheck; request: IncomingMessage; ended: boolean }[] = [];
  const sockets: Socket[] = [];
  const origin = await startOrigin(
    t,
    (request, response) => {
      if (request.method === 'GET') {
        sockets.push(request.socket);
        if (request.url === '/declared') response.setHeader('Content-Length', bytes);
        sendPattern(response, bytes);
        return;
      }
      const upload = { check: new PatternCheck(), request, ended: false };
      uploads.push(upload);
      if (request.url !== '/wait') request.on('data', (chunk: Buffer) => upload.check.take(chunk));
      request.on('end', () => {
        upload.ended = true;
        response.end(`${upload.check.received} ${upload.check.wrongAt ?? 'all as sent'}`);
      });
    },
    { keepBodies: false },
  );
  return { uploads, sockets, holdfast: await startHoldfast(t, { routes: [`* ${origin.target}`] }) };
}

function answerOf(t: Test, request: ClientRequest): Promise<IncomingMessage> {
  t.teardown(() => request.destroy());
  return new Promise((resolve, reject) => request.once('response', resolve).once('error', reject));
}

/** Waits until a number has stopped growing: it is the same at five looks, a tenth of a second apart. */
async function settled(look: () => number): Promise<number> {
  let last = look();
  for (let same = 0; same < 5; ) {
    await delay(100);
    const now = look();
    same = now === last && now > 0 ? same + 1 : 0;
    last = now;
  }
  return last;
}

for (const [title, path] of [
  ['with a Content-Length', '/declared'],
  ['in chunks', '/chunks'],
] as const) {
  t.test(`down ${title}`, async (t) => {
    const { holdfast } = await start(t, WHOLE);
    await measured(t, holdfast, WHOLE, async () => {
      const answer = await answerOf(t, get(`${holdfast.clients}${path}`, { agent: false }));
      const check = new PatternCheck();
      for await (const chunk of answer) check.take(chunk as Buffer);
      t.equal(check.received, WHOLE);
      t.equal(check.wrongAt, undefined, 'every byte in its place');
    });
  });
}

for (const [title, headers] of [
  ['with a Content-Length', { 'Content-Length': WHOLE }],
  ['in chunks', {}],
] as const) {
  t.test(`up ${title}`, async (t) => {
    const { holdfast, uploads } = await start(t, WHOLE);
    await measured(t, holdfast, WHOLE, async () => {
      const upload = request(`${holdfast.clients}/`, { method: 'PUT', headers, agent: false });
      sendPattern(upload, WHOLE);
      let text = '';
      for await (const chunk of await answerOf(t, upload)) text += chunk;
      t.equal(text, `${WHOLE} all as sent`);
      t.equal(uploads.length, 1);
    });
  });
}

t.test('a client that stops reading stops the origin, and goes on where it was', async (t) => {
  const { holdfast, sockets } = await start(t, STOPPED);
  await measured(t, holdfast, STOPPED, async () => {
    const answer = await answerOf(t, get(`${holdfast.clients}/`, { agent: false }));
    const sent = await settled(() => sockets[0]?.bytesWritten ?? 0);
    t.ok(sent < BETWEEN_MAX, `the origin could send ${(sent / MIB).toFixed(1)} MiB`);
    const check = new PatternCheck();
    for await (const chunk of answer) check.take(chunk as Buffer);
    t.match(check, { received: STOPPED, wrongAt: undefined });
  });
});

t.test('an origin that stops reading stops the client', async (t) => {
  const { holdfast, uploads } = await start(t, STOPPED);
  await measured(t, holdfast, STOPPED, async () => {
    const upload = request(`${holdfast.clients}/wait`, { method: 'PUT', agent: false });
    const answer = answerOf(t, upload);
    sendPattern(upload, STOPPED);
    const { request: received, check } = await until('the upload at the origin', () => uploads[0]);
    const sent = await settled(() => upload.socket?.bytesWritten ?? 0);
    t.ok(sent < BETWEEN_MAX, `the client could send ${(sent / MIB).toFixed(1)} MiB`);
    received.on('data', (chunk: Buffer) => check.take(chunk));
    await answer;
    t.match(check, { received: STOPPED, wrongAt: undefined });
  });
});
