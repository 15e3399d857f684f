/**
 * One end of a session dies without a word: what the other end is told, what is asked again, and that nothing is left.
 * The origins are processes of their own, on ports that they get back when they are started again.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Child, root, startChild } from '../../kit/child.js';
import { openWs, type WsClient, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

/** Generous for a loaded machine: a node with open sessions goes within a second. */
const SOON_MS = 5_000;
/** Sessions that vanish together. */
const COUNT = 50;
/** Sessions that are open when the node goes down. */
const FEW = 10;

/** An origin that can be killed and started again, and Holdfast in front of it. */
class Fixture {
  readonly holdfast: Holdfast;
  readonly #t: Test;
  readonly #kind: Kind;
  readonly #port: number;
  origin: Child;

  private constructor(t: Test, kind: Kind, port: number, origin: Child, holdfast: Holdfast) {
    this.#t = t;
    this.#kind = kind;
    this.#port = port;
    this.origin = origin;
    this.holdfast = holdfast;
  }

  static async start(t: Test, kind: Kind): Promise<Fixture> {
    const port = await freePort();
    const origin = await startOrigin(t, kind, port);
    const holdfast = await startHoldfast(t, {
      routes: [`* 127.0.0.1:${port}${kinds[kind]}`],
      // Connections to the origin must not be taken for leaks because they wait for the next request.
      settings: { origin_keep_alive_timeout: 1 },
    });
    return new Fixture(t, kind, port, origin, holdfast);
  }

  async kill(): Promise<void> {
    this.origin.signal('SIGKILL');
    await this.origin.exited;
  }

