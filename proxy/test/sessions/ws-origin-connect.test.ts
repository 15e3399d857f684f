import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket, TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { blockedError } from '../../dist/errors.js';
import { connectOptions, isBlocked } from '../../dist/origin/connect-options.js';
import type { HttpTarget } from '../../dist/routes/target.js';
import { WsOrigin } from '../../dist/sessions/ws-origin.js';
import type { DialRequest } from '../../dist/websocket/ws-handshakes.js';
import { CertificateFiles } from '../edge/certificate-files.js';
import { deadPort } from '../kit/ports.js';
import { target } from '../origin/client-fixture.js';
import { dialTo } from '../websocket/open-socket.js';
import { RawOrigin } from '../websocket/raw-origin.js';
import { OriginRecorder } from './origin-recorder.js';

/** Starts a handshake; it is given up at the end of the test. */
function dial(t: Test, request: DialRequest, blocked = false) {
  const recorder = new OriginRecorder();
  const socket = recorder.watch(
    new WsOrigin(
      request,
      { websocketMessageMax: 1_000, allowCompression: false },
      recorder,
      blocked ? blockedError() : undefined,
    ),
  );
  t.teardown(() => socket.abort());
  return { recorder, socket };
}

t.test('a port on which nobody listens may be followed by the next target', async (t) => {
  const { recorder } = dial(t, dialTo(await deadPort()));
  await recorder.saw('failed ERR_ORIGIN_CONNECT');
  t.match(recorder.error, { repeat: 'connect', cause: { code: 'ECONNREFUSED' } });
});

t.test('so may a name that does not resolve, and a host that no URL can hold', async (t) => {
  for (const host of ['nothing.invalid', 'fe80::1%nope', 'a b']) {
    const { recorder } = dial(t, dialTo(80, { host }));
    await recorder.saw('failed ERR_ORIGIN_CONNECT');
    t.equal(recorder.error?.repeat, 'connect', host);
    t.equal(recorder.ends.length, 1);
  }
});

t.test('a connection that is not made in time may be followed by the next target', async (t) => {
  // Accepts, but never answers the TLS handshake, which is part of connecting.
  const silent = await RawOrigin.listen(t);
  const request = dialTo(silent.port, {
    secure: true,
    originConnectTimeout: 20,
    connect: { rejectUnauthorized: false },
  });
  const { recorder } = dial(t, request);
  await recorder.saw('failed ERR_ORIGIN_CONNECT');
  t.match(recorder.error, { repeat: 'connect', message: /timed out/ });
});

t.test('a handshake that cannot be written is a failure, and leaves no connection behind', async (t) => {
  const closed: Promise<void>[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {}).resume();
    closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { recorder } = dial(t, dialTo(port, { headers: ['Host', 'test', 'X-A', 'one\ntwo'] }));
  await recorder.saw('failed ERR_ORIGIN_');
  t.equal(recorder.ends.length, 1);
  await Promise.all(closed);
});

t.test('the Trailer of a client, for which there is no place in a handshake, is not passed on', async (t) => {
  const origin = await RawOrigin.listen(t);
  const { recorder } = dial(t, dialTo(origin.port, { headers: ['Host', 'test', 'Trailer', 'X-A', 'X-B', 'c'] }));
  const handshake = await origin.next();
  t.strictSame([handshake.values('trailer'), handshake.values('x-b')], [[], ['c']]);
  handshake.accept();
  await recorder.saw('accepted');
});

t.test('interim answers without end are the origin’s fault', async (t) => {
  const origin = await RawOrigin.listen(t);
  const { recorder } = dial(t, dialTo(origin.port, { maxInterim: 3 }));
  const handshake = await origin.next();
  handshake.socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(4));
  await recorder.saw('failed ERR_ORIGIN_MALFORMED');
  t.match(recorder.error, { repeat: 'no', message: 'more than 3 interim answers' });
});

t.test('a refusal whose body does not come is the origin’s fault', async (t) => {
  const origin = await RawOrigin.listen(t);
  const { recorder } = dial(t, dialTo(origin.port, { originTimeout: 50 }));
  const handshake = await origin.next();
  handshake.socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\npart');
  await recorder.saw('failed ERR_ORIGIN_');
  t.equal(recorder.ends.length, 1);
});

t.test('the time for connecting does not bound the answer', async (t) => {
  const origin = await RawOrigin.listen(t);
  const { recorder } = dial(t, dialTo(origin.port, { originConnectTimeout: 20 }));
  const handshake = await origin.next();
  // A second one, which fails by its limit: so the first one's has passed too.
  const silent = dial(t, dialTo(origin.port, { secure: true, originConnectTimeout: 20 }));
  await silent.recorder.saw('failed ERR_ORIGIN_CONNECT');
  handshake.accept();
  t.equal(await recorder.saw('accepted'), 'accepted');
});

