/** Taps over HTTP: their lines, their limits and their end. */
import { get, type IncomingMessage } from 'node:http';
import { parseItem } from '@holdfast/grip';
import t, { type Test } from 'tap';
import {
  type Backplane,
  BackplaneHub,
  type BackplaneListener,
  ChannelTaps,
  ClusterViews,
  ControlError,
  LocalBackplane,
  silentLog,
} from '../../dist/index.js';
import { MAX_TAPS, TAP_END_MS, TAP_HEARTBEAT_MS, TAP_QUEUE_BYTES } from '../../dist/views/channel-taps.js';
import { startControl } from '../control-fixture.js';
import { streamMessage } from '../items.js';
import { ManualClock } from '../manual-clock.js';
import { ScriptedCluster } from './scripted-cluster.js';

const NOW = new Date(new ManualClock().wall()).toISOString();

/** A control server with taps on shares of a local backplane, or on what `open` makes. */
async function fixture(t: Test, open?: (clock: ManualClock) => Backplane) {
  const clock = new ManualClock();
  const inner = new LocalBackplane(silentLog);
  const hub = new BackplaneHub({ inner, log: silentLog });
  await hub.start();
  const taps = new ChannelTaps(() => open?.(clock) ?? hub.share(), clock);
  const control = await startControl(t, {
    views: { cluster: new ClusterViews(new ScriptedCluster({}), clock), taps },
  });
  const tap = (name: string, from?: string) =>
    tapped(t, `http://127.0.0.1:${control.port}/channels/${encodeURIComponent(name)}/items`, from);
  return { ...control, clock, hub, taps, tap };
}

/** A tap's answer, its body as it comes. */
class Tapped {
  text = '';
  ended = false;

  constructor(readonly message: IncomingMessage) {
    message.setEncoding('utf8').on('data', (text) => (this.text += text));
    message.on('error', () => {}).on('close', () => (this.ended = true));
  }

  get lines(): unknown[] {
    return this.text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  }
}

function tapped(t: Test, url: string, localAddress?: string): Promise<Tapped> {
  const from = localAddress === undefined ? {} : { localAddress };
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, ...from }, (message) => resolve(new Tapped(message)));
    request.on('error', reject);
    t.teardown(() => request.destroy());
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 5_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

t.test('each item of the channel is a line, as it was published, with the time', async (t) => {
  const { hub, tap } = await fixture(t);
  const name = 'a/b ☃';
  const shown = await tap(name);
  t.match(shown.message, { statusCode: 200, headers: { 'content-type': 'application/x-ndjson' } });
  const published = {
    channel: name,
    id: '2',
    'prev-id': '1',
    formats: { 'http-stream': { content: 'x\n' }, 'ws-message': { type: 'text', content: 'é' } },
    meta: { sender: 'me' },
  };
  await hub.publish([streamMessage('other', '1'), { type: 'item', item: parseItem(published), id: '2' }]);
  await hub.publish([
    { type: 'recover' },
    { ...streamMessage(name, 'y', 'made'), position: { epoch: 'e', offset: 9 } },
  ]);
  await until('two lines', () => shown.lines.length === 2);
  t.strictSame(shown.lines[0], { ...published, time: NOW });
  t.match(shown.lines[1], { channel: name, epoch: 'e', offset: 9, time: NOW });
});

t.test('an id that was made for an item is not shown', async (t) => {
  const { hub, tap } = await fixture(t);
  const shown = await tap('a');
  const item = parseItem({ channel: 'a', formats: { 'http-stream': { content: 'x' } } });
  await hub.publish([{ type: 'item', item, id: 'made' }]);
  await until('a line', () => shown.lines.length === 1);
  t.notOk('id' in (shown.lines[0] as object));
});

t.test('interest lasts as long as the client stays', async (t) => {
  const { hub, taps, tap } = await fixture(t);
  const shown = await tap('b');
  t.strictSame([hub.channels, taps.size], [1, 1]);
  shown.message.destroy();
  await until('no tap is left', () => hub.channels === 0 && taps.size === 0);
});

/** A backplane that a test drives: interest is live when the test says, and items come when it says. */
class DrivenBackplane implements Backplane {
  readonly unavailableReason = undefined;
  listener: BackplaneListener | undefined;
  live: Promise<void> | undefined;
  closed = false;

  async start(listener: BackplaneListener): Promise<void> {
    this.listener = listener;
  }

  async publish() {
    return [];
  }

  subscribe(): Promise<void> | undefined {
    return this.live;
  }

  unsubscribe(): void {}

  async close(): Promise<void> {
    this.closed = true;
  }
}

t.test('a gap is a line in its place', async (t) => {
  const driven = new DrivenBackplane();
  const { tap } = await fixture(t, () => driven);
  const shown = await tap('a');
  const [after, until_] = [
    { epoch: 'e', offset: 3 },
    { epoch: 'e', offset: 5 },
  ];
  driven.listener?.onGap({ channel: 'a', reason: 'trimmed', after, until: until_ });
  driven.listener?.onGap({ channel: 'a', reason: 'epoch', after, until: undefined });
  driven.listener?.onGap({ channel: 'other', reason: 'epoch', after, until: undefined });
  driven.listener?.onMessage(streamMessage('a', '6'));
  await until('three lines', () => shown.lines.length === 3);
  t.strictSame(shown.lines.slice(0, 2), [
    { gap: { reason: 'trimmed', after, until: until_ }, time: NOW },
    { gap: { reason: 'epoch', after }, time: NOW },
  ]);
});

