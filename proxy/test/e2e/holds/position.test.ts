/** A page and the event stream that it opens: the real command, a real EventSource. */
import type { ServerResponse } from 'node:http';
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

/** Header fields of the page that shows a channel. */
const page = (channel: string) => ({
  'Content-Type': 'application/json',
  'Grip-Channel': channel,
  'Grip-Position': 'request',
});
const event = (channel: string, n: number) => streamItem(channel, `data: ${n}\n\n`);

/** An origin of pages at `/page`, answered by the test, and of the event stream of each channel at `/stream/CHANNEL`. */
async function startPages(t: Test, settings: Record<string, string | number | boolean>) {
  const pages: ServerResponse[] = [];
  const origin = await startOrigin(t, (request, response) => {
    if (request.url?.startsWith('/page')) pages.push(response);
    else {
      const channel = /^\/stream\/(\w+)/.exec(request.url ?? '')?.[1] ?? '';
      response.writeHead(200, streamHold(channel, { 'Content-Type': 'text/event-stream' })).end('data: hello\n\n');
    }
  });
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { history_replay: true, client_half_close_grace: 0, ...settings },
  });
  return { origin, holdfast, pages };
}

function listen(t: Test, holdfast: Holdfast, channel: string, position: string): string[] {
  const source = new EventSource(`${holdfast.clients}/stream/${channel}?a=1&holdfast-last-event-id=${position}&b=2`);
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  return received;
}

type Pages = Awaited<ReturnType<typeof startPages>>;

/** What is published since the page was asked for reaches its event stream, once. */
async function reachesOnce(t: Test, { origin, holdfast, pages }: Pages): Promise<void> {
  await holdfast.publish(event('news', 0));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const asked = open(t, `${holdfast.clients}/page`);
  const answer = await until('the request of the page', () => pages.shift());
  // The origin has read its state before, and has not answered yet.
  await holdfast.publish(event('news', 1), event('news', 2));
  answer.writeHead(200, page('news')).end('{"state":0}');
  const { headers } = await asked;
  await (await asked).end();
  t.equal((await asked).text, '{"state":0}');
  const position = String(headers['holdfast-position']);
  t.match(position, /^[\w-]+$/);
  t.equal(headers['grip-position'], undefined);
  await holdfast.publish(event('news', 3), event('news', 4), event('news', 5));
  const received = listen(t, holdfast, 'news', position);
  await until(
    'all events',
    () => received.length >= 6,
    () => received.join(),
  );
  await holdfast.publish(event('news', 6));
  await until(
    'the next event',
    () => received.length >= 7,
    () => received.join(),
  );
  t.strictSame(received, ['hello', '1', '2', '3', '4', '5', '6']);
  const stream = origin.seen.find(({ url }) => url.startsWith('/stream/news'));
  t.equal(stream?.url, '/stream/news?a=1&b=2', 'the origin does not see the parameter');
  t.equal(stream?.headers['last-event-id'], undefined);
  t.notMatch(holdfast.child.stdout, position, 'nor does the log');
}

t.test('a node that is alone', async (t) => {
  const system = await startPages(t, {});
  const { holdfast, pages } = system;

  t.test('a node that is alone: what is published since the page was asked for reaches its event stream, once', (t) =>
    reachesOnce(t, system),
  );

  t.test('a client that comes back goes on from its last event, not from the position of its page', async (t) => {
    const asked = ask(t, `${holdfast.clients}/page`);
    const answer = await until('the request of the page', () => pages.shift());
    answer.writeHead(200, page('again')).end('{}');
    const position = String((await asked).headers['holdfast-position']);
    await holdfast.publish(event('again', 1), event('again', 2));
    const url = `${holdfast.clients}/stream/again?holdfast-last-event-id=${position}`;
    const first = await open(t, url);
    await first.until('data: 2');
    t.equal(first.headers['holdfast-last-event-id'], position);
    const id = /data: 1\nid: (\S+)/.exec(first.text)?.[1] as string;
    first.drop();
    const second = await open(t, url, { headers: { 'Last-Event-ID': id } });
    await second.until('data: 2');
    t.notMatch(second.text, 'data: 1');
  });

  t.test('a position that is none is told to be lost; an id of the origin is its affair', async (t) => {
    const lost = await open(t, `${holdfast.clients}/stream/none?holdfast-last-event-id=made-up`);
    t.equal(lost.headers['last-event-id'], 'earliest');
    const own = await open(t, `${holdfast.clients}/stream/none`, { headers: { 'Last-Event-ID': 'made-up' } });
    t.equal(own.headers['last-event-id'], undefined);
  });

  t.test('where the origin names the last id that it knows, the position is behind that item', async (t) => {
    for (const n of [1, 2, 3]) await holdfast.publish({ ...event('ids', n), id: `${n}` });
    const asked = ask(t, `${holdfast.clients}/page`);
    const answer = await until('the request of the page', () => pages.shift());
    answer.writeHead(200, { ...page('ids; prev-id=1') }).end('{}');
    const received = listen(t, holdfast, 'ids', String((await asked).headers['holdfast-position']));
    await until(
      'all events',
      () => received.length >= 3,
      () => received.join(),
    );
    t.strictSame(received, ['hello', '2', '3']);
  });
});

const redis = await startRedis(t);

for (const [name, settings] of [
  ['workers, edge uws', { workers: 2, edge: 'uws' }],
  ['redis', { redis_url: redis.url }],
] as const) {
  t.test(`${name}: what is published since the page was asked for reaches its event stream, once`, async (t) =>
    reachesOnce(t, await startPages(t, settings)),
  );
}

t.test('without a history the answer is as it was, and the log says so', async (t) => {
  const { holdfast, pages } = await startPages(t, { history_replay: false, log_format: 'json' });
  const asked = ask(t, `${holdfast.clients}/page?holdfast-last-event-id=x`);
  const answer = await until('the request of the page', () => pages.shift());
  t.equal(answer.req.url, '/page?holdfast-last-event-id=x');
  answer.writeHead(200, page('news')).end('{}');
  t.equal((await asked).headers['holdfast-position'], undefined);
  await holdfast.record('no history', ({ msg }) => String(msg).includes('no history serves this route'));
});
