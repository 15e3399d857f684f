/** TLS between Holdfast and the origin: what is verified, against which name, and client certificates. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { type Origin, type OriginOptions, startOrigin, streamHold } from '../../kit/origins/origin.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: TLS is not tested');
  t.plan(0, 'openssl is not installed');
  process.exit(0);
}

const directory = newDirectory(t);
const authority = makeCertificate({ directory, base: 'authority' });
const server = makeCertificate({ directory, base: 'server', names: ['DNS:origin.example'], issuer: authority });
const client = makeCertificate({ directory, base: 'client', names: ['DNS:holdfast'], issuer: authority });
const FAILED = 'Error while proxying to origin.\n';

/** An origin that tells the server name and the client's common name as it sees them. */
function startTlsOrigin(t: Test, tls: OriginOptions['tls'] = {}): Promise<Origin> {
  return startOrigin(
    t,
    (request, response) => {
      const socket = request.socket as TLSSocket;
      if (request.url === '/stream') response.writeHead(200, streamHold('room'));
      response.end(`server ${socket.servername || '-'} client ${socket.getPeerCertificate().subject?.CN ?? '-'}\n`);
    },
    { tls: { cert: server.cert, key: server.key, ...tls } },
  );
}

const origin = await startTlsOrigin(t);
/** Starts Holdfast with the authority added to those that Node trusts. */
const startTrusting = (t: Test, ...routes: string[]): Promise<Holdfast> =>
  startHoldfast(t, { routes, env: { NODE_EXTRA_CA_CERTS: authority.certFile } });

t.test('a certificate of an unknown authority is refused: 502', async (t) => {
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target},ssl,host=origin.example`, `told,debug ${origin.target},ssl,host=origin.example`],
  });
  t.match(await ask(t, `${holdfast.clients}/`), { status: 502, text: FAILED });
  t.match(await ask(t, `${holdfast.clients}/`, { headers: { Host: 'told' } }), {
    status: 502,
    text: `Unable to connect to any targets. Tried: ${origin.target}\n`,
  });
  t.equal(origin.seen.length, 0, 'nothing was sent to it');
});

t.test('insecure: any certificate will do', async (t) => {
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target},ssl,insecure`] });
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'server - client -\n' });
});

t.test('a certificate of a known authority is verified against host=, which the origin sees as Host', async (t) => {
  const holdfast = await startTrusting(
    t,
    `right ${origin.target},ssl,host=origin.example`,
    `wrong ${origin.target},ssl,host=other.example`,
    `* ${origin.target},ssl`,
  );
  const asking = (host: string) => ask(t, `${holdfast.clients}/`, { headers: { Host: host } });
  t.match(await asking('right'), { status: 200, text: 'server origin.example client -\n' });
  t.match(origin.seen.at(-1)?.headers, { host: 'origin.example' });
  t.match(await asking('wrong'), { status: 502, text: FAILED });
  t.match(await asking('origin.example'), { status: 200, text: 'server origin.example client -\n' });
  t.match(await asking('client.example'), { status: 502, text: FAILED }, 'without host= the name of the client counts');
});

t.test('trust_connect_host: verified against the address that is connected to', async (t) => {
  const tls = makeCertificate({ directory, base: 'address', names: ['IP:127.0.0.1'], issuer: authority });
  const byAddress = await startTlsOrigin(t, tls);
  const holdfast = await startTrusting(
    t,
    `trusting ${byAddress.target},ssl,host=shop.example,trust_connect_host`,
    `* ${byAddress.target},ssl,host=shop.example`,
    `misled ${origin.target},ssl,host=origin.example,trust_connect_host`,
  );
  const asking = (host: string) => ask(t, `${holdfast.clients}/`, { headers: { Host: host } });
  t.match(await asking('trusting'), { status: 200, text: 'server shop.example client -\n' });
  t.match(await asking('any'), { status: 502 });
  t.match(await asking('misled'), { status: 502 });
});

t.test('a target whose TLS fails is passed over for the next one', async (t) => {
  const plain = await startOrigin(t, (_request, response) => response.end('plain\n'));
  const holdfast = await startTrusting(
    t,
    `* ${plain.target},ssl ${origin.target},ssl,host=other.example ${plain.target}`,
  );
  const body = 'kept for the next target';
  t.match(await ask(t, `${holdfast.clients}/`, { method: 'POST', body }), { status: 200, text: 'plain\n' });
  t.match(plain.seen.at(-1), { method: 'POST', body });
});

t.test('an origin that asks for a client certificate gets it', async (t) => {
  const asking = await startTlsOrigin(t, { requestCert: true, rejectUnauthorized: true, ca: authority.cert });
  const files = `client_cert=${client.certFile},client_key=${client.keyFile}`;
  const holdfast = await startTrusting(
    t,
    `* ${asking.target},ssl,host=origin.example,${files}`,
    `bare ${asking.target},ssl,host=origin.example`,
  );
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'server origin.example client client\n' });
  t.match(await ask(t, `${holdfast.clients}/`, { headers: { Host: 'bare' } }), { status: 502, text: FAILED });
});

t.test('a client certificate that cannot be read fails the request, not the node', async (t) => {
  const bad = join(directory, 'bad.pem');
  writeFileSync(bad, 'not a certificate');
  const holdfast = await startTrusting(
    t,
    `* ${origin.target},ssl,host=origin.example`,
    `missing ${origin.target},ssl,client_cert=${directory}/none,client_key=${directory}/none`,
    `bad ${origin.target},ssl,client_cert=${bad},client_key=${bad}`,
  );
  const asking = (host: string) => ask(t, `${holdfast.clients}/`, { headers: { Host: host } });
  for (const host of ['missing', 'bad']) {
    t.match(await asking(host).catch(() => 'broken'), { status: 502, text: FAILED }, host);
  }
  t.match(await asking('any').catch(() => 'broken'), { status: 200 }, 'others are served');
});

t.test('a stream is held for an origin behind TLS', async (t) => {
  const holdfast = await startTrusting(t, `* ${origin.target},ssl,host=origin.example`);
  const stream = await open(t, `${holdfast.clients}/stream`);
  await stream.until('server origin.example client -\n');
  await holdfast.publish(streamItem('room', 'item\n'));
  await stream.until('item\n');
});
