/** The live page in a real browser: each view, with names that would do harm, a flood, keys, narrow and dark. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Chromium, hasChromium, type Page } from '../../kit/clients/chromium.js';
import { open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { deadPort } from '../../kit/ports.js';
import { hostile, startPageOrigin } from './page-origin.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: the live page is not tried');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

const browser = await Chromium.start(t);
const KEY = 'a-key-of-the-test-0123';

async function start(t: Test, settings: Readonly<Record<string, string | boolean>> = {}): Promise<Holdfast> {
  const target = await startPageOrigin(t);
  return startHoldfast(t, {
    settings: {
      admin_ui: true,
      callbacks: true,
      channel_name_max: 0,
      subscription_linger: 0,
      client_half_close_grace: 0,
      ...settings,
    },
    routes: [`*,id=web,aco,presence,history ${target},over_http`],
  });
}

/** Goes to a view, and waits until it is there. */
async function go(page: Page, view: string, name?: string, query = ''): Promise<void> {
  const place = `#/${view}${name === undefined ? '' : `/${encodeURIComponent(name)}`}${query}`;
  await page.evaluate(`{
    document.querySelector('main').replaceChildren();
    location.hash = '';
    location.hash = ${JSON.stringify(place)};
  }`);
  // Those that go on are never through.
  const done = view === 'overview' || view === 'events' ? ' .tile' : '[data-shown]';
  await page.until(`document.querySelector('main [data-view=${view}]${done}') !== null`);
}

const text = (page: Page) => page.evaluate<string>('document.body.innerText');

/** Submits a form by a button in it, after giving fields their values. */
async function submit(page: Page, button: string, fields: Readonly<Record<string, string>>): Promise<void> {
  for (const [id, value] of Object.entries(fields)) {
    const set = `{ const field = document.getElementById(${JSON.stringify(id)}); field.value = ${JSON.stringify(value)};
      field.dispatchEvent(new Event('change')); }`;
    await page.evaluate(set);
  }
  await page.click(button);
}

