/** A page and the event stream that it opens: the real command, a real EventSource. */
import type { ServerResponse } from 'node:http';
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';

const PAGE = { 'Content-Type': 'application/json', 'Grip-Channel': 'news', 'Grip-Position': 'request' };
const event = (n: number) => streamItem('news', `data: ${n}\n\n`);

/** An origin of a page at `/page`, answered by the test, and of its event stream. */
async function startPages(t: Test, settings: Record<string, string | number | boolean>) {
  const pages: ServerResponse[] = [];
  const origin = await startOrigin(t, (request, response) => {
    if (request.url?.startsWith('/page')) pages.push(response);
    else response.writeHead(200, streamHold('news', { 'Content-Type': 'text/event-stream' })).end('data: hello\n\n');
  });
  const holdfast = await startHoldfast(t, {
    routes: [`* ${origin.target}`],
    settings: { history_replay: true, client_half_close_grace: 0, ...settings },
  });
  return { origin, holdfast, pages };
}

function listen(t: Test, holdfast: Holdfast, position: string): string[] {
  const source = new EventSource(`${holdfast.clients}/stream?a=1&holdfast-last-event-id=${position}&b=2`);
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  return received;
}

const redis = await startRedis(t);

for (const [name, settings] of [
  ['a node that is alone', {}],
  ['workers, edge uws', { workers: 2, edge: 'uws' }],
  ['redis', { redis_url: redis.url }],
] as const) {
  t.test(`${name}: what is published since the page was asked for reaches its event stream, once`, async (t) => {
    const { origin, holdfast, pages } = await startPages(t, settings);
    await holdfast.publish(event(0));
    await new Promise((resolve) => setTimeout(resolve, 20));
    const page = open(t, `${holdfast.clients}/page`);
    await until('the request of the page', () => pages.length === 1);
    // The origin has read its state before, and has not answered yet.
    await holdfast.publish(event(1), event(2));
    pages[0]?.writeHead(200, PAGE).end('{"state":0}');
    const { headers } = await page;
    await (await page).end();
    t.equal((await page).text, '{"state":0}');
    const position = String(headers['holdfast-position']);
    t.match(position, /^[\w-]+$/);
    t.equal(headers['grip-position'], undefined);
    await holdfast.publish(event(3), event(4), event(5));
    const received = listen(t, holdfast, position);
    await until(
      'all events',
      () => received.length >= 6,
      () => received.join(),
    );
    await holdfast.publish(event(6));
    await until(
      'the next event',
      () => received.length >= 7,
      () => received.join(),
    );
    t.strictSame(received, ['hello', '1', '2', '3', '4', '5', '6']);
    const stream = origin.seen.find(({ url }) => url.startsWith('/stream'));
    t.equal(stream?.url, '/stream?a=1&b=2', 'the origin does not see the parameter');
    t.equal(stream?.headers['last-event-id'], undefined);
    t.notMatch(holdfast.child.stdout, position, 'nor does the log');
  });
}

t.test('a client that comes back goes on from its last event, not from the position of its page', async (t) => {
  const { holdfast, pages } = await startPages(t, {});
  const page = ask(t, `${holdfast.clients}/page`);
  await until('the request of the page', () => pages.length === 1);
  pages[0]?.writeHead(200, PAGE).end('{}');
  const position = String((await page).headers['holdfast-position']);
  await holdfast.publish(event(1), event(2));
  const url = `${holdfast.clients}/stream?holdfast-last-event-id=${position}`;
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
  const { holdfast } = await startPages(t, {});
  const lost = await open(t, `${holdfast.clients}/stream?holdfast-last-event-id=made-up`);
  t.equal(lost.headers['last-event-id'], 'earliest');
  const own = await open(t, `${holdfast.clients}/stream`, { headers: { 'Last-Event-ID': 'made-up' } });
  t.equal(own.headers['last-event-id'], undefined);
});

t.test('where the origin names the last id that it knows, the position is behind that item', async (t) => {
  const { holdfast, pages } = await startPages(t, {});
  for (const n of [1, 2, 3]) await holdfast.publish({ ...event(n), id: `${n}` });
  const page = ask(t, `${holdfast.clients}/page`);
  await until('the request of the page', () => pages.length === 1);
  pages[0]?.writeHead(200, { ...PAGE, 'Grip-Channel': 'news; prev-id=1' }).end('{}');
  const received = listen(t, holdfast, String((await page).headers['holdfast-position']));
  await until(
    'all events',
    () => received.length >= 3,
    () => received.join(),
  );
  t.strictSame(received, ['hello', '2', '3']);
});

t.test('without a history the answer is as it was, and the log says so', async (t) => {
  const { holdfast, pages } = await startPages(t, { history_replay: false, log_format: 'json' });
  const page = ask(t, `${holdfast.clients}/page?holdfast-last-event-id=x`);
  await until('the request of the page', () => pages.length === 1);
  t.equal(pages[0]?.req.url, '/page?holdfast-last-event-id=x');
  pages[0]?.writeHead(200, PAGE).end('{}');
  t.equal((await page).headers['holdfast-position'], undefined);
  await holdfast.record('no history', ({ msg }) => String(msg).includes('no history serves this route'));
});
