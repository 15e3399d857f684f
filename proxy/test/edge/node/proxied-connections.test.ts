/** Listeners behind load balancers that speak the PROXY protocol, byte by byte, on sockets; HAProxy itself is in `e2e/proxy`. */
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PROXY_HEADER_MS } from '../../../dist/edge/node/proxied-connections.js';
import { type App, type AppOptions, startApp } from '../../kit/app.js';
import { makeCertificate } from '../../kit/certificates.js';
import { RawClient } from '../../kit/clients/raw-client.js';
import { newDirectory } from '../../kit/holdfast.js';
import { ManualClock } from '../../kit/manual-clock.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const REQUEST = 'GET / HTTP/1.1\r\nHost: api.example\r\n\r\n';
const V1 = 'PROXY TCP4 198.51.100.7 10.0.0.1 4242 443\r\n';
const V2 = Buffer.from('0d0a0d0a000d0a515549540a2111000cc63364070a000001109201bb', 'hex');
const V2_LOCAL = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
const LISTEN = '127.0.0.1:0?proxy_protocol=v1v2&from=127.0.0.1';

/** A node that names its clients to its origin; the origin answers with what it got. */
async function start(
  t: Test,
  settings: AppOptions['settings'] = {},
  overrides: AppOptions['overrides'] = {},
): Promise<App> {
  const origin = await startOrigin(t, (request, response) =>
    response.end(`${request.headers['x-forwarded-for']} ${request.headers['x-forwarded-proto'] ?? '-'}`),
  );
  const all = { http_port: LISTEN, x_forwarded_for: 'append', log_from: true, ...settings };
  return startApp(t, { settings: all, routes: [`* ${origin.target}`], overrides });
}

const text = async (client: RawClient) => (await client.answer()).body.toString();

t.test('the header names the client, of either version, in one piece with the request or before it', async (t) => {
  const app = await start(t);
  for (const header of [Buffer.from(V1), V2]) {
    const together = await app.connect();
    void together.write(Buffer.concat([header, Buffer.from(REQUEST)]));
    t.equal(await text(together), '198.51.100.7 -');
    void together.write(REQUEST);
    t.equal(await text(together), '198.51.100.7 -', 'for every request of the connection');
    const apart = await app.connect();
    await apart.write(header);
    await apart.write(REQUEST);
    t.equal(await text(apart), '198.51.100.7 -');
  }
  t.ok(
    app.requests.every(({ fields }) => fields.from === '198.51.100.7'),
    JSON.stringify(app.requests[0]),
  );
});

t.test('byte by byte', async (t) => {
  const app = await start(t);
  for (const header of [Buffer.from(V1), V2]) {
    const client = await app.connect();
    for (const byte of Buffer.concat([header, Buffer.from(REQUEST)])) {
      await client.write(Buffer.from([byte]));
      await new Promise(setImmediate);
    }
    t.equal(await text(client), '198.51.100.7 -');
  }
});

t.test('a load balancer that speaks for itself is the client', async (t) => {
  const app = await start(t);
  for (const header of [V2_LOCAL, Buffer.from('PROXY UNKNOWN\r\n')]) {
    const client = await app.connect();
    void client.write(Buffer.concat([header, Buffer.from(REQUEST)]));
    t.equal(await text(client), '127.0.0.1 -');
  }
});

t.test('without a header the connection is closed, and the log says why', async (t) => {
  const app = await start(t);
  const client = await app.send(REQUEST);
  await client.closed();
  t.equal(client.text, '', 'without an answer');
  t.equal(app.requests.length, 0);
  const line = await until('a warning', () => app.log.lines.find(({ message }) => message.startsWith('connection')));
  t.match(line.message, /connection of 127\.0\.0\.1 closed: it does not begin with a PROXY protocol header/);
});

t.test('a connection from elsewhere is closed, with a header or without', async (t) => {
  const app = await start(t, { http_port: '127.0.0.1:0?proxy_protocol=v2&from=192.0.2.0/24|2001:db8::/32' });
  for (const bytes of [Buffer.concat([V2, Buffer.from(REQUEST)]), Buffer.from(REQUEST)]) {
    const client = await app.connect();
    void client.write(bytes);
    await client.closed();
    t.equal(client.text, '');
  }
  t.equal(app.requests.length, 0);
  t.ok(app.log.lines.some(({ message }) => /not one that may send PROXY protocol headers/.test(message)));
});

