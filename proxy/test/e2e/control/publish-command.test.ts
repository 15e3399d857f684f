/** `holdfast publish`, as a process: to a real control API, to a real PULL socket, and beside Debian's command. */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { startChild } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { debians, ours, publish, publishEach, startPublishFixture, withoutDebians } from './publish-fixture.js';

const done = { code: 0, stdout: 'Published\n', stderr: '' };
/** The same of a process that is given several lines. */
const doneEach = ({ length }: readonly unknown[]) => ({ ...done, stdout: done.stdout.repeat(length) });

const everything = {
  channel: 'c',
  formats: {
    'http-response': { code: 200, reason: 'OK', headers: [], body: 'x\n' },
    'http-stream': { content: 'x\n' },
    'ws-message': { type: 'text', content: 'x' },
  },
};

t.test('over HTTP: an item in all formats, Published, exit 0', async (t) => {
  const fixture = await startPublishFixture(t);
  t.same(await publish(t, ours, ['--spec', fixture.http, 'c', 'x']), done);
  t.same(await fixture.next(), everything);
});

t.test('what the receipt says that is worth a line is on standard error', async (t) => {
  const fixture = await startPublishFixture(t);
  const nobody = 'Note: the item reached nobody.\n';
  t.same(await publish(t, ours, ['--spec', fixture.http, 'nobody', 'x']), { ...done, stderr: nobody });
  const answers = [
    { items: [{ duplicate: true, warnings: ['unknown member "x" of the item', 5] }] },
    { items: [null] },
    { items: 'x' },
    {},
  ];
  const server = createServer((_request, response) => response.end(JSON.stringify(answers.shift())));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const spec = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { stdout, stderr } = await publish(t, ours, ['--spec', spec, 'c', 'x']);
  t.equal(stdout, 'Published\n');
  t.match(stderr, /^Note: .* a moment ago: the item\.\nWarning: unknown member "x" of the item\.\n$/);
  const thrice = Array(3).fill(['--spec', spec, 'c', 'x']);
  t.same(await publishEach(t, thrice), doneEach(thrice), 'of others nothing is believed');
});

t.test('several channels: one item goes to all of them, and each that nobody is on is named', async (t) => {
  const fixture = await startPublishFixture(t);
  const args = ['--channel', 'nobody', '--channel', 'none', 'c', 'x'];
  const stderr = 'Note: items[1], items[2] reached nobody.\n';
  t.same(await publish(t, ours, ['--spec', fixture.http, ...args]), { ...done, stderr });
  t.same(await publish(t, ours, ['--spec', fixture.zeromq, ...args]), done);
  t.same([await fixture.next(), await fixture.next()], [everything, everything]);
});

t.test('over ZeroMQ: the same item, and the process ends once it is written', async (t) => {
  const fixture = await startPublishFixture(t);
  t.same(await publish(t, ours, ['--spec', fixture.zeromq, 'c', 'x']), done);
  t.same(await fixture.next(), everything);
});

t.test('GRIP_URL is the default, with everything a GRIP URL has', async (t) => {
  const fixture = await startPublishFixture(t);
  t.same(await publish(t, ours, ['c', 'x'], { GRIP_URL: `${fixture.http}/?iss=me&key=k&verify-iss=y` }), done);
  t.same(await publish(t, ours, ['c', 'x'], { GRIP_URL: fixture.zeromq }), done);
  t.same([await fixture.next(), await fixture.next()], [everything, everything]);
});

t.test('what is sent: a POST of JSON, with the token', async (t) => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    seen.push([method, url, headers['content-type'], headers.authorization]);
    response.end('Published\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.same(await publish(t, ours, ['--spec', `${base}/base/`, '-B', 'token', 'c', 'x']), done);
  t.same(await publish(t, ours, ['--spec', base, '--user', 'u:p', 'c', 'x']), done);
  t.same(seen, [
    ['POST', '/base/publish/', 'application/json', 'Bearer token'],
    ['POST', '/publish/', 'application/json', 'Basic dTpw'],
  ]);
});

t.test('@file is the content of a file, byte for byte, and @- standard input', async (t) => {
  const fixture = await startPublishFixture(t);
  const file = join(newDirectory(t), 'content');
  writeFileSync(file, Buffer.from([0xff, 0, 10]));
  const ways = [fixture.http, fixture.zeromq].map((spec) => ['--spec', spec, 'c', `@${file}`]);
  t.same(await publishEach(t, ways), doneEach(ways));
  for (const _ of ways) {
    t.match(await fixture.next(), {
      formats: { 'http-stream': { 'content-bin': '/wAK' }, 'ws-message': { type: 'binary', 'content-bin': '/wAK' } },
    });
  }
  const script = `printf 'from input' | exec "$0" ${ours} --spec ${fixture.http} c @-`;
  const child = startChild(t, { command: 'sh', args: ['-c', script, process.execPath] });
  t.match(await child.exited, { code: 0 });
  t.match(await fixture.next(), { formats: { 'http-stream': { content: 'from input' } } });
});

