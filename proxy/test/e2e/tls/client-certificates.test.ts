/** Certificates of clients, and the versions and ciphers of their listeners, on both edges. */
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import t, { type Test } from 'tap';
import { type Certificate, makeCertificate } from '../../kit/certificates.js';
import { ask } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type LogRecord, newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: certificates of clients are not tested');
  t.plan(0, { skip: 'openssl is not installed' } as never);
  process.exit(0);
}

const edges = ['node', 'uws'] as const;
type Edge = (typeof edges)[number];

const made = newDirectory(t);
const make = (base: string, issuer?: Certificate, usage?: string) =>
  makeCertificate({
    directory: made,
    base,
    ...(issuer && { issuer, names: [`DNS:${base}`] }),
    ...(usage !== undefined && { usage }),
  });
const [staff, foreign] = [make('staff'), make('foreign')];
const [alice, intruder, web, alone] = [
  make('alice', staff),
  make('intruder', foreign),
  make('web', staff, 'serverAuth'),
  make('alone'),
];

/** The value of Client-Cert for a certificate (RFC 9440 §2.1). */
const fieldOf = ({ cert }: Certificate) => `:${new X509Certificate(cert).raw.toString('base64')}:`;

type Settings = Readonly<Record<string, string | number>>;

/** A node with a TLS listener, of which `/private` is for clients with certificates. */
async function start(t: Test, edge: Edge, settings: Settings = { tls_client_ca: 'clients.pem' }) {
  const directory = newDirectory(t);
  const port = await freePort();
  const server = makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  const named = makeCertificate({ directory, base: 'a.example', names: ['DNS:a.example'] });
  writeFileSync(join(directory, 'clients.pem'), staff.cert);
  const origin = await startOrigin(t, (_, response) => response.end('from the origin\n'));
  const events = await startOrigin(t, (asked, response) => {
    response.writeHead(200, { 'Content-Type': 'application/websocket-events' });
    let body = '';
    asked.on('data', (part: string) => {
      body += part;
    });
    asked.on('end', () => response.end(body.startsWith('OPEN') ? 'OPEN\r\n' : body));
  });
  const holdfast = await startHoldfast(t, {
    directory,
    settings: { edge, log_format: 'json', https_ports: `127.0.0.1:${port}`, tls_certs_dir: directory, ...settings },
    routes: [
      `*,path_beg=/private,client_cert=require ${origin.target}`,
      `*,proto=ws,client_cert=require ${events.target},over_http`,
      `* ${origin.target}`,
    ],
  });
  return { directory, port, server, named, origin, events, holdfast, url: holdfast.url('clients', 'https') };
}

type Node = Awaited<ReturnType<typeof start>>;

const showing = (ca: Certificate, client?: Certificate): ConnectionOptions => ({
  ca: ca.cert,
  ...(client && { cert: client.cert, key: client.key }),
});

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A request on a connection of its own; rejects where there is no answer. */
function get(url: string, options: ConnectionOptions, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, headers, ...options }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    // The error itself holds certificates that hold themselves.
    asked.on('error', ({ code, message }: NodeJS.ErrnoException) => reject(new Error(`${code}: ${message}`)));
    asked.end();
  });
}

/** What a client could send in the hope that an origin takes it for the proxy's. */
const posed = {
  'Client-Cert': ':QUJD:',
  'client-cert-chain': ':QUJD:',
  Client_Cert: ':QUJD:',
  'Client.Cert': ':QUJD:',
  'Client_Cert-Chain': ':QUJD:',
};

/** One node of each edge for what does not change it: the tests look at the requests and log lines that are their own. */
const asking = Object.fromEntries(
  await Promise.all(edges.map(async (edge) => [edge, await start(t, edge)] as const)),
) as Readonly<Record<Edge, Node>>;

