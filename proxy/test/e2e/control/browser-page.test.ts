/** What a page in a real browser can do at the listeners for publishers and operators: nothing, unless its origin is allowed. */
import t, { type Test } from 'tap';
import { Chromium, hasChromium, type Page } from '../../kit/clients/chromium.js';
import { type Answer, open } from '../../kit/clients/http-client.js';
import { type Holdfast, streamItem } from '../../kit/holdfast.js';
import { freePort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';
import { idOf, startViews } from '../../kit/views-fixture.js';
import { attackItem, ending, fetching, looking, publishing, servePage } from './page-attacks.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: no page attacks the control API');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

/** These names lead to this machine, as if DNS had been moved. */
const browser = await Chromium.start(t, ['--host-resolver-rules=MAP *.test 127.0.0.1, MAP rebound 127.0.0.1']);

/** A stream that is held on `room`, and its id. */
async function hold(t: Test, holdfast: Holdfast): Promise<{ stream: Answer; id: string }> {
  const stream = await open(t, `${holdfast.clients}/stream?held`);
  await stream.until('opened\n');
  return { stream, id: await idOf(holdfast, '/stream?held') };
}

/** Tries everything, in order; what the page could see of each, by name. */
async function attack(page: Page, scripts: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  for (const [name, script] of Object.entries(scripts)) seen[name] = await page.evaluate<string>(script);
  return seen;
}

/** Paths of POST, DELETE and WebSocket requests, and of others, that were refused as those of pages or names. */
const refusals = (holdfast: Holdfast, code: string) =>
  holdfast.records().filter((record) => record.code === code && record.status === 403);

/** The client got nothing, and is still there: it gets the next item. */
async function checkHarmless(t: Test, holdfast: Holdfast, stream: Answer): Promise<void> {
  await holdfast.publish(streamItem('room', 'published\n'));
  await stream.until('published\n');
  t.equal(stream.text, 'opened\npublished\n', 'the client got only what was published');
  t.equal(await holdfast.metric('holdfast_items_published_total'), 1);
}

t.test('a page of another origin gets nothing done and reads nothing, also under a name that leads here', async (t) => {
  const holdfast = await startViews(t);
  const { stream, id } = await hold(t, holdfast);
  const { port } = await servePage(t);
  const controlPort = new URL(holdfast.control).port;
  /** Page, and the base URL by which it attacks. */
  const ways = [
    [`http://evil.test:${port}`, holdfast.control],
    [`http://evil.test:${port}`, `http://evil.test:${controlPort}`],
    [`http://evil.test:${port}`, `http://localhost:${controlPort}`],
    // Another port of the same host is another origin, but the same site.
    [`http://127.0.0.1:${port}`, holdfast.control],
    [`http://localhost:${port}`, `http://localhost:${controlPort}`],
  ] as const;
  for (const [from, control] of ways) {
    const page = await browser.open(`${from}/`);
    const before = refusals(holdfast, 'ERR_CONTROL_PAGE').length + refusals(holdfast, 'ERR_CONTROL_HOST').length;
    const posted = await attack(page, publishing(control));
    const seen = { ...posted, ...(await attack(page, looking(control, holdfast.url('admin')))) };
    Object.assign(seen, await attack(page, ending(control, id)));
    for (const [name, what] of Object.entries(seen)) {
      // What a form loads into its frame, and that a beacon was taken, says nothing; an opaque answer has no text.
      const nothing = name.startsWith('form') || name.endsWith('form') ? /^load$/ : /^(nothing|error|true|opaque 0 ?)$/;
      t.match(what, nothing, `${from} at ${control}: ${name}`);
    }
    // All that need no preflight have come, and have been refused.
    const least = Object.keys(posted).length - 1;
    await until('refusals in the log', () => {
      const count = refusals(holdfast, 'ERR_CONTROL_PAGE').length + refusals(holdfast, 'ERR_CONTROL_HOST').length;
      return count - before >= least;
    });
  }
  await checkHarmless(t, holdfast, stream);
});