t.test('an untrusted target with a private address is blocked, without a connection', async (t) => {
  const origin = await RawOrigin.listen(t);
  const untrusted = target(origin.port, { untrusted: true });
  t.equal(isBlocked(untrusted), true);
  const { recorder } = dial(t, dialTo(origin.port), true);
  t.strictSame(recorder.ends, [], 'not from within the call');
  await recorder.saw('failed ERR_ORIGIN_BLOCKED');
  t.equal(recorder.error?.repeat, 'connect');
  t.equal(origin.connections, 0);
});

t.test('an untrusted target whose name resolves to a private address is blocked too', async (t) => {
  const origin = await RawOrigin.listen(t);
  const connect = connectOptions(target(origin.port, { host: 'localhost', untrusted: true }));
  const { recorder } = dial(t, dialTo(origin.port, { host: 'localhost', connect }));
  await recorder.saw('failed ERR_ORIGIN_BLOCKED');
  t.equal(recorder.error?.repeat, 'connect');
  t.equal(origin.connections, 0);
});

t.test('a handshake that was given up says nothing, wherever it stood', async (t) => {
  const origin = await RawOrigin.listen(t);
  const waiting = dial(t, dialTo(origin.port));
  const handshake = await origin.next();
  const ended = new Promise((resolve) => handshake.socket.once('close', resolve));
  waiting.socket.abort();
  handshake.socket.resume();
  handshake.socket.once('end', () => handshake.socket.destroy());
  await ended;
  const connecting = dial(t, dialTo(origin.port));
  connecting.socket.abort();
  const blocked = dial(t, dialTo(origin.port), true);
  blocked.socket.abort();
  const later = dial(t, dialTo(await deadPort()));
  await later.recorder.saw('failed');
  t.strictSame([waiting.recorder.ends, connecting.recorder.ends, blocked.recorder.ends], [[], [], []]);
});

/** A TLS origin for these names, of an authority that no system trusts. */
async function tlsOrigin(t: Test, names: readonly string[], options: TlsOptions = {}) {
  const files = new CertificateFiles(t.testdir());
  files.issue('origin', 'origin', names);
  const pem = (file: string) => readFileSync(join(files.directory, file));
  const keys = { cert: pem('origin.crt'), key: pem('origin.key'), ca: files.authority };
  const origin = await RawOrigin.listen(t, { ...keys, ...options });
  const dialTls = (over: Partial<HttpTarget> = {}, servername = '', connect: object = {}) =>
    dial(
      t,
      dialTo(origin.port, {
        secure: true,
        connect: { servername, ...connectOptions(target(origin.port, { ssl: true, ...over })), ...connect },
      }),
    );
  return { files, origin, dialTls, ca: files.authority };
}

t.test('a certificate that cannot be verified may be followed by the next target', async (t) => {
  const { origin, dialTls } = await tlsOrigin(t, ['IP:127.0.0.1']);
  const { recorder } = dialTls();
  await recorder.saw('failed ERR_ORIGIN_CONNECT');
  t.equal(recorder.error?.repeat, 'connect');
  t.equal(origin.connections, 0, 'nothing of the handshake was sent');
});

t.test('insecure takes any certificate', async (t) => {
  const { origin, dialTls } = await tlsOrigin(t, ['DNS:other.example']);
  const { recorder } = dialTls({ insecure: true });
  (await origin.next()).accept();
  t.equal(await recorder.saw('accepted'), 'accepted');
});

t.test('the server name is sent, and is what the certificate is checked against', async (t) => {
  const { origin, dialTls, ca } = await tlsOrigin(t, ['DNS:chat.example']);
  const { recorder } = dialTls({}, 'chat.example', { ca });
  const handshake = await origin.next();
  t.equal((handshake.socket as TLSSocket & { servername?: string }).servername, 'chat.example');
  const other = handshake.accept();
  await recorder.saw('accepted');
  await other.text('over TLS');
  t.equal((await recorder.got(1))[0]?.data.toString(), 'over TLS');
  await dialTls({}, 'wrong.example', { ca }).recorder.saw('failed ERR_ORIGIN_CONNECT');
});

t.test('trust_connect_host checks against the host that is connected to', async (t) => {
  const { origin, dialTls, ca } = await tlsOrigin(t, ['IP:127.0.0.1']);
  await dialTls({}, 'chat.example', { ca }).recorder.saw('failed ERR_ORIGIN_CONNECT');
  const { recorder } = dialTls({ trustConnectHost: true }, 'chat.example', { ca });
  (await origin.next()).accept();
  t.equal(await recorder.saw('accepted'), 'accepted');
});

t.test('a client certificate is presented', async (t) => {
  const mutual = { requestCert: true, rejectUnauthorized: true };
  const { origin, files, dialTls } = await tlsOrigin(t, ['IP:127.0.0.1'], mutual);
  files.issue('client', 'holdfast', ['DNS:holdfast']);
  const at = (file: string) => join(files.directory, file);
  const { recorder } = dialTls({ insecure: true, clientCert: at('client.crt'), clientKey: at('client.key') });
  const handshake = await origin.next();
  t.equal((handshake.socket as TLSSocket).getPeerCertificate().subject.CN, 'holdfast');
  handshake.accept();
  t.equal(await recorder.saw('accepted'), 'accepted');
});