/** The same without authorities of clients; of the ciphers of TLS 1.2 it has one. */
const unasking = Object.fromEntries(
  await Promise.all(
    edges.map(async (edge) => [edge, await start(t, edge, { tls_ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' })] as const),
  ),
) as Readonly<Record<Edge, Node>>;

for (const edge of edges) {
  t.test(`${edge}: the origin gets the certificate as Client-Cert, and never what a client says itself`, async (t) => {
    const { url, server, origin, holdfast } = asking[edge];
    const fields = () => {
      const { rawHeaders = [] } = origin.seen.at(-1) ?? {};
      return rawHeaders.flatMap((text, i) =>
        i % 2 === 0 && /^client.cert/i.test(text) ? [text, rawHeaders[i + 1]] : [],
      );
    };
    t.match(await get(`${url}/`, showing(server, alice), posed), { status: 200 });
    t.strictSame(fields(), ['Client-Cert', fieldOf(alice)]);
    t.match(await get(`${url}/`, showing(server), posed), { status: 200 }, 'a certificate is asked for, not needed');
    t.strictSame(fields(), []);
    t.match(await ask(t, `${holdfast.clients}/`, { headers: posed }), { status: 200 });
    t.strictSame(fields(), [], 'without TLS');
    const named = { ...showing(server, alice), servername: 'a.example', checkServerIdentity: () => undefined };
    t.match(await get(`${url}/`, { ...named, rejectUnauthorized: false }), { status: 200 });
    t.strictSame(fields(), ['Client-Cert', fieldOf(alice)], 'by a server name with a certificate of its own');
  });

  t.test(
    `${edge}: client_cert=require answers 403 to a client that has shown none, before the origin is asked`,
    async (t) => {
      const { url, server, origin, holdfast } = asking[edge];
      const before = origin.seen.length;
      t.match(await get(`${url}/private/x`, showing(server), posed), { status: 403 });
      t.match(await ask(t, `${holdfast.clients}/private`), { status: 403 }, 'without TLS');
      t.match(await ask(t, `${holdfast.clients}/private`, { headers: { 'X-Forwarded-Proto': 'https', ...posed } }), {
        status: 403,
      });
      t.equal(origin.seen.length, before);
      t.match(await get(`${url}/private/x`, showing(server, alice)), { status: 200 });
      t.equal(origin.seen.length, before + 1);
      const isOwn = (record: LogRecord) =>
        record.error === 'ERR_REQUEST_CLIENT_CERT' && record.url === `${url}/private/x`;
      const line = await holdfast.record('of a refusal', isOwn);
      t.match(line, { status: 403 });
    },
  );

  t.test(`${edge}: WebSockets the same; an origin over HTTP gets the certificate with each event`, async (t) => {
    const { url, server, events, holdfast } = asking[edge];
    await t.rejects(openWs(t, wsUrl(url, '/chat'), { ca: server.cert }), /403/);
    await t.rejects(openWs(t, wsUrl(holdfast.clients, '/chat')), /403/);
    t.equal(events.seen.length, 0);
    const socket = await openWs(t, wsUrl(url, '/chat'), {
      ca: server.cert,
      cert: alice.cert,
      key: alice.key,
      headers: posed,
    });
    socket.send('hello');
    t.equal(await socket.text(), 'hello');
    const seen = await events.requests(2);
    for (const { headers } of seen) t.equal(headers['client-cert'], fieldOf(alice));
    for (const { rawHeaders } of seen) t.notOk(rawHeaders.includes(':QUJD:'));
  });

  t.test(`${edge}: a certificate that does not count is refused in the handshake, on every route`, async (t) => {
    const { url, server, origin, holdfast } = asking[edge];
    const before = origin.seen.length;
    for (const [name, client] of Object.entries({ intruder, alone, web, server })) {
      for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
        await t.rejects(get(`${url}/`, { ...showing(server, client), maxVersion }), `${name}, ${maxVersion}`);
      }
    }
    t.equal(origin.seen.length, before);
    t.match(await get(`${url}/private`, showing(server, alice)), { status: 200 });
    if (edge === 'node') {
      const isOne = ({ msg }: { msg?: unknown }) =>
        /^TLS client refused: its certificate does not count/.test(`${msg}`);
      t.match(await holdfast.record('of the refusal', isOne), { client: '127.0.0.1', reason: /^[A-Z_]+$/ });
    }
  });

  t.test(`${edge}: a session that is resumed has the certificate that it began with, or none`, async (t) => {
    const { url, port, server, origin } = asking[edge];
    const sessions = async (options: ConnectionOptions) => {
      const found: Buffer[] = [];
      await new Promise<void>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port, ...options });
        socket.on('session', (session) => found.push(session));
        socket.on('error', () => {}).on('close', () => resolve());
        socket.end('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n').resume();
      });
      return found;
    };
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const only = { minVersion: version, maxVersion: version };
      for (const session of await sessions({ ...showing(server), ...only })) {
        for (const client of [undefined, alice]) {
          const { status } = await get(`${url}/private`, { ...showing(server, client), ...only, session });
          // A session that is not taken up is a new handshake, with what the client has.
          if (client === undefined) t.equal(status, 403, `${version}: none`);
        }
      }
      for (const session of await sessions({ ...showing(server, alice), ...only })) {
        const { status } = await get(`${url}/private`, { ...showing(server), ...only, session });
        t.ok([200, 403].includes(status));
        if (status === 200) t.equal(origin.seen.at(-1)?.headers['client-cert'], fieldOf(alice));
        if (edge === 'node') t.equal(status, 403, 'the node edge resumes none');
      }
    }
  });

  t.test(`${edge}: without tls_client_ca the fields of clients pass, and routes that need one refuse`, async (t) => {
    const { url, server, origin } = unasking[edge];
    await get(`${url}/`, showing(server, alice), { 'Client-Cert': ':QUJD:' });
    t.equal(origin.seen.at(-1)?.headers['client-cert'], ':QUJD:');
    t.match(await get(`${url}/private`, showing(server, alice)), { status: 403 });
  });

  t.test(`${edge}: tls_ciphers leaves out the others of TLS 1.2, and those of TLS 1.3 as they are`, async (t) => {
    const { port } = unasking[edge];
    const cipher = (options: ConnectionOptions) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
        socket.on('secureConnect', () => resolve(socket.getCipher().name)).on('error', reject);
        t.teardown(() => socket.destroy());
      });
    const older = { maxVersion: 'TLSv1.2' } as const;
    t.equal(await cipher(older), 'ECDHE-ECDSA-AES256-GCM-SHA384');
    await t.rejects(cipher({ ...older, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }));
    t.match(await cipher({ minVersion: 'TLSv1.3' }), /^TLS_/);
  });
}