t.test('the head goes out once interest is live, and not before', async (t) => {
  const driven = new DrivenBackplane();
  let goLive = () => {};
  driven.live = new Promise((resolve) => (goLive = resolve));
  const { tap, taps } = await fixture(t, () => driven);
  let answered = false;
  const shown = tap('a').then((each) => {
    answered = true;
    return each;
  });
  await until('the tap is being opened', () => taps.size === 1 && driven.listener !== undefined);
  t.notOk(answered);
  goLive();
  t.equal((await shown).message.statusCode, 200);
});

t.test('a backplane that is away is 503, and so is one that does not go live in time', async (t) => {
  const refusing = new DrivenBackplane();
  refusing.live = Promise.reject(new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away'));
  refusing.live.catch(() => {});
  const first = await fixture(t, () => refusing);
  t.match(await first.ask('GET', '/channels/a/items'), {
    status: 503,
    headers: { 'content-type': 'application/json', 'retry-after': '1' },
    body: '{"message":"Backplane unavailable.","code":"ERR_BACKPLANE_UNAVAILABLE"}\n',
  });
  t.strictSame([first.taps.size, refusing.closed], [0, true]);

  const hanging = new DrivenBackplane();
  hanging.live = new Promise(() => {});
  const second = await fixture(t, () => hanging);
  const answer = second.ask('GET', '/channels/a/items');
  await until('the deadline runs', () => second.clock.pending > 0);
  second.clock.advance(2_000);
  t.match(await answer, { status: 503 });
  t.strictSame([second.taps.size, hanging.closed], [0, true]);
});

t.test('a tap whose interest is refused after its first item is ended, and says so', async (t) => {
  const driven = new DrivenBackplane();
  let refuse = (_error: Error) => {};
  driven.live = new Promise((_, reject) => (refuse = reject));
  const { tap, taps } = await fixture(t, () => driven);
  const shown = tap('a');
  await until('the tap is being opened', () => driven.listener !== undefined);
  driven.listener?.onMessage(streamMessage('a', '1'));
  const items = await shown;
  t.equal(items.message.statusCode, 200);
  refuse(new ControlError('ERR_BACKPLANE_UNAVAILABLE', 'away'));
  await until('its end', () => items.ended);
  t.match(items.lines, [
    { channel: 'a', id: '1' },
    { end: 'failed', time: NOW },
  ]);
  t.strictSame([taps.size, driven.closed], [0, true]);
});

t.test('a quiet tap shows a sign of life, an empty line', async (t) => {
  const { tap, clock } = await fixture(t);
  const shown = await tap('a');
  clock.advance(TAP_HEARTBEAT_MS - 1);
  t.equal(shown.text, '');
  clock.advance(1);
  await until('a sign of life', () => shown.text === '\n');
  clock.advance(TAP_HEARTBEAT_MS);
  await until('another', () => shown.text === '\n\n');
});

t.test('a client that does not read is closed with a last line that says so', async (t) => {
  const { tap, hub, clock, taps } = await fixture(t);
  const shown = await tap('a');
  shown.message.pause();
  const big = 'x'.repeat(TAP_QUEUE_BYTES / 4);
  let published = 0;
  // The buffers of the connection take a few MiB.
  while (hub.channels > 0 && published < 200) {
    await hub.publish([streamMessage('a', big, String(++published))]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(hub.channels, 0, 'it has no interest any more');
  shown.message.resume();
  await until('the end', () => shown.ended);
  const lines = shown.lines as { id?: string; end?: string }[];
  t.match(lines.at(-1), { end: 'slow-client', time: NOW });
  const ids = lines.slice(0, -1).map(({ id }) => Number(id));
  t.strictSame(
    ids,
    Array.from({ length: published - 1 }, (_, i) => i + 1),
    'all items before it',
  );
  t.equal(taps.size, 0);
  t.equal(clock.pending, 0);
});

t.test('a client that does not take its last line either is cut off', async (t) => {
  const { tap, hub, clock, taps } = await fixture(t);
  const shown = await tap('a');
  shown.message.pause();
  const big = 'x'.repeat(TAP_QUEUE_BYTES);
  for (let i = 0; hub.channels > 0 && i < 50; i++) {
    await hub.publish([streamMessage('a', big, String(i))]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.equal(taps.size, 1);
  clock.advance(TAP_END_MS);
  await until('it is cut off', () => taps.size === 0);
});

t.test('one tap too many takes the place of the oldest, whose last line says so', async (t) => {
  const { tap, taps, ask, hub } = await fixture(t);
  const oldest = await tap('a');
  await Promise.all(Array.from({ length: MAX_TAPS - 1 }, () => tap('a')));
  const next = await tap('a');
  await until('the oldest ends', () => oldest.ended);
  t.strictSame(oldest.lines, [{ end: 'replaced', time: NOW }]);
  t.ok(oldest.message.complete);
  t.equal(taps.size, MAX_TAPS);
  await hub.publish([streamMessage('a', 'x', '1')]);
  await until('the item', () => next.lines.length === 1);
  t.match(await ask('GET', '/'), { status: 200 });
});

t.test('it is the oldest of the address that has most of them: nobody pushes the others out', async (t) => {
  const { tap, taps } = await fixture(t);
  const operator = await tap('a');
  for (let i = 0; i < 2 * MAX_TAPS; i += 1) await tap('a', '127.0.0.2');
  const second = await tap('a');
  t.equal(taps.size, MAX_TAPS);
  t.notOk(operator.ended);
  t.notOk(second.ended);
});

t.test('a server that closes ends its taps with a last line, and does not wait for them', async (t) => {
  const { tap, server } = await fixture(t);
  const shown = await tap('a');
  await server.close();
  await until('the end', () => shown.ended);
  t.strictSame(shown.lines, [{ end: 'shutdown', time: NOW }]);
  t.ok(shown.message.complete);
});
