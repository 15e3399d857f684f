/** Server names of TLS clients, which may be anything: the process lives, and says nothing on its own outputs but its log. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import t from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { commandFile, startChild } from '../../kit/child.js';
import { type Holdfast, newDirectory, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

/** A line of the log in its JSON form. */
const LINE = /^\{.*\}$/;

/** Lines of a text that no log has written. */
const foreign = (text: string) => text.split('\n').filter((line) => line !== '' && !LINE.test(line));

/** The status of an answer over TLS, to a client that names this server; 0 when the handshake fails. */
function ask(port: number, servername: string): Promise<number> {
  const options: ConnectionOptions = { host: '127.0.0.1', port, servername, rejectUnauthorized: false };
  return new Promise((resolve) => {
    const socket = connect(options, () => socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'));
    socket.on('data', (bytes: Buffer) => resolve(Number(bytes.toString('latin1').slice(9, 12))));
    socket.on('error', () => resolve(0)).on('close', () => resolve(0));
  });
}

/** A directory of certificates: for two names, one of them a wildcard, and for everybody else. */
function certificates(directory: string, port: number): string {
  for (const base of ['a.example', '_.b.example', `default_${port}`]) {
    makeCertificate({ directory, base, names: ['DNS:a.example'] });
  }
  return directory;
}

async function askAll(port: number): Promise<number[]> {
  const names = ['a.example', 'A.example', 'x.b.example', 'y.b.example', 'unknown.example'];
  names.push(
    'x'.repeat(255),
    `${'x'.repeat(63)}.`.repeat(4),
    '..',
    'a/b',
    '../a.example',
    '_.b.example',
    `default_${port}`,
  );
  for (let i = 0; i < 100; i++) names.push(`n${i}.example`);
  const statuses = new Set<number>();
  for (const name of names) statuses.add(await ask(port, name));
  return [...statuses];
}

for (const [edge, workers] of [
  ['node', 1],
  ['uws', 1],
  ['uws', 2],
] as const) {
  t.test(
    `${edge}, ${workers} processes: names of any kind are served, and standard output is the log's alone`,
    async (t) => {
      const port = await freePort();
      const directory = newDirectory(t);
      const holdfast: Holdfast = await startHoldfast(t, {
        routes: ['* test'],
        settings: { edge, workers, https_ports: `127.0.0.1:${port}`, tls_certs_dir: certificates(directory, port) },
      });
      t.strictSame(await askAll(port), [200]);
      t.equal((await fetch(`${holdfast.url('admin')}/livez`)).status, 200);
      t.strictSame(await holdfast.child.stop(), { code: 0, signal: null });
      t.strictSame(foreign(holdfast.child.stdout), []);
      t.match(holdfast.child.stdout, /"msg":"stopped"\}\n$/);
      t.equal(holdfast.child.stderr, '');
    },
  );
}

for (const [how, redirection] of [
  ['a file that is written at its end', '>> out 2> err'],
  ['one file for both outputs', '> out 2>&1'],
] as const) {
  t.test(`uws: the log is on standard output all the same where that is ${how}`, async (t) => {
    const port = await freePort();
    const directory = newDirectory(t);
    certificates(directory, port);
    const flags = ['--edge', 'uws', '--https-ports', `127.0.0.1:${port}`, '--tls-certs-dir', directory];
    flags.push('--http-port', '127.0.0.1:0', '--push-in-http-port', '0', '--route', '* test');
    const command = `exec "$0" "$@" ${redirection}`;
    const program = [process.execPath, commandFile('holdfast'), ...flags];
    const child = startChild(t, { command: 'sh', args: ['-c', command, ...program], cwd: directory });
    const out = () => readFileSync(join(directory, 'out'), 'utf8');
    closeSync(openSync(join(directory, 'out'), 'a'));
    await until('start', () => / started(?:"\})?\n/.test(out()), out);
    t.strictSame(await askAll(port), [200]);
    await child.stop();
    t.strictSame(foreign(out()), []);
    t.match(out(), /"msg":"stopped"\}\n$/);
  });
}
