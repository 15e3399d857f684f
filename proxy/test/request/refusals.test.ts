/** Which requests are refused before an origin is asked, or after, and with what. */
import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import { posesAsEvents } from '../../dist/request/request-handler.js';
import { head } from '../kit/clients/raw-client.js';
import { RawOrigin } from '../kit/origins/raw-origin.js';
import { deadPort } from '../kit/ports.js';
import { startRelay } from './fixture.js';

/** The answer of a proxy to one GET, as status, type and text. */
async function answerOf(t: Test, routes: readonly string[], debug = false, host = 'a.example'): Promise<unknown[]> {
  const proxy = await startRelay(t, routes, { debug, origin_timeout: '50ms' });
  const client = await proxy.send(head('GET', '/', [`Host: ${host}`]));
  const answer = await client.answer();
  const { error } = await proxy.end(1);
  return [answer.status, answer.header('content-type'), answer.body.toString(), error];
}

t.test('a host without a route is answered 502, and the text names it', async (t) => {
  const routes = ['a.example 127.0.0.1:1'];
  const text = (name: string) => [502, 'text/plain', `No route for host: ${name}\n`, 'ERR_REQUEST_NO_ROUTE'];
  t.strictSame(await answerOf(t, routes, false, 'B.example:81'), text('b.example'));
  t.strictSame(await answerOf(t, routes, false, '[::1]:81'), text('::1'));
  t.strictSame(await answerOf(t, routes, true, 'b.example'), text('b.example'), 'debugging or not');
});

const FAILED = 'Error while proxying to origin.\n';

t.test('when no target can be reached, only those who debug are told which were tried', async (t) => {
  const [a, b] = [await deadPort(), await deadPort()];
  const tried = `Unable to connect to any targets. Tried: 127.0.0.1:${a}, localhost:${b}\n`;
  const targets = `127.0.0.1:${a} localhost:${b}`;
  t.strictSame(await answerOf(t, [`* ${targets}`]), [502, 'text/plain', FAILED, 'ERR_ORIGIN_CONNECT']);
  t.strictSame(await answerOf(t, [`* ${targets}`], true), [502, 'text/plain', tried, 'ERR_ORIGIN_CONNECT']);
  t.strictSame(await answerOf(t, [`*,debug ${targets}`]), [502, 'text/plain', tried, 'ERR_ORIGIN_CONNECT']);
});

t.test('an untrusted target with a private address is answered 502', async (t) => {
  const routes = ['* 127.0.0.1:1,untrusted'];
  t.strictSame(await answerOf(t, routes), [502, 'text/plain', FAILED, 'ERR_ORIGIN_BLOCKED']);
  const debugged = [502, 'text/plain', 'Error: Origin host/IP blocked.\n', 'ERR_ORIGIN_BLOCKED'];
  t.strictSame(await answerOf(t, routes, true), debugged);
});

t.test('a target whose client certificate cannot be read is answered 502', async (t) => {
  const routes = ['* 127.0.0.1:1,ssl,client_cert=/nonexistent.crt,client_key=/nonexistent.key'];
  t.strictSame(await answerOf(t, routes), [502, 'text/plain', FAILED, 'ERR_ORIGIN_CONNECT']);
});

const failures: readonly (readonly [string, (socket: Socket) => void, string])[] = [
  ['hangs up', (socket) => socket.end(), 'ERR_ORIGIN_CLOSED'],
  ['does not speak HTTP', (socket) => socket.end('nonsense\r\n\r\n'), 'ERR_ORIGIN_MALFORMED'],
  ['says nothing', () => {}, 'ERR_ORIGIN_TIMEOUT'],
];

for (const [what, answer, code] of failures) {
  t.test(`an origin that ${what} is answered 502, with the code and the cause for those who debug`, async (t) => {
    const origin = await RawOrigin.open(t, ({ socket }) => answer(socket));
    t.strictSame(await answerOf(t, [`* 127.0.0.1:${origin.port}`]), [502, 'text/plain', FAILED, code]);
    const [status, , text] = await answerOf(t, [`* 127.0.0.1:${origin.port}`], true);
    t.equal(status, 502);
    t.match(String(text), new RegExp(`^Error while proxying to origin\\. ${code}: .+\\n$`));
  });
}

t.test('the connection of a client goes on after a 502', async (t) => {
  const proxy = await startRelay(t, ['a.example 127.0.0.1:1', 'test.example test']);
  const client = await proxy.send(head('GET', '/', ['Host: b.example']));
  t.equal((await client.answer()).status, 502);
  void client.write(head('GET', '/', ['Host: test.example']));
  t.equal((await client.answer()).status, 200);
});

