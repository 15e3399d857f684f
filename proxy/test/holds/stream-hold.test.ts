/** Streams that are held, without links: opening, items, keep-alives, slow clients, end. */
import t from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { connectTo } from '../kit/clients/raw-client.js';
import { until } from '../kit/until.js';
import { HoldScene } from './hold-scene.js';

const room = { 'Grip-Channel': 'room' };

const BIG = 'x'.repeat(100_000);

let marks = 0;

/** The body so far: an item is sent, and the body up to it given, when it has come. */
async function body(scene: HoldScene, stream: Answer, channel = 'room'): Promise<string> {
  const mark = `|${++marks}|`;
  scene.send(channel, mark);
  await stream.until(mark);
  return stream.text.replaceAll(/\|\d+\|/g, '');
}

t.test('the head goes out before the body, the body as it comes, and items after it, in order', async (t) => {
  const scene = await HoldScene.open(t);
  const answer = scene.ask();
  const asked = await scene.asked();
  asked.begin({ 'Grip-Hold': 'stream', 'Grip-Status': '203 Fine', 'Content-Type': 'text/plain', ...room });
  const stream = await answer;
  t.match(stream, { status: 203, reason: 'Fine', text: '', headers: { 'content-type': 'text/plain' } });
  asked.write('one ');
  await stream.until('one ');
  scene.send('room', 'three ');
  scene.send('room', 'four');
  asked.end('two ');
  t.equal(await body(scene, stream), 'one two three four');
  t.equal(scene.count('sent stream'), 3);
});

t.test('an item on two channels of a stream is two items; one for another channel is none', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream({ 'Grip-Channel': 'a, b' });
  scene.send('a', '1');
  scene.send('b', '2');
  scene.send('c', '3');
  scene.respond('a', '4');
  t.equal(await body(scene, stream, 'a'), '12');
});

t.test('hint and refresh do nothing without a link', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream(room);
  scene.act('room', 'hint');
  scene.act('room', 'refresh');
  t.equal(await body(scene, stream), '');
  t.equal(scene.origin.all.length, 1);
});

t.test('close ends the stream cleanly; nothing follows', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream(room, { body: 'hello' });
  scene.send('room', ' item');
  scene.act('room', 'close');
  scene.send('room', ' late');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'hello item');
  t.match(scene.ends, [{ kind: 'stream', reason: 'closed', items: 1, dropped: 0 }]);
  t.equal(scene.registry.size, 0);
});

t.test('an origin that breaks off in the initial body: so does the stream', async (t) => {
  const scene = await HoldScene.open(t);
  const answer = scene.ask();
  const asked = await scene.asked();
  asked.begin({ 'Grip-Hold': 'stream', ...room }, 'half');
  const stream = await answer;
  await stream.until('half');
  asked.breakOff();
  t.equal(await stream.end(), 'broken');
  t.match(await scene.holdsEnded(), { reason: 'origin-failed' });
  t.equal(scene.registry.size, 0);
});

t.test('a client that goes away leaves nothing, and the origin is not read on', async (t) => {
  const scene = await HoldScene.open(t);
  const wire = await connectTo(t, scene.url);
  wire.send('GET / HTTP/1.1', 'Host: a', '');
  const asked = await scene.asked();
  asked.begin({ 'Grip-Hold': 'stream', 'Grip-Keep-Alive': '.', ...room }, 'half');
  await wire.until('half');
  wire.socket.resetAndDestroy();
  t.match(await scene.holdsEnded(), { reason: 'client-gone' });
  await asked.abandoned();
  t.equal(scene.registry.size, 0);
  t.equal(scene.clock.pending, 0);
});

t.test('when the node goes down streams end cleanly', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream({ ...room, 'Grip-Keep-Alive': '.' }, { timers: 1 });
  scene.shutDown();
  t.equal(await stream.end(), 'complete');
  t.equal(scene.ends[0]?.reason, 'shutdown');
  t.equal(scene.clock.pending, 0);
});

