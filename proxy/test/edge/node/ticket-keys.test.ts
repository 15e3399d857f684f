/** Resumed TLS sessions: at servers with the same key, not with another one, and for a while with a key that was replaced. */
import { copyFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { uncontained } from '@holdfast/control-api';
import t, { type Test } from 'tap';
import { REPLACED_MAX, SESSION_LIFE_S, TicketKeys } from '../../../dist/edge/ticket-keys.js';
import { TlsCertificates } from '../../../dist/edge/tls-certificates.js';
import { createTlsServer } from '../../../dist/edge/tls-server.js';
import { newDirectory } from '../../kit/holdfast.js';
import { CertificateFiles } from '../certificate-files.js';

const secret = (n: number) => Buffer.alloc(32, n);

const made = new CertificateFiles(t.testdir());
made.issue('server', 'server', ['IP:127.0.0.1']);
made.issue('other', 'server', ['IP:127.0.0.1']);

/** A server with this key, and its clock in ms. */
async function serve(t: Test, n: number) {
  const directory = newDirectory(t);
  const faults: string[] = [];
  const certificates = new TlsCertificates(directory, ({ message }) => faults.push(message));
  const time = { now: 0 };
  const keys = new TicketKeys(secret(n), { now: () => time.now });
  const server = createTlsServer({
    options: {},
    certificates,
    requiresClients: false,
    faults: uncontained,
    tickets: keys,
    onSocket: () => {},
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const use = (base: string) => {
    for (const end of ['key', 'crt'])
      copyFileSync(join(made.directory, `${base}.${end}`), join(directory, `default_${port}.${end}`));
  };
  use('server');
  return { port, keys, time, use, faults };
}

interface Visit {
  readonly isReused: boolean;
  /** The newest session that the server has given. */
  readonly session: Buffer;
}

/** One connection that asks for something, so that all tickets have come with the answer. */
function visit(port: number, session?: Buffer, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<Visit> {
  return new Promise((resolve, reject) => {
    const about = { port, host: '127.0.0.1', ca: made.authority, maxVersion };
    const socket = connect(session === undefined ? about : { ...about, session });
    let newest = session;
    socket.on('session', (given) => {
      newest = given;
    });
    socket.on('error', reject).on('secureConnect', () => socket.write('GET / HTTP/1.0\r\n\r\n\r\nno request\r\n\r\n'));
    // There is nobody for requests: node answers the second, which is none, with 400.
    socket.on('data', () => {
      const isReused = socket.isSessionReused();
      // With 1.2 there is no event for a ticket that replaces another.
      if (maxVersion === 'TLSv1.2') newest = socket.getSession();
      socket.destroy();
      if (newest === undefined) reject(new Error('no session came'));
      else resolve({ isReused, session: newest });
    });
  });
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  t.test(`${version}: a session is resumed at each server with the same key, and not with another`, async (t) => {
    const [first, second, other] = [await serve(t, 1), await serve(t, 1), await serve(t, 2)];
    const { session, isReused } = await visit(first.port, undefined, version);
    t.notOk(isReused);
    t.ok((await visit(first.port, session, version)).isReused, 'where it began');
    t.ok((await visit(second.port, session, version)).isReused, 'elsewhere');
    t.notOk((await visit(other.port, session, version)).isReused);
  });

  t.test(`${version}: a key that was replaced counts for as long as a session lasts`, async (t) => {
    const [server, neighbour] = [await serve(t, 1), await serve(t, 2)];
    const { session } = await visit(server.port, undefined, version);
    t.ok(server.keys.replace(secret(2)));
    t.notOk(server.keys.replace(secret(2)), 'the same once more');
    const resumed = await visit(server.port, session, version);
    t.ok(resumed.isReused);
    const fresh = await visit(server.port, undefined, version);
    t.ok((await visit(neighbour.port, fresh.session, version)).isReused, 'new tickets are of the new key');
    t.ok(
      (await visit(neighbour.port, resumed.session, version)).isReused,
      'and so is that which was given for an old one',
    );
    const back = await visit(neighbour.port, undefined, version);
    t.ok((await visit(server.port, back.session, version)).isReused, 'which is taken too');
    server.time.now += SESSION_LIFE_S * 1_000;
    t.notOk((await visit(server.port, session, version)).isReused);
  });
}

t.test('of the keys that were replaced only the last few count', async (t) => {
  const server = await serve(t, 1);
  const first = await visit(server.port);
  server.keys.replace(secret(2));
  const second = await visit(server.port);
  for (let n = 3; n < 3 + REPLACED_MAX; n++) server.keys.replace(secret(n));
  t.equal(server.keys.counting().length, 1 + REPLACED_MAX);
  t.notOk((await visit(server.port, first.session)).isReused);
  t.ok((await visit(server.port, second.session)).isReused);
});

t.test('a certificate that is replaced changes nothing of it', async (t) => {
  const [server, neighbour] = [await serve(t, 1), await serve(t, 1)];
  const { session } = await visit(server.port);
  server.use('other');
  t.ok((await visit(server.port, session)).isReused);
  const fresh = await visit(server.port);
  t.ok((await visit(neighbour.port, fresh.session)).isReused);
  server.keys.replace(secret(2));
  server.use('server');
  t.ok((await visit(server.port, fresh.session)).isReused, 'nor with a key that was replaced');
  t.strictSame(server.faults, []);
});
