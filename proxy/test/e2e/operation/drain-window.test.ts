/** `shutdown_delay` and `shutdown_window`: a node that goes down lets its clients go one after the other, on both edges. */
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

// Each waits for windows and delays to pass, and hardly works meanwhile.
t.jobs = 4;

/** Of each kind: streams and long polls. */
const EACH = 60;
const WINDOW_MS = 3_000;

async function start(t: Test, settings: Readonly<Record<string, string | number | boolean>>) {
  const waiting: (() => void)[] = [];
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened\n');
    else if (request.url === '/poll') response.writeHead(200, responseHold('poll')).end('nothing new\n');
    else if (request.url === '/events')
      response.writeHead(200, streamHold('room', { 'Content-Type': 'text/event-stream' })).end('data: a\n\n');
    else if (request.url === '/late')
      waiting.push(() => void response.writeHead(200, streamHold('room')).end('opened\n'));
    else response.end('quick\n');
  });
  return { waiting, holdfast: await startHoldfast(t, { routes: [`* ${origin.target}`], settings }) };
}

// Each edge, alone in its process or beside another: workers are the same to both.
for (const [edge, workers] of [
  ['node', 1],
  ['uws', 2],
] as const) {
  t.test(
    `${edge}, workers ${workers}: what is held ends evenly over the window, and gets items until then`,
    async (t) => {
      const { holdfast, waiting } = await start(t, { edge, workers, shutdown_window: WINDOW_MS / 1_000 });
      const ends: number[] = [];
      const streams = await Promise.all(
        Array.from({ length: EACH }, async () => {
          const stream = await open(t, `${holdfast.clients}/stream`);
          await stream.until('opened\n');
          return stream;
        }),
      );
      const ended = streams.map((stream) => stream.end().then((how) => ends.push(performance.now()) && how));
      const polls = Array.from({ length: EACH }, async () => {
        const answer = await ask(t, `${holdfast.clients}/poll`);
        ends.push(performance.now());
        return answer;
      });
      await holdfast.holds('response', EACH);
      const late = open(t, `${holdfast.clients}/late`);
      await until('the late request at the origin', () => waiting.length === 1);

      const since = performance.now();
      holdfast.child.signal('SIGTERM');
      await until('the first ends', () => ends.length > 0);
      const before = ends.length;
      await holdfast.publish(streamItem('room', 'news\n'));
      const admin = holdfast.url('admin');
      t.match(await ask(t, `${admin}/readyz`), { status: 503 });
      t.match(await ask(t, `${admin}/livez`), { status: 200 });
      t.equal(await holdfast.metric('holdfast_draining'), 1);
      await t.rejects(connectTo(t, holdfast.clients), { code: 'ECONNREFUSED' }, 'clients can only go to other nodes');
      for (const answer of waiting) answer();
      t.equal(await (await late).end(), 'complete', 'what becomes a hold meanwhile ends too');
      for (const poll of polls)
        t.match(await poll, { status: 200, text: 'nothing new\n', headers: { connection: 'close' } });
      t.strictSame(new Set(await Promise.all(ended)), new Set(['complete']));
      t.match(await holdfast.child.exited, { code: 0, signal: null });
      const took = performance.now() - since;
      t.ok(took < WINDOW_MS + 6_000, `gone after ${took} ms`);
      t.ok(before < 2 * EACH, 'some were still held');
      t.ok(
        streams.some(({ text }) => text === 'opened\nnews\n'),
        'those that were held got the item',
      );

      const [first, last] = [Math.min(...ends), Math.max(...ends)];
      t.ok(last - first > WINDOW_MS / 2, `over ${last - first} ms`);
      const half = ends.filter((at) => at < (first + last) / 2).length;
      t.ok(half > 0.25 * ends.length && half < 0.75 * ends.length, `${half} of ${ends.length} in the first half`);
      const text = `draining ${2 * EACH} holds over 3 s`;
      if (workers === 1)
        t.ok(
          holdfast.records().some(({ msg }) => msg === text),
          text,
        );
    },
  );

  t.test(
    `${edge}, workers ${workers}: during the delay all is served, and answers close their connections`,
    async (t) => {
      const { holdfast } = await start(t, { edge, workers, shutdown_delay: '8s' });
      const old = await connectTo(t, holdfast.clients);
      old.send('GET /before HTTP/1.1', 'Host: a', '');
      await old.until('quick\n');
      const stream = await open(t, `${holdfast.clients}/stream`);
      await stream.until('opened\n');
      holdfast.child.signal('SIGTERM');
      await holdfast.record('of the drain', ({ msg }) => String(msg).includes('draining'));
      t.match(await ask(t, `${holdfast.url('admin')}/readyz`), { status: 503 });
      old.send('GET /after HTTP/1.1', 'Host: a', '');
      await old.closed();
      t.match(old.text.toLowerCase(), /quick\n.*connection: close.*quick\n/s);
      t.match(await ask(t, `${holdfast.clients}/new`), { status: 200, headers: { connection: 'close' } });
      await holdfast.publish(streamItem('room', 'news\n'));
      await stream.until('news\n');
      t.equal(await stream.end(), 'complete');
      t.match(await holdfast.child.exited, { code: 0, signal: null });
    },
  );
}

t.test('a second SIGTERM ends the node at once', async (t) => {
  const { holdfast } = await start(t, { shutdown_delay: '10m' });
  holdfast.child.signal('SIGTERM');
  await holdfast.record('of the drain', ({ msg }) => String(msg).includes('draining'));
  holdfast.child.signal('SIGTERM');
  t.match(await holdfast.child.exited, { code: 1 });
});

t.test('shutdown_retry: an event stream says when its client is to come back, other streams do not', async (t) => {
  const { holdfast } = await start(t, { shutdown_retry: true });
  const events = await open(t, `${holdfast.clients}/events`);
  await events.until('data: a\n\n');
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('opened\n');
  holdfast.child.signal('SIGTERM');
  t.equal(await events.end(), 'complete');
  const [, ms = ''] = /^data: a\n\nretry: (\d+)\n\n$/.exec(events.text) ?? [];
  t.ok(Number(ms) >= 2_000 && Number(ms) < 10_000, events.text);
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'opened\n');
  t.match(await holdfast.child.exited, { code: 0 });
});