t.test('without tls_client_ca check-config names routes that nobody can use', async (t) => {
  const directory = newDirectory(t);
  writeFileSync(join(directory, 'c.yaml'), `http_port: 0\nroutes: ["a.example,client_cert=require 127.0.0.1:1"]\n`);
  const child = runHoldfast(t, { directory, args: ['--config', 'c.yaml', 'check-config'] });
  t.not((await child.exited).code, 0);
  t.match(child.stderr, /client_cert=require refuses everybody without tls_client_ca/);
});

/** A node of TLS 1.3 alone, whose authorities one test replaces: the other one shows no certificate. */
const changing = await start(t, 'node', { tls_client_ca: 'clients.pem', tls_min_version: 1.3 });

t.test('node: authorities are read again when their file changes; a bad file changes nothing', async (t) => {
  const { url, directory, server, holdfast } = changing;
  const put = (text: string) => {
    writeFileSync(join(directory, 'new.pem'), text);
    renameSync(join(directory, 'new.pem'), join(directory, 'clients.pem'));
  };
  put('none');
  t.match(await get(`${url}/private`, showing(server, alice)), { status: 200 });
  await holdfast.record('of the bad file', ({ msg }) => /cannot use .*clients\.pem: it has no cert/.test(String(msg)));
  put(foreign.cert);
  t.match(await get(`${url}/private`, showing(server, intruder)), { status: 200 });
  await t.rejects(get(`${url}/private`, showing(server, alice)));
});

t.test('node: tls_min_version 1.3 refuses TLS 1.2', async (t) => {
  const { url, server } = changing;
  await t.rejects(get(`${url}/`, { ...showing(server), maxVersion: 'TLSv1.2' }));
  t.match(await get(`${url}/`, showing(server)), { status: 200 });
});

t.test('what cannot be kept is refused at the start, and by check-config', async (t) => {
  const directory = newDirectory(t);
  const port = await freePort();
  makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  const cases: readonly (readonly [Settings, RegExp])[] = [
    [{ edge: 'uws', tls_min_version: '1.3' }, /tls_min_version: edge uws cannot refuse TLS 1\.2/],
    [{ edge: 'uws', tls_ciphers: 'TLS_AES_128_GCM_SHA256' }, /tls_ciphers: edge uws cannot choose among .* 1\.3/],
    [{ edge: 'node', tls_ciphers: 'NO-SUCH-CIPHER' }, /cannot use tls_ciphers/],
    [{ edge: 'uws', tls_ciphers: 'NO-SUCH-CIPHER' }, /cannot use tls_ciphers/],
    [{ edge: 'node', tls_client_ca: 'none.pem' }, /none\.pem.*ENOENT/],
    [{ edge: 'node', tls_min_version: '1.1' }, /tls_min_version: expected one of 1\.2, 1\.3|tls_min_version/],
  ];
  for (const [settings, why] of cases) {
    const all = { ...settings, https_ports: `127.0.0.1:${port}`, tls_certs_dir: '.', push_in_http_port: 0 };
    const lines = Object.entries(all).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    writeFileSync(join(directory, 'c.yaml'), `${lines.join('')}routes: ["* test"]\n`);
    for (const command of [['check-config'], []]) {
      const child = runHoldfast(t, { directory, args: ['--config', 'c.yaml', ...command] });
      t.not((await child.exited).code, 0, JSON.stringify(settings));
      t.match(child.stdout + child.stderr, why);
    }
  }
});
