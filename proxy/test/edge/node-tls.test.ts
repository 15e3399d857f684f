import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { StreamPiece } from '../../dist/edge/stream-piece.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { CertificateFiles } from './certificate-files.js';
import { Scene } from './clause.js';
import { nodeEdge } from './node-edge-maker.js';
import { head, RawClient } from './raw-client.js';
import { until } from './wait.js';

/** A TLS listener over a directory of certificates. */
async function listenTls(t: Test, prepare: (files: CertificateFiles) => void = () => {}) {
  const files = new CertificateFiles(t.testdir());
  prepare(files);
  const faults: string[] = [];
  const certificates = new TlsCertificates(files.directory, (error) => faults.push(`${error.code} ${error.message}`));
  const scene = await Scene.open(t, (surroundings) => nodeEdge(surroundings, certificates));
  const { port } = await scene.edge.listen({ host: '127.0.0.1', port: 0, tls: true });
  return { files, faults, scene, port: port as number };
}

/** The common name of the certificate that a client is given; rejects when the handshake fails. */
async function shown(t: Test, port: number, servername: string | undefined): Promise<string> {
  const options: ConnectionOptions = { host: '127.0.0.1', port, rejectUnauthorized: false };
  const socket: TLSSocket = connect(servername === undefined ? options : { ...options, servername });
  t.teardown(() => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve).once('error', reject);
    socket.once('close', () => reject(new Error('closed in the handshake')));
  });
  return String(socket.getPeerCertificate().subject.CN);
}

/** Moves a certificate and its key to another base name. */
function move(files: CertificateFiles, from: string, to: string): void {
  for (const end of ['key', 'crt'])
    copyFileSync(join(files.directory, `${from}.${end}`), join(files.directory, `${to}.${end}`));
}

t.test(
  'the certificate is chosen by server name: exact, then wildcard of the parent, then the port’s default',
  async (t) => {
    const { files, port } = await listenTls(t, (files) => {
      files.issue('api.example.com', 'exact', ['DNS:api.example.com']);
      files.issue('_.example.com', 'wildcard', ['DNS:*.example.com']);
      files.issue('default_1', 'other port', ['DNS:x']);
    });
    files.issue(`default_${port}`, 'default', ['DNS:default']);
    t.equal(await shown(t, port, 'api.example.com'), 'exact');
    t.equal(await shown(t, port, 'API.Example.COM'), 'exact', 'without regard to case');
    t.equal(await shown(t, port, 'www.example.com'), 'wildcard');
    t.equal(await shown(t, port, 'a.b.example.com'), 'default', 'a wildcard is for one label');
    t.equal(await shown(t, port, 'example.com'), 'default');
    t.equal(await shown(t, port, 'localhost'), 'default');
    t.equal(await shown(t, port, undefined), 'default', 'a client that gives no name');
  },
);

t.test('without a certificate for a client its handshake fails, and the listener goes on', async (t) => {
  const { port } = await listenTls(t, (files) => files.issue('a.example', 'a', ['DNS:a.example']));
  await t.rejects(shown(t, port, 'b.example'));
  await t.rejects(shown(t, port, undefined));
  t.equal(await shown(t, port, 'a.example'), 'a');
});

t.test('a server name cannot reach outside the directory', async (t) => {
  const { files } = await listenTls(t);
  files.issue('default_443', 'default', ['DNS:default']);
  const certificates = new TlsCertificates(join(files.directory, 'none'), () => {});
  for (const name of ['../authority', '.', '..', '/authority', 'a/../../authority', '']) {
    t.equal(certificates.find(name, 443), undefined, JSON.stringify(name));
  }
});

t.test('a certificate that is replaced is used for new handshakes, without a restart', async (t) => {
  const { files, port } = await listenTls(t, (files) => files.issue('a.example', 'old', ['DNS:a.example']));
  files.issue(`default_${port}`, 'old default', ['DNS:default']);
  t.equal(await shown(t, port, 'a.example'), 'old');
  t.equal(await shown(t, port, undefined), 'old default');
  files.issue('new', 'new', ['DNS:a.example']);
  move(files, 'new', 'a.example');
  files.issue('new', 'new default', ['DNS:default']);
  move(files, 'new', `default_${port}`);
  t.equal(await shown(t, port, 'a.example'), 'new');
  t.equal(await shown(t, port, undefined), 'new default');
});