t.test('a header that does not come, or not all of it, is waited for so long', async (t) => {
  const clock = new ManualClock();
  const app = await start(t, {}, { clock });
  const silent = await app.connect();
  const slow = await app.connect();
  await slow.write(V1.slice(0, 20));
  // Both are with the server when a third has been served.
  const third = await app.connect();
  void third.write(V1 + REQUEST);
  t.equal(await text(third), '198.51.100.7 -');
  await clock.advance(PROXY_HEADER_MS - 1);
  t.notOk(silent.isClosed || slow.isClosed);
  await clock.advance(1);
  await Promise.all([silent.closed(), slow.closed()]);
  t.ok(app.log.lines.some(({ message }) => /took too long/.test(message)));
});

t.test('a connection that ends within its header leaves nothing behind', async (t) => {
  const app = await start(t);
  const client = await app.connect();
  await client.write(V1.slice(0, 20));
  client.end();
  await client.closed();
  const reset = await app.connect();
  await reset.write(V1.slice(0, 20));
  reset.reset();
  const next = await app.connect();
  void next.write(V1 + REQUEST);
  t.equal(await text(next), '198.51.100.7 -');
});

/** A load balancer that puts a header before what its clients send, in one segment with the first of it or before it. */
async function balancer(t: Test, to: number, header: Buffer, together: boolean): Promise<number> {
  const server = createServer((client) => {
    const upstream = connect(to, '127.0.0.1');
    for (const socket of [client, upstream]) t.teardown(() => socket.on('error', () => {}).destroy());
    if (!together) upstream.write(header);
    client.once('data', (first) => {
      upstream.write(together ? Buffer.concat([header, first]) : first);
      client.pipe(upstream);
    });
    upstream.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

t.test('before TLS, in one segment with the handshake or before it', async (t) => {
  const directory = newDirectory(t);
  makeCertificate({ directory, base: 'localhost', names: ['DNS:localhost'] });
  const app = await start(t, { https_ports: LISTEN, tls_certs_dir: directory });
  const secure = app.log.lines.find(({ fields }) => String(fields.address).startsWith('https:'))?.fields.address;
  const { port: listener } = new URL(secure as string);
  for (const header of [Buffer.from(V1), V2]) {
    for (const together of [true, false]) {
      const port = await balancer(t, Number(listener), header, together);
      const client = await RawClient.to(t, { port, tls: { servername: 'localhost', rejectUnauthorized: false } });
      void client.write(REQUEST);
      t.equal(await text(client), '198.51.100.7 https');
      void client.write(REQUEST);
      t.equal(await text(client), '198.51.100.7 https');
    }
  }
  t.ok(app.requests.every(({ fields }) => fields.from === '198.51.100.7'));
});

t.test('a client whose TLS ends at the load balancer counts as secure', async (t) => {
  const app = await start(t);
  const secure = Buffer.from('0d0a0d0a000d0a515549540a21110014c63364070a000001109201bb2000050100000000', 'hex');
  const client = await app.connect();
  void client.write(Buffer.concat([secure, Buffer.from(REQUEST)]));
  t.equal(await text(client), '198.51.100.7 https');
});

t.test('of a unix socket every connection is a load balancer’s', async (t) => {
  const path = join(newDirectory(t), 'clients.sock');
  const app = await start(t, { local_ports: `${path}?proxy_protocol=v1` });
  const client = await RawClient.to(t, { path });
  void client.write(V1 + REQUEST);
  t.equal(await text(client), '198.51.100.7 -');
  const other = await RawClient.to(t, { path });
  void other.write(REQUEST);
  await other.closed();
  t.equal(other.text, '');
  t.equal(app.requests.length, 1);
});

t.test('a held stream keeps its client, and its connection takes requests after it', async (t) => {
  const hold = { 'Grip-Hold': 'response', 'Grip-Channel': 'c', 'Grip-Timeout': '55' };
  const origin = await startOrigin(t, (request, response) => {
    if (request.url === '/hold') response.writeHead(200, hold).end();
    else response.end(request.headers['x-forwarded-for'] as string);
  });
  const app = await startApp(t, {
    settings: { http_port: LISTEN, x_forwarded_for: 'append', log_from: true },
    routes: [`* ${origin.target}`],
  });
  const client = await app.connect();
  void client.write(V1 + REQUEST.replace('/', '/hold'));
  await origin.requests(1);
  const publish = () =>
    fetch(`${app.url('control')}/publish/`, {
      method: 'POST',
      headers: { accept: 'application/json' },
      body: JSON.stringify({ items: [{ channel: 'c', formats: { 'http-response': { body: 'now' } } }] }),
    }).then((answer) => answer.json() as Promise<{ items: { subscribers: number }[] }>);
  await until('a subscriber', async () => (await publish()).items[0]?.subscribers === 1);
  t.equal(await text(client), 'now');
  void client.write(REQUEST);
  t.equal(await text(client), '198.51.100.7');
});
