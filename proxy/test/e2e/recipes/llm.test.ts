/** The answers of a language model of the examples: event streams that survive reloads, lost connections, and a node. */
import { join } from 'node:path';
import { EventSource } from 'eventsource';
import t, { type Test } from 'tap';
import { root, startChild } from '../../kit/child.js';
import { Chromium, hasChromium, type Page } from '../../kit/clients/chromium.js';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { startRedis } from '../../kit/redis.js';
import { until } from '../../kit/until.js';
import { makeCuttable } from '../holds/cuttable.js';

/** Starts the origin, which publishes to this port. @returns its address */
async function startOrigin(t: Test, control: number, tokenMs: number): Promise<string> {
  const origin = startChild(t, {
    command: process.execPath,
    args: [join(root, 'examples/llm/server.mjs')],
    env: { PORT: '0', GRIP_URL: `http://127.0.0.1:${control}/`, TOKEN_MS: `${tokenMs}` },
  });
  const [, target] = await origin.line(/listening on http:\/\/(\S+)\n/);
  return target as string;
}

async function startModel(t: Test, edge = 'node', tokenMs = 25): Promise<Holdfast> {
  const control = await freePort();
  const target = await startOrigin(t, control, tokenMs);
  return startHoldfast(t, {
    routes: [`*,history ${target}`],
    settings: { edge, push_in_http_port: control, client_half_close_grace: 0 },
  });
}

/** Asks something. @returns the path of the events of the answer */
async function question(t: Test, holdfast: Holdfast, prompt = 'why is the sky blue?'): Promise<string> {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await ask(t, `${holdfast.clients}/answers`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ prompt }),
  });
  t.equal(answer.status, 201);
  return String(answer.headers.location);
}

/** What an EventSource gets of an answer. */
interface Reader {
  readonly numbers: number[];
  tokens: string;
  whole: string | undefined;
}

function listen(t: Test, url: string): Reader {
  const source = new EventSource(url);
  t.teardown(() => source.close());
  const reader: Reader = { numbers: [], tokens: '', whole: undefined };
  source.addEventListener('token', ({ data }) => {
    const { n, token } = JSON.parse(data) as { n: number; token: string };
    reader.numbers.push(n);
    reader.tokens += token;
  });
  source.addEventListener('done', ({ data }) => {
    source.close();
    reader.whole = (JSON.parse(data) as { text: string }).text;
  });
  return reader;
}

/** Waits for the end: every token has come once and in order, and they are the text, or its beginning where the end was written by then. */
async function isWhole(t: Test, reader: Reader): Promise<void> {
  await until(
    'the whole answer',
    () => reader.whole !== undefined,
    () => reader.tokens,
  );
  t.strictSame(
    reader.numbers,
    Array.from(reader.numbers, (_, i) => i),
  );
  t.ok(reader.whole?.startsWith(reader.tokens), reader.tokens);
  t.match(reader.whole, /^You asked: why is the sky blue\?\. Nobody .* nobody minded\.$/);
}

for (const edge of ['node', 'uws']) {
  t.test(`${edge}: every token comes once, whoever comes late or is cut off again and again`, async (t) => {
    const holdfast = await startModel(t, edge);
    const wire = await makeCuttable(t, holdfast.clients);
    const path = await question(t, holdfast);
    const [early, cut] = [listen(t, holdfast.clients + path), listen(t, wire.url + path)];
    for (const count of [10, 30]) {
      await until('some tokens', () => cut.numbers.length >= count);
      wire.cut();
    }
    const late = listen(t, holdfast.clients + path);
    for (const reader of [early, cut, late]) await isWhole(t, reader);
    t.equal(early.tokens, early.whole);
    const after = await ask(t, holdfast.clients + path);
    t.equal(after.text, `event: done\ndata: ${JSON.stringify({ text: early.whole })}\n\n`);
  });
}

t.test('a node is killed while it streams: another one goes on where the client was', async (t) => {
  const redis = await startRedis(t);
  const control = await freePort();
  const target = await startOrigin(t, control, 10);
  const start = (port: number) =>
    startHoldfast(t, {
      routes: [`*,history ${target}`],
      settings: { push_in_http_port: port, redis_url: redis.url, sig_key: 'one key for all nodes' },
    });
  const [lost, other] = [await start(0), await start(control)];
  const path = await question(t, other);
  const first = await open(t, lost.clients + path);
  await first.until('"n":20,');
  lost.child.signal('SIGKILL');
  await first.end();
  // Only what ends with a blank line has been an event for an EventSource.
  const before = first.text.slice(0, first.text.lastIndexOf('\n\n') + 2);
  const ids = [...before.matchAll(/^id: (\S+)$/gm)].map(([, id]) => id as string);
  const second = await open(t, other.clients + path, { headers: { 'Last-Event-ID': ids.at(-1) } });
  await second.until('event: done');
  const numbers = [...(before + second.text).matchAll(/"n":(\d+),/g)].map(([, n]) => Number(n));
  t.strictSame(
    numbers,
    Array.from(numbers, (_, i) => i),
  );
  t.ok(numbers.length > 60);
});

t.test('what is no question is refused, and there are no events of what is no answer', async (t) => {
  const holdfast = await startModel(t);
  const headers = { 'Content-Type': 'application/json' };
  for (const body of ['{}', '{"prompt":""}', '{"prompt":7}', '[]', JSON.stringify({ prompt: 'x'.repeat(2_001) }), '{'])
    t.equal((await ask(t, `${holdfast.clients}/answers`, { method: 'POST', headers, body })).status, 400, body);
  t.equal((await ask(t, `${holdfast.clients}/answers/made-up/events`)).status, 404);
});

t.test('a page', { skip: hasChromium() ? false : 'chromium is not installed' }, async (t) => {
  const holdfast = await startModel(t, 'node', 30);
  const browser = await Chromium.start(t);
  const text = (page: Page) => page.evaluate<string>(`document.getElementById('answer').textContent`);
  const is = (page: Page, state: string) => page.until(`document.getElementById('state').dataset.state === '${state}'`);
  const page = await browser.open(`${holdfast.clients}/`);
  await page.type('prompt', 'why is <b>the sky</b> blue?');
  await page.click('ask');
  await page.until(`document.getElementById('answer').textContent.includes('window')`);

  // Reloaded in the middle, it begins at the beginning, and goes on.
  const before = await text(page);
  await page.evaluate('window.isOld = true; location.reload()');
  await until('the page again', () =>
    page
      .evaluate<boolean>(`window.isOld === undefined && document.getElementById('answer').textContent.length > 0`)
      .catch(() => false),
  );
  await page.until(`document.getElementById('answer').textContent.startsWith(${JSON.stringify(before)})`);
  t.match(before, /^You asked: why is <b>the sky<\/b> blue\?\. Nobody/);
  await is(page, 'writing');
  const other = await browser.open(await page.evaluate<string>('location.href'));
  for (const one of [page, other]) await is(one, 'done');
  const whole = await text(page);
  t.match(whole, /nobody minded\.$/);
  t.equal(await text(other), whole);

  const third = await browser.open(`${holdfast.clients}/#${'made-up'}`);
  await is(third, 'lost');
});
