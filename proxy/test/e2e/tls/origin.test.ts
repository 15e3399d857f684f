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
const byAddress = await startTlsOrigin(
  t,
  makeCertificate({ directory, base: 'address', names: ['IP:127.0.0.1'], issuer: authority }),
);
const demanding = await startTlsOrigin(t, { requestCert: true, rejectUnauthorized: true, ca: authority.cert });
const plain = await startOrigin(t, (_request, response) => response.end('plain\n'));
const bad = join(directory, 'bad.pem');
writeFileSync(bad, 'not a certificate');

/** A node with the authorities that Node trusts. */
const holdfast = await startHoldfast(t, {
  routes: [
    `unknown ${origin.target},ssl,host=origin.example`,
    `told,debug ${origin.target},ssl,host=origin.example`,
    `* ${origin.target},ssl,insecure`,
  ],
});

/** A node with the authority added to them; each test has routes of its own. */
const trusting = await startHoldfast(t, {
  env: { NODE_EXTRA_CA_CERTS: authority.certFile },
  routes: [
    `right ${origin.target},ssl,host=origin.example`,
    `wrong ${origin.target},ssl,host=other.example`,
    `* ${origin.target},ssl`,
    `trusting ${byAddress.target},ssl,host=shop.example,trust_connect_host`,
    `untrusting ${byAddress.target},ssl,host=shop.example`,
    `misled ${origin.target},ssl,host=origin.example,trust_connect_host`,
    `passing ${plain.target},ssl ${origin.target},ssl,host=other.example ${plain.target}`,
    `showing ${demanding.target},ssl,host=origin.example,client_cert=${client.certFile},client_key=${client.keyFile}`,
    `bare ${demanding.target},ssl,host=origin.example`,
    `missing ${origin.target},ssl,client_cert=${directory}/none,client_key=${directory}/none`,
    `bad ${origin.target},ssl,client_cert=${bad},client_key=${bad}`,
  ],
});

const askFor = (t: Test, { clients }: Holdfast, host: string) => ask(t, `${clients}/`, { headers: { Host: host } });

t.test('a certificate of an unknown authority is refused: 502', async (t) => {
  const before = origin.seen.length;
  t.match(await askFor(t, holdfast, 'unknown'), { status: 502, text: FAILED });
  t.match(await askFor(t, holdfast, 'told'), {
    status: 502,
    text: `Unable to connect to any targets. Tried: ${origin.target}\n`,
  });
  t.equal(origin.seen.length, before, 'nothing was sent to it');
});

t.test('insecure: any certificate will do', async (t) => {
  t.match(await ask(t, `${holdfast.clients}/`), { status: 200, text: 'server - client -\n' });
});

t.test('a certificate of a known authority is verified against host=, which the origin sees as Host', async (t) => {
  const asking = (host: string) => askFor(t, trusting, host);
  t.match(await asking('right'), { status: 200, text: 'server origin.example client -\n' });
  t.match(origin.seen.at(-1)?.headers, { host: 'origin.example' });
  t.match(await asking('wrong'), { status: 502, text: FAILED });
  t.match(await asking('origin.example'), { status: 200, text: 'server origin.example client -\n' });
  t.match(await asking('client.example'), { status: 502, text: FAILED }, 'without host= the name of the client counts');
});

t.test('trust_connect_host: verified against the address that is connected to', async (t) => {
  const asking = (host: string) => askFor(t, trusting, host);
  t.match(await asking('trusting'), { status: 200, text: 'server shop.example client -\n' });
  t.match(await asking('untrusting'), { status: 502 });
  t.match(await asking('misled'), { status: 502 });
});

t.test('a target whose TLS fails is passed over for the next one', async (t) => {
  const body = 'kept for the next target';
  const answer = await ask(t, `${trusting.clients}/`, { method: 'POST', headers: { Host: 'passing' }, body });
  t.match(answer, { status: 200, text: 'plain\n' });
  t.match(plain.seen.at(-1), { method: 'POST', body });
});

t.test('an origin that asks for a client certificate gets it', async (t) => {
  t.match(await askFor(t, trusting, 'showing'), { status: 200, text: 'server origin.example client client\n' });
  t.match(await askFor(t, trusting, 'bare'), { status: 502, text: FAILED });
});

t.test('a client certificate that cannot be read fails the request, not the node', async (t) => {
  const asking = (host: string) => askFor(t, trusting, host);
  for (const host of ['missing', 'bad']) {
    t.match(await asking(host).catch(() => 'broken'), { status: 502, text: FAILED }, host);
  }
  t.match(await asking('right').catch(() => 'broken'), { status: 200 }, 'others are served');
});

t.test('a stream is held for an origin behind TLS', async (t) => {
  const stream = await open(t, `${trusting.clients}/stream`, { headers: { Host: 'right' } });
  await stream.until('server origin.example client -\n');
  await trusting.publish(streamItem('room', 'item\n'));
  await stream.until('item\n');
});
