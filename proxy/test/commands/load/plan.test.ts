import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSigKey, verifyGripSig } from '@holdfast/grip';
import t from 'tap';
import { MAX_CLIENTS, MAX_RATE, MAX_SIZE, outputOf, planOf } from '../../../dist/commands/load/plan.js';
import { parseCommandLine, parseLoadLine } from '../../../dist/config/command-line.js';

const NOW = Date.parse('2026-06-01T12:00:00Z');

function plan(...argv: string[]) {
  const line = parseLoadLine(argv, '1.2.3');
  if ('text' in line) throw new Error(line.text);
  return planOf(line.url as string, line.flags, NOW);
}

const url = 'http://127.0.0.1:7999/events';
const publish = ['--publish', 'http://127.0.0.1:5561/', '--channel', 'c'];

t.test('a URL is enough: a hundred event streams for a minute', async (t) => {
  t.match(plan(url), { clients: 100, ramp: 100, hold: 60_000, linger: 5_000, report: 'text', rules: [] });
  t.match(plan(url), { publish: undefined, startAt: undefined, target: { kind: 'sse', headers: [] } });
  t.equal(plan(url).target.own.count, 0);
});

t.test('every flag', async (t) => {
  const all = plan(
    ...[url, '--clients', '5000', '--ramp', '12000/m', '--kind', 'ws', '--hold', '10m', '--linger', '500ms'],
    ...['-H', 'Cookie: a=b', '--header', 'X-A:1', '--send', 'hello', '--local-address', '127.0.0.2, ::1'],
    ...[
      '--publish',
      'https://control:5561/realm',
      '--channel',
      'test',
      '--rate',
      '30/m',
      '--size',
      '1kB',
      '-B',
      'token',
    ],
    ...['--start-at', '2026-06-01T12:30:00Z', '--report', 'json', '--fail', 'p99>250ms', '--fail', 'lost>0'],
  );
  t.match(all, { clients: 5_000, ramp: 200, hold: 600_000, linger: 500, report: 'json' });
  t.match(all.target, {
    kind: 'ws',
    send: 'hello',
    headers: [
      ['Cookie', 'a=b'],
      ['X-A', '1'],
    ],
  });
  t.same(
    [0, 1, 2].map((client) => all.target.own.address(client).localAddress),
    ['127.0.0.2', '::1', '127.0.0.2'],
  );
  t.match(all.publish, { channel: 'test', rate: 0.5, size: 1_000 });
  t.match(all.publish?.control(), {
    url: { href: 'https://control:5561/realm/publish/' },
    authorization: 'Bearer token',
  });
  t.equal(all.startAt, NOW + 1_800_000);
  t.equal(plan(url, '--start-at', String(NOW / 1_000 + 5)).startAt, NOW + 5_000);
  t.same(
    all.rules.map(({ text }) => text),
    ['p99>250ms', 'lost>0'],
  );
});

t.test('the schemes of WebSockets are for WebSockets', async (t) => {
  t.equal(plan('wss://example.com/socket#x', '--kind', 'ws').target.url.href, 'https://example.com/socket');
  t.equal(plan('ws://example.com:1/', '--kind', 'ws').target.url.href, 'http://example.com:1/');
});

t.test('--key is that of a GRIP URL, itself or in a file', async (t) => {
  const file = join(t.testdir(), 'key');
  writeFileSync(file, 'secret\n');
  for (const key of ['secret', `@${file}`]) {
    const verifying = parseSigKey('secret', () => Buffer.alloc(0));
    const made = plan(url, '--publish', 'http://127.0.0.1:5561/?iss=me', '--channel', 'c', '--key', key);
    const { authorization = '' } = made.publish?.control() ?? {};
    t.ok(verifying && verifyGripSig(authorization.replace('Bearer ', ''), verifying, Date.now() / 1_000));
  }
});

t.test('what cannot be meant is refused in a line', async (t) => {
  const refused = (message: RegExp, ...argv: string[]) =>
    t.throws(() => plan(...argv), { code: 'ERR_LOAD_ARGUMENT', message }, argv.join(' '));
  refused(/^URL: expected a URL of http: or/, 'localhost:7999');
  refused(/^URL: expected/, 'ftp://a/');
  refused(/^URL: ws: is for --kind ws/, 'ws://a/');
  for (const clients of ['0', '1.5', 'many', String(MAX_CLIENTS + 1)])
    refused(/^--clients: /, url, '--clients', clients);
  for (const rate of ['0', '-1', '5/d', 'x', String(MAX_RATE + 1)]) {
    refused(/^--ramp: /, url, `--ramp=${rate}`);
    refused(/^--rate: /, url, ...publish, `--rate=${rate}`);
  }
  for (const size of ['0', String(MAX_SIZE + 1), 'big']) refused(/^--size: /, url, ...publish, '--size', size);
  for (const time of ['soon', '169h']) refused(/^--hold: /, url, '--hold', time);
  refused(/^--kind: expected one of sse, stream, ws, poll/, url, '--kind', 'xhr');
  refused(/^--report: /, url, '--report', 'xml');
  refused(/^--fail: /, url, '--fail', 'x');
  refused(/^--publish needs --channel/, url, '--publish', 'http://a/');
  refused(/^--publish: expected/, url, '--publish', 'tcp://a:1', '--channel', 'c');
  refused(/more items than can be counted/, url, ...publish, '--rate', String(MAX_RATE), '--hold', '12h');
  refused(/^--start-at: expected/, url, '--start-at', 'noon');
  refused(/^--start-at: .* is past/, url, '--start-at', '2026-06-01T11:58:59Z');
  refused(/^--header: /, url, '-H', 'no colon');
  refused(/^--header: /, url, '-H', 'a b: c');
  refused(/^--header: /, url, '-H', 'a: b\nc: d');
  refused(/takes one token/, url, '--kind', 'ws', '-H', 'Sec-WebSocket-Protocol: a, a');
  refused(/^--local-address: "lo" is no IP address/, url, '--local-address', 'lo');
  refused(/^--send is for --kind ws/, url, '--send', 'x');
  refused(/^--key: cannot read/, url, ...publish, '--key', '@/none/such');
  t.throws(() => plan(url, '--publish', 'http://far/', '--channel', 'c', '-B', 'x'), { message: /requires https/ });
});

t.test('--merge takes files, and needs no URL', async (t) => {
  const line = parseLoadLine(['--merge', 'a.json', 'b.json', '--report', 'html'], '1');
  t.match(line, { url: undefined, flags: { merge: ['a.json', 'b.json'], report: 'html' } });
  if ('flags' in line) t.match(outputOf(line.flags), { report: 'html', rules: [] });
});

t.test('--help shows every flag with what it is otherwise, and the help of the node names load', async (t) => {
  const help = parseLoadLine(['--help'], '1');
  t.match(help, { text: /^Usage: holdfast load \[options\] <url>\n/ });
  t.match(help, { text: /--clients <n> .*\(default: 100\)/ });
  t.match(parseLoadLine(['-V'], '1.2.3'), { text: 'holdfast 1.2.3\n' });
  t.throws(() => parseLoadLine(['--bogus', url], '1'), { message: /^unknown option '--bogus'/ });
  t.match(parseCommandLine(['--help'], { cwd: '/work', version: '1' }), { text: /^ {2}load .*put load on/m });
});
