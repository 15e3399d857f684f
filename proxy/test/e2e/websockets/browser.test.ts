/** A real browser: pages in headless Chromium that hold WebSockets through Holdfast. */
import t from 'tap';
import { Chromium, hasChromium, type Page } from '../../kit/clients/chromium.js';
import { startEchoFixture } from '../../kit/echo-fixture.js';
import { Chat } from './chat-example.js';

if (!hasChromium()) {
  console.error('WARNING: chromium is not installed: WebSockets are not tested with a browser');
  t.plan(0, { skip: 'chromium is not installed' } as never);
  process.exit(0);
}

const browser = await Chromium.start(t);

/** Opens the page of the chat and joins a room. */
async function join(url: string, name: string, room: string): Promise<Page> {
  const page = await browser.open(url);
  await page.type('name', name);
  await page.type('room', room);
  await page.click('join');
  await page.until(`document.getElementById('state').dataset.state === 'open'`);
  return page;
}

/** The lines of the chat that the page shows. */
const linesOf = (page: Page) =>
  page.evaluate<string[]>(`[...document.querySelectorAll('#messages p')].map((line) => line.textContent)`);

/** Waits until the last line that the page shows is this one. */
const shows = (page: Page, line: string) =>
  page.until(`document.querySelector('#messages p:last-child')?.textContent === ${JSON.stringify(line)}`);

async function say(page: Page, text: string): Promise<void> {
  await page.type('text', text);
  await page.click('send');
}

t.test('two tabs chat with each other', async (t) => {
  const { holdfast } = await Chat.start(t, 'chat');
  const ann = await join(`${holdfast.clients}/`, 'Ann', 'lobby');
  const bob = await join(`${holdfast.clients}/`, 'Bob ✓', 'lobby');
  await shows(ann, 'Bob ✓ is here');
  await say(ann, 'hello <b>Bob</b>');
  await shows(bob, 'Ann: hello <b>Bob</b>');
  await say(bob, 'hello Ann 𝒳');
  await shows(ann, 'Bob ✓: hello Ann 𝒳');
  t.strictSame(await linesOf(ann), ['Ann is here', 'Bob ✓ is here', 'Ann: hello <b>Bob</b>', 'Bob ✓: hello Ann 𝒳']);
  await bob.click('join');
  await shows(ann, 'Bob ✓ has left');
  await holdfast.holds('ws', 1);
  const end = await holdfast.record('of the end', ({ reason }) => reason === 'client-closed');
  t.match(end, { kind: 'ws', items: 3 });
});

t.test('a page that is closed by an item connects again, by itself, and goes on', async (t) => {
  const { holdfast } = await Chat.start(t, 'chat');
  const ann = await join(`${holdfast.clients}/`, 'Ann', 'lobby');
  await shows(ann, 'Ann is here');
  await holdfast.publish({
    channel: 'chat-lobby',
    formats: { 'ws-message': { action: 'close', code: 4000, reason: 'maintenance' } },
  });
  await ann.until(`document.getElementById('state').dataset.state === 'waiting'`);
  await ann.until(`document.getElementById('state').dataset.state === 'open'`);
  const bob = await join(`${holdfast.clients}/`, 'Bob', 'lobby');
  await shows(bob, 'Bob is here');
  await say(bob, 'welcome back');
  await shows(ann, 'Bob: welcome back');
  t.equal(await holdfast.metric('holdfast_holds_ended_total{kind="ws",reason="closed"}'), 1);
});

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
