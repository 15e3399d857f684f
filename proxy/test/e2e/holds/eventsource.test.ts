/** A server-sent events client as browsers have it, on a stream hold. */
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { type Origin, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

/** An origin whose streams ask the client to come back at once when they end. */
async function start(t: Test): Promise<{ origin: Origin; holdfast: Holdfast }> {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, streamHold('events', { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' }));
    response.end('retry: 10\nevent: hello\ndata: opened\n\n');
  });
  // Without grace for half-closed clients, one that leaves is noticed at once.
  const settings = { client_half_close_grace: 0 };
  return { origin, holdfast: await startHoldfast(t, { routes: [`* ${origin.target}`], settings }) };
}

interface Received {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

function listen(t: Test, url: string): { received: Received[]; source: EventSource } {
  const source = new EventSource(url);
  t.teardown(() => source.close());
  const received: Received[] = [];
  for (const type of ['hello', 'message', 'price']) {
    source.addEventListener(type, (event) => {
      received.push({ type, data: String(event.data), id: event.lastEventId });
    });
  }
  return { received, source };
}

t.test('published events arrive in order, with their type, id and lines', async (t) => {
  const { holdfast } = await start(t);
  const { received } = listen(t, `${holdfast.clients}/events`);
  await until('the opening event', () => received.length === 1);
  for (let i = 1; i <= 200; i++) await holdfast.publish(streamItem('events', `id: ${i}\ndata: item ${i}\n\n`));
  // One item may hold several events, and one event may come in several items.
  await holdfast.publish(
    streamItem('events', 'event: price\nid: a\ndata: 1\ndata: 2\n\n:comment\n\nid: b\ndata: a'),
    streamItem('events', 'bc\n\n'),
  );
  await until('all events', () => received.length === 203);
  const numbered = Array.from({ length: 200 }, (_, i) => ({ type: 'message', data: `item ${i + 1}`, id: `${i + 1}` }));
  t.strictSame(received, [
    { type: 'hello', data: 'opened', id: '' },
    ...numbered,
    { type: 'price', data: '1\n2', id: 'a' },
    { type: 'message', data: 'abc', id: 'b' },
  ]);
});

t.test(
  'after an item closes the stream the client comes back, with its Last-Event-ID, and is held again',
  async (t) => {
    const { holdfast, origin } = await start(t);
    const { received } = listen(t, `${holdfast.clients}/events`);
    await until('the opening event', () => received.length === 1);
    await holdfast.publish(streamItem('events', 'id: 7\ndata: before\n\n'), {
      channel: 'events',
      formats: { 'http-stream': { action: 'close' } },
    });
    const [first, second] = await origin.requests(2);
    t.equal(first?.headers['last-event-id'], undefined);
    t.equal(second?.headers['last-event-id'], '7');
    await until('the second opening event', () => received.length === 3);
    await holdfast.publish(streamItem('events', 'data: after\n\n'));
    await until('the event after', () => received.length === 4);
    t.strictSame(
      received.map(({ data }) => data),
      ['opened', 'before', 'opened', 'after'],
    );
    t.match(await holdfast.record('of the end of the hold', ({ reason }) => reason === 'closed'), { items: 1 });
  },
);

t.test('a client that closes its event source leaves no hold behind', async (t) => {
  const { holdfast } = await start(t);
  const { received, source } = listen(t, `${holdfast.clients}/events`);
  await until('the opening event', () => received.length === 1);
  await holdfast.holds('stream', 1);
  source.close();
  await holdfast.holds('stream', 0);
  t.match(await holdfast.record('of the end of the hold', ({ reason }) => reason === 'client-gone'), {
    kind: 'stream',
  });
});