for (const [address, name] of [
  ['127.0.0.1', 'rebound.test'],
  ['127.0.0.1', 'rebound'],
  ['0.0.0.0', 'rebound.test'],
] as const) {
  t.test(
    `a page whose name was moved here (DNS rebinding) is refused, though of the same origin: ${name} at ${address}`,
    async (t) => {
      // The attacker's page comes from the very port that the node then has.
      const port = await freePort();
      const attacker = await servePage(t, port);
      const page = await browser.open(`http://${name}:${port}/`);
      await attacker.close();
      const settings = { push_in_http_addr: address, push_in_http_allow_public: true, push_in_http_port: port };
      const holdfast = await startViews(t, settings);
      const { stream, id } = await hold(t, holdfast);
      const control = `http://${name}:${port}`;
      const scripts = { ...publishing(control), ...looking(control, control), ...ending(control, id) };
      for (const [name, what] of Object.entries(await attack(page, scripts))) {
        t.match(
          what,
          /^(basic 403 .*Forbidden: (this listener|Origin) .*\n|opaque 0 ?|error|load|true|nothing)$/,
          name,
        );
      }
      t.match(await page.evaluate(fetching(`${control}/nodes`)), /^basic 403 /, 'the page does reach the node');
      const disguise = { headers: { 'Accept-Language': '*', 'User-Agent': 'curl/8.0', 'Sec-Fetch-Mode': 'cors' } };
      t.match(await page.evaluate(fetching(`${control}/nodes`, disguise)), /^basic 403 /);
      const { length } = refusals(holdfast, 'ERR_CONTROL_HOST');
      t.ok(length >= 15, `all are in the log: ${length}`);
      await checkHarmless(t, holdfast, stream);
    },
  );
}

t.test(
  'a page of an allowed origin publishes, looks and disconnects; one of another origin still does not',
  async (t) => {
    const { port } = await servePage(t);
    const holdfast = await startViews(t, { control_allowed_origins: `http://ops.test:${port},https://*.ops.example` });
    const { stream, id } = await hold(t, holdfast);
    const { control } = holdfast;
    const page = await browser.open(`http://ops.test:${port}/`);
    const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer x', Accept: 'application/json' };
    const publish = fetching(`${control}/publish/`, { method: 'POST', body: attackItem, headers });
    t.match(await page.evaluate(publish), /^cors 200 \{"message":"Published","items":\[\{/, 'after a preflight');
    await stream.until('attacked\n');
    const wrong = fetching(`${control}/publish/`, { method: 'POST', body: 'no items', headers });
    t.match(await page.evaluate(wrong), /^cors 400 .*ERR_GRIP_ITEM/, 'it reads refusals too');
    t.match(await page.evaluate(fetching(`${control}/channels/room`)), /^cors 200 \{"channel":"room"/);
    t.match(await page.evaluate(fetching(`${holdfast.url('admin')}/metrics`)), /^cors 200 # HELP/);
    t.equal(await page.evaluate(fetching(`${control}/nodes`, { mode: 'no-cors' })), 'opaque 0 ');
    await until(
      'the refusal of a request that does not name its page',
      () => refusals(holdfast, 'ERR_CONTROL_PAGE')[0],
    );
    const tapped = page.evaluate<string>(`fetch('${control}/channels/room/items').then(async ({ body }) => {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('tapped')) {
      const { value, done } = await reader.read();
      if (done) break;
      text += value;
    }
    await reader.cancel();
    return text;
  })`);
    await until('the tap', async () => {
      await holdfast.publish(streamItem('room', 'tapped\n'));
      return Promise.race([tapped.then(() => true), new Promise((resolve) => setTimeout(resolve, 100, false))]);
    });
    t.match(await tapped, /tapped/);
    const other = await browser.open(`http://evil.test:${port}/`);
    for (const [name, what] of Object.entries(await attack(other, publishing(control))))
      t.notMatch(what, /200|open$/, name);
    t.equal(stream.text.match(/attacked/g)?.length, 1, 'it published nothing');
    t.match(await page.evaluate(fetching(`${control}/connections/${id}`, { method: 'DELETE' })), /^cors 200 /);
    t.equal(await stream.end(), 'complete');
  },
);