  async restart(): Promise<void> {
    this.origin = await startOrigin(this.#t, this.#kind, this.#port);
  }

  open(path = '/'): Promise<WsClient> {
    return openWs(this.#t, wsUrl(this.holdfast.clients, path));
  }

  /** Waits until the origin of now has seen a line so many times. */
  async saw(line: string, times = 1): Promise<void> {
    const count = () => this.seen.filter((other) => other === line).length;
    await until(
      `'${line}' ${times} times`,
      () => count() >= times,
      () => this.origin.stdout,
    );
  }

  /** What the origin of now has seen. */
  get seen(): readonly string[] {
    return this.origin.stdout.split('\n').slice(1, -1);
  }

  /** Why the sessions have ended, of which so many had begun. A last line may come after the hold is no longer counted. */
  async ends(count: number): Promise<readonly unknown[]> {
    const reasons = () =>
      this.holdfast
        .records()
        .filter(({ kind }) => kind === 'ws')
        .map(({ reason }) => reason);
    await until(
      `the last lines of ${count} sessions`,
      () => reasons().length >= count,
      () => this.holdfast.child.stdout,
    );
    return reasons();
  }

  /** What Holdfast has open, such as `socket:[…]`, without the numbers. */
  get files(): readonly string[] {
    const folder = `/proc/${this.holdfast.child.pid}/fd`;
    return readdirSync(folder)
      .map((name) => {
        try {
          return readlinkSync(join(folder, name)).replace(/\d+/g, 'N');
        } catch {
          return 'closed meanwhile';
        }
      })
      .sort();
  }
}

async function startOrigin(t: Test, kind: Kind, port: number): Promise<Child> {
  const script = join(root, 'proxy', 'dist-test', 'kit', 'origins', 'echo-process.js');
  const child = startChild(t, { command: process.execPath, args: [script, kind, `${port}`] });
  await child.line(/^listening on .*\n/m);
  return child;
}

t.test('direct origin: it dies, its clients are disconnected without a Close, and it may come back', async (t) => {
  const fixture = await Fixture.start(t, 'direct');
  const clients = await Promise.all([fixture.open('/a'), fixture.open('/b')]);
  clients[0]?.send('hello');
  t.equal(await clients[0]?.text(), 'hello');
  await fixture.saw('open /b');
  await fixture.kill();
  const closed = await Promise.all(clients.map((client) => client.end()));
  t.strictSame(closed, Array(2).fill({ code: 1006, reason: '' }));
  await fixture.holdfast.holds('ws', 0);
  t.strictSame(await fixture.ends(2), ['origin-failed', 'origin-failed']);
  await t.rejects(fixture.open(), { message: 'Unexpected server response: 502' }, 'nobody is there');

  await fixture.restart();
  const again = await fixture.open('/again');
  again.send('hello again');
  t.equal(await again.text(), 'hello again');
});

t.test('over-http origin: it dies between two messages, and none is lost', async (t) => {
  const fixture = await Fixture.start(t, 'over-http');
  const client = await fixture.open();
  client.send('before');
  t.equal(await client.text(), 'before');
  await fixture.kill();
  client.send('first');
  client.send('the second');
  // Answered by the proxy some time after it has taken the messages: the connection has been refused by then.
  await client.ping('not dead');
  t.equal(client.closed, undefined, 'the client does not notice');
  await fixture.restart();
  t.equal(await client.text(), 'first');
  t.equal(await client.text(), 'the second');
  client.send('after');
  t.equal(await client.text(), 'after');
  const lines = fixture.seen.filter((line) => line.startsWith('text'));
  t.strictSame(lines, ['text 5', 'text 10', 'text 5'], 'each came once, in order, to an origin without memory');
});

t.test('over-http origin: it dies over the first request of a connection: the client is disconnected', async (t) => {
  const fixture = await Fixture.start(t, 'over-http');
  const client = await fixture.open('/once');
  client.send('!hang');
  await fixture.saw('text 5');
  await fixture.kill();
  t.strictSame(await client.end(), { code: 1006, reason: '' });
  await fixture.holdfast.holds('ws', 0);
  t.strictSame(await fixture.ends(1), ['origin-failed']);
});

t.test(
  'over-http origin: it dies over a later request, as if it had closed an idle connection: made again',
  async (t) => {
    const fixture = await Fixture.start(t, 'over-http');
    const client = await fixture.open();
    client.send('!hang');
    await fixture.saw('text 5');
    await fixture.kill();
    client.send('after');
    await client.ping('not dead');
    await fixture.restart();
    await fixture.saw('text 5');
    // The repeated request hangs like the first. A second death over it is final.
    t.strictSame(fixture.seen, ['text 5']);
    await fixture.kill();
    t.strictSame(await client.end(), { code: 1006, reason: '' });
    await fixture.holdfast.holds('ws', 0);
    t.strictSame(await fixture.ends(1), ['origin-failed']);
  },
);

t.test('over-http origin: a DISCONNECT waits for it to come back', async (t) => {
  const fixture = await Fixture.start(t, 'over-http');
  const client = await fixture.open('/gone');
  await fixture.saw('open /gone');
  await fixture.kill();
  client.vanish();
  await fixture.holdfast.record('of the end', ({ reason }) => reason === 'client-gone');
  await fixture.restart();
  await fixture.saw('gone');
  t.strictSame(fixture.seen, ['gone']);
});

for (const kind of Object.keys(kinds) as Kind[]) {
  t.test(`${kind} origin: clients vanish, and nothing is left of them`, async (t) => {
    const fixture = await Fixture.start(t, kind);
    const before = fixture.files;
    const clients = await Promise.all(Array.from({ length: COUNT }, () => fixture.open('/crowd')));
    for (const client of clients) client.send('!subscribe crowd');
    await Promise.all(clients.map((client, i) => client.ping(`subscribed ${i}`)));
    await fixture.saw('text 16', COUNT);
    await fixture.holdfast.holds('ws', COUNT);
    t.ok(fixture.files.length >= before.length + COUNT, 'open files are seen');

    for (const client of clients) client.vanish();
    await fixture.saw('gone', COUNT);
    await fixture.holdfast.holds('ws', 0);
    t.equal(await fixture.holdfast.metric('holdfast_channels'), 0);
    t.equal(await fixture.holdfast.metric('holdfast_connections'), 0);
    t.equal(fixture.seen.filter((line) => line === 'gone').length, COUNT, 'the origin was told once of each');
    t.strictSame(new Set(await fixture.ends(COUNT)), new Set(['client-gone']));
    await until(
      'open files as before',
      () => fixture.files.length <= before.length,
      () => fixture.files.join('\n'),
    );
    t.strictSame(fixture.files, before);

    // And after the origin has died under sessions, too.
    const more = await Promise.all(Array.from({ length: COUNT }, () => fixture.open('/once')));
    await fixture.saw('open /once', COUNT);
    for (const client of more) client.send('!hang');
    await fixture.saw('text 5', COUNT);
    await fixture.kill();
    await Promise.all(more.map((client) => client.end()));
    await fixture.holdfast.holds('ws', 0);
    await until(
      'open files as before',
      () => fixture.files.length <= before.length,
      () => fixture.files.join('\n'),
    );
    t.strictSame(fixture.files, before);
  });

  t.test(
    `${kind} origin: SIGTERM closes sessions with 1012, on channels or not, tells the origin, and the node is gone soon`,
    async (t) => {
      const fixture = await Fixture.start(t, kind);
      const clients = await Promise.all(Array.from({ length: FEW }, () => fixture.open()));
      for (const client of clients.slice(FEW / 2)) client.send('!subscribe room');
      await Promise.all(clients.map((client) => client.ping('here')));
      const since = Date.now();
      fixture.holdfast.child.signal('SIGTERM');
      const closed = await Promise.all(clients.map((client) => client.end()));
      t.strictSame(closed, Array(FEW).fill({ code: 1012, reason: '' }));
      t.match(await fixture.holdfast.child.exited, { code: 0, signal: null });
      t.ok(Date.now() - since < SOON_MS, `${Date.now() - since} ms`);
      await fixture.saw('gone', FEW);
      t.strictSame(await fixture.ends(FEW), Array(FEW).fill('shutdown'));
    },
  );
}
