/** A real browser: a page in headless Chromium with `sockjs-client`, from another origin than the service. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../kit/child.js';
import { Chromium, hasChromium } from '../kit/clients/chromium.js';
import { type Kind, kinds } from '../kit/origins/echo-origin.js';
import { startOrigin } from '../kit/origins/origin.js';
import { E2eFixture } from './e2e-fixture.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: SockJS is not tested with a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

const library = readFileSync(join(root, 'node_modules', 'sockjs-client', 'dist', 'sockjs.js'));
const browser = await Chromium.start(t);

/** Those of the library's transports that a page may choose for a service of another origin. */
const TRANSPORTS = [
  'websocket',
  'xhr-streaming',
  'eventsource',
  'iframe-eventsource',
  'iframe-htmlfile',
  'xhr-polling',
  'iframe-xhr-polling',
  'jsonp-polling',
];

/** Says three things, hears them, and is closed by the origin. */
const conversation = (url: string, transport: string) => `new Promise((resolve) => {
  const socket = new SockJS(${JSON.stringify(url)}, null, { transports: ['${transport}'], timeout: 20000 });
  const seen = [];
  socket.onopen = () => {
    seen.push(socket.transport);
    for (const text of ['one ✓ + %25', 'two \\u2028 </script>', 'x'.repeat(20000)]) socket.send(text);
  };
  socket.onmessage = ({ data }) => {
    seen.push(data.length > 100 ? data.length : data);
    if (seen.length === 4) socket.send('!close 4001 bye');
  };
  socket.onclose = ({ code, reason }) => resolve([...seen, code, reason]);
})`;

for (const kind of Object.keys(kinds) as Kind[]) {
  t.test(`a page, and an origin that is ${kind}`, async (t) => {
    const pages = await startOrigin(t, ({ url }, response) => {
      const isLibrary = url === '/sockjs.js';
      response.writeHead(200, { 'Content-Type': isLibrary ? 'text/javascript' : 'text/html' });
      response.end(isLibrary ? library : '<!doctype html><script src="/sockjs.js"></script><body>');
    });
    const settings = { sockjs_url: `http://${pages.target}/sockjs.js` };
    const fixture = await E2eFixture.start(t, kind, { settings });
    const page = await browser.open(`http://${pages.target}/`);
    for (const transport of TRANSPORTS) {
      const outcome = await page.evaluate(conversation(fixture.url, transport));
      t.strictSame(
        outcome,
        [transport, 'one ✓ + %25', 'two \u2028 </script>', 20_000, 4001, 'bye'],
        `${transport}: messages and the close arrive`,
      );
    }
  });
}
