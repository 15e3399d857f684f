/** A real browser: pages in headless Chromium that poll an Express application, which gives its answers ETags, for long. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import { Chromium, hasChromium, type Page } from '../../kit/clients/chromium.js';
import { type Holdfast, responseItem, startHoldfast } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: long polls are not tested with a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

/** As much of Express as is used here; it has no types of its own. */
interface Application extends RequestListener {
  set(name: string, value: unknown): void;
  get(path: string, answer: (request: IncomingMessage, response: Answer) => void): void;
}
interface Answer extends ServerResponse {
  set(fields: Readonly<Record<string, string>>): this;
  type(name: string): this;
  send(body: string | Buffer): this;
}

/** Polls again and again, and keeps what comes: the text of each answer. */
const PAGE = `<!doctype html><script>
  const seen = [];
  const statuses = [];
  (async () => {
    for (;;) {
      const response = await fetch('poll');
      seen.push((await response.text()).trim());
      statuses.push(response.status);
    }
  })();
</script>`;

/** What a poll is told when nothing comes in 5 s; long enough that applications compress it. */
const NOTHING = 'nothing new'.padEnd(2_000);

/** An application of which each kind of answer has an ETag; Express itself says 304 to whoever has it. */
async function startApplication(t: Test, etag: 'weak' | 'strong', packs: boolean): Promise<string> {
  const { default: express } = (await import('express' as string)) as { default: () => Application };
  const app = express();
  app.set('etag', etag);
  app.get('/', (_, response) => response.type('html').send(PAGE));
  app.get('/poll', (request, response) => {
    response.set({ 'Grip-Hold': 'response', 'Grip-Channel': 'news', 'Grip-Timeout': '5' }).type('text');
    const takesGzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    if (!packs || !takesGzip) response.send(NOTHING);
    else response.set({ 'Content-Encoding': 'gzip', Vary: 'Accept-Encoding' }).send(gzipSync(NOTHING));
  });
  return (await startOrigin(t, (request, response) => app(request, response))).target;
}

const browser = await Chromium.start(t);

/** Publishes once the page's poll is held. */
async function tell(holdfast: Holdfast, text: string): Promise<void> {
  await holdfast.holds('response', 1);
  await holdfast.publish(responseItem('news', text));
}

/** Waits until the page has had an answer with this text, behind as many others. */
const shows = (page: Page, index: number, text: string) => page.until(`seen[${index}] === ${JSON.stringify(text)}`);

t.jobs = 4;

const kinds = [
  ['node', 'weak', false],
  ['node', 'strong', true],
  ['uws', 'weak', true],
  ['uws', 'strong', false],
] as const;

for (const [edge, etag, packs] of kinds) {
  const what = `${edge}: a page sees each item once, where answers have ${etag} ETags${packs ? ' and are compressed' : ''}`;
  t.test(what, { buffered: true }, async (t) => {
    const target = await startApplication(t, etag, packs);
    const holdfast = await startHoldfast(t, { settings: { edge }, routes: [`* ${target}`] });
    const page = await browser.open(`${holdfast.clients}/`);
    await tell(holdfast, 'one');
    await shows(page, 0, 'one');
    await shows(page, 1, 'nothing new');
    await tell(holdfast, 'two');
    await shows(page, 2, 'two');
    await tell(holdfast, 'three');
    await shows(page, 3, 'three');
    await shows(page, 4, 'nothing new');
    await shows(page, 5, 'nothing new');
    await tell(holdfast, 'four');
    await shows(page, 6, 'four');
    t.strictSame(await page.evaluate('seen.slice(0, 7)'), [
      'one',
      'nothing new',
      'two',
      'three',
      'nothing new',
      'nothing new',
      'four',
    ]);
    t.strictSame(await page.evaluate('[...new Set(statuses)]'), [200]);
  });
}
