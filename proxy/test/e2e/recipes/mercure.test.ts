/** Subscribers and publishers of Mercure, 0.x and 1.0, by the example: the target `subscribe` is the hub. */
import { readJwtKey } from '@holdfast/grip';
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import { Chromium, hasChromium } from '../../kit/clients/chromium.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { until } from '../../kit/until.js';
import { Recipe } from './recipe.js';

const KEY = '!ChangeThisMercureHubJWTSecretKey!';
const ALICE = 'https://example.com/users/alice';
const NEWS = 'https://example.com/news/1';

const mercure = await Recipe.start(t, 'mercure');
const hub = `${mercure.node().clients}/.well-known/mercure`;

const sign = (claims: object, key = KEY) =>
  readJwtKey(key).sign({ exp: Math.floor(Date.now() / 1_000) + 60, ...claims });
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const detail = (action: string, ...topics: object[]) => ({
  authorization_details: [{ type: 'https://mercure.rocks/authorization-detail', actions: [action], topics }],
});

/** The tokens of the two versions of the protocol. */
const subscriber = {
  '0.x': sign({ mercure: { subscribe: [ALICE] } }),
  '1.0': sign(detail('subscribe', { match: ALICE, match_type: 'exact' })),
};
const publishers = {
  '0.x': sign({ mercure: { publish: ['*'] } }),
  '1.0': sign(detail('publish', { match: ALICE }, { match: NEWS, match_type: 'exact' })),
};

/** Publishes as the libraries of Mercure do: a form, to the address of the application. */
function publish(t: Test, update: Record<string, string> | [string, string][], token = publishers['0.x']) {
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded', ...bearer(token) };
  const body = new URLSearchParams(update).toString();
  return ask(t, `${mercure.origin}/.well-known/mercure`, { method: 'POST', headers, body });
}

/** An EventSource that is connected, and the data that it has got. */
async function listen(t: Test, query: string, token?: string): Promise<{ source: EventSource; received: string[] }> {
  const headers = token === undefined ? {} : bearer(token);
  const source = new EventSource(`${hub}?${query}`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } } as RequestInit),
  });
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  await new Promise((resolve, reject) => {
    source.addEventListener('open', resolve);
    source.addEventListener('error', reject);
  });
  return { source, received };
}

t.test('subscribers of 0.x and of 1.0 get the updates of their topics', async (t) => {
  const clients = [
    await listen(t, `topic=${encodeURIComponent(ALICE)}&topic=${encodeURIComponent(NEWS)}`, subscriber['0.x']),
    await listen(t, `match=${encodeURIComponent(ALICE)}&match=${encodeURIComponent(NEWS)}`, subscriber['1.0']),
  ];
  const stranger = await listen(t, `topic=${encodeURIComponent(NEWS)}`);
  for (const [version, token] of Object.entries(publishers)) {
    const answer = await publish(t, { topic: ALICE, data: `private, ${version}`, private: 'on' }, token);
    t.match(answer, { status: 200, text: /^urn:uuid:[0-9a-f-]{36}$/ }, version);
    t.equal((await publish(t, { topic: NEWS, data: `for all\nof ${version}` }, token)).status, 200);
  }
  const all = ['private, 0.x', 'for all\nof 0.x', 'private, 1.0', 'for all\nof 1.0'];
  for (const { received } of clients) {
    await until('four updates', () => received.length === 4);
    t.strictSame(received, all);
  }
  await until('both updates', () => stranger.received.length === 2);
  t.strictSame(stranger.received, [all[1], all[3]], 'without a token');
});

t.test('an update has its id, type and retry', async (t) => {
  const client = await open(t, `${hub}?topic=${encodeURIComponent(NEWS)}`);
  t.match(client.headers, { 'content-type': 'text/event-stream' });
  const update = { topic: NEWS, id: 'urn:example:1', type: 'book', retry: '2000', data: 'one\r\ntwo' };
  t.match(await publish(t, update), { status: 200, text: 'urn:example:1' });
  t.equal((await publish(t, update)).status, 200, 'repeated in doubt');
  await publish(t, { topic: NEWS, data: 'last' });
  await client.until('data: last\n');
  const event = 'id: urn:example:1\nevent: book\nretry: 2000\ndata: one\ndata: two\n';
  t.equal(client.text.split(event).length, 2, `once: ${client.text}`);
});

