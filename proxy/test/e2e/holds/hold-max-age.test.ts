/** `hold_max_age`: clients that are sent away by their age come back and lose nothing, on both edges and with workers. */
import { setTimeout as delay } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import WebSocket from 'ws';
import { ask } from '../../kit/clients/http-client.js';
import { connectTo } from '../../kit/clients/raw-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { NodeClient } from '../../sockjs/node-client.js';

const SUBSCRIBE = 'c:{"type":"subscribe","channel":"room"}';

/** A node whose holds and sessions become a second old. */
async function start(t: Test, settings: Readonly<Record<string, string | number | boolean>>): Promise<Holdfast> {
  const origin = await startOrigin(t, (request, response, seen) => {
    if (request.url === '/poll') response.writeHead(200, responseHold('poll')).end('nothing new\n');
    else if (request.url === '/stream') response.writeHead(200, streamHold('room')).end('opened\n');
    else if (request.method === 'GET')
      response.writeHead(200, streamHold('room', { 'Content-Type': 'text/event-stream' })).end('retry: 5\n\n');
    else
      request.on('end', () => {
        const isOpen = seen.body.startsWith('OPEN');
        const type = 'application/websocket-events';
        response.writeHead(200, { 'Content-Type': type, 'Sec-WebSocket-Extensions': 'grip' });
        response.end(isOpen ? `OPEN\r\nTEXT ${SUBSCRIBE.length.toString(16)}\r\n${SUBSCRIBE}\r\n` : '');
      });
  });
  const route = `*,resume,history,sockjs=/chat,sockjs_as_path=/room ${origin.target},over_http`;
  return startHoldfast(t, { routes: [route], settings: { ...settings, hold_max_age: '1s' } });
}

/** The events that a client as browsers have it gets. */
function listenToEvents(t: Test, url: string): string[] {
  const source = new EventSource(url);
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  return received;
}

/** The messages that a client gets which comes back with its last token, and the codes with which it is closed. */
function listenToMessages(t: Test, url: string): { received: string[]; codes: Set<number>; opened: () => boolean } {
  const received: string[] = [];
  const codes = new Set<number>();
  let token = '';
  let socket: WebSocket | undefined;
  let isOver = false;
  const connect = () => {
    if (isOver) return;
    socket = new WebSocket(`${url}?holdfast-resume=${token}`);
    socket.on('message', (data) => {
      const text = data.toString();
      if (!text.startsWith('{"holdfast-resume":')) received.push(text);
      else token = (JSON.parse(text) as { 'holdfast-resume': string | null })['holdfast-resume'] ?? 'lost';
    });
    socket.on('error', () => {});
    socket.on('close', (code) => {
      codes.add(code);
      setTimeout(connect, 5);
    });
  };
  connect();
  t.teardown(() => {
    isOver = true;
    socket?.terminate();
  });
  return { received, codes, opened: () => token !== '' };
}

for (const [edge, workers] of [
  ['node', 1],
  ['uws', 2],
] as const) {
  t.test(`${edge}, workers ${workers}: no item is lost, none comes twice`, async (t) => {
    const holdfast = await start(t, { edge, workers });
    const events = listenToEvents(t, `${holdfast.clients}/events`);
    const messages = listenToMessages(t, `${holdfast.clients.replace('http', 'ws')}/room`);
    const ended = (kind: string) => holdfast.metric(`holdfast_holds_ended_total{kind="${kind}",reason="aged"}`);
    const item = (text: string) => ({
      channel: 'room',
      formats: { 'http-stream': { content: `data: ${text}\n\n` }, 'ws-message': { content: text } },
    });
    await holdfast.holds('stream', 1);
    await until('the first token', messages.opened);
    // The first event has to be there, as this client takes no id from an event without data: until then it misses what comes while it
    // is between two connections, as it can be on a busy machine.
    let count = 0;
    while (events.length === 0) {
      await holdfast.publish(item(`${++count}`));
      for (let looks = 0; events.length === 0 && looks < 100; looks++) await delay(5);
    }
    const first = Number(events[0]);
    for (const enough = 2; (await ended('stream')) < enough || (await ended('ws')) < enough; ) {
      await holdfast.publish(item(`${++count}`), item(`${++count}`));
      // A hundred times a second is often enough to meet a client between two connections, which takes 5 ms at least.
      await delay(5);
    }
    const all = Array.from({ length: count }, (_, i) => `${i + 1}`);
    for (const received of [events, messages.received]) {
      await until(
        'all items',
        () => received.at(-1) === `${count}`,
        () => `${received === events ? 'events' : 'messages'}: ${received.length} of ${count}`,
      );
      t.strictSame(received, received === events ? all.slice(first - 1) : all);
    }
    t.strictSame([...messages.codes], [1012]);
    t.equal(await holdfast.metric('holdfast_replays_total{kind="stream",result="incomplete"}'), 0);
  });
}

for (const edge of ['node', 'uws']) {
  t.test(`${edge}, another node`, async (t) => {
    const holdfast = await start(t, { edge });

    t.test(`${edge}: answers are whole, and their connections close, for a balancer to choose again`, async (t) => {
      const [stream, poll] = [await connectTo(t, holdfast.clients), await connectTo(t, holdfast.clients)];
      const since = performance.now();
      stream.send('GET /stream HTTP/1.1', 'Host: a', '');
      poll.send('GET /poll HTTP/1.1', 'Host: a', '');
      await holdfast.publish(streamItem('room', 'item\n'));
      await poll.closed();
      await stream.closed();
      t.ok(performance.now() - since >= 890, 'not before');
      t.match(stream.text, /opened\n\r\n(5\r\nitem\n\r\n)?0(;a=": ")?\r\n\r\n$/);
      t.match(poll.text.toLowerCase(), /^http\/1\.1 200 .*\r\nconnection: close\r\n.*nothing new\n$/s);
      for (const kind of ['stream', 'response'])
        t.equal(await holdfast.metric(`holdfast_holds_ended_total{kind="${kind}",reason="aged"}`), 1);
      t.match(await ask(t, `${holdfast.clients}/poll`), { status: 200, text: 'nothing new\n' });
    });

    t.test(`${edge}: SockJS sessions are closed with 1012, by any transport`, async (t) => {
      const ends = (['websocket', 'xhr-streaming', 'xhr-polling'] as const).map(async (transport) => {
        const client = await NodeClient.open(t, `${holdfast.clients}/chat`, transport);
        t.match(await client.end(), /^1012 /, transport);
      });
      await Promise.all(ends);
      t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="aged"}'), 3);
    });
  });
}
