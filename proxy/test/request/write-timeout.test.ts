/** `write_timeout`: clients that take nothing of an answer, on each edge, with and without TLS. */
import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { App } from '../kit/app.js';
import { makeCertificate } from '../kit/certificates.js';
import { head, RawClient } from '../kit/clients/raw-client.js';
import { newDirectory } from '../kit/holdfast.js';
import { startOrigin, streamHold } from '../kit/origins/origin.js';
import { until } from '../kit/until.js';
import { startRelay } from './fixture.js';

t.setTimeout(240_000);

const MUCH = 64 * 2 ** 20;

/** More than the kernel keeps. */
const WHOLE = 24 * 2 ** 20;

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) console.error('WARNING: openssl is not installed: TLS is not tested');

/** How clients are listened to, and connect. */
interface Way {
  readonly name: string;
  readonly listen: (t: Test) => Readonly<Record<string, string>>;
  readonly connect: (t: Test, app: App) => Promise<RawClient>;
}

const tcp: Way = { name: 'TCP', listen: () => ({}), connect: (_, app) => app.connect() };

const tls: Way = {
  name: 'TLS',
  listen: (t) => {
    const directory = newDirectory(t);
    makeCertificate({ directory, base: 'a.example', names: ['DNS:a.example'] });
    return { https_ports: '127.0.0.1:0', tls_certs_dir: directory };
  },
  connect: (t, { log }) => {
    const address = log.lines.map(({ fields }) => String(fields.address)).find((url) => url.startsWith('https:'));
    const port = Number(new URL(address ?? '').port);
    return RawClient.to(t, { port, tls: { rejectUnauthorized: false, servername: 'a.example' } });
  },
};

const cutLine = ({ log }: App) => log.lines.find(({ message }) => message.includes('write_timeout'));

function testWay(edge: string, { name, listen, connect }: Way): void {
  const start = (t: Test, target: string, more = {}) =>
    startRelay(t, [`* ${target}`], { edge, write_timeout: 1, ...listen(t), ...more });

  /** A client that has asked, and takes nothing. */
  const ask = async (t: Test, proxy: App, lines: readonly string[] = []) => {
    const client = await connect(t, proxy);
    client.pause();
    void client.write(head('GET', '/', lines));
    return client;
  };

  t.test(`edge ${edge}, ${name}: a relayed answer is cut, and the origin’s with it`, async (t) => {
    let gone = 0;
    const origin = await startOrigin(t, (_, response) => {
      response.once('close', () => gone++);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    const proxy = await start(t, origin.target);
    const since = performance.now();
    const client = await ask(t, proxy);
    t.match(await proxy.end(1), { status: 200, error: 'ERR_REQUEST_CLIENT_GONE' });
    const ms = performance.now() - since;
    t.ok(ms >= 1_000 && ms < 20_000, `after ${ms} ms`);
    await until('the end of the origin’s answer', () => gone === 1);
    client.resume();
    await client.closed();
    t.match(cutLine(proxy), { fields: { client: '127.0.0.1' } });
  });

  t.test(`edge ${edge}, ${name}: so is one that was written whole`, async (t) => {
    const origin = await startOrigin(t, (_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
      response.end(JSON.stringify({ response: { body: 'x'.repeat(WHOLE) } }));
    });
    const proxy = await start(t, origin.target, { instruct_body_max: MUCH });
    const client = await ask(t, proxy);
    t.match(await proxy.end(1), { status: 200, error: undefined });
    const since = performance.now();
    await until('the log of the cut', () => cutLine(proxy));
    const ms = performance.now() - since;
    t.ok(ms >= 900 && ms < 20_000, `after ${ms} ms`);
    client.resume();
    await client.closed();
    t.ok(client.receivedBytes < WHOLE);
  });

  t.test(`edge ${edge}, ${name}: a client that reads slowly gets everything, in one write too`, async (t) => {
    const origin = await startOrigin(t, (_, response) => {
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
      response.end(JSON.stringify({ response: { body: 'x'.repeat(MUCH) } }));
    });
    const proxy = await start(t, origin.target, { instruct_body_max: 2 * MUCH });
    const client = await ask(t, proxy, ['Connection: close']);
    const since = performance.now();
    for (let read = 0; read < 12; read++) {
      await delay(300);
      const before = client.receivedBytes;
      client.resume();
      await until('some bytes', () => client.receivedBytes > before + 4 * 2 ** 20 || client.isClosed);
      client.pause();
    }
    t.ok(performance.now() - since > 3_000);
    client.resume();
    t.equal((await client.answer()).body.length, MUCH);
    t.notOk(cutLine(proxy));
  });

  t.test(`edge ${edge}, ${name}: items for a held stream may wait for longer`, async (t) => {
    const origin = await startOrigin(t, (_, response) => response.writeHead(200, streamHold('a')).end('open'));
    const proxy = await start(t, origin.target, { client_queue_size: MUCH });
    const client = await connect(t, proxy);
    void client.write(head('GET', '/'));
    await client.receives('open');
    client.pause();
    const content = 'x'.repeat(50_000);
    const items = Array.from({ length: 15 }, () => ({ channel: 'a', formats: { 'http-stream': { content } } }));
    const body = JSON.stringify({ items });
    for (let sent = 0; sent < WHOLE; sent += body.length) {
      t.equal((await fetch(`${proxy.url('control')}/publish/`, { method: 'POST', body })).status, 200);
    }
    await delay(3_000);
    t.notOk(client.isClosed);
    client.resume();
    await until('all items', () => client.receivedBytes > WHOLE);
  });
}

for (const edge of ['node', 'uws']) {
  testWay(edge, tcp);
  if (hasOpenssl) testWay(edge, tls);
}

t.test('0 waits for ever', async (t) => {
  const origin = await startOrigin(t, (_, response) => void response.end(Buffer.alloc(MUCH)));
  const proxy = await startRelay(t, [`* ${origin.target}`], { write_timeout: 0 });
  const client = await proxy.connect();
  client.pause();
  void client.write(head('GET', '/'));
  await delay(3_000);
  client.resume();
  t.equal((await client.answer()).body.length, MUCH);
});
