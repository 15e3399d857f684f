import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import type { HttpTarget } from '../../dist/routes/target.js';
import { CertificateFiles } from '../edge/certificate-files.js';
import { answerBytes, RawOrigin } from '../kit/origins/raw-origin.js';
import { ask, makeClient, target } from './client-fixture.js';

/** A TLS origin whose certificate no system trusts, for these names; it answers with the server name it was given. */
async function tlsOrigin(t: Test, names: readonly string[], over: TlsOptions = {}) {
  const files = new CertificateFiles(t.testdir());
  files.issue('origin', 'origin', names);
  const pem = (name: string) => readFileSync(join(files.directory, name));
  const answer = ({ socket }: { socket: object }) => {
    const { servername } = socket as TLSSocket & { servername?: string | false };
    (socket as TLSSocket).write(answerBytes(String(servername)));
  };
  const origin = await RawOrigin.open(t, answer, { cert: pem('origin.crt'), key: pem('origin.key'), ...over });
  return { files, origin, tls: { ssl: true, insecure: true } };
}

t.test('a certificate that cannot be verified fails before the request is sent', async (t) => {
  const { origin } = await tlsOrigin(t, ['DNS:test.example']);
  const { recorder } = ask(makeClient(t), target(origin.port, { ssl: true }));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CONNECT', repeat: 'connect' });
  t.equal(origin.requests.length, 0);
});

t.test('insecure takes any certificate', async (t) => {
  const { origin, tls } = await tlsOrigin(t, ['DNS:other.example']);
  const { recorder } = ask(makeClient(t), target(origin.port, tls));
  t.equal(await recorder.ended(), 'end');
});

t.test('the server name asked for is that of the Host header, without its port', async (t) => {
  const { origin, tls } = await tlsOrigin(t, ['DNS:a.example']);
  const client = makeClient(t);
  for (const [host, name] of [
    ['a.example', 'a.example'],
    ['b.example:8443', 'b.example'],
    ['c.example.:8443', 'c.example'],
  ] as const) {
    const { recorder } = ask(client, target(origin.port, tls), { host });
    t.equal(await recorder.ended(), 'end');
    t.equal(recorder.body, name);
  }
  t.strictSame(
    origin.requests.map(({ connection }) => connection),
    [1, 2, 3],
    'a connection is for one name only',
  );
});

t.test('TLS to a plain origin fails before the request is sent', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {}).once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { recorder } = ask(makeClient(t), target(port, { ssl: true, insecure: true }));
  t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CONNECT', repeat: 'connect' });
});

t.test('verification', async (t) => {
  const { files, origin } = await tlsOrigin(t, ['DNS:test.example', 'IP:127.0.0.1']);
  const script = fileURLToPath(new URL('./verify-child.js', import.meta.url));
  /** Asks in a process that trusts the authority: the system's trust is read once, when a process starts. */
  const outcome = async (host: string, over: Partial<HttpTarget>): Promise<string> => {
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(files.directory, 'authority.crt') };
    const args = [script, host, JSON.stringify(target(origin.port, { ssl: true, ...over }))];
    return (await promisify(execFile)(process.execPath, args, { env })).stdout;
  };
  t.equal(await outcome('test.example', {}), 'test.example', 'a trusted certificate for the Host name is good');
  t.match(
    await outcome('other.example', {}),
    /^ERR_ORIGIN_CONNECT connect ERR_TLS_CERT_ALTNAME_INVALID$/,
    'for no other name',
  );
  const trusting = { trustConnectHost: true };
  t.equal(
    await outcome('other.example', trusting),
    'other.example',
    'trust_connect_host verifies what is connected to',
  );
  const named = await outcome('test.example', { host: 'localhost', trustConnectHost: true });
  t.match(named, /^ERR_ORIGIN_CONNECT connect ERR_TLS_CERT_ALTNAME_INVALID$/, 'and nothing else');
});

t.test('client certificates', async (t) => {
  const { files, origin, tls } = await tlsOrigin(t, ['DNS:test.example'], {
    requestCert: true,
    rejectUnauthorized: false,
  });
  files.issue('client', 'client', ['DNS:client']);
  const path = (name: string) => join(files.directory, name);
  t.test('are presented where the target has them', async (t) => {
    const pair = { clientCert: path('client.crt'), clientKey: path('client.key') };
    const { recorder } = ask(makeClient(t), target(origin.port, { ...tls, ...pair }));
    t.equal(await recorder.ended(), 'end');
    const socket = origin.requests.at(-1)?.socket as TLSSocket;
    t.equal(socket.getPeerCertificate().subject.CN, 'client');
  });
  t.test('are not presented elsewhere', async (t) => {
    const { recorder } = ask(makeClient(t), target(origin.port, tls));
    t.equal(await recorder.ended(), 'end');
    const socket = origin.requests.at(-1)?.socket as TLSSocket;
    t.strictSame(socket.getPeerCertificate(), {});
  });
  t.test('that cannot be read fail the request, and only it', async (t) => {
    const client = makeClient(t);
    const broken = target(origin.port, { ...tls, clientCert: path('none.crt'), clientKey: path('none.key') });
    for (const _ of [1, 2]) {
      const { recorder } = ask(client, broken);
      t.equal(recorder.over, false, 'reported asynchronously');
      t.match(await recorder.ended(), { code: 'ERR_ORIGIN_CONNECT', repeat: 'connect' });
    }
  });
});
