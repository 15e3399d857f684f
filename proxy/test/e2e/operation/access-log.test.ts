/** The lines that tell what became of each request and each hold, in their JSON form. */
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { type LogRecord, responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';

const origin = await ScriptedOrigin.start(t);
const holdfast = await startHoldfast(t, {
  settings: { client_half_close_grace: 0, log_from: true, log_user_agent: true },
  routes: [`127.0.0.1,id=main ${origin.target}`, 'dead 127.0.0.1:1 127.0.0.1:2', `plain ${origin.target}`],
});
const { clients } = holdfast;
const { host } = new URL(clients);

/** The lines about requests for a path; those about the ends of holds have a `reason`. */
const linesOf = (path: string): readonly LogRecord[] =>
  holdfast.records().filter(({ part, url }) => part === 'proxy' && url === `http://${host}${path}`);
const endOf = (id: unknown) =>
  holdfast.record(`of the end of ${id}`, (record) => record.id === id && record.reason !== undefined);

t.test('a request that is relayed: one line, with all there is to know', async (t) => {
  const path = `${origin.script({ status: 201, body: 'twelve bytes' })}`;
  await ask(t, `${clients}${path}`, { method: 'POST', body: 'x', headers: { 'User-Agent': 'tester/1' } });
  const line = await holdfast.record('of the request', ({ url }) => url === `http://${host}${path}`);
  t.match(line, { level: 'info', part: 'proxy', method: 'POST', target: origin.target, status: 201, bytes: 12 });
  t.match(line, { route: 'main', from: '127.0.0.1', ua: 'tester/1', id: /^\S+$/, duration: Number });
  t.strictSame([line.hold, line.error, line.retry], [undefined, undefined, undefined]);
  t.equal(linesOf(path).length, 1);
});

t.test('a stream: one line when it is held, one when it ends, with the same id', async (t) => {
  const path = origin.script({ headers: streamHold('a, b'), body: 'open' });
  const stream = await open(t, `${clients}${path}`);
  const line = await holdfast.record('of the request', ({ url }) => url === `http://${host}${path}`);
  t.match(line, { hold: 'stream', status: 200, target: origin.target, method: 'GET' });
  await holdfast.publish(streamItem('a', '12345'), streamItem('b', '678'));
  await stream.until('open12345678');
  await holdfast.publish({ channel: 'a', formats: { 'http-stream': { action: 'close' } } });
  const end = await endOf(line.id);
  t.match(end, { kind: 'stream', reason: 'closed', items: 2, dropped: 0, bytes: 12, channels: 2, duration: Number });
  t.equal(holdfast.records().filter(({ id }) => id === line.id).length, 2);
});

t.test('a long poll that is asked again: a line for each time, and each end with its reason', async (t) => {
  const path = origin.script({ headers: responseHold('poll') });
  const polling = ask(t, `${clients}${path}`);
  await holdfast.holds('response', 1);
  await holdfast.publish({ channel: 'poll', formats: { 'http-response': { action: 'hint' } } });
  await holdfast.record('of the retry', ({ url, retry }) => url === `http://${host}${path}` && retry === true);
  await holdfast.publish(responseItem('poll', 'answer'));
  await polling;
  const [first, second] = linesOf(path);
  t.match([first, second], [{ hold: 'response' }, { hold: 'response', retry: true, id: first?.id }]);
  await holdfast.record('of the end', ({ id, reason }) => id === first?.id && reason === 'answered');
  const ends = holdfast.records().filter(({ id, reason }) => id === first?.id && reason !== undefined);
  t.match(ends, [
    { kind: 'response', reason: 'retried', items: 0 },
    { kind: 'response', reason: 'answered', items: 1, bytes: 6 },
  ]);
});

t.test('a client that goes away: from a hold, and from a request under way', async (t) => {
  const stream = await open(t, `${clients}${origin.script({ headers: streamHold('gone') })}`);
  await holdfast.holds('stream', 1);
  stream.drop();
  const gone = await holdfast.record('of the end', ({ reason }) => reason === 'client-gone');
  t.match(gone, { kind: 'stream', items: 0 });

  const path = origin.script({ body: () => {} });
  const wire = await connectTo(t, clients);
  wire.send(`GET ${path} HTTP/1.1`, `Host: ${host}`, '');
  await origin.requests(path, 1);
  wire.socket.destroy();
  const line = await holdfast.record('of the request', ({ url }) => url === `http://${host}${path}`);
  t.match(line, { status: 0, error: 'ERR_REQUEST_CLIENT_GONE', bytes: 0 });
});

t.test('a request that fails: the status that the client saw, and the code of the error', async (t) => {
  const cases = [
    ['dead', '/', { status: 502, error: 'ERR_ORIGIN_CONNECT', target: '127.0.0.1:2' }],
    ['nowhere', '/', { status: 502, error: 'ERR_REQUEST_NO_ROUTE', target: '-' }],
    ['plain', origin.script({ headers: { 'Grip-Hold': 'x' } }), { status: 502, error: 'ERR_GRIP_INSTRUCT' }],
  ] as const;
  for (const [name, path, expected] of cases) {
    await ask(t, `${clients}${path}`, { headers: { Host: name } });
    const line = await holdfast.record(`of ${name}`, ({ url }) => url === `http://${name}${path}`);
    t.match(line, expected, name);
  }
});

t.test('an answer that the origin breaks off', async (t) => {
  const path = origin.script({
    body: (response) => {
      response.write('beginning', () => response.destroy());
    },
  });
  const answer = await open(t, `${clients}${path}`);
  t.equal(await answer.end(), 'broken');
  const line = await holdfast.record('of the request', ({ url }) => url === `http://${host}${path}`);
  t.match(line, { status: 200, error: 'ERR_ORIGIN_CLOSED', bytes: 9 });
});

t.test('every request has an id of its own', async (t) => {
  const ids = holdfast.records().flatMap(({ id, url, retry }) => (url === undefined || retry ? [] : [String(id)]));
  t.ok(ids.length >= 8 && new Set(ids).size === ids.length, ids.join(' '));
});
