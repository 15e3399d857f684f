/** The control API with TLS: certificates as for clients, and mutual TLS. */
import { spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { type Certificate, makeCertificate } from '../../kit/certificates.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, newDirectory, runHoldfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: TLS of the control API is not tested');
  t.plan(0, { skip: 'openssl is not installed' } as never);
  process.exit(0);
}

const item = (content: string) => JSON.stringify({ items: [streamItem('room', content)] });

/** A node whose control API has TLS on this port, with a certificate of its own. */
async function start(t: Test, settings: (directory: string) => Readonly<Record<string, string | number>> = () => ({})) {
  const directory = newDirectory(t);
  const port = await freePort();
  const server = makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  const origin = await startOrigin(t, (_, response) => response.writeHead(200, streamHold('room')).end('[open]\n'));
  const holdfast = await startHoldfast(t, {
    directory,
    settings: { log_format: 'json', tls_certs_dir: directory, push_in_https_port: port, ...settings(directory) },
    routes: [`* ${origin.target}`],
  });
  return { directory, port, server, holdfast, url: holdfast.url('control', 'https') };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A publish on a connection of its own; rejects where there is no answer. */
function publish(url: string, options: ConnectionOptions, content: string, headers = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/publish/`, { method: 'POST', agent: false, headers, ...options }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    // The error itself holds certificates that hold themselves.
    asked.on('error', ({ code, message }: NodeJS.ErrnoException) => reject(new Error(`${code}: ${message}`)));
    asked.end(item(content));
  });
}

const asClient = (ca: Certificate, { cert, key }: Certificate) => ({ ca: ca.cert, cert, key });

/** Puts other content in the place of a file at once. */
function replace(file: string, content: string): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

t.test('publishers, views and taps use TLS beside the plain port; pages are refused there too', async (t) => {
  const { holdfast, url, server } = await start(t);
  const stream = await open(t, `${holdfast.clients}/`);
  await stream.until('[open]\n');
  const ca = server.cert;
  t.match(await publish(url, { ca }, 'secret\n'), { status: 200, text: 'Published\n' });
  await stream.until('secret\n');
  await holdfast.publish(streamItem('room', 'plain\n'));
  await stream.until('plain\n');
  t.match(await ask(t, `${url}/channels/room`, { ca }), { status: 200, text: /"stream":1/ });
  const tap = await open(t, `${url}/channels/room/items`, { ca });
  await until('the tapped item', async () => {
    await publish(url, { ca }, 'tapped\n');
    return tap.text.includes('tapped');
  });
  t.match(await publish(url, { ca }, 'page\n', { Origin: 'https://evil.test' }), { status: 403 });
  t.match(await publish(url, { ca, checkServerIdentity: () => undefined }, 'page\n', { Host: 'evil.test' }), {
    status: 403,
  });
  await t.rejects(publish(url.replace('https', 'http'), {}, 'x\n'), 'plain HTTP on the port of TLS');
  await t.rejects(
    publish(url, {}, 'x\n'),
    { message: /^DEPTH_ZERO_SELF_SIGNED_CERT/ },
    'an authority that is not its own',
  );
});

t.test('its certificate is chosen by server name, and read again when it changes', async (t) => {
  const { directory, port, url, server } = await start(t);
  const shown = (servername: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
        resolve(String(socket.getPeerX509Certificate()?.fingerprint256));
        socket.destroy();
      });
      socket.on('error', reject);
    });
  const before = await shown('');
  t.equal(await shown('control.example'), before);
  makeCertificate({ directory, base: 'control.example', names: ['DNS:control.example'] });
  t.not(await shown('control.example'), before, 'a new file is found');
  t.equal(await shown('other.example'), before);
  const next = makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  await t.rejects(publish(url, { ca: server.cert }, 'x\n'), 'the new certificate is another one');
  t.match(await publish(url, { ca: next.cert }, 'x\n'), { status: 200 });
});

/** A node that asks publishers for certificates of `staff`. */
async function startMutual(t: Test) {
  const made = newDirectory(t);
  const make = (base: string, issuer?: Certificate, usage?: string) =>
    makeCertificate({
      directory: made,
      base,
      ...(issuer && { issuer, names: [`DNS:${base}`] }),
      ...(usage !== undefined && { usage }),
    });
  const [staff, foreign] = [make('staff'), make('foreign')];
  const node = await start(t, (directory) => {
    writeFileSync(join(directory, 'clients.pem'), staff.cert);
    return { push_in_client_ca: 'clients.pem' };
  });
  return { ...node, make, staff, foreign, file: join(node.directory, 'clients.pem') };
}

/** For the tests that leave its authorities as they are. */
const mutual = await startMutual(t);

const refusals = (holdfast: Holdfast) =>
  holdfast.records().filter(({ msg }) => msg === 'TLS handshake of a control connection failed');

t.test('mutual TLS: only certificates of the authority get in, and why others do not is in the log', async (t) => {
  const { holdfast, url, server, make, staff, foreign } = mutual;
  const before = await holdfast.metric('holdfast_items_published_total');
  const good = asClient(server, make('billing', staff));
  t.match(await publish(url, good, 'x\n'), { status: 200 });
  const cases: Readonly<Record<string, ConnectionOptions>> = {
    none: { ca: server.cert },
    'of another authority': asClient(server, make('intruder', foreign)),
    'signed by itself': asClient(server, make('alone')),
    'of a server': asClient(server, make('web', staff, 'serverAuth')),
    'that of the node': asClient(server, server),
  };
  for (const [name, options] of Object.entries(cases)) {
    await t.rejects(publish(url, options, 'attacked\n'), name);
    await t.rejects(publish(url, { ...options, maxVersion: 'TLSv1.2' }, 'attacked\n'), `${name}, TLS 1.2`);
  }
  const reasons = await until('refusals in the log', () => {
    const found = refusals(holdfast);
    return found.length > 1 && found;
  });
  t.match(reasons[0], { level: 'warn', client: '127.0.0.1', reason: /./ });
  t.equal(await holdfast.metric('holdfast_items_published_total'), before + 1);
});

t.test('mutual TLS: a session is not resumed, with a certificate or without', async (t) => {
  const { port, url, server, make, staff } = mutual;
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    for (const options of [{ ca: server.cert }, asClient(server, make('billing', staff))]) {
      const sessions: Buffer[] = [];
      await new Promise<void>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port, maxVersion: version, minVersion: version, ...options });
        socket.on('session', (session) => sessions.push(session));
        socket.on('error', () => {}).on('close', () => resolve());
        socket.end('GET / HTTP/1.1\r\nConnection: close\r\n\r\n').resume();
      });
      for (const session of sessions)
        await t.rejects(publish(url, { ca: server.cert, session }, 'x\n'), `${version}: without a certificate`);
    }
  }
});

t.test('mutual TLS: authorities are read again when their file changes; a bad file changes nothing', async (t) => {
  const { holdfast, url, server, make, staff, foreign, file } = await startMutual(t);
  const [old, next] = [asClient(server, make('a', staff)), asClient(server, make('b', foreign))];
  t.match(await publish(url, old, 'x\n'), { status: 200 });
  replace(file, 'no certificate');
  t.match(await publish(url, old, 'x\n'), { status: 200 });
  await t.rejects(publish(url, next, 'x\n'));
  await holdfast.record('of the bad file', ({ msg }) => /cannot use .*clients\.pem: it has no cert/.test(String(msg)));
  replace(file, `${staff.cert}${foreign.cert}`);
  for (const options of [old, next]) t.match(await publish(url, options, 'x\n'), { status: 200 });
  replace(file, foreign.cert);
  t.match(await publish(url, next, 'x\n'), { status: 200 });
  await t.rejects(publish(url, old, 'x\n'), 'an authority that has gone');
});

t.test('mutual TLS with keys: a certificate stands for the key that its names name, and for no more', async (t) => {
  const made = newDirectory(t);
  const staff = makeCertificate({ directory: made, base: 'staff' });
  const client = (base: string, ...names: string[]) =>
    makeCertificate({ directory: made, base, names: names.length > 0 ? names : [`DNS:${base}`], issuer: staff });
  const { holdfast, url, server } = await start(t, (directory) => {
    writeFileSync(join(directory, 'clients.pem'), staff.cert);
    const keys = [
      '- id: billing\n  client_cert: true\n  channels: [room]\n',
      '- id: shop\n  client_cert: [spiffe://example/shop]\n  channels: [other]\n',
      '- id: ops\n  key: a-key-of-operators-0123\n  allow: [view]\n',
    ];
    writeFileSync(join(directory, 'keys.yaml'), keys.join(''), { mode: 0o600 });
    return { push_in_client_ca: 'clients.pem', control_keys_file: 'keys.yaml' };
  });
  const billing = asClient(server, client('billing'));
  t.match(await publish(url, billing, 'x\n'), { status: 200 });
  t.match(await publish(url, asClient(server, client('web1', 'URI:spiffe://example/shop')), 'x\n'), { status: 403 });
  t.match(await publish(url, asClient(server, client('stranger')), 'x\n'), { status: 401 });
  const ops = { Authorization: 'Bearer a-key-of-operators-0123' };
  t.match(await publish(url, billing, 'x\n', ops), { status: 403 }, 'a key that is sent goes before the certificate');
  t.match(await publish(url, billing, 'x\n', { Authorization: 'Bearer wrong' }), { status: 401 });
  await t.rejects(publish(url, { ca: server.cert }, 'x\n', ops), 'a key does not replace the certificate here');
  await t.rejects(holdfast.publish(streamItem('room', 'x\n')), /401/, 'the plain port knows no certificates');
  t.equal(await holdfast.metric('holdfast_items_published_total'), 1);
});

t.test('a start without usable authorities is refused, by name', async (t) => {
  const directory = newDirectory(t);
  const port = await freePort();
  makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  writeFileSync(join(directory, 'empty.pem'), '');
  for (const [file, why] of [
    ['none.pem', /none\.pem.*ENOENT/],
    ['empty.pem', /empty\.pem.*no certificate/],
  ] as const) {
    const lines = [`push_in_https_port: ${port}`, `push_in_client_ca: ${file}`, 'tls_certs_dir: .', 'http_port: 0'];
    writeFileSync(join(directory, 'c.yaml'), `${lines.join('\n')}\npush_in_http_port: 0\nroutes: ["* test"]\n`);
    const child = runHoldfast(t, { directory, args: ['--config', 'c.yaml'] });
    t.not((await child.exited).code, 0);
    t.match(child.stdout + child.stderr, why);
  }
});
