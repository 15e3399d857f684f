/** What SIGTERM does: held clients are answered or ended cleanly, and the process is gone soon after. */
import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

/** Generous for a loaded machine; without held clients a node leaves within milliseconds. */
const SOON_MS = 5_000;

/** The parts of a node with one request of each kind under way. */
async function start(t: Test, settings: Readonly<Record<string, string | number>> = {}) {
  const waiting: (() => void)[] = [];
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened\n');
    else if (request.url === '/poll') response.writeHead(200, responseHold('room')).end('nothing new\n');
    else if (request.url === '/slow') waiting.push(() => response.end('slow but whole\n'));
    else response.end('quick\n');
  });
  return { origin, waiting, holdfast: await startHoldfast(t, { routes: [`* ${origin.target}`], settings }) };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} with nothing under way: exit 0, soon`, async (t) => {
    const { holdfast } = await start(t);
    const agent = new Agent({ keepAlive: true });
    t.teardown(() => agent.destroy());
    await ask(t, `${holdfast.clients}/`, { agent });
    const since = Date.now();
    holdfast.child.signal(signal);
    t.match(await holdfast.child.exited, { code: 0, signal: null });
    t.ok(Date.now() - since < SOON_MS, `${Date.now() - since} ms`);
    await t.rejects(ask(t, `${holdfast.clients}/`), 'the port is free');
  });
}

t.test('SIGTERM: streams end cleanly, long polls get their own answer, exit 0, soon', async (t) => {
  const { holdfast } = await start(t);
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('opened\n');
  const old = await connectTo(t, holdfast.clients);
  old.send('GET /stream HTTP/1.0', '');
  await old.until('opened\n');
  const poll = ask(t, `${holdfast.clients}/poll`);
  await holdfast.holds('response', 1);

  const since = Date.now();
  holdfast.child.signal('SIGTERM');
  t.match(await poll, { status: 200, text: 'nothing new\n' });
  t.equal(await stream.end(), 'complete', 'the stream had its last chunk');
  t.equal(stream.text, 'opened\n');
  await old.closed();
  t.match(await holdfast.child.exited, { code: 0, signal: null });
  t.ok(Date.now() - since < SOON_MS, `${Date.now() - since} ms`);

  const ends = holdfast.records().filter(({ reason }) => reason === 'shutdown');
  t.strictSame(ends.map(({ kind }) => kind).sort(), ['response', 'stream', 'stream']);
});

t.test('SIGTERM: a request under way is given a moment to complete', async (t) => {
  const { holdfast, waiting } = await start(t);
  const slow = ask(t, `${holdfast.clients}/slow`);
  await until('the request at the origin', () => waiting.length === 1);
  holdfast.child.signal('SIGTERM');
  await holdfast.record('of the stop', ({ msg }) => String(msg).includes('stopping'));
  await t.rejects(ask(t, `${holdfast.clients}/`), 'no new connections');
  for (const answer of waiting) answer();
  t.match(await slow, { status: 200, text: 'slow but whole\n' });
  t.match(await holdfast.child.exited, { code: 0 });
});

t.test('SIGTERM: an origin that never answers does not keep the node longer than it is told', async (t) => {
  const { holdfast, waiting } = await start(t, { shutdown_requests: 0.5 });
  const slow = open(t, `${holdfast.clients}/slow`).then(
    () => 'answered',
    () => 'cut',
  );
  await until('the request at the origin', () => waiting.length === 1);
  const since = Date.now();
  holdfast.child.signal('SIGTERM');
  t.match(await holdfast.child.exited, { code: 0 });
  t.ok(Date.now() - since < SOON_MS, `${Date.now() - since} ms`);
  t.equal(await slow, 'cut');
  const cut = await holdfast.record('of the request', ({ url }) => String(url).endsWith('/slow'));
  t.match(cut, { error: 'ERR_REQUEST_SHUTDOWN', status: 0 });
});

const full = existsSync('/dev/full') ? {} : { skip: 'no /dev/full on this system' };
t.test('SIGTERM: a log that cannot be written keeps neither the clients nor the node', full, async (t) => {
  const { origin } = await start(t);
  const settings = { logfile: '/dev/full', log_format: 'text' };
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'quick\n' });
  const since = Date.now();
  holdfast.child.signal('SIGTERM');
  t.match(await holdfast.child.exited, { code: 0, signal: null });
  t.ok(Date.now() - since < SOON_MS, `${Date.now() - since} ms`);
  t.match(holdfast.child.stderr, /^holdfast: cannot write the log to \/dev\/full: ENOSPC\n/);
});

t.test('SIGTERM: a reader of the log that has gone keeps neither the clients nor the node', async (t) => {
  const { origin } = await start(t);
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`] });
  const { clients } = holdfast;
  holdfast.child.stopReading();
  t.match(await ask(t, `${clients}/`), { status: 200, text: 'quick\n' });
  t.match(await ask(t, `${clients}/`), { status: 200, text: 'quick\n' });
  const since = Date.now();
  holdfast.child.signal('SIGTERM');
  t.match(await holdfast.child.exited, { code: 0, signal: null });
  t.ok(Date.now() - since < SOON_MS, `${Date.now() - since} ms`);
});