t.test('a client that comes back gets what it missed, without the application', async (t) => {
  const url = `${hub}?match=${encodeURIComponent(ALICE)}`;
  const headers = { Accept: 'text/event-stream', ...bearer(subscriber['1.0']) };
  const first = await open(t, url, { headers });
  await publish(t, { topic: ALICE, data: 'seen' });
  await first.until(/data: seen\n.*id: \S+\n\n/s);
  const ids = [...first.text.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id as string);
  first.drop();
  await publish(t, { topic: ALICE, data: 'missed' });
  await mercure.stop();
  t.teardown(() => mercure.restart());
  const second = await open(t, url, { headers: { ...headers, 'Last-Event-ID': ids.at(-1) } });
  await second.until('data: missed\n');
  t.notMatch(second.text, 'data: seen');
});

t.test('who may not subscribe', async (t) => {
  const other = sign({ mercure: { subscribe: ['https://example.com/users/bob'] } });
  const cases: [string, Record<string, string>, number][] = [
    [`topic=${encodeURIComponent(ALICE)}`, {}, 401],
    [`topic=${encodeURIComponent(ALICE)}`, bearer(other), 403],
    [`match=${encodeURIComponent(ALICE)}`, bearer(publishers['1.0']), 403],
    [
      `match=${encodeURIComponent(ALICE)}`,
      bearer(sign({ mercure: { subscribe: ['*'] } }, 'another key of 16 bytes')),
      401,
    ],
    [`match_urlpattern=${encodeURIComponent(NEWS)}`, {}, 400],
    ['', {}, 400],
  ];
  for (const [query, headers, status] of cases)
    t.equal((await ask(t, `${hub}?${query}`, { headers })).status, status, `${query} ${JSON.stringify(headers)}`);
});

t.test('what publishers may not do', async (t) => {
  const token = publishers['1.0'];
  const statuses: [Parameters<typeof publish>[1], string, number][] = [
    [{ topic: NEWS, data: 'x' }, sign({ mercure: { publish: ['*'] } }, 'another key of 16 bytes'), 401],
    [{ topic: NEWS, data: 'x' }, 'x', 401],
    [{ topic: NEWS, data: 'x' }, sign({ mercure: { publish: '*' }, authorization_details: 7 }), 401],
    [{ topic: NEWS, data: 'x' }, subscriber['1.0'], 403],
    [{ topic: 'https://example.com/else', data: 'x' }, token, 403],
    [
      [
        ['topic', NEWS],
        ['topic', 'https://example.com/else'],
      ],
      token,
      403,
    ],
    [{ data: 'x' }, token, 400],
    [{ topic: NEWS, data: 'x', private: 'on' }, token, 400],
    [{ topic: NEWS, data: 'x', id: 'a\nb' }, token, 400],
    [{ topic: NEWS, data: 'x', id: '#1' }, token, 400],
    [{ topic: NEWS, data: 'x', type: 'a\rdata: b' }, token, 400],
    [{ topic: NEWS, data: 'x', retry: '1s' }, token, 400],
    [
      [
        ['topic', NEWS],
        ['data', 'x'],
        ['data', 'y'],
      ],
      token,
      400,
    ],
    [{ topic: 'a\nb', data: 'x' }, publishers['0.x'], 400],
  ];
  for (const [update, by, status] of statuses)
    t.equal((await publish(t, update, by)).status, status, JSON.stringify(update));
  t.equal((await ask(t, hub, { method: 'POST', headers: bearer(token), body: 'topic=a' })).status, 405, 'clients');
});

t.test('a page of a browser, by the cookie of its login', { skip: !hasChromium() && 'no chromium' }, async (t) => {
  const browser = await Chromium.start(t);
  const { port } = new URL(hub);
  const page = await browser.open(`http://localhost:${port}/login/alice`);
  await mercure.node().holds('stream', 1);
  t.equal((await publish(t, { topic: ALICE, data: 'hello <b>alice</b>', private: 'on' })).status, 200);
  await page.until(`document.getElementById('updates').textContent === 'hello <b>alice</b>'`);
  t.equal(await page.evaluate('document.cookie'), '', 'no script sees the token');
  t.match(await ask(t, `${mercure.node().clients}/`), { headers: { link: '</.well-known/mercure>; rel="mercure"' } });
});
