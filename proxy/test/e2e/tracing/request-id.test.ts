/** The id of a request beyond this node: whose word counts, and where it shows: origin, client, log, and what follows the request. */
import { once } from 'node:events';
import t from 'tap';
import WebSocket from 'ws';
import { ask, open } from '../../kit/clients/http-client.js';
import { openWs } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { responseHold, type Seen, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { deadPort } from '../../kit/ports.js';

const MADE = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const EVENTS = { 'Content-Type': 'application/websocket-events', 'Sec-WebSocket-Extensions': 'grip' };

let polls = 0;
const origin = await startOrigin(t, (request, response, seen) => {
  const { url = '' } = request;
  if (url === '/own') response.writeHead(200, { 'X-Request-Id': 'of-the-origin' }).end('own');
  else if (url === '/poll' && ++polls === 1) response.writeHead(200, responseHold('poll; prev-id=1')).end();
  else if (url === '/stream') {
    const links = { 'Grip-Link': '</next>; rel=next, </gone>; rel=gone' };
    response.writeHead(200, streamHold('stream; prev-id=1', links)).end('one ');
  } else if (url === '/next') response.end('two');
  else if (url === '/ws') {
    request.on('end', () => response.writeHead(200, EVENTS).end(seen.body.startsWith('OPEN') ? 'OPEN\r\n' : ''));
  } else response.end('four');
});

const TRUSTED = { trusted_proxies: '127.0.0.1' };

const start = (settings: Readonly<Record<string, string | boolean>>, routes: readonly string[] = []) =>
  startHoldfast(t, {
    settings: { log_format: 'json', ...settings },
    routes: [...routes, `*,path_beg=/ws ${origin.target},over_http`, `* ${origin.target}`],
  });

/** Header fields that the origin has seen by the name of the last request. */
const idOf = (seen: Seen | undefined) => seen?.headers['x-request-id'];

const named = (id: string) => ({ headers: { 'X-Request-Id': id } });

async function asked(holdfast: Holdfast, path: string, headers: Readonly<Record<string, string | string[]>>) {
  const before = origin.seen.length;
  const answer = await ask(t, `${holdfast.clients}${path}`, { headers });
  return { answer, seen: origin.seen[before] };
}

const dead = `127.0.0.1:${await deadPort()}`;
const trusting = await start({ request_id_header: 'X-Request-Id', request_id_response: true, ...TRUSTED }, [
  `dead ${dead}`,
  `half ${dead} ${origin.target}`,
]);

t.test('by default nothing is made, and what a client sends passes as it is', async (t) => {
  const holdfast = await start(TRUSTED);
  const { answer, seen } = await asked(holdfast, '/', { 'X-Request-Id': 'a "b"' });
  t.equal(idOf(seen), 'a "b"');
  t.equal(answer.headers['x-request-id'], undefined);
  t.notOk(idOf((await asked(holdfast, '/', {})).seen));
  const own = await asked(holdfast, '/own', {});
  t.equal(own.answer.headers['x-request-id'], 'of-the-origin');
  t.notMatch(holdfast.child.stdout, /request_id/);
});

t.test(
  'the id of a client is replaced; the origin has one field of the name, and the answer is left as it is',
  async (t) => {
    const holdfast = await start({ request_id_header: 'X-Request-Id' });
    const { answer, seen } = await asked(holdfast, '/own', { 'X-Request-Id': 'forged', X_Request_Id: 'forged too' });
    const id = idOf(seen) as string;
    t.match(id, MADE);
    t.equal(seen?.headers.x_request_id, undefined);
    t.equal(answer.headers['x-request-id'], 'of-the-origin');
    await holdfast.record('of the request', (record) => record.request_id === id && record.status === 200);
  },
);

t.test('of a trusted proxy the id is taken over, unless it is long, unsafe or one of two', async (t) => {
  const holdfast = trusting;
  const good = ['7', 'Root=1-67891233-abcdef012345678912345678;Self=1', `a${'.'.repeat(127)}`];
  for (const id of good) {
    const { answer, seen } = await asked(holdfast, '/own', { 'x-request-ID': id });
    t.equal(idOf(seen), id);
    t.strictSame(
      answer.rawHeaders.filter((_, i, all) => all[i - 1]?.toLowerCase() === 'x-request-id'),
      [id],
      'once in the answer, in place of what the origin says',
    );
  }
  const bad = ['', ' ', 'a b', 'a"b', "a'b", 'a,b', 'a\\b', 'a\tb', '\u00e9', `a${'.'.repeat(128)}`, ['1', '2']];
  for (const id of bad) {
    const { answer, seen } = await asked(holdfast, '/', { 'X-Request-Id': id });
    t.match(idOf(seen), MADE, JSON.stringify(id));
    t.equal(answer.headers['x-request-id'], idOf(seen));
  }
});

t.test('failures have it in their answer and in the log, each attempt at a target included', async (t) => {
  const holdfast = trusting;
  const failed = await ask(t, holdfast.clients, { headers: { Host: 'dead', ...named('f-1').headers } });
  t.match(failed, { status: 502, headers: { 'x-request-id': 'f-1' } });
  await holdfast.record('of the failure', ({ level, request_id }) => level === 'warn' && request_id === 'f-1');
  await holdfast.record('of the request', ({ status, request_id }) => status === 502 && request_id === 'f-1');
  const before = origin.seen.length;
  await ask(t, holdfast.clients, { headers: { Host: 'half', ...named('f-2').headers } });
  t.equal(idOf(origin.seen[before]), 'f-2');
});

t.test('what follows a request has its id: asking again, links, and the requests of a session over HTTP', async (t) => {
  const holdfast = trusting;
  const { clients } = holdfast;
  const seen = (url: string) => origin.seen.filter((entry) => entry.url === url).map(idOf);

  const poll = open(t, `${clients}/poll`, named('poll-1'));
  await holdfast.holds('response', 1);
  await holdfast.publish({ channel: 'poll', id: '9', 'prev-id': '8', formats: { 'http-response': { body: 'x' } } });
  await (await poll).end();
  t.strictSame(seen('/poll'), ['poll-1', 'poll-1']);

  const stream = await open(t, `${clients}/stream`, named('stream-1'));
  await stream.until('one ');
  await holdfast.publish({ channel: 'stream', formats: { 'http-stream': { action: 'hint' } } });
  t.equal(await stream.end(), 'complete');
  t.strictSame(seen('/next'), ['stream-1']);
  await holdfast.record('of the end', ({ kind, request_id }) => kind === 'stream' && request_id === 'stream-1');

  const ws = await openWs(t, `${clients.replace('http', 'ws')}/ws`, named('ws-1'));
  ws.send('hello');
  await ws.close(1000);
  const other = new WebSocket(`${clients.replace('http', 'ws')}/ws`, named('ws-2'));
  t.teardown(() => other.terminate());
  const [{ headers }] = await once(other, 'upgrade');
  t.equal(headers['x-request-id'], 'ws-2', 'the 101 has it');
  await holdfast.record('of the end', ({ kind, request_id }) => kind === 'ws' && request_id === 'ws-1');
  t.ok(seen('/ws').length >= 2);
  t.strictSame(new Set(seen('/ws')), new Set(['ws-1', 'ws-2']));
});