/** Writes what the page shows, for people to look at, where `PAGE_PICTURES` names a folder. */
async function picture(page: Page, name: string, width = 1_100, height = 860): Promise<void> {
  const folder = process.env.PAGE_PICTURES;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.png`), await page.picture(width, height));
}

/** The overview after some traffic, where pictures are wanted. */
async function overviewPicture(holdfast: Holdfast): Promise<void> {
  if (process.env.PAGE_PICTURES === undefined) return;
  const other = await browser.watch(`${holdfast.url('admin')}/ui/`);
  await other.page.show(1_100, 860, 'light');
  for (let i = 0; i < 60; i++) {
    const items = Array.from({ length: 3 + Math.round(4 * Math.sin(i / 6) + 4) }, (_, at) =>
      streamItem('test', `data: ${at}\n\n`),
    );
    await holdfast.publish(...items);
    await delay(400);
  }
  await picture(other.page, 'overview');
}

const VIEWS = ['overview', 'channel', 'connection', 'user', 'try', 'events', 'callback', 'routes', 'config'];

t.test('every view shows names and items as texts, whatever is in them', async (t) => {
  const holdfast = await start(t);
  const { page, problems } = await browser.watch(`${holdfast.url('admin')}/ui/`);
  await page.show(1_100, 860, 'light');
  const names = Object.values(hostile);
  for (const name of names) {
    const query = new URLSearchParams({ channel: name, user: name.slice(0, 200) });
    const stream = await open(t, `${holdfast.clients}/stream?${query}`);
    await stream.until('opened\n');
    await holdfast.publish(streamItem(name, `${name}\n`));
    await stream.until(`${name}\n`);
  }

  await go(page, 'overview');
  await page.until(`document.querySelectorAll('canvas').length === 4`);
  t.match(await text(page), /1 node/);
  await go(page, 'channel');
  const listed = await text(page);
  for (const name of [hostile.image, hostile.script, hostile.path, hostile.long]) t.ok(listed.includes(name), name);
  t.ok(listed.includes('abc\\u202egnp.exe\\u0007\\u2066'), 'what would hide is shown');

  for (const name of names) {
    await go(page, 'channel', name);
    t.ok(await page.evaluate(`document.querySelectorAll('main table').length >= 3`));
    t.equal(await page.evaluate(`document.getElementById('channel-name').value.length`), name.length);
    await page.click('tap');
    await page.until(`document.getElementById('tap-state').textContent.startsWith('running')`);
    // A tap has interest once its head has come; until then items pass it by.
    await page.until(
      `fetch('/ui/api/publish/', { method: 'POST', body: ${JSON.stringify(
        JSON.stringify({ items: [streamItem(name, `tapped ${name}\n`)] }),
      )} }).then(() => document.querySelector('.lines').textContent.includes('tapped'))`,
    );
    if (name === hostile.image) await picture(page, 'channel');
    await page.click('tap');
    await page.until(`document.getElementById('tap-state').textContent.startsWith('stopped')`);
    await go(page, 'connection', undefined, `?${new URLSearchParams({ channel: name })}`);
    t.equal(await page.evaluate(`document.querySelectorAll('tbody tr').length`), 1, 'its connection');
    await go(page, 'user', name.slice(0, 200));
    t.equal(await page.evaluate(`document.querySelectorAll('tbody tr').length`), 1, 'of its user');
  }
  await go(page, 'connection');
  await picture(page, 'connections');
  for (const view of VIEWS) {
    await go(page, view);
    t.notOk(await page.evaluate(`'harmed' in window || document.querySelector('img, main script') !== null`), view);
  }
  await go(page, 'routes');
  t.match(await text(page), /over_http/);
  await go(page, 'config');
  t.match(await text(page), /admin_ui: true/);
  t.strictSame(problems, []);
});

t.test('what is opened in the page gets what is published in it, with delays; a connection is ended', async (t) => {
  const holdfast = await start(t);
  const { page, problems } = await browser.watch(`${holdfast.url('admin')}/ui/#/try`);
  await page.show(1_100, 780, 'light');
  await go(page, 'try');
  t.equal(await page.evaluate(`document.getElementById('try-base').value`), holdfast.clients);
  for (const kind of ['stream', 'events', 'poll', 'socket']) {
    await submit(page, 'try-open', { 'try-kind': kind });
  }
  await holdfast.holds('stream', 2);
  await holdfast.holds('response', 1);
  await holdfast.holds('ws', 1);
  const lines = (number: number) => `document.querySelector('[data-client="${number}"] .lines').textContent`;
  // The WebSocket is on its channel when what its origin has answered was read.
  const all = `fetch('/ui/api/channels/test').then((r) => r.json())
    .then(({ subscribers: { ws, stream, response } }) => ws === 1 && stream === 2 && response === 1)`;
  await page.until(all);
  // As the page comes, one press reaches all four.
  await submit(page, 'publish', {});
  for (const number of [1, 2, 3, 4]) await page.until(`/\\+[0-9.]+ ms.*hello sent-at=/s.test(${lines(number)})`);
  await page.until(all);
  await submit(page, 'publish', { 'publish-text': '<b>hello</b>' });
  await page.until(`/\\+[0-9.]+ ms/.test(${lines(2)}) && ${lines(2)}.includes('<b>hello</b>')`);
  for (const number of [1, 3, 4])
    await page.until(`/\\+[0-9.]+ ms.*<b>hello<.b> sent-at=[0-9.]+/s.test(${lines(number)})`);
  const receipt = await page.evaluate<string>(`document.getElementById('published').textContent`);
  t.match(JSON.parse(receipt), {
    reach: { response: 1, stream: 2, ws: 1 },
  });
  await overviewPicture(holdfast);

  const { connections } = JSON.parse(
    await page.evaluate<string>(`fetch('/ui/api/connections').then((response) => response.text())`),
  ) as { connections: { id: string; kind: string }[] };
  const { id } = connections.find(({ kind }) => kind === 'ws') as { id: string };
  const other = await browser.watch(`${holdfast.url('admin')}/ui/`);
  await go(other.page, 'connection', id);
  await submit(other.page, 'end-connection', {});
  await other.page.until(`document.body.innerText.includes('It has ended.')`);
  await page.until(`${lines(4)}.includes('← closed 1008')`);
  t.strictSame([...problems, ...other.problems], []);
});

t.test('a callback is shown with what is wrong with it, and ended', async (t) => {
  const holdfast = await start(t, { callbacks_allow: '127.0.0.0/8' });
  const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
  const url = `http://127.0.0.1:${await deadPort()}/hook`;
  const made = await fetch(`${holdfast.control}/subscriptions/${encodeURIComponent(hostile.image)}`, {
    method: 'PUT',
    body: JSON.stringify({ url, secret, channels: [hostile.script] }),
  });
  t.equal(made.status, 201, await made.text());
  const { page, problems } = await browser.watch(`${holdfast.url('admin')}/ui/`);
  await page.show(1_100, 860, 'light');
  await go(page, 'callback');
  t.match(await text(page), hostile.image);
  await page.until(
    `fetch('/ui/api/subscriptions').then((r) => r.json()).then(({ subscriptions: [s] }) => s.failures > 0)`,
  );
  await go(page, 'callback', hostile.image);
  t.ok((await text(page)).includes(hostile.script));
  t.match(await text(page), /pending[\s\S]*ECONNREFUSED/);
  await picture(page, 'callback');
  await page.click('end-callback');
  await page.until(`document.body.innerText.includes('It has ended.')`);
  await go(page, 'callback', hostile.image);
  t.match(await text(page), /There is none with this id/);
  // The browser itself says that there was nothing.
  t.strictSame(
    problems.filter((problem) => !/^error: Failed to load resource: .* 404 /.test(problem)),
    [],
  );
});

