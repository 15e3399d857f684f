/** A control listener with TLS: its handshakes are bounded as its connections are, and the names of certificates. */
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { certificateNames } from '../dist/index.js';
import { type FixtureOptions, startControl } from './control-fixture.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: TLS of the control API is not tested');
  t.plan(0, { skip: 'openssl is not installed' } as never);
  process.exit(0);
}

const directory = mkdtempSync(join(tmpdir(), 'holdfast-control-tls-'));
t.teardown(() => rmSync(directory, { recursive: true }));

/** A certificate that signs itself; `names` are lines of OpenSSL's section of alternative names. */
function certificate(base: string, subject: string, names: readonly string[]) {
  const file = (end: string) => join(directory, `${base}.${end}`);
  const sections = ['[req]', 'distinguished_name=dn', 'x509_extensions=v3', '[dn]', '[v3]'];
  writeFileSync(
    file('cnf'),
    [...sections, ...(names.length > 0 ? ['subjectAltName=@alt', '[alt]', ...names] : []), ''].join('\n'),
  );
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'];
  args.push('-config', file('cnf'), '-subj', subject, '-out', file('crt'), '-keyout', file('key'));
  execFileSync('openssl', args, { stdio: 'pipe' });
  return { cert: readFileSync(file('crt'), 'utf8'), key: readFileSync(file('key'), 'utf8') };
}

const own = certificate('own', '/CN=own', ['DNS.1=localhost']);

const startTls = (t: Test, options: FixtureOptions = {}) =>
  startControl(t, { tls: (settings) => createServer({ ...settings, ...own }), ...options });

/** A connection on which nothing is said. */
async function silent(t: Test, port: number): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  const socket = connectPlain(port, '127.0.0.1').on('error', () => {});
  t.teardown(() => socket.destroy());
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  socket.resume();
  return { socket, closed };
}

/** The status line of a request; rejects where the connection fails. */
async function ask(t: Test, port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'localhost' });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return bytes.toString().split('\r\n', 1)[0] ?? '';
}

t.test('connections that do not begin a handshake keep nobody out, and have a limit of time', async (t) => {
  const { port } = await startTls(t, { maxConnections: 2 });
  const idle = await Promise.all([silent(t, port), silent(t, port), silent(t, port), silent(t, port)]);
  for (let i = 0; i < 5; i++) t.equal(await ask(t, port), 'HTTP/1.1 200 OK');
  await Promise.all(idle.map(({ closed }) => closed));
  const quick = await startTls(t, { requestTimeoutMs: 600 });
  const { closed } = await silent(t, quick.port);
  await closed;
});

t.test('a client in its handshake, and one that has sent nothing, do not hold up the end', async (t) => {
  const { server, port } = await startTls(t);
  const { socket, closed } = await silent(t, port);
  socket.write(Buffer.from([0x16, 0x03, 0x01])); // the beginning of a record of TLS
  const idle = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  t.teardown(() => idle.destroy());
  await once(idle, 'secureConnect');
  const gone = once(idle.resume(), 'close');
  const start = performance.now();
  await server.close();
  t.ok(performance.now() - start < 4_000);
  await Promise.all([closed, gone]);
});

t.test('a failed handshake is in the log, one that is broken off is not', async (t) => {
  const { port, log } = await startTls(t);
  const { socket, closed } = await silent(t, port);
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await closed;
  const { socket: probe } = await silent(t, port);
  probe.end();
  t.equal(await ask(t, port), 'HTTP/1.1 200 OK');
  const lines = log.lines.filter(({ message }) => /handshake/.test(message));
  t.match(lines, [{ fields: { client: /127\.0\.0\.1/, reason: /^ERR_SSL/ } }]);
});

/** What the names of a client's certificate are, on the server's side of the connection. */
async function namesOf(t: Test, client: { cert: string; key: string } | undefined, trusts = true) {
  const ca = client === undefined || !trusts ? own.cert : client.cert;
  const server = createServer({ ...own, ca, requestCert: true, rejectUnauthorized: false });
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const secured = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const { port } = server.address() as { port: number };
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...client });
  socket.on('error', () => {});
  const [accepted] = await secured;
  const names = certificateNames(accepted);
  socket.destroy();
  return names;
}

t.test('names of a certificate: its common name and alternative names, as far as they are plain', async (t) => {
  const names = ['DNS.1=a.example', 'URI.1=spiffe://example/app', 'email.1=ops@example.com', 'IP.1=10.0.0.1'];
  t.strictSame(await namesOf(t, certificate('full', '/O=x/CN=billing', names)), [
    'billing',
    'a.example',
    'spiffe://example/app',
    'ops@example.com',
  ]);
  t.strictSame(await namesOf(t, certificate('bare', '/O=x', [])), []);
  t.strictSame(await namesOf(t, certificate('two', '/CN=one/CN=two', [])), [], 'two common names are none');
  const odd = certificate('odd', '/CN=odd', ['DNS.1=a.example', 'DNS.2="x, DNS:billing, DNS:y"']);
  t.strictSame(await namesOf(t, odd), ['odd'], 'one name that looks like several');
  t.strictSame(await namesOf(t, certificate('tail', '/CN=billing, CN=other', [])), ['billing, CN=other']);
});

t.test('without a certificate that was verified there are no names', async (t) => {
  t.equal(await namesOf(t, undefined), undefined);
  t.equal(await namesOf(t, certificate('stranger', '/CN=billing', []), false), undefined, 'of another authority');
});
