/** TLS sessions of clients that come back: to another node, another worker, after a restart, and after the key was replaced. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { type Holdfast, newDirectory, runHoldfast, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: session tickets are not tested');
  t.plan(0, { skip: 'openssl is not installed' } as never);
  process.exit(0);
}

const [FIRST, SECOND] = ['1'.repeat(64), '2'.repeat(64)];

/** A node whose directory has `tickets.key`. */
async function start(t: Test, secret: string, settings: Readonly<Record<string, string | number>>) {
  const directory = newDirectory(t);
  const port = await freePort();
  makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  const file = join(directory, 'tickets.key');
  writeFileSync(file, `${secret}\n`, { mode: 0o600 });
  const origin = await startOrigin(t, (_, response) => response.end('from the origin\n'));
  const holdfast = await startHoldfast(t, {
    directory,
    settings: { log_format: 'json', https_ports: `127.0.0.1:${port}`, tls_certs_dir: directory, ...settings },
    routes: [`* ${origin.target}`],
  });
  return { port, file, holdfast };
}

/** One request on a connection of its own; the session is the newest that came with the answer. */
function visit(port: number, session?: Buffer): Promise<{ readonly isReused: boolean; readonly session: Buffer }> {
  return new Promise((resolve, reject) => {
    const about = { port, host: '127.0.0.1', rejectUnauthorized: false };
    const socket = connect(session === undefined ? about : { ...about, session });
    let newest = session;
    socket.on('session', (given) => {
      newest = given;
    });
    socket.on('error', reject).on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n'));
    socket.once('data', (answer) => {
      const isReused = socket.isSessionReused();
      socket.destroy();
      if (newest === undefined || !answer.toString().startsWith('HTTP/1.1 200')) reject(new Error('no session came'));
      else resolve({ isReused, session: newest });
    });
  });
}

const says = (holdfast: Holdfast, text: RegExp) =>
  until(
    `${text} in the log`,
    () => text.test(holdfast.child.stdout),
    () => holdfast.child.stdout,
  );

t.test('nodes with the same file resume each other’s sessions, before and after it is replaced', async (t) => {
  const settings = { tls_ticket_key_file: 'tickets.key' };
  const [one, two, other] = await Promise.all([
    start(t, FIRST, settings),
    start(t, FIRST, settings),
    start(t, SECOND, settings),
  ]);
  const { session } = await visit(one.port);
  t.ok((await visit(two.port, session)).isReused);
  t.notOk((await visit(other.port, session)).isReused, 'not by another key');

  writeFileSync(one.file, `${SECOND}\n`);
  one.holdfast.child.signal('SIGHUP');
  await says(one.holdfast, /key of session tickets replaced/);
  t.ok((await visit(one.port, session)).isReused, 'the key before counts still');
  const fresh = await visit(one.port);
  t.ok((await visit(other.port, fresh.session)).isReused, 'new tickets are of the new one');

  writeFileSync(one.file, 'short\n');
  await says(one.holdfast, /it has 5 bytes, and a secret needs 32 at least .*keeping the key in force/);
  t.ok((await visit(one.port, fresh.session)).isReused, 'a bad file changes nothing');
  t.notMatch(one.holdfast.child.stdout, new RegExp(`${FIRST}|${SECOND}`), 'no secret is in the log');
});

t.test('workers resume each other’s sessions, without a file', async (t) => {
  const { port } = await start(t, FIRST, { workers: 2 });
  const { session } = await visit(port);
  for (let n = 0; n < 4; n++) t.ok((await visit(port, session)).isReused);
});

t.test('sessions are not resumed where clients are asked for certificates', async (t) => {
  const made = makeCertificate({ directory: newDirectory(t), base: 'staff' });
  const { port } = await start(t, FIRST, { tls_ticket_key_file: 'tickets.key', tls_client_ca: made.certFile });
  const { session } = await visit(port);
  t.notOk((await visit(port, session)).isReused);
});

t.test('a file that cannot be used keeps a node from starting, and says why', async (t) => {
  const directory = newDirectory(t);
  const port = await freePort();
  makeCertificate({ directory, base: `default_${port}`, names: ['IP:127.0.0.1'] });
  writeFileSync(join(directory, 'short'), 'secret\n');
  const cases = [
    [
      'short',
      ['check-config'],
      /cannot use tls_ticket_key_file .*short: it has 6 bytes, and a secret needs 32 at least/,
    ],
    ['missing', ['check-config'], /cannot use tls_ticket_key_file .*missing: ENOENT/],
    ['short', [], /cannot use tls_ticket_key_file .*short: it has 6 bytes/],
  ] as const;
  for (const [file, command, why] of cases) {
    const settings = { https_ports: `127.0.0.1:${port}`, tls_certs_dir: '.', push_in_http_port: 0 };
    const lines = Object.entries({ ...settings, tls_ticket_key_file: file }).map(
      ([key, value]) => `${key}: ${value}\n`,
    );
    writeFileSync(join(directory, 'c.yaml'), `${lines.join('')}routes: ["* test"]\n`);
    const child = runHoldfast(t, { directory, args: ['--config', 'c.yaml', ...command] });
    t.not((await child.exited).code, 0, `${file} ${command}`);
    t.match(child.stdout + child.stderr, why);
  }
});
