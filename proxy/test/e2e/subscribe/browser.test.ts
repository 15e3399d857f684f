/** Direct subscription as pages of a browser have it: by cookie on their own site, by a subprotocol, and not from another site. */
import t from 'tap';
import { Chromium, hasChromium } from '../../kit/clients/chromium.js';
import { streamItem } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { startSubscribe, tokenFor } from './tokens.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: direct subscription is not tried in a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

/** Evaluated in a page: how a WebSocket ends up, `open` with its subprotocol or `refused`. */
const socketTo = (url: string, protocols: readonly string[] = []) => `new Promise((resolve) => {
  const socket = new WebSocket(${JSON.stringify(url)}, ${JSON.stringify(protocols)});
  socket.onopen = () => resolve('open ' + socket.protocol);
  socket.onerror = () => resolve('refused');
})`;

t.test('cookies and subprotocols of pages', async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    const cookie = `holdfast_token=${tokenFor('u', 'a')}; HttpOnly; Secure; SameSite=None; Path=/`;
    const login = request.url === '/login' ? { 'Set-Cookie': cookie } : {};
    response.writeHead(200, { 'Content-Type': 'text/html', ...login });
    response.end('<!doctype html><title>page</title>');
  });
  const holdfast = await startSubscribe(t, { target: ',public_channels=news', routes: [`* ${origin.target}`] });
  const browser = await Chromium.start(t);
  // Another site than 127.0.0.1, and as trustworthy.
  const { port } = new URL(holdfast.clients);
  const own = `http://localhost:${port}`;
  const socket = `ws://localhost:${port}/sub?channel=a`;
  const page = await browser.open(`${own}/login`);
  await page.evaluate(`{
    window.events = [];
    window.source = new EventSource('/sub?channel=a');
    source.onmessage = ({ data }) => events.push(data);
  }`);
  await holdfast.holds('stream', 1);
  await holdfast.publish(streamItem('a', 'data: by cookie\n\n'));
  await page.until(`events.join() === 'by cookie'`);
  t.equal(await page.evaluate(`document.cookie`), '', 'no script sees the token');
  t.equal(await page.evaluate(socketTo(socket)), 'open ');

  const stranger = await browser.open(`${holdfast.clients}/`);
  t.equal(await stranger.evaluate(socketTo(socket)), 'refused', 'cross-site WebSocket hijacking');
  const read = (init: string) => `fetch('${own}/sub?channel=a', ${init}).then(() => 'read', () => 'refused')`;
  t.equal(await stranger.evaluate(read(`{ credentials: 'include' }`)), 'refused');
  t.equal(await stranger.evaluate(read('{}')), 'refused');
  const token = tokenFor('v', 'a');
  const itself = `ws://127.0.0.1:${port}/sub?channel=a`;
  t.equal(await stranger.evaluate(socketTo(itself)), 'refused', 'without a token');
  t.equal(await stranger.evaluate(socketTo(itself, [`holdfast-token.${token}`, 'holdfast'])), 'open holdfast');
});