t.test('what goes wrong is one line on standard error, and exit 1', async (t) => {
  const fixture = await startPublishFixture(t);
  const redirect = createServer((_request, response) => response.writeHead(301, { Location: '/' }).end());
  await new Promise<void>((resolve) => redirect.listen(0, '127.0.0.1', resolve));
  t.teardown(() => redirect.close());
  const moved = `http://127.0.0.1:${(redirect.address() as AddressInfo).port}`;
  const cases: readonly (readonly [args: readonly string[], line: RegExp])[] = [
    [['c'], /^must specify content$/],
    [[], /^missing required argument 'channel'$/],
    [['--bogus', 'c', 'x'], /^unknown option '--bogus'$/],
    [['--code', '100', 'c', 'x'], /^Invalid format: items\[0\]: 'http-response' contains 'code' with invalid value/],
    [['c', '@/does/not/exist'], /^can't read file \/does\/not\/exist: ENOENT$/],
    [
      ['--spec', 'http://127.0.0.1:1', 'c', 'x'],
      /^cannot publish to http:\/\/127\.0\.0\.1:1\/publish\/: ECONNREFUSED$/,
    ],
    [['--spec', `${fixture.http}/nowhere`, 'c', 'x'], /^Not Found$/],
    [['--spec', moved, 'c', 'x'], /answered 301$/],
    [['--spec', 'tcp://127.0.0.1', 'c', 'x'], /is not the spec of a ZeroMQ socket/],
    [['--spec', 'http://192.0.2.1', '-u', 'u:p', 'c', 'x'], /^Authentication requires https$/],
  ];
  const results = await Promise.all(cases.map(([args]) => publish(t, ours, ['--spec', fixture.http, ...args])));
  for (const [i, [args, line]] of cases.entries()) {
    const { code, stdout, stderr } = results[i] as (typeof results)[number];
    t.same({ code, stdout }, { code: 1, stdout: '' }, args.join(' '));
    t.match(stderr, /^Error: [^\n]+\n$/, args.join(' '));
    t.match(stderr.slice('Error: '.length).trimEnd(), line, args.join(' '));
  }
  t.same(fixture.items, [], 'and nothing is published');
});

t.test('--help on standard output, under the name it was called by', async (t) => {
  t.match(await publish(t, ours, ['--help']), {
    code: 0,
    stdout: /^Usage: pushpin-publish \[options\] <channel> \[content\]\n/,
  });
});

/** What both commands are given; the items must be equal. */
const lines: readonly (readonly string[])[] = [
  ['c', 'hello'],
  ['c', ''],
  ['c', 'two\nlines\n'],
  ['c', 'é ✓'],
  ['c', '--', '-x'],
  ['--no-eol', 'c', 'x'],
  ['--no-seq', 'c', 'x'],
  ['c', 'x', '--id', '2', '--prev-id', '1', '--sender', 'me'],
  ['c', 'x', '-M', 'a=b', '-M', 'c = d=e', '--sender', 'me'],
  ['c', 'x', '--sender', 'me', '--meta=sender=other'],
  ['c', 'x', '--code', '404', '-H', 'A: b', '-H', 'A:  c ', '--header=D:e'],
  ['--hint', 'c'],
  ['--hint', 'c', 'x'],
  ['--close', 'c'],
  ['--hint', '--close', 'c'],
  ['--patch', 'c', '[{"op":"replace","path":"/a","value":[1,null,true,"x",1.5]}]'],
];

for (const way of ['http', 'zeromq'] as const) {
  t.test(`beside Debian's pushpin-publish over ${way}: the same items`, { skip: withoutDebians }, async (t) => {
    const fixture = await startPublishFixture(t);
    const all = lines.map((line) => ['--spec', fixture[way], ...line]);
    const expected: unknown[] = [];
    for (const args of all) {
      t.match(await publish(t, debians, args), { code: 0, stdout: 'Published\n' }, `Debian's: ${args.join(' ')}`);
      expected.push(await fixture.next());
    }
    t.same(await publishEach(t, all), doneEach(all));
    const got: unknown[] = [];
    for (const _ of all) got.push(await fixture.next());
    for (const [i, line] of lines.entries()) {
      // By what it is: over ZeroMQ, where each has a connection of its own, one may overtake another.
      const at = got.findIndex((item) => isDeepStrictEqual(item, expected[i]));
      t.same(at < 0 ? got : got.splice(at, 1)[0], expected[i], line.join(' '));
    }
  });
}

t.test("Debian's pushpin-publish is told why an item is refused", { skip: withoutDebians }, async (t) => {
  const fixture = await startPublishFixture(t);
  const { code, stderr } = await publish(t, debians, ['--spec', fixture.http, '--code', '1', 'c', 'x']);
  t.equal(code, 1);
  t.match(stderr, /^Error: Invalid format: items\[0\]: 'http-response' contains 'code' with invalid value/);
});
