/**
 * Clients that are slow on purpose, 200 of each kind at once: with their heads, with their bodies, and in reading. Others are
 * served meanwhile, and the slow ones are cut within their limits.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { edges } from './flood.js';

t.setTimeout(300_000);

const EACH = 200;

/** More than the kernel keeps for one connection. */
const LONG = Buffer.alloc(16 * 2 ** 20);

/** What most others may wait for an answer meanwhile, in ms: a loaded machine is slow, a blocked Holdfast is slower. */
const PATIENCE_MS = 3_000;

/** One slow client. */
interface Slow {
  readonly socket: Socket;
  /** What it got, at most the first bytes. */
  text: string;
  /** When it was cut, in ms after its start. */
  cutAfter?: number;
}

function open(t: Test, holdfast: Holdfast, first: string): Promise<Slow> {
  const { hostname, port } = new URL(holdfast.clients);
  const since = performance.now();
  const socket = connect({ host: hostname, port: Number(port) });
  const slow: Slow = { socket, text: '' };
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.on('close', () => {
    slow.cutAfter = performance.now() - since;
  });
  return new Promise((resolve) => {
    socket.once('connect', () => {
      socket.write(first, 'latin1');
      resolve(slow);
    });
    socket.once('error', () => resolve(slow));
  });
}

/** Reads, and sends a byte more each second. */
function trickle(t: Test, slow: Slow, piece: string): void {
  slow.socket.on('data', (bytes) => {
    if (slow.text.length < 1_000) slow.text += bytes.toString('latin1');
  });
  const timer = setInterval(() => {
    if (slow.socket.writable) slow.socket.write(piece);
  }, 1_000);
  t.teardown(() => clearInterval(timer));
}

const many = (make: () => Promise<Slow>) => Promise.all(Array.from({ length: EACH }, make));

for (const edge of edges) {
  t.test(`edge ${edge}: 200 slow heads, 200 slow bodies and 200 slow readers leave others served`, async (t) => {
    const origin = await startOrigin(t, (request, response) => {
      if (request.url === '/long') response.end(LONG);
      else request.once('end', () => response.end('fine'));
    });
    const holdfast = await startHoldfast(t, {
      routes: [`* ${origin.target}`],
      settings: {
        edge,
        client_header_timeout: 4,
        request_min_rate: 100,
        request_min_rate_window: 4,
        write_timeout: 4,
        request_size_max: 50_000,
        max_open_requests: 1_000,
      },
    });
    const heads = await many(() => open(t, holdfast, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: '));
    const bodies = await many(() => open(t, holdfast, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n'));
    const readers = await many(() => open(t, holdfast, 'GET /long HTTP/1.1\r\nHost: a\r\n\r\n'));
    for (const slow of [...heads, ...bodies]) trickle(t, slow, 'x');
    for (const { socket } of readers) socket.pause();

    // Others: each on a connection of its own.
    const waits: number[] = [];
    let isOver = false;
    const others = (async () => {
      while (!isOver) {
        const since = performance.now();
        const answer = await fetch(holdfast.clients, {
          method: 'POST',
          body: 'quick',
          headers: { connection: 'close' },
        });
        t.equal(await answer.text(), 'fine');
        waits.push(performance.now() - since);
        await delay(100);
      }
    })();
    const cut = (slow: readonly Slow[]) => slow.filter(({ cutAfter }) => cutAfter !== undefined).length;
    await until(
      'the cut of slow heads',
      () => cut(heads) === EACH,
      () => `${cut(heads)}`,
    );
    await until(
      'the cut of slow bodies',
      () => cut(bodies) === EACH,
      () => `${cut(bodies)}`,
    );
    let readersCut = 0;
    const allReaders = async () => {
      await delay(200);
      readersCut = await holdfast.metric('holdfast_limited_total{limit="write_timeout"}');
      return readersCut === EACH;
    };
    await until('the cut of slow readers', allReaders, () => `${readersCut}`);
    isOver = true;
    await others;

    const median = waits.sort((a, b) => a - b)[waits.length >> 1] ?? Number.POSITIVE_INFINITY;
    t.ok(waits.length > 5 && median < PATIENCE_MS, `${waits.length} others waited ${Math.round(median)} ms (median)`);
    const times = (slow: readonly Slow[]) => slow.map(({ cutAfter = 0 }) => cutAfter);
    t.ok(Math.min(...times(bodies)) >= 3_900, 'no body is cut before its time');
    t.strictSame(new Set(bodies.map(({ text }) => text.slice(0, 12))), new Set(['HTTP/1.1 408']));
    if (edge === 'node') t.strictSame(new Set(heads.map(({ text }) => text.slice(0, 12))), new Set(['HTTP/1.1 408']));
    t.equal(await holdfast.metric('holdfast_limited_total{limit="request_min_rate"}'), EACH);
    for (const { socket } of readers) socket.resume();
    await until('the end of slow readers', () => cut(readers) === EACH);
    await until('no connection', async () => (await holdfast.metric('holdfast_connections')) <= 1);
    const tooLong = await fetch(holdfast.clients, { method: 'POST', body: 'x'.repeat(50_001) });
    t.equal(tooLong.status, 413);
    t.equal(await holdfast.metric('holdfast_limited_total{limit="request_size_max"}'), 1);
    const texts = holdfast.records().map(({ msg }) => String(msg));
    t.ok(
      texts.some((text) => text.includes('write_timeout')),
      'the log names the limit of readers',
    );
    t.ok(
      texts.some((text) => text.includes('request_min_rate')),
      'and that of bodies',
    );
  });
}