t.test('Pushpin-Check is answered by the proxy itself, whatever the route', async (t) => {
  const proxy = await startRelay(t, []);
  const client = await proxy.send(head('GET', '/', ['Pushpin-Check: 1']));
  const answer = await client.answer();
  t.equal(answer.status, 200);
  t.match(answer.body.toString(), /^Holdfast\b/);
});

t.test('a client may not post WebSocket events to an over_http route itself', async (t) => {
  const origin = await RawOrigin.open(t, () => {});
  const proxy = await startRelay(t, [`* 127.0.0.1:${origin.port},over_http`]);
  const lines = ['Content-Type: Application/Websocket-Events; x=1', 'Content-Length: 0'];
  const client = await proxy.send(head('POST', '/', lines));
  const answer = await client.answer();
  t.strictSame(
    [answer.status, answer.body.toString()],
    [403, 'Client not allowed to send WebSocket events directly.\n'],
  );
  t.equal(origin.requests.length, 0);
});

/** Which requests an origin could take for those of a proxy that carries WebSockets over HTTP. */
const EVENTS = 'application/websocket-events';
/** A header value as it arrives: one character for each byte. */
const wire = (text: string) => Buffer.from(text).toString('latin1');

const posing: readonly (readonly [what: string, headers: readonly string[]])[] = [
  ['as it is', ['Content-Type', EVENTS]],
  ['in any case', ['CONTENT-TYPE', 'Application/WebSocket-Events']],
  ['with parameters', ['content-type', `${EVENTS}; charset=utf-8`]],
  ['with a parameter that is none', ['content-type', `${EVENTS};`]],
  ['with white space', ['content-type', `\t ${EVENTS} \t`]],
  ['with white space around the slash', ['content-type', 'application / websocket-events']],
  ['in the second field', ['Content-Type', 'text/plain', 'Content-Type', EVENTS]],
  ['in the first field', ['Content-Type', EVENTS, 'Content-Type', 'text/plain']],
  ['in the last of many', ['A', 'b', 'content-type', 'a/b', 'Content-type', 'c/d', 'CONTENT-type', EVENTS]],
  ['in a list', ['Content-Type', `text/plain, ${EVENTS}`]],
  ['at the beginning of a list', ['Content-Type', `${EVENTS},text/plain`]],
  ['in a parameter', ['Content-Type', `text/plain; x=${EVENTS}`]],
  ['in quotes', ['Content-Type', `"${EVENTS}"`]],
  ['beside bytes that parsers drop', ['Content-Type', `${EVENTS}\u00a0`]],
  ['beside a byte order mark', ['Content-Type', wire(`\ufeff${EVENTS}`)]],
  ['with bytes that parsers drop within', ['Content-Type', 'application/web\u0085socket-events']],
  ['with letters that fold to others', ['Content-Type', wire('application/webſocKet-eventſ'.replace('K', 'K'))]],
  ['in wide letters', ['Content-Type', wire('ａpplication／websocket－events')]],
  ['in Accept, which is enough for some libraries', ['Accept', EVENTS]],
  ['in a list of Accept', ['accept', `*/*;q=0.1, ${EVENTS};q=0.9`]],
  ['in a second Accept', ['Accept', '*/*', 'Accept', EVENTS]],
  ['as a proxy of XMPP stanzas', ['Content-Type', 'application/xmpp-stanza+xml; charset=utf-8']],
  ['as such a proxy, in Accept', ['accept', '*/*, Application / XMPP-Stanza+xml']],
];

for (const [what, headers] of posing)
  t.test(`poses: ${what}`, async (t) => {
    t.equal(posesAsEvents(headers), true);
  });

const others: readonly (readonly [what: string, headers: readonly string[]])[] = [
  ['none of the fields', ['X-Type', EVENTS, 'Cookie', EVENTS, 'Referrer-Ty', EVENTS]],
  ['another type', ['Content-Type', 'application/json', 'Accept', 'text/event-stream, */*']],
  ['events of another type', ['Content-Type', 'application/events', 'Accept', 'application/websocket']],
  ['bytes above 127', ['Content-Type', wire('application/x; name="zoë"')]],
];

for (const [what, headers] of others)
  t.test(`does not: ${what}`, async (t) => {
    t.equal(posesAsEvents(headers), false);
  });
