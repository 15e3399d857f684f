/** WebSockets over TLS: from the client to Holdfast (`wss:`), and from Holdfast to the origin. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type Certificate, makeCertificate } from '../../kit/certificates.js';
import { openWs, type WsOptions, wsUrl } from '../../kit/clients/ws-client.js';
import { startEchoFixture } from '../../kit/echo-fixture.js';
import { newDirectory } from '../../kit/holdfast.js';
import { type Kind, kinds } from '../../kit/origins/echo-origin.js';
import { hashOf, patternOf } from '../../kit/pattern.js';
import { startNodeClient } from './node-client.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: WebSockets over TLS are not tested');
  t.plan(0, { skip: 'openssl is not installed' } as never);
  process.exit(0);
}

const directory = newDirectory(t);
const authority = makeCertificate({ directory, base: 'authority' });
const server = makeCertificate({ directory, base: 'server', names: ['DNS:origin.example'], issuer: authority });
const certificates = join(directory, 'certs');
mkdirSync(certificates);
/** Every name without a certificate of its own has that of the parent domain. */
const front = makeCertificate({ directory: certificates, base: '_.front.example', names: ['DNS:*.front.example'] });
/** For a client that asks for a name, and trusts one certificate. */
const named = ({ cert: ca }: Certificate): WsOptions => ({ ca, servername: 'ws.front.example' });
const MIB = 1_048_576;

for (const kind of Object.keys(kinds) as Kind[]) {
  t.test(`${kind} origin: wss to the client, TLS to the origin, verified on both ways`, async (t) => {
    const { origin, holdfast } = await startEchoFixture(t, kind, {
      tls: { cert: server.cert, key: server.key },
      target: 'ssl,host=origin.example',
      settings: { https_ports: '127.0.0.1:0', tls_certs_dir: certificates },
      env: { NODE_EXTRA_CA_CERTS: authority.certFile },
    });
    const url = wsUrl(holdfast.url('clients', 'https'), '/secure');
    t.match(url, /^wss:/);
    const client = await openWs(t, url, named(front));
    await origin.saw('open /secure');
    client.send('!subscribe room');
    client.send(patternOf(MIB));
    t.ok((await client.next()).data.equals(patternOf(MIB)), 'a mebibyte there and back');
    await holdfast.publish({ channel: 'room', formats: { 'ws-message': { content: 'published' } } });
    t.equal(await client.text(), 'published');
    await client.ping('over TLS');
    // An origin over HTTP closes with a code of its own, and without a reason.
    t.strictSame(await client.close(4001, 'bye'), { code: 4001, reason: kind === 'direct' ? 'bye' : '' });
    await origin.saw('close 4001 bye');
    await t.rejects(openWs(t, url, named(authority)), 'another authority');

    const line = await holdfast.record('of the handshake', ({ status }) => status === 101);
    t.match(line, { url: /^wss:\/\/127\.0\.0\.1:\d+\/secure$/ });
  });

  t.test(`${kind} origin: its certificate is verified, and a client gets 502 when it is a stranger's`, async (t) => {
    const { origin, holdfast } = await startEchoFixture(t, kind, {
      tls: { cert: server.cert, key: server.key },
      target: 'ssl,host=origin.example',
    });
    await t.rejects(openWs(t, wsUrl(holdfast.clients)), { message: 'Unexpected server response: 502' });
    t.strictSame(origin.seen, []);
  });
}

t.test("Node's own client over wss", async (t) => {
  const named = makeCertificate({ directory: certificates, base: 'localhost', names: ['DNS:localhost'] });
  const { holdfast } = await startEchoFixture(t, 'direct', {
    settings: { https_ports: '127.0.0.1:0', tls_certs_dir: certificates },
  });
  const url = wsUrl(holdfast.url('clients', 'https')).replace('127.0.0.1', 'localhost');
  const steps = [{ send: 'text' }, { bytes: MIB }, { messages: 2 }, { close: [1000] as const }];
  const client = startNodeClient(t, url, steps, { env: { NODE_EXTRA_CA_CERTS: named.certFile } });
  t.match(await client.end(), [
    { open: {} },
    { text: 'text' },
    { bytes: MIB, hash: hashOf(patternOf(MIB)) },
    { closed: { code: 1000, wasClean: true } },
  ]);
});
