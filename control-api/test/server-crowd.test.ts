/** The control port with more connections than it takes: publishers get through. */
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { type Backplane, ClusterViews, LocalBackplane, silentLog } from '../dist/index.js';
import { WINDOW_LINES } from '../dist/runtime/bounded-logs.js';
import { MAX_CONNECTIONS, MAX_HELD_BYTES } from '../dist/server-options.js';
import { MAX_VIEWS } from '../dist/views/cluster-views.js';
import { BODY_LIMIT, publishBody, startControl } from './control-fixture.js';
import { ManualClock } from './manual-clock.js';
import { requestBytes } from './raw-client.js';

// tap ends a file after 30 s; thousands of connections take their time on a busy machine.
t.setTimeout(240_000);

/** More than fit, as in a flood. */
const FLOOD = 1_100;

/** Connections that send these bytes and then nothing more; with how many of them the server has ended, and what it said. */
async function flood(t: Test, port: number, count: number, bytes: string) {
  const seen = { ended: 0, text: '' };
  const one = () =>
    new Promise<Socket>((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.on('data', (chunk) => (seen.text += chunk.toString('latin1')));
      socket.once('close', () => (seen.ended += 1)).once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject).on('error', () => {});
        if (bytes === '') resolve(socket);
        else socket.write(bytes, () => resolve(socket));
      });
      t.teardown(() => socket.destroy());
    });
  const sockets: Socket[] = [];
  // In batches, as a burst would fill the system's queue of connections that are not accepted yet.
  while (sockets.length < count)
    sockets.push(...(await Promise.all(Array.from({ length: Math.min(100, count - sockets.length) }, one))));
  return { seen, sockets };
}

const half = (length: number, sent: number) =>
  `POST /publish/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(sent)}`;

const floods: Readonly<Record<string, string>> = {
  'send nothing': '',
  'send half a head': 'POST /publish/ HTTP/1.1\r\nHost: loc',
  'have been answered': requestBytes('GET', '/'),
  'send half a body': half(100, 50),
  'wait for 100 Continue': requestBytes('POST', '/publish/', { Expect: '100-continue', 'Content-Length': '100' }),
  'send half a chunk': `POST /publish/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nxx`,
  'were refused and stay': 'nonsense\r\n\r\n',
};

for (const [what, bytes] of Object.entries(floods)) {
  t.test(`${FLOOD} connections that ${what} keep no publisher out`, async (t) => {
    const { port, client, ask, listener, log } = await startControl(t);
    const publisher = await client();
    const publish = async (id: string) => {
      await publisher.write(requestBytes('POST', '/publish/', {}, publishBody(['a', id])));
      t.match(await publisher.answer(), { status: 200 });
    };
    await publish('before');
    // A publisher that is at work is not the one that has been idle longest.
    for (let i = 0; i < 11; i += 1) {
      await flood(t, port, FLOOD / 11, bytes);
      await publish(`during/${i}`);
    }
    t.match(await ask('POST', '/publish/', {}, publishBody(['a', 'after'])), { status: 200 });
    t.equal(listener.labels.length, 13);
    t.ok(log.at('warn').length <= WINDOW_LINES, 'they do not fill the log either');
  });
}

t.test('a publisher whose connection is closed in the middle of a body gets the reason', async (t) => {
  const { port, client, events } = await startControl(t);
  const { seen } = await flood(t, port, MAX_CONNECTIONS - 1, half(100, 50));
  const last = await client();
  // Answered, hence all those before it have been read.
  await last.write(requestBytes('GET', '/'));
  t.match(await last.answer(), { status: 200 });
  t.equal(seen.ended, 0);
  await (await client()).write(requestBytes('GET', '/'));
  while (seen.ended === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const text = 'Too many connections, and this request was the slowest.\n';
  t.match(seen, { ended: 1, text: new RegExp(`^HTTP/1\\.1 503 [\\s\\S]*Retry-After: 5[\\s\\S]*${text}$`) });
  t.strictSame(events.seen, ['rejected ERR_CONTROL_CONNECTIONS']);
});

t.test('bodies that are arriving hold MAX_HELD_BYTES together, whatever their number', async (t) => {
  const { port, events, ask, listener } = await startControl(t);
  const each = 900_000;
  const count = Math.ceil(MAX_HELD_BYTES / each) + 20;
  await flood(t, port, count, half(BODY_LIMIT, each));
  t.match(await ask('POST', '/publish/', {}, publishBody(['a', '1'])), { status: 200 });
  t.strictSame(listener.labels, ['a/1']);
  const given = () => events.seen.filter((event) => event === 'rejected ERR_CONTROL_CONNECTIONS').length;
  // What is written may not have been read yet.
  while (given() < 20) await new Promise((resolve) => setTimeout(resolve, 5));
  t.ok(given() < count, `${given()} of ${count} were given up`);
});

/** A backplane whose publishes wait until they are released. */
function slowBackplane() {
  const waiting: (() => void)[] = [];
  const publish: Backplane['publish'] = (messages) =>
    new Promise((resolve) => waiting.push(() => resolve(messages.map(() => ({ duplicate: false })))));
  const others = { start: async () => {}, subscribe: () => undefined, unsubscribe() {}, close: async () => {} };
  return { waiting, backplane: { publish, unavailableReason: undefined, ...others } as Backplane };
}

t.test('requests under way are never closed for others: then it is the new connection that goes', async (t) => {
  const { waiting, backplane } = slowBackplane();
  const { port, events, client, log } = await startControl(t, { backplane });
  const { seen } = await flood(
    t,
    port,
    MAX_CONNECTIONS,
    requestBytes('POST', '/publish/', {}, publishBody(['a', '1'])),
  );
  while (waiting.length < MAX_CONNECTIONS) await new Promise((resolve) => setImmediate(resolve));
  const over = await client();
  await over.closed;
  t.match(log.at('warn'), [{ message: 'too many control connections' }]);
  t.strictSame(events.seen, ['rejected ERR_CONTROL_CONNECTIONS']);
  t.equal(seen.ended, 0);
  for (const release of waiting) release();
  while ((seen.text.match(/200 OK/g)?.length ?? 0) < MAX_CONNECTIONS)
    await new Promise((resolve) => setTimeout(resolve, 5));
  const next = await client();
  await next.write(requestBytes('GET', '/'));
  t.match(await next.answer(), { status: 200 });
});

t.test('views that wait for silent nodes leave connections to publishers', async (t) => {
  const clock = new ManualClock();
  const silent = () => new Promise<never>(() => {});
  const nodes = { join: async () => {}, leave: async () => {}, list: silent, ask: silent, self: () => undefined };
  const views = { cluster: new ClusterViews(nodes, clock), taps: { close() {}, serve: silent, size: 0 } };
  // biome-ignore lint/suspicious/noExplicitAny: taps are not asked for
  const { port, ask } = await startControl(t, { views: views as any, backplane: new LocalBackplane(silentLog) });
  const { seen } = await flood(t, port, FLOOD, requestBytes('GET', '/channels/a'));
  t.match(await ask('POST', '/publish/', {}, publishBody(['a', '1'])), { status: 200 });
  const refused = seen.text.match(/HTTP\/1\.1 503 [\s\S]*?ERR_CONTROL_VIEWS/g)?.length ?? 0;
  t.ok(refused >= FLOOD - MAX_VIEWS - 100, `${refused} were refused`);
});
