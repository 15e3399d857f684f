/**
 * Mistakes that are made with an origin: for each the log says, at warn and in both of its forms, what failed, where, why, and what to
 * do; clients are told no more than ever.
 */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocketServer } from 'ws';
import { makeCertificate } from '../../kit/certificates.js';
import { type Answer, open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, newDirectory, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

if (spawnSync('openssl', ['version']).status !== 0) {
  console.error('WARNING: openssl is not installed: mistakes with origins are not tested');
  t.plan(0, 'openssl is not installed');
  process.exit(0);
}

const directory = newDirectory(t);
const authority = makeCertificate({ directory, base: 'authority' });
const known = makeCertificate({ directory, base: 'known', names: ['DNS:origin.example'], issuer: authority });
const selfMade = makeCertificate({ directory, base: 'self-made', names: ['DNS:origin.example'] });
const FAILED = 'Error while proxying to origin.\n';

const origin = await startOrigin(t, (request, response) => {
  const { host } = request.headers;
  if (host === 'streem') response.writeHead(200, { 'Grip-Hold': 'streem', 'Grip-Channel': 'a' });
  else if (host === 'chanel') response.writeHead(200, { 'Grip-Hold': 'stream', 'Grip-Chanel': 'a' });
  else if (host === 'events') response.writeHead(200, streamHold('e', { 'Content-Type': 'text/event-stream' }));
  else if (host === 'filter') response.writeHead(200, streamHold('a; filter=nope'));
  else if (host === 'nope') response.writeHead(200, streamHold('a; filter=skip-sefl'));
  else if (host === 'format') {
    response.writeHead(200, { ...streamHold('a'), 'Grip-Keep-Alive': 'x; format=http-steam' });
  } else if (host === 'json') {
    response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
    response.end('{"hold": {"mode": "stream", "channels": [{"name": "a"},]}}');
    return;
  } else if (host === 'holds') {
    response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
    response.end('{"holds": {"mode": "stream", "channels": [{"name": "a"}]}}');
    return;
  } else if (host === 'large') {
    response.writeHead(200, { 'Content-Type': 'application/grip-instruct' });
    response.end(JSON.stringify({ response: { body: 'x'.repeat(200_000) } }));
    return;
  } else if (host === 'breaks') {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('half', () => response.destroy());
    return;
  } else if (host === 'silent') return;
  response.end('answered\n');
});
const encrypted = await startOrigin(t, (_, response) => response.end(), { tls: selfMade });
const misnamed = await startOrigin(t, (_, response) => response.end(), { tls: known });
const babbling = createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.6\r\n'));
await new Promise<void>((resolve) => babbling.listen(0, '127.0.0.1', resolve));
t.teardown(() => babbling.close());
const babblingTarget = `127.0.0.1:${(babbling.address() as { port: number }).port}`;

/** Speaks GRIP on WebSockets, and forgets the prefix of what is for the client; then says what is no control message. */
const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
sockets.on('headers', (headers) => headers.push('Sec-WebSocket-Extensions: grip'));
sockets.on('connection', (socket) => {
  socket.send('hello');
  socket.send('c:{"type": "subscrybe", "channel": "a"}');
  socket.send('c:{"type": "subscribe", "channel": "a", "filters": ["build_id"]}');
  socket.send('m:done');
});
t.teardown(() => sockets.close());
await new Promise<void>((resolve) => sockets.once('listening', resolve));
const socketTarget = `127.0.0.1:${(sockets.address() as { port: number }).port}`;

/** What is wrong, a routes line for the host of the first word, the client's status, and what the log has to say of it. */
const MISTAKES: readonly (readonly [host: string, target: string, status: number, said: RegExp])[] = [
  [
    'refused',
    '127.0.0.1:1',
    502,
    /cannot be asked: connection refused: is the origin running on 127\.0\.0\.1:1\? \(ECONNREFUSED\)/,
  ],
  [
    'unknown',
    'no-such-host.invalid:80',
    502,
    /its name (is unknown: is it spelled right|cannot be looked up now).* \((ENOTFOUND|EAI_AGAIN)\)/,
  ],
  [
    'untrusted',
    `${encrypted.target},ssl,host=origin.example`,
    502,
    /certificate is not trusted: .*NODE_EXTRA_CA_CERTS \(insecure on the target/,
  ],
  [
    'misnamed',
    `${misnamed.target},ssl,host=other.example`,
    502,
    /certificate is for other names: have host= .*trust_connect_host.*ALTNAME_INVALID/,
  ],
  [
    'plain',
    `${origin.target},ssl,host=a`,
    502,
    /does not speak TLS on 127\.0\.0\.1:\d+: remove ssl|does it speak TLS on 127/,
  ],
  [
    'encrypted',
    encrypted.target,
    502,
    /what it sent is not valid: .* or does the target need ssl\?|it closed the connection without an answer: .* needs ssl\?/,
  ],
  ['babbling', babblingTarget, 502, /what it sent is not valid: .*does it speak HTTP there/],
  ['silent', origin.target, 502, /it was silent for 1 s \(origin_timeout\)/],
  ['breaks', origin.target, 200, /answer broken off: it closed the connection before its answer was complete/],
  ['streem', origin.target, 502, /GRIP cannot be understood: Grip-Hold must be set to either 'response' or 'stream'/],
  ['chanel', origin.target, 200, /a field that means nothing: 'Grip-Chanel'; did you mean Grip-Channel\?/],
  ['chanel', origin.target, 200, /holds a client on no channel: without Grip-Channel/],
  ['nope', origin.target, 200, /a filter that means nothing: 'skip-sefl'; did you mean skip-self\?/],
  ['format', origin.target, 502, /no such Grip-Keep-Alive format 'http-steam'/],
  ['json', origin.target, 502, /GRIP cannot be understood: failed to parse application\/grip-instruct content as JSON/],
  ['holds', origin.target, 200, /a member of instruct that means nothing: 'holds'; did you mean hold\?/],
  ['filter', origin.target, 200, /a filter that means nothing: 'nope'; there are skip-self, skip-users, /],
  ['large', origin.target, 502, /instruct response too large from 127\.0\.0\.1:\d+: instruct_body_max says how long/],
];

const routes = [
  ...new Map(MISTAKES.map(([host, target]) => [host, `${host} ${target}`])).values(),
  `sockets,resume ${socketTarget}`,
  `events,history ${origin.target}`,
  `second 127.0.0.1:1 ${origin.target}`,
];

/** The lines at warn that a pattern is in, in either form. */
function warningsOf({ child }: Holdfast, said: RegExp): string[] {
  return child.stdout
    .split('\n')
    .filter((line) => /^\[WARN\]|"level":"warn"/.test(line) && said.test(line.replaceAll('\\"', '"')));
}

const warned = (holdfast: Holdfast, said: RegExp): Promise<string> =>
  until(
    `${said}`,
    () => warningsOf(holdfast, said)[0],
    () => holdfast.child.stdout,
  );

// The form of a line is the same whatever the edge.
for (const [edge, format] of [
  ['node', 'json'],
  ['uws', 'json'],
  ['uws', 'text'],
] as const) {
  t.test(`${edge}, ${format}: each mistake is named by the log, and by it alone`, async (t) => {
    const holdfast = await start(t, { edge, log_format: format });
    for (const [host, target, status, said] of MISTAKES) {
      const answer = await asking(t, holdfast, host);
      t.equal(answer.status, status, host);
      if (status === 502) t.equal(await answer.end().then(() => answer.text), FAILED, host);
      const line = await warned(holdfast, said);
      answer.drop();
      // Where: by the route, and by the target.
      const at = host === 'unknown' ? 'no-such-host.invalid:80' : target.split(',')[0];
      t.ok(line.includes(`${host},*,*,*`) && line.includes(`${at}`), `${host}: ${line}`);
    }
    for (const line of holdfast.child.stdout.split('\n').filter((text) => text !== '')) {
      t.match(line, format === 'json' ? /^\{"level":"(info|warn)",.*\}$/ : /^\[(INFO|WARN)\] /);
    }
  });
}

// Tests that share the node have routes of their own, as lines are counted for each.
for (const edge of ['node', 'uws'] as const) {
  const holdfast = await start(t, { edge });

  t.test(`${edge}: a session whose origin does not speak as it said`, async (t) => {
    const client = await openWs(t, wsUrl(holdfast.clients), { headers: { Host: 'sockets' } });
    t.equal(await client.text(), 'done');
    for (const said of [
      /message of the origin dropped: it begins with neither of its prefixes: 'm:' for the client, 'c:' for the proxy/,
      /control message of the origin ignored: .*'type' contains unknown value: subscrybe/,
      /a filter that means nothing: 'build_id'; did you mean build-id\?/,
    ]) {
      t.match(JSON.parse(await warned(holdfast, said)), { route: 'sockets,*,*,*', part: 'request' });
    }
  });

  t.test(`${edge}: a target that is passed over is named though the next one answers`, async (t) => {
    t.equal((await asking(t, holdfast, 'second')).status, 200);
    const line = await warned(holdfast, /"route":"second,.*origin cannot be asked: connection refused/);
    t.match(JSON.parse(line), { code: 'ERR_ORIGIN_CONNECT', cause: 'ECONNREFUSED', target: '127.0.0.1:1', id: /./ });
  });

  t.test(`${edge}: the same cause again is one line in a second, with how often it came`, async (t) => {
    // Of its own: the seconds begin with the first line about anything.
    const holdfast = await start(t, { edge });
    for (let i = 0; i < 30; i++) await asking(t, holdfast, 'refused');
    const again = () => holdfast.records().flatMap(({ again }) => (again === undefined ? [] : [Number(again)]));
    const sum = () => again().reduce((all, count) => all + count, 0);
    await until(
      'the rest',
      () => sum() === 29,
      () => holdfast.child.stdout,
    );
    const lines = warningsOf(holdfast, /connection refused/).map((line) => Date.parse(String(JSON.parse(line).time)));
    t.ok(lines.length >= 2);
    for (const [i, time] of lines.slice(1).entries()) t.ok(time - (lines[i] as number) > 900, `${lines}`);
  });

  t.test(`${edge}: a client that comes back with a token of another key`, async (t) => {
    // A signature of no key, a channel's tag, an offset, and an epoch with its length.
    const token = Buffer.concat([Buffer.alloc(26, 7), Buffer.from('\x05epoch')]).toString('base64url');
    const said =
      /^resume token ignored, so its client does not get what it missed: it was signed with another key: .*resume_key/;
    const told = () => holdfast.record('of the token', ({ level, msg }) => level === 'warn' && said.test(`${msg}`));
    const stream = await open(t, `${holdfast.clients}/`, { headers: { Host: 'events', 'Last-Event-ID': token } });
    t.equal(stream.status, 200);
    await told();
    const client = await openWs(t, wsUrl(holdfast.clients, '/?holdfast-resume=cut'), { headers: { Host: 'sockets' } });
    await client.text();
    await holdfast.record('of no token', ({ msg }) => /ignored, .*: it is no token of Holdfast/.test(`${msg}`));
  });

  t.test(`${edge}: what an origin says again is told once for its route`, async (t) => {
    for (let i = 0; i < 3; i++) (await asking(t, holdfast, 'nope')).drop();
    await warned(holdfast, /skip-sefl/);
    await holdfast.publish(streamItem('a', 'x'));
    t.equal(warningsOf(holdfast, /skip-sefl/).length, 1);
    t.notMatch(warningsOf(holdfast, /skip-sefl/).join(), /"again"/);
    t.same(
      holdfast.records().filter(({ route, again }) => route === 'nope,*,*,*' && again !== undefined),
      [],
    );
  });

  t.test(`${edge}: a published format that means nothing`, async (t) => {
    await holdfast.publish({ channel: 'a', formats: { 'http-steam': { content: 'x' } } });
    const line = await warned(
      holdfast,
      /published formats of no use: "http-steam"; known are http-response, http-stream/,
    );
    t.match(JSON.parse(line), { channel: 'a', part: 'publish' });
  });
}

function start(t: Test, settings: Readonly<Record<string, string>>): Promise<Holdfast> {
  return startHoldfast(t, {
    routes,
    settings: { origin_timeout: 1, ...settings },
    env: { NODE_EXTRA_CA_CERTS: authority.certFile },
  });
}

function asking(t: Test, { clients }: Holdfast, host: string): Promise<Answer> {
  return open(t, `${clients}/`, { headers: { Host: host } });
}