t.test('ten thousand items a second in a tap do not stop the page', async (t) => {
  const holdfast = await start(t);
  const { page, problems } = await browser.watch(`${holdfast.url('admin')}/ui/`);
  await go(page, 'channel', 'flood');
  await page.click('tap');
  await page.until(`fetch('/ui/api/publish/', { method: 'POST', headers: { Accept: 'application/json' }, body:
    JSON.stringify({ items: [{ channel: 'flood', formats: { 'ws-message': { content: 'first' } } }] }) })
    .then((response) => response.json()).then(({ items: [item] }) => item.nodes === 1)`);
  const batch = Array.from({ length: 500 }, (_, i) => streamItem('flood', `item ${i} of a batch\n`));
  const from = performance.now();
  let isOver = false;
  const flood = (async () => {
    for (let i = 0; i < 40; i++) {
      await holdfast.publish(...batch);
      await delay(Math.max(0, from + (i + 1) * 50 - performance.now()));
    }
    isOver = true;
  })();
  await page.until(
    `Number(/running, ([0-9,]+)/.exec(document.getElementById('tap-state').textContent)?.[1].replace(',', '')) > 2000`,
  );
  const asked = performance.now();
  await page.evaluate(`document.querySelector('nav a[href="#/routes"]').click()`);
  await page.until(`document.querySelector('main [data-view=routes][data-shown]') !== null`);
  const took = performance.now() - asked;
  t.comment(`the click took ${took.toFixed(0)} ms in a flood`);
  t.notOk(isOver, 'another view was there while the flood went on');
  await flood;
  t.comment(`20,000 items in ${(performance.now() - from).toFixed(0)} ms`);
  t.strictSame(problems, []);
});

t.test('a key is asked for, stays in memory, and is all that is needed', async (t) => {
  const holdfast = await start(t, { control_key: KEY, admin_auth: true });
  const { page, problems } = await browser.watch(`${holdfast.url('admin')}/ui/`);
  await page.until(`document.getElementById('key').offsetHeight > 0`);
  t.equal(await page.evaluate(`document.getElementById('refused').textContent`), '');
  // By keyboard alone: the field has the focus.
  await page.type('secret', 'a-wrong-key-of-the-test');
  await page.press('Enter');
  await page.until(`document.getElementById('refused').textContent === 'This key does not count.'`);
  await page.type('secret', KEY);
  await page.press('Enter');
  await page.until(
    `document.querySelector('main .tile') !== null && document.getElementById('key').offsetHeight === 0`,
  );
  for (const view of VIEWS) await go(page, view);
  await go(page, 'try');
  await submit(page, 'publish', {});
  await page.until(`document.getElementById('published').textContent.includes('"id"')`);
  t.notOk(await page.evaluate(`document.documentElement.outerHTML.includes(${JSON.stringify(KEY)})`));
  t.strictSame(await page.evaluate(`[localStorage.length, sessionStorage.length, document.cookie]`), [0, 0, '']);
  // The browser itself says that it was refused.
  t.strictSame(
    problems.filter((problem) => !/^error: Failed to load resource: .* 401 /.test(problem)),
    [],
  );
});

t.test('it fits a window of 360 pixels, light and dark, and is used by keyboard', async (t) => {
  const holdfast = await start(t);
  const query = new URLSearchParams({ channel: hostile.long, user: hostile.long.slice(0, 200) });
  await (await open(t, `${holdfast.clients}/stream?${query}`)).until('opened\n');
  const { page, problems } = await browser.watch(`${holdfast.url('admin')}/ui/`);
  // What the page is wider than its window, without the scroll bar.
  const beyond = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
  const grounds = new Set<string>();
  for (const scheme of ['light', 'dark'] as const) {
    await page.show(360, 740, scheme);
    grounds.add(await page.evaluate<string>(`getComputedStyle(document.body).backgroundColor`));
    for (const view of VIEWS) {
      await go(page, view);
      t.equal(await page.evaluate(beyond), 0, `${view}, ${scheme}`);
      await picture(page, `narrow-${view}-${scheme}`, 360, 740);
    }
    await go(page, 'channel', hostile.long);
    t.equal(await page.evaluate(beyond), 0, `a channel, ${scheme}`);
  }
  t.equal(grounds.size, 2);
  await page.evaluate(`document.getElementById('skip').focus()`);
  await page.press('Tab');
  t.equal(await page.evaluate(`document.activeElement.textContent`), 'Overview');
  for (let i = 0; i < 7; i++) await page.press('Tab');
  await page.press('Enter');
  await page.until(`document.querySelector('main [data-view=routes][data-shown]') !== null`);
  t.strictSame(problems, []);
});