t.test('keep-alives beat while nothing is sent; items put those of mode idle off', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20' }, { timers: 1 });
  scene.clock.advance(19_999);
  t.equal(await body(scene, stream), '');
  scene.clock.advance(19_999);
  t.equal(await body(scene, stream), '');
  scene.clock.advance(20_000);
  await stream.until(/\|\.$/);
});

t.test('keep-alives of mode interval are not put off', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20; mode=interval' }, { timers: 1 });
  scene.clock.advance(19_999);
  scene.send('room', '-');
  await stream.until('-');
  scene.clock.advance(1);
  await stream.until('-.');
});

t.test('each keep-alive comes up to a second early, by chance', async (t) => {
  const scene = await HoldScene.open(t, { random: 0.5 });
  const stream = await scene.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20' }, { timers: 1 });
  scene.clock.advance(19_499);
  scene.clock.advance(1);
  await stream.until('.');
  scene.clock.advance(19_500);
  await stream.until('..');
});

t.test('no keep-alive while anything waits for the client', async (t) => {
  const scene = await HoldScene.open(t, { clientQueueSize: 1_000_000_000 });
  const stream = await scene.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20; mode=interval' }, { timers: 1 });
  stream.stall();
  for (let i = 0; i < 200; i++) {
    scene.send('room', BIG);
    await new Promise((resolve) => setImmediate(resolve));
  }
  scene.clock.advance(100_000);
  stream.resume();
  await until('all items', () => stream.text.length >= 200 * BIG.length);
  t.equal((await body(scene, stream)).length, 200 * BIG.length);
  scene.clock.advance(20_000);
  await stream.until(/\.$/);
});

t.test('no keep-alive during the initial body', async (t) => {
  const scene = await HoldScene.open(t);
  const answer = scene.ask();
  const asked = await scene.asked();
  asked.begin({ 'Grip-Hold': 'stream', 'Grip-Keep-Alive': '.; timeout=5', ...room }, 'bo');
  const stream = await answer;
  await stream.until('bo');
  scene.clock.advance(60_000);
  asked.end('dy');
  t.equal(await body(scene, stream), 'body');
});

