/** Holds and sessions that expire as their origins say, on both edges and with workers: who is asked, and what clients see. */
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { type Origin, responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { NodeClient } from '../../sockjs/node-client.js';

const MESSAGES = ['c:{"type":"subscribe","channel":"room"}', 'c:{"type":"expire","timeout":1}', 'm:opened'];
const EVENTS = MESSAGES.map((text) => `TEXT ${text.length.toString(16)}\r\n${text}\r\n`).join('');
const ONE = { 'Grip-Expires': '1' };
const DOCUMENT = { hold: { mode: 'stream', channels: [{ name: 'room' }], expires: 1 }, response: { body: 'opened\n' } };

/** A node whose holds and sessions last for a second, and its origin; by path and method what is held. */
async function start(t: Test, settings: Readonly<Record<string, string | number>>): Promise<[Holdfast, Origin, Times]> {
  const times: Times = new Map();
  const origin = await startOrigin(t, (request, response, seen) => {
    const path = request.url as string;
    const asked = [...(times.get(path) ?? []), performance.now()];
    times.set(path, asked);
    if (path === '/poll' && asked.length < 3) response.writeHead(200, responseHold('poll', ONE)).end('nothing new\n');
    else if (path === '/poll') response.end('enough\n');
    else if (path === '/stream') {
      // Both forms of one moment: the second that begins after the next one.
      const date = new Date((Math.floor(Date.now() / 1_000) + 2) * 1_000);
      response.writeHead(200, streamHold('room', { 'Grip-Expires': date.toUTCString(), 'X-Date': date.toISOString() }));
      response.end('opened\n');
    } else if (path === '/json') {
      response.writeHead(200, { 'Content-Type': 'application/grip-instruct' }).end(JSON.stringify(DOCUMENT));
    } else if (path === '/linked') {
      response.writeHead(200, streamHold('room', { ...ONE, 'Grip-Link': '</next>; rel=next; timeout=600' }));
      response.end('opened\n');
    } else if (path === '/next') response.end('no more\n');
    else if (request.method === 'GET')
      response.writeHead(200, streamHold('news', { 'Content-Type': 'text/event-stream', ...ONE })).end('retry: 5\n\n');
    else
      request.on('end', () => {
        const type = 'application/websocket-events';
        response.writeHead(200, { 'Content-Type': type, 'Sec-WebSocket-Extensions': 'grip' });
        response.end(seen.body.startsWith('OPEN') ? `OPEN\r\n${EVENTS}` : '');
      });
  });
  const route = `*,history,sockjs=/chat,sockjs_as_path=/room ${origin.target},over_http`;
  return [await startHoldfast(t, { routes: [route], settings }), origin, times];
}

/** When the origin was asked for each path. */
type Times = Map<string, readonly number[]>;

for (const [edge, workers] of [
  ['node', 1],
  ['uws', 1],
  ['node', 2],
] as const) {
  t.test(`${edge}, workers ${workers}`, { jobs: 6 }, async (t) => {
    const [holdfast, origin, times] = await start(t, { edge, workers });
    const ended = (kind: string, reason: string) =>
      holdfast.metric(`holdfast_holds_ended_total{kind="${kind}",reason="${reason}"}`);

    const poll = async (t: Test) => {
      t.match(await ask(t, `${holdfast.clients}/poll`), { status: 200, text: 'enough\n' });
      const [first = 0, second = 0, third = 0, ...more] = times.get('/poll') ?? [];
      t.strictSame(more, []);
      // Timers of two processes are compared, each of which may be a millisecond off.
      t.ok(second - first >= 998 && third - second >= 998, `${second - first}, ${third - second}`);
      t.equal(await ended('response', 'retried'), 2);
    };

    const streams = async (t: Test) => {
      const since = performance.now();
      const dated = await open(t, `${holdfast.clients}/stream`);
      const json = await open(t, `${holdfast.clients}/json`);
      await Promise.all([dated.until('opened\n'), json.until('opened\n')]);
      t.equal(await json.end(), 'complete');
      t.ok(performance.now() - since >= 998);
      t.equal(await dated.end(), 'complete');
      // Both clocks of the node are rounded.
      t.ok(Date.now() >= Date.parse(String(dated.headers['x-date'])) - 2, `${dated.headers['x-date']}`);
    };

    const linked = async (t: Test) => {
      const stream = await open(t, `${holdfast.clients}/linked`);
      await stream.until('opened\n');
      t.equal(times.get('/next'), undefined);
      t.equal(await stream.end(), 'complete');
      t.equal(stream.text, 'opened\nno more\n');
      const [asked = 0] = times.get('/linked') ?? [];
      const [next = 0, ...more] = times.get('/next') ?? [];
      t.strictSame(more, []);
      t.ok(next - asked >= 998, `${next - asked}`);
    };

    const events = async (t: Test) => {
      const received: string[] = [];
      const source = new EventSource(`${holdfast.clients}/events`);
      t.teardown(() => source.close());
      source.addEventListener('message', ({ data }) => received.push(String(data)));
      await until('the first event', async () => {
        if (received.length === 0) await holdfast.publish(streamItem('news', 'data: first\n\n'));
        return received.length > 0;
      });
      await until('two more requests', () => (times.get('/events')?.length ?? 0) >= 3);
      await holdfast.publish(streamItem('news', 'data: last\n\n'));
      await until('the last event', () => received.includes('last'));
      const ids = origin.seen.filter(({ url }) => url === '/events').map(({ headers }) => headers['last-event-id']);
      t.ok(
        ids.slice(1).every((id) => id !== undefined),
        'the client comes back with its id',
      );
      t.equal(new Set(received).size, 2);
      t.equal(received.filter((data) => data === 'last').length, 1);
    };

    const sessions = async (t: Test) => {
      const socket = new WebSocket(`${holdfast.clients.replace('http', 'ws')}/socket`);
      const since = performance.now();
      const closed = new Promise<string>((resolve) => {
        socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
      });
      await new Promise((resolve) => socket.once('message', resolve));
      const opening = origin.seen.find(({ url, body }) => url === '/socket' && body.startsWith('OPEN'));
      const view = await fetch(`${holdfast.control}/connections/${opening?.headers['connection-id']}`);
      const { expires, since: opened } = (await view.json()) as { expires: string; since: string };
      const span = Date.parse(expires) - Date.parse(opened);
      t.ok(span >= 999 && span < 10_000, `${opened} to ${expires}`);
      t.equal(await closed, '4401 expired');
      t.ok(performance.now() - since >= 998);
      await until('the CLOSE at the origin', () =>
        origin.seen.some(({ url, body }) => url === '/socket' && body.startsWith('CLOSE')),
      );
    };

    // The requests of one session by HTTP have to reach one worker.
    const transports =
      workers > 1 ? (['websocket'] as const) : (['websocket', 'xhr-streaming', 'xhr-polling'] as const);
    const sockjs = (t: Test) =>
      Promise.all(
        transports.map(async (transport) => {
          const client = await NodeClient.open(t, `${holdfast.clients}/chat`, transport);
          t.equal(await client.end(), '4401 expired', transport);
        }),
      );

    // All at the same time: they only wait.
    await Promise.all([
      t.test('a long poll: its origin is asked again each time, and answers in the end', poll),
      t.test('streams end whole, by seconds in JSON and by a date in a header', streams),
      t.test('a stream with a link asks it', linked),
      t.test('an EventSource comes back with its id, and gets each event once', events),
      t.test('a WebSocket is closed with 4401, shows its time in its view, and its origin hears of it', sessions),
      t.test('SockJS sessions are closed with 4401, by any transport', sockjs),
    ]);
    t.ok((await ended('stream', 'expired')) >= 3);
    t.equal(await ended('ws', 'expired'), 1 + transports.length);
  });
}