t.test('a replacement that cannot be used is reported, and the certificate before stays', async (t) => {
  const { files, faults, port } = await listenTls(t, (files) => files.issue('a.example', 'good', ['DNS:a.example']));
  t.equal(await shown(t, port, 'a.example'), 'good');
  writeFileSync(join(files.directory, 'a.example.crt'), 'no PEM at all');
  t.equal(await shown(t, port, 'a.example'), 'good');
  t.match(faults, [/^ERR_EDGE_CERTIFICATE cannot use .*a\.example\.crt: ./]);
  t.equal(await shown(t, port, 'a.example'), 'good');
  t.equal(faults.length, 1, 'one report for one change');
  rmSync(join(files.directory, 'a.example.crt'));
  t.equal(await shown(t, port, 'a.example'), 'good', 'nor does a removal');
  files.issue('a.example', 'better', ['DNS:a.example']);
  t.equal(await shown(t, port, 'a.example'), 'better');
});

t.test('a request on a TLS connection is secure, and verified by its name', async (t) => {
  const { files, scene, port } = await listenTls(t, (files) => files.issue('a.example', 'a', ['DNS:a.example']));
  const client = await RawClient.to(t, { port, tls: { ca: files.authority, servername: 'a.example' } });
  void client.write(head('GET', '/'));
  const taken = await scene.next();
  t.equal(taken.request.secure, true);
  t.equal(taken.request.clientAddress, '127.0.0.1');
  taken.answer('served');
  t.equal((await client.answer()).body.toString(), 'served');
});

t.test('malformed requests on TLS are refused with a text', async (t) => {
  const { files, port } = await listenTls(t, (files) => files.issue('a.example', 'a', ['DNS:a.example']));
  const client = await RawClient.to(t, { port, tls: { ca: files.authority, servername: 'a.example' } });
  void client.write('nonsense\r\n\r\n');
  t.equal((await client.answer()).status, 400);
  await client.closed();
});

t.test('a plain request to a TLS listener harms nobody', async (t) => {
  const { port } = await listenTls(t, (files) => files.issue('a.example', 'a', ['DNS:a.example']));
  const plain = await RawClient.to(t, { port });
  void plain.write(head('GET', '/'));
  await plain.closed();
  t.equal(await shown(t, port, 'a.example'), 'a');
});

t.test('an answer on TLS that only the close delimits can be aborted', async (t) => {
  const { files, scene, port } = await listenTls(t, (files) => files.issue('a.example', 'a', ['DNS:a.example']));
  const client = await RawClient.to(t, { port, tls: { ca: files.authority, servername: 'a.example' } });
  void client.write(head('GET', '/', [], '1.0'));
  const taken = await scene.next();
  taken.start();
  taken.response.write(Buffer.from('part'));
  await client.receives('part');
  taken.response.abort();
  await client.closed();
  await until(() => scene.edge.connections === 0);
});

t.test('close does not wait for handshakes that are under way', async (t) => {
  const { scene, port } = await listenTls(t);
  const silent = connectPlain(port, '127.0.0.1');
  const closed = new Promise<void>((resolve) =>
    silent
      .once('close', () => resolve())
      .on('error', () => {})
      .resume(),
  );
  await new Promise((resolve) => silent.once('connect', resolve));
  await scene.edge.close();
  await closed;
});

t.test('a connection whose answer is held is let go of, and taken up again for the next request', async (t) => {
  const { port, scene } = await listenTls(t, (files) => files.issue('localhost', 'localhost', ['DNS:localhost']));
  const client = await RawClient.to(t, { port, tls: { servername: 'localhost', rejectUnauthorized: false } });
  for (const path of ['/1', '/2', '/3']) {
    void client.write(head('GET', path));
    const { response } = await scene.next();
    if (path !== '/1') response.settle?.();
    response.writeHead({ status: 200, reason: 'OK', headers: [] }, undefined, true);
    response.settle?.();
    response.push(new StreamPiece(Buffer.from(path)));
    response.end();
    t.equal((await client.answer()).body.toString(), path);
  }
  t.equal(scene.edge.connections, 1);
});