/** Publishes until the client, who does not read, has cost an item; gives how many were published. */
async function flood(scene: HoldScene, counted: string, ids?: (n: number) => object): Promise<number> {
  for (let n = 1; n <= 1_000; n++) {
    scene.send('room', BIG, ids?.(n));
    if (scene.count(counted) > 0) return n;
    // Bytes go to the socket at the end of a turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('1,000 items fitted');
}

t.test('a client that does not read is cut off once more than the limit waits, the others go on', async (t) => {
  const scene = await HoldScene.open(t, { clientQueueSize: 300_000 });
  const slow = await scene.stream(room);
  const quick = await scene.stream({ 'Grip-Channel': 'room, quick' });
  slow.stall();
  const published = await flood(scene, 'dropped stream slow-client');
  t.match(scene.ends, [{ reason: 'slow-client', dropped: 1, items: published - 1 }]);
  t.strictSame(scene.warnings, ['slow client: closing its stream']);
  slow.resume();
  t.equal(await slow.end(), 'broken');
  scene.send('room', 'end');
  await quick.until(/end$/);
  t.equal(quick.text.length, published * BIG.length + 3);
});

t.test(
  'policy drop: the stream goes on without what did not fit; the first loss is logged, all are counted',
  async (t) => {
    const scene = await HoldScene.open(t, { clientQueueSize: 300_000, slowClientPolicy: 'drop' });
    const slow = await scene.stream(room);
    slow.stall();
    const published = await flood(scene, 'dropped stream slow-client');
    scene.send('room', BIG);
    scene.send('room', BIG);
    slow.resume();
    const kept = (published - 1) * BIG.length;
    await until('what was kept', () => slow.text.length === kept);
    t.equal((await body(scene, slow)).length, kept);
    t.strictSame(scene.warnings, ['slow client: dropping items']);
    scene.act('room', 'close');
    t.match(await scene.holdsEnded(), { dropped: 3, items: published });
  },
);

t.test(
  'policy drop, but ids are followed: the stream is cut off all the same, to come back for what it missed',
  async (t) => {
    const scene = await HoldScene.open(t, { clientQueueSize: 300_000, slowClientPolicy: 'drop' });
    const headers = { 'Grip-Channel': 'room; prev-id=0', 'Grip-Link': '</next>; rel=next' };
    const slow = await scene.stream(headers, { timers: 1 });
    slow.stall();
    await flood(scene, 'dropped stream slow-client', (n) => ({ id: `${n}`, 'prev-id': `${n - 1}` }));
    t.match(scene.ends, [{ reason: 'slow-client', dropped: 1 }]);
  },
);

t.test('what waits for the initial body is within the same limit; a single item always fits', async (t) => {
  for (const slowClientPolicy of ['close', 'drop'] as const) {
    const scene = await HoldScene.open(t, { clientQueueSize: 10, slowClientPolicy });
    const answer = scene.ask();
    const asked = await scene.asked();
    asked.begin({ 'Grip-Hold': 'stream', ...room }, 'body|');
    const stream = await answer;
    await stream.until('body|');
    scene.send('room', 'longer than the limit|');
    t.equal(scene.ends.length, 0);
    scene.send('room', 'too much|');
    if (slowClientPolicy === 'close') {
      t.match(scene.ends, [{ reason: 'slow-client', dropped: 1 }]);
      t.equal(await stream.end(), 'broken');
      continue;
    }
    asked.end();
    await stream.until('limit|');
    t.equal(await body(scene, stream), 'body|longer than the limit|');
  }
});

t.test('prev-id without a link: the stream ends after its body, and says why on debug routes', async (t) => {
  const scene = await HoldScene.open(t, { routes: ['debug,debug ORIGIN'] });
  const headers = { 'Grip-Hold': 'stream', 'Grip-Channel': 'a, room; prev-id=1' };
  for (const [host, added] of [
    ['any', ''],
    ['debug', "\n\nchannel 'room' specifies prev-id, but no next link found\n"],
  ] as const) {
    const answer = scene.ask('/', { headers: { Host: host } });
    (await scene.asked()).answer({ headers, body: 'body' });
    const stream = await answer;
    t.equal(await stream.end(), 'complete');
    t.equal(stream.text, `body${added}`);
  }
  t.match(scene.ends, [{ reason: 'link-failed' }, { reason: 'link-failed' }]);
});

t.test('recover does nothing to a stream without a link', async (t) => {
  const scene = await HoldScene.open(t, { updateOnFirstSubscription: true });
  const stream = await scene.stream(room, { timers: 1 });
  scene.recover();
  scene.clock.advance(10_000);
  t.equal(await body(scene, stream), '');
  t.equal(scene.origin.all.length, 1);
});

t.test('JSON: the document’s head and body open the stream', async (t) => {
  const scene = await HoldScene.open(t);
  const instruct = {
    hold: { mode: 'stream', channels: [{ name: 'room' }], 'keep-alive': { content: '.', timeout: 20 } },
    response: { code: 202, headers: { 'X-A': 'a' }, body: 'from JSON ' },
  };
  const answer = scene.ask();
  const headers = { 'Content-Type': 'application/grip-instruct' };
  (await scene.asked()).answer({ headers, body: JSON.stringify(instruct) });
  const stream = await answer;
  t.match(stream, { status: 202, headers: { 'x-a': 'a' } });
  await stream.until('from JSON ');
  await scene.timers(1);
  scene.send('room', '-');
  await stream.until('-');
  scene.clock.advance(20_000);
  await stream.until('from JSON -.');
});

t.test('streams are chunked by item, and HTTP/1.0 clients get them until the close', async (t) => {
  const scene = await HoldScene.open(t);
  const wire = await connectTo(t, scene.url);
  wire.send('GET / HTTP/1.0', 'Host: a', '');
  (await scene.asked()).answer({ headers: { 'Grip-Hold': 'stream', ...room }, body: 'body,' });
  await wire.until('body,');
  scene.send('room', 'item');
  scene.act('room', 'close');
  await wire.closed();
  t.match(wire.text, /\r\n\r\nbody,item$/);
});
