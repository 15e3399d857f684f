/** A real browser: pages in headless Chromium that hold WebSockets through Holdfast. */
import t from 'tap';
import { Chromium, hasChromium } from '../../kit/clients/chromium.js';
import { startEchoFixture } from '../../kit/echo-fixture.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: WebSockets are not tested with a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

const browser = await Chromium.start(t);

t.test("the browser's WebSocket with an origin that speaks WebSocket", async (t) => {
  const { origin, holdfast } = await startEchoFixture(t, 'direct', { settings: { allow_compression: true } });
  const page = await browser.open(`${holdfast.clients}/`);
  const outcome = await page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket(location.href.replace('http', 'ws') + 'echo', ['chat.v1', 'chat.v2']);
    const seen = [];
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      seen.push(['open', socket.protocol, socket.extensions.split(';')[0]]);
      socket.send('zwei ✓');
      socket.send(new Uint8Array([0, 255, 1]));
      socket.send('x'.repeat(100_000));
      socket.send('!close');
    };
    socket.onmessage = ({ data }) => seen.push(
      typeof data !== 'string' ? [...new Uint8Array(data)] : data.length > 100 ? data.length : data);
    socket.onclose = ({ code, reason, wasClean }) => resolve([...seen, [code, reason, wasClean]]);
  })`);
  t.strictSame(outcome, [['open', 'chat.v1', 'permessage-deflate'], 'zwei ✓', [0, 255, 1], 100_000, [1005, '', true]]);
  await origin.saw('open /echo');
});
