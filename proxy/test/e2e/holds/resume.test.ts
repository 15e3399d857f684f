/** Clients that lose their connection and come back: the real command, a real EventSource, a real WebSocket. */
import { EventSource } from 'eventsource';
import t from 'tap';
import WebSocket from 'ws';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { makeCuttable } from './cuttable.js';

const COUNT = 300;

t.test('an EventSource that is cut off again and again loses no event, and gets none twice', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, streamHold('events', { 'Content-Type': 'text/event-stream' }));
    response.end('retry: 5\n\n');
  });
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { history_replay: true, client_half_close_grace: 0 },
  });
  const wire = await makeCuttable(t, holdfast.clients);
  const source = new EventSource(`${wire.url}/events`);
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  await holdfast.holds('stream', 1);
  for (let i = 1; i <= COUNT; i++) {
    await holdfast.publish(streamItem('events', `data: ${i}\n\n`));
    // The first item has to be there: this client takes no id from an event without data.
    if (i === 1) await until('the first event', () => received.length === 1);
    if (i % 50 === 25) wire.cut();
  }
  await until(
    'all events',
    () => received.length >= COUNT,
    () => `${received.length} so far`,
  );
  t.strictSame(
    received,
    Array.from({ length: COUNT }, (_, i) => `${i + 1}`),
  );
  const requests = origin.seen.length;
  t.ok(requests > 3, `${requests} requests`);
  t.match(origin.seen.at(-1)?.headers['last-event-id'], /^[\w-]+$/);
  t.ok((await holdfast.metric('holdfast_items_replayed_total{kind="stream"}')) > 0);
  t.equal(await holdfast.metric('holdfast_replays_total{kind="stream",result="incomplete"}'), 0);
});

t.test('a WebSocket client of docs/history.md comes back and loses nothing', async (t) => {
  const origin = await startOrigin(t, (request, response, seen) => {
    request.on('end', () => {
      const isOpen = seen.body.startsWith('OPEN');
      response.writeHead(200, {
        'Content-Type': 'application/websocket-events',
        'Sec-WebSocket-Extensions': 'grip',
      });
      const subscribe = 'c:{"type":"subscribe","channel":"room"}';
      response.end(isOpen ? `OPEN\r\nTEXT ${subscribe.length.toString(16)}\r\n${subscribe}\r\n` : '');
    });
  });
  const holdfast = await startHoldfast(t, { routes: [`*,resume ${origin.target},over_http`] });
  const wire = await makeCuttable(t, holdfast.clients);
  const received: string[] = [];
  let token = '';
  let socket: WebSocket | undefined;
  const connect = () => {
    socket = new WebSocket(`${wire.url.replace('http', 'ws')}/room?holdfast-resume=${token}`);
    socket.on('message', (data) => {
      const text = data.toString();
      if (!text.startsWith('{"holdfast-resume":')) received.push(text);
      else token = (JSON.parse(text) as { 'holdfast-resume': string | null })['holdfast-resume'] ?? 'lost';
    });
    socket.on('error', () => {});
    socket.on('close', () => setTimeout(connect, 5));
  };
  connect();
  t.teardown(() => {
    socket?.removeAllListeners('close');
    socket?.terminate();
  });
  await until('the first token', () => token !== '');
  for (let i = 1; i <= COUNT; i++) {
    await holdfast.publish({ channel: 'room', formats: { 'ws-message': { content: `${i}` } } });
    if (i % 50 === 25) wire.cut();
  }
  await until(
    'all messages',
    () => received.length >= COUNT,
    () => `${received.length} so far`,
  );
  t.strictSame(
    received,
    Array.from({ length: COUNT }, (_, i) => `${i + 1}`),
  );
  t.notMatch(origin.seen[0]?.url, 'holdfast-resume');
  t.notMatch(holdfast.child.stdout, token, 'nor is a token in the log');
  t.ok((await holdfast.metric('holdfast_items_replayed_total{kind="ws"}')) > 0);
});
