/** A node whose file descriptors run out: clients are turned away, and everything else goes on. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import t, { type Test } from 'tap';
import { commandFile, startChild } from '../../kit/child.js';
import { connectTo, type RawClient } from '../../kit/clients/raw-client.js';
import { Holdfast, type LogRecord, newDirectory, streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';

const FILES = 256;
/** More than there are descriptors. */
const CLIENTS = 400;

const stream = { 'content-type': 'text/plain', 'grip-hold': 'stream', 'grip-channel': 'all' };

/** An origin that holds every request, but for `/slow`, which it never answers. */
async function origin(t: Test): Promise<number> {
  const server = createServer((request, response) => {
    if (request.url !== '/slow') response.writeHead(200, stream).end('[open]');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as { port: number }).port;
}

/** A Holdfast with so few descriptors. */
async function start(t: Test, edge: string, ...more: readonly string[]): Promise<Holdfast> {
  const directory = newDirectory(t);
  const flags = [
    '--edge',
    edge,

    '--http-port',
    '127.0.0.1:0',
    '--push-in-http-port',
    '0',
  ];
  flags.push('--admin-port', '127.0.0.1:0', '--route', `* 127.0.0.1:${await origin(t)}`, ...more);
  const program = [process.execPath, commandFile('holdfast'), ...flags];
  const args = ['-c', `ulimit -n ${FILES}; exec "$0" "$@"`, ...program];
  const child = startChild(t, { command: 'sh', args, cwd: directory });
  await child.line(/ started(?:"\})?\n/);
  return new Holdfast(child, directory);
}

/** Clock ticks that a process has used. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return Number(fields[11]) + Number(fields[12]);
}

/** A client that asks to be held. */
async function connect(t: Test, url: string): Promise<RawClient> {
  const wire = await connectTo(t, url);
  wire.send('GET /hold HTTP/1.1', 'Host: a', '');
  return wire;
}

/** As many clients as there is room for, and more; those that are held. */
async function fill(t: Test, holdfast: Holdfast): Promise<RawClient[]> {
  const wires: RawClient[] = [];
  const isSettled = ({ isClosed, received }: RawClient) => isClosed || received.includes('[open]');
  while (wires.length < CLIENTS) {
    const more = await Promise.all(Array.from({ length: 10 }, () => connect(t, holdfast.clients)));
    // One after the other: while it is asked, each has a connection to the origin too.
    await until('an outcome for each', () => more.every(isSettled));
    wires.push(...more);
  }
  return wires.filter((wire) => !wire.isClosed);
}

const livez = async (holdfast: Holdfast) =>
  (await fetch(`${holdfast.url('admin')}/livez`, { headers: { connection: 'close' } })).status;

const isShortage = ({ msg }: LogRecord) => /file descriptors run out/.test(String(msg));

const isNotice = ({ msg }: LogRecord) => /^open files: /.test(String(msg));

t.test(
  'the start says where there are fewer open files than clients: a warning of a number that was chosen',
  async (t) => {
    const [usual, chosen, fitting] = [
      await start(t, 'node'),
      await start(t, 'uws', '--client-maxconn', '225'),
      await start(t, 'node', '--client-maxconn', '224'),
    ];
    t.match(usual.records().filter(isNotice), [
      {
        level: 'info',
        limit: FILES,
        needed: 51_280,
        msg: /may have 256, but 51280 are needed .* client_maxconn \(50000\)/,
      },
    ]);
    t.match(chosen.records().filter(isNotice), [
      {
        level: 'warn',
        limit: FILES,
        needed: 257,
        msg: /set LimitNOFILE or ulimit -n to 257 or more, or client_maxconn to 224/,
      },
    ]);
    t.strictSame(fitting.records().filter(isNotice), []);
  },
);

for (const edge of ['node', 'uws']) {
  t.test(
    `${edge}: clients beyond the open files are turned away; probes, publishers and held clients notice nothing`,
    async (t) => {
      const holdfast = await start(t, edge);
      const held = await fill(t, holdfast);
      t.ok(held.length > FILES / 2, `${held.length} held`);
      t.ok(held.length < FILES - 30, 'some are kept');
      t.equal(await livez(holdfast), 200);
      const [receipt] = await holdfast.publish(streamItem('all', '[item]'));
      t.equal(receipt?.subscribers, held.length);
      await Promise.all(held.map((wire) => wire.until('[item]')));
      t.equal(await holdfast.metric('holdfast_connections_refused_total'), CLIENTS - held.length);
      t.equal(await holdfast.metric('holdfast_limited_total{limit="open_files"}'), CLIENTS - held.length);
      const line = await holdfast.record('of the shortage', isShortage);
      t.match(line, { level: 'warn', limit: FILES, msg: /Raise LimitNOFILE or ulimit -n/ });
      t.ok(holdfast.records().filter(isShortage).length < 3, 'one in a minute');
      held[0]?.socket.destroy();
      await until('a place that is freed', async () => {
        const wire = await connect(t, holdfast.clients);
        await until('an outcome', () => wire.isClosed || wire.received.includes('[open]'));
        return !wire.isClosed;
      });
    },
  );

  t.test(`${edge}: nothing spins while connections that cannot be served keep coming`, async (t) => {
    const holdfast = await start(t, edge);
    const held = await fill(t, holdfast);
    // Publishers and operators take what they can.
    const others = [holdfast.control, holdfast.url('admin')];
    const taken = await Promise.all(others.flatMap((url) => Array.from({ length: FILES }, () => connectTo(t, url))));
    const before = { ticks: ticks(holdfast.child.pid), at: Date.now() };
    await until('a while', async () => {
      await connectTo(t, holdfast.clients);
      return Date.now() - before.at > 2_000;
    });
    const share = (ticks(holdfast.child.pid) - before.ticks) / ((Date.now() - before.at) / 10);
    t.ok(share < 0.6, `${Math.round(share * 100)} % of a processor`);
    for (const wire of taken) wire.socket.destroy();
    await until('room for a publisher', () => holdfast.publish(streamItem('all', '[item]')).catch(() => undefined));
    await Promise.all(held.map((wire) => wire.until('[item]')));
  });

  t.test(
    `${edge}: requests for which there is no connection to the origin are answered, and the process lives`,
    async (t) => {
      const holdfast = await start(t, edge);
      const count = FILES / 2 + 20;
      const wires = await Promise.all(Array.from({ length: count }, () => connectTo(t, holdfast.clients)));
      await until('connections', async () => (await holdfast.metric('holdfast_connections')) === count);
      for (const wire of wires) wire.send('GET /slow HTTP/1.1', 'Host: a', '');
      await until('answers', () => wires.filter((wire) => wire.received.includes('HTTP/1.1 50')).length > 10);
      for (const { received } of wires) t.match(received, /^(HTTP\/1\.1 50[23] [\s\S]*)?$/);
      t.equal(await livez(holdfast), 200);
      t.ok(holdfast.child.running);
    },
  );
}
