/** TLS between client and Holdfast: certificates by server name, in the layout that Pushpin's users have. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { startChild } from '../../kit/child.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: TLS is not tested');
  t.plan(0, 'openssl is not installed');
  process.exit(0);
}

const origin = await startOrigin(t, (request, response) => {
  if (request.url === '/stream') response.writeHead(200, streamHold('room'));
  response.end('from the origin\n');
});
const directory = newDirectory(t);
const certificates = join(directory, 'runner', 'certs');
mkdirSync(certificates, { recursive: true });
const make = (base: string, ...names: string[]) => makeCertificate({ directory: certificates, base, names });

const port = await freePort();
const exact = make('a.example', 'DNS:a.example');
const wildcard = make('_.b.example', 'DNS:*.b.example');
const fallback = make(`default_${port}`, 'IP:127.0.0.1', 'DNS:elsewhere');
const holdfast = await startHoldfast(t, {
  directory,
  config: `[runner]\nhttp_port=127.0.0.1:0\nhttps_ports=127.0.0.1:${port}\n[handler]\npush_in_http_port=0\n`,
  routes: [`*,ssl=yes ${origin.target}`, `*,ssl=no,path_beg=/plain ${origin.target}`],
});
const secure = holdfast.url('clients', 'https');

/** The common name of the certificate that a client asking for a name is shown; undefined when it is refused. */
function shown(t: Test, servername: string): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  return new Promise((resolve) => {
    socket.on('error', () => resolve(undefined));
    socket.on('secureConnect', () => resolve(String(socket.getPeerCertificate().subject.CN)));
  });
}

t.test('the listener is announced as https', async (t) => {
  t.equal(secure, `https://127.0.0.1:${port}`);
});

t.test('each server name has its certificate: exact, wildcard of the parent, default of the port', async (t) => {
  const cases = [
    ['a.example', exact.cert],
    ['A.Example', exact.cert],
    ['x.b.example', wildcard.cert],
    ['elsewhere', fallback.cert],
  ] as const;
  for (const [servername, ca] of cases) {
    const answer = await ask(t, `${secure}/`, { servername, ca });
    t.match(answer, { status: 200, text: 'from the origin\n' }, servername);
  }
  t.equal(await shown(t, 'x.y.b.example'), `default_${port}`, 'a wildcard stands for one label');
  await t.rejects(ask(t, `${secure}/`, { servername: 'a.example', ca: fallback.cert }), 'another authority');
});

t.test('a client without server name is shown the certificate of the port', async (t) => {
  t.match(await ask(t, `${secure}/`, { ca: fallback.cert }), { status: 200 });
});

t.test('the origin hears of TLS by X-Forwarded-Proto, and only then', async (t) => {
  const count = origin.seen.length;
  const headers = { 'X-Forwarded-Proto': 'gopher' };
  await ask(t, `${secure}/`, { ca: fallback.cert, headers });
  await ask(t, `${holdfast.clients}/plain`, { headers });
  const protocols = origin.seen.slice(count).map((seen) => seen.headers['x-forwarded-proto']);
  t.strictSame(protocols, ['https', undefined]);
});

t.test('routes tell TLS clients from others', async (t) => {
  t.match(await ask(t, `${holdfast.clients}/`), { status: 502, text: /^No route for host: 127\.0\.0\.1\n$/ });
});

t.test('items reach a stream that is held over TLS', async (t) => {
  const stream = await open(t, `${secure}/stream`, { ca: fallback.cert });
  await stream.until('from the origin\n');
  await holdfast.publish(streamItem('room', 'item\n'), {
    channel: 'room',
    formats: { 'http-stream': { action: 'close' } },
  });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'from the origin\nitem\n');
});

t.test('curl verifies the certificate', { skip: spawnSync('curl', ['-V']).status !== 0 && 'no curl' }, async (t) => {
  const args = ['--disable', '-s', '-S', '--noproxy', '*', '--max-time', '30', '--cacert', exact.certFile];
  const resolve = ['--resolve', `a.example:${port}:127.0.0.1`];
  const child = startChild(t, { command: 'curl', args: [...args, ...resolve, `https://a.example:${port}/`] });
  t.match(await child.exited, { code: 0 }, child.stderr);
  t.equal(child.stdout, 'from the origin\n');
  t.match(origin.seen.at(-1)?.headers, { host: `a.example:${port}` });
});

t.test('a certificate that is replaced is used by the next connection, and the old streams go on', async (t) => {
  const stream = await open(t, `${secure}/stream`, { servername: 'a.example', ca: exact.cert });
  const renewed = make('a.example', 'DNS:a.example');
  t.match(await ask(t, `${secure}/`, { servername: 'a.example', ca: renewed.cert }), { status: 200 });
  await t.rejects(ask(t, `${secure}/`, { servername: 'a.example', ca: exact.cert }), 'the old one is gone');
  await holdfast.publish(streamItem('room', 'still here\n'));
  await stream.until('still here\n');

  const newDefault = make(`default_${port}`, 'IP:127.0.0.1');
  t.match(await ask(t, `${secure}/`, { ca: newDefault.cert }), { status: 200 });
});

t.test('plain HTTP on a TLS port, and a broken handshake, harm nobody', async (t) => {
  await t.rejects(ask(t, secure.replace('https:', 'http:')), 'not answered as HTTP');
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.1' });
  await new Promise((resolve) => socket.once('close', resolve).on('error', () => {}));
  const answer = await until('an answer', () => ask(t, `${secure}/`, { servername: 'x.b.example', ca: wildcard.cert }));
  t.match(answer, { status: 200 });
});
