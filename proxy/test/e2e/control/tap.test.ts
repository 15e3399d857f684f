/** `holdfast tap`, as a process: to a real node, and to what is none. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { type Child, commandFile, startChild } from '../../kit/child.js';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { deadPort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

const command = commandFile('holdfast');

function tap(t: Test, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  return startChild(t, {
    command: process.execPath,
    args: [command, 'tap', ...args],
    env: { GRIP_URL: '', ...env },
  });
}

/** Publishes until the tap has shown the first item, which tells that it is there. */
async function ready(holdfast: Awaited<ReturnType<typeof startHoldfast>>, channel: string, child: Child) {
  await until(
    'the tap shows an item',
    async () => {
      await holdfast.publish({ ...streamItem(channel, 'probe') });
      return child.stdout.includes('probe');
    },
    () => child.stderr,
  );
}

const linesOf = ({ stdout }: Child) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

async function startServer(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A node for the tests that leave it as it is; each taps a channel of its own. */
const holdfast = await startHoldfast(t);

t.test('prints each item of the channel, and no other, until interrupted', async (t) => {
  const channel = 'a/b ü';
  const child = tap(t, [channel, '--control', holdfast.control]);
  await ready(holdfast, channel, child);
  await holdfast.publish(streamItem('other', 'no'), {
    channel,
    id: '2',
    'prev-id': '1',
    formats: { 'http-stream': { content: 'x\n' } },
  });
  await until('the item', () => child.stdout.includes('"2"'));
  const shown = linesOf(child);
  t.match(shown.at(-1), {
    channel,
    id: '2',
    'prev-id': '1',
    formats: { 'http-stream': { content: 'x\n' } },
    time: /^\d{4}-.*Z$/,
  });
  t.ok(shown.every((line) => line.channel === channel));
  child.signal('SIGINT');
  t.strictSame(await child.exited, { code: 0, signal: null });
  t.equal(child.stderr, '');
});

t.test('GRIP_URL is the default, its path included', async (t) => {
  let asked = '';
  const control = await startServer(t, (request, response) => {
    asked = `${request.url} ${request.headers.authorization}`;
    response.writeHead(403, { 'Content-Type': 'application/json' }).end('{"message":"Not yours."}');
  });
  const child = tap(t, ['..', '-B', 'token'], { GRIP_URL: `${control}/realm/?iss=me` });
  t.strictSame(await child.exited, { code: 1, signal: null });
  t.equal(asked, '/realm/channels/../items Bearer token', 'dots are a name like any other');
  t.match(child.stderr, /^Error: http:\S+ answered 403: Not yours\.\n$/);

  const other = tap(t, ['by default'], { GRIP_URL: holdfast.control });
  await ready(holdfast, 'by default', other);
});

t.test('a node that stops ends it with status 1, and the reason', async (t) => {
  const holdfast = await startHoldfast(t);
  const child = tap(t, ['c', '--control', holdfast.control]);
  await ready(holdfast, 'c', child);
  await holdfast.child.stop();
  t.strictSame(await child.exited, { code: 1, signal: null });
  t.match(linesOf(child).at(-1), { end: 'shutdown' });
  t.equal(child.stderr, 'Error: the node ended the tap: shutdown\n');
});

t.test('a node that is killed: the connection is lost, status 1', async (t) => {
  const holdfast = await startHoldfast(t);
  const child = tap(t, ['c', '--control', holdfast.control]);
  await ready(holdfast, 'c', child);
  holdfast.child.signal('SIGKILL');
  t.strictSame(await child.exited, { code: 1, signal: null });
  t.match(child.stderr, /^Error: connection lost: \S+\n$/);
});

t.test('nobody to ask, and what is no Holdfast of this kind, are told in a line', async (t) => {
  const old = await startServer(t, (_, response) => response.writeHead(404).end('Not Found\n'));
  const page = await startServer(t, (_, response) => response.writeHead(200).end('<h1>Hello</h1>'));
  const away = await startServer(t, (_, response) => {
    response.writeHead(503).end('{"message":"Backplane unavailable.","code":"ERR_BACKPLANE_UNAVAILABLE"}\n');
  });
  const port = await deadPort();
  for (const [control, complaint] of [
    [`http://127.0.0.1:${port}`, `cannot reach http://127.0.0.1:${port}/: ECONNREFUSED`],
    [old, `${old}/ does not show the items of channels: it is no Holdfast, or an older one`],
    [page, `${page}/ does not show the items of channels: it is no Holdfast, or an older one`],
    [away, `${away}/ answered 503: Backplane unavailable.`],
    ['tcp://h:1', '--control: expected an http or https URL, got "tcp://h:1"'],
  ] as const) {
    const child = tap(t, ['c', '--control', control]);
    t.strictSame(await child.exited, { code: 1, signal: null });
    t.equal(child.stderr, `Error: ${complaint}\n`);
    t.equal(child.stdout, '');
  }
});

t.test('it ends when nobody reads its output any more', async (t) => {
  const child = tap(t, ['unread', '--control', holdfast.control]);
  await ready(holdfast, 'unread', child);
  child.stopReading();
  await until('it has ended', async () => {
    await holdfast.publish(streamItem('unread', 'more'));
    return !child.running;
  });
  t.strictSame(await child.exited, { code: 0, signal: null });
});

t.test('help and wrong lines', async (t) => {
  const help = tap(t, ['--help']);
  t.match(await help.exited, { code: 0 });
  t.match(help.stdout, /^Usage: holdfast tap \[options\] <channel>\n(.|\n)*--control <url>/);
  const wrong = tap(t, []);
  t.match(await wrong.exited, { code: 1 });
  t.equal(wrong.stderr, "Error: missing required argument 'channel'\n");
});
