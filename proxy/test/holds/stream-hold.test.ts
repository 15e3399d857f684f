/** Streams that are held, without links: opening, items, keep-alives, slow clients, end. */
import t from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { connectTo } from '../kit/clients/raw-client.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const room = { 'Grip-Channel': 'room' };

const BIG = 'x'.repeat(100_000);

let marks = 0;

/** The body so far: an item is sent, and the body up to it given, when it has come. */
async function body(fixture: HoldFixture, stream: Answer, channel = 'room'): Promise<string> {
  const mark = `|${++marks}|`;
  fixture.send(channel, mark);
  await stream.until(mark);
  return stream.text.replaceAll(/\|\d+\|/g, '');
}

t.test('the head goes out before the body, the body as it comes, and items after it, in order', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', 'Grip-Status': '203 Fine', 'Content-Type': 'text/plain', ...room });
  const stream = await answer;
  t.match(stream, { status: 203, reason: 'Fine', text: '', headers: { 'content-type': 'text/plain' } });
  asked.write('one ');
  await stream.until('one ');
  fixture.send('room', 'three ');
  fixture.send('room', 'four');
  asked.end('two ');
  t.equal(await body(fixture, stream), 'one two three four');
  t.equal(fixture.count('sent stream'), 3);
});

t.test('an item on two channels of a stream is two items; one for another channel is none', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ 'Grip-Channel': 'a, b' });
  fixture.send('a', '1');
  fixture.send('b', '2');
  fixture.send('c', '3');
  fixture.respond('a', '4');
  t.equal(await body(fixture, stream, 'a'), '12');
});

t.test('hint and refresh do nothing without a link', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(room);
  fixture.act('room', 'hint');
  fixture.act('room', 'refresh');
  t.equal(await body(fixture, stream), '');
  t.equal(fixture.origin.all.length, 1);
});

t.test('close ends the stream cleanly; nothing follows', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(room, { body: 'hello' });
  fixture.send('room', ' item');
  fixture.act('room', 'close');
  fixture.send('room', ' late');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'hello item');
  t.match(fixture.ends, [{ kind: 'stream', reason: 'closed', items: 1, dropped: 0 }]);
  t.equal(fixture.registry.size, 0);
});

t.test('an origin that breaks off in the initial body: so does the stream', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', ...room }, 'half');
  const stream = await answer;
  await stream.until('half');
  asked.breakOff();
  t.equal(await stream.end(), 'broken');
  t.match(await fixture.holdsEnded(), { reason: 'origin-failed' });
  t.equal(fixture.registry.size, 0);
});

t.test('a client that goes away leaves nothing, and the origin is not read on', async (t) => {
  const fixture = await HoldFixture.open(t);
  const wire = await connectTo(t, fixture.url);
  wire.send('GET / HTTP/1.1', 'Host: a', '');
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', 'Grip-Keep-Alive': '.', ...room }, 'half');
  await wire.until('half');
  wire.socket.resetAndDestroy();
  t.match(await fixture.holdsEnded(), { reason: 'client-gone' });
  await asked.abandoned();
  t.equal(fixture.registry.size, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('when the node goes down streams end cleanly', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ ...room, 'Grip-Keep-Alive': '.' }, { timers: 1 });
  fixture.shutDown();
  t.equal(await stream.end(), 'complete');
  t.equal(fixture.ends[0]?.reason, 'shutdown');
  t.equal(fixture.clock.pending, 0);
});

t.test(
  'when the node goes down in the first body, the stream gets all of it, and the items that came meanwhile',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const answer = fixture.ask();
    const asked = await fixture.asked();
    asked.begin({ 'Grip-Hold': 'stream', ...room }, 'first ');
    const stream = await answer;
    await stream.until('first ');
    fixture.shutDown();
    fixture.send('room', 'item');
    asked.end('last ');
    t.equal(await stream.end(), 'complete');
    t.equal(stream.text, 'first last item');
    t.match(await fixture.holdsEnded(), { reason: 'shutdown', items: 1 });
  },
);

t.test('keep-alives beat while nothing is sent; items put those of mode idle off', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20' }, { timers: 1 });
  fixture.clock.advance(19_999);
  t.equal(await body(fixture, stream), '');
  fixture.clock.advance(19_999);
  t.equal(await body(fixture, stream), '');
  fixture.clock.advance(20_000);
  await stream.until(/\|\.$/);
});

t.test('keep-alives of mode interval are not put off', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20; mode=interval' }, { timers: 1 });
  fixture.clock.advance(19_999);
  fixture.send('room', '-');
  await stream.until('-');
  fixture.clock.advance(1);
  await stream.until('-.');
});

t.test('each keep-alive comes up to a second early, by chance', async (t) => {
  const fixture = await HoldFixture.open(t, { random: 0.5 });
  const stream = await fixture.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20' }, { timers: 1 });
  fixture.clock.advance(19_499);
  fixture.clock.advance(1);
  await stream.until('.');
  fixture.clock.advance(19_500);
  await stream.until('..');
});

t.test('no keep-alive while anything waits for the client', async (t) => {
  const fixture = await HoldFixture.open(t, { clientQueueSize: 1_000_000_000 });
  const stream = await fixture.stream({ ...room, 'Grip-Keep-Alive': '.; timeout=20; mode=interval' }, { timers: 1 });
  stream.stall();
  for (let i = 0; i < 200; i++) {
    fixture.send('room', BIG);
    await new Promise((resolve) => setImmediate(resolve));
  }
  fixture.clock.advance(100_000);
  stream.resume();
  await until('all items', () => stream.text.length >= 200 * BIG.length);
  t.equal((await body(fixture, stream)).length, 200 * BIG.length);
  fixture.clock.advance(20_000);
  await stream.until(/\.$/);
});

t.test('no keep-alive during the initial body', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', 'Grip-Keep-Alive': '.; timeout=5', ...room }, 'bo');
  const stream = await answer;
  await stream.until('bo');
  fixture.clock.advance(60_000);
  asked.end('dy');
  t.equal(await body(fixture, stream), 'body');
});

/** Publishes until the client, who does not read, has cost an item; gives how many were published. */
async function flood(fixture: HoldFixture, counted: string, ids?: (n: number) => object): Promise<number> {
  for (let n = 1; n <= 1_000; n++) {
    fixture.send('room', BIG, ids?.(n));
    if (fixture.count(counted) > 0) return n;
    // Bytes go to the socket at the end of a turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('1,000 items fitted');
}

t.test('a client that does not read is cut off once more than the limit waits, the others go on', async (t) => {
  const fixture = await HoldFixture.open(t, { clientQueueSize: 300_000 });
  const slow = await fixture.stream(room);
  const quick = await fixture.stream({ 'Grip-Channel': 'room, quick' });
  slow.stall();
  const published = await flood(fixture, 'dropped stream slow-client');
  t.match(fixture.ends, [{ reason: 'slow-client', dropped: 1, items: published - 1 }]);
  t.strictSame(fixture.warnings, ['slow client: closing its stream']);
  slow.resume();
  t.equal(await slow.end(), 'broken');
  fixture.send('room', 'end');
  await quick.until(/end$/);
  t.equal(quick.text.length, published * BIG.length + 3);
});

t.test(
  'policy drop: the stream goes on without what did not fit; the first loss is logged, all are counted',
  async (t) => {
    const fixture = await HoldFixture.open(t, { clientQueueSize: 300_000, slowClientPolicy: 'drop' });
    const slow = await fixture.stream(room);
    slow.stall();
    const published = await flood(fixture, 'dropped stream slow-client');
    fixture.send('room', BIG);
    fixture.send('room', BIG);
    slow.resume();
    const kept = (published - 1) * BIG.length;
    await until('what was kept', () => slow.text.length === kept);
    t.equal((await body(fixture, slow)).length, kept);
    t.strictSame(fixture.warnings, ['slow client: dropping items']);
    fixture.act('room', 'close');
    t.match(await fixture.holdsEnded(), { dropped: 3, items: published });
  },
);

t.test(
  'policy drop, but ids are followed: the stream is cut off all the same, to come back for what it missed',
  async (t) => {
    const fixture = await HoldFixture.open(t, { clientQueueSize: 300_000, slowClientPolicy: 'drop' });
    const headers = { 'Grip-Channel': 'room; prev-id=0', 'Grip-Link': '</next>; rel=next' };
    const slow = await fixture.stream(headers, { timers: 1 });
    slow.stall();
    await flood(fixture, 'dropped stream slow-client', (n) => ({ id: `${n}`, 'prev-id': `${n - 1}` }));
    t.match(fixture.ends, [{ reason: 'slow-client', dropped: 1 }]);
  },
);

t.test('what waits for the initial body is within the same limit; a single item always fits', async (t) => {
  const long = `${'longer than the limit '.repeat(100)}|`;
  for (const slowClientPolicy of ['close', 'drop'] as const) {
    const fixture = await HoldFixture.open(t, { clientQueueSize: 1_024, slowClientPolicy });
    const answer = fixture.ask();
    const asked = await fixture.asked();
    asked.begin({ 'Grip-Hold': 'stream', ...room }, 'body|');
    const stream = await answer;
    await stream.until('body|');
    fixture.send('room', long);
    t.equal(fixture.ends.length, 0);
    fixture.send('room', 'too much|');
    if (slowClientPolicy === 'close') {
      t.match(fixture.ends, [{ reason: 'slow-client', dropped: 1 }]);
      t.equal(await stream.end(), 'broken');
      continue;
    }
    asked.end();
    await stream.until('limit |');
    t.equal(await body(fixture, stream), `body|${long}`);
  }
});

t.test('prev-id without a link: the stream ends after its body, and says why on debug routes', async (t) => {
  const fixture = await HoldFixture.open(t, { lines: ['debug,debug ORIGIN'] });
  const headers = { 'Grip-Hold': 'stream', 'Grip-Channel': 'a, room; prev-id=1' };
  for (const [host, added] of [
    ['any', ''],
    ['debug', "\n\nchannel 'room' specifies prev-id, but no next link found\n"],
  ] as const) {
    const answer = fixture.ask('/', { headers: { Host: host } });
    (await fixture.asked()).answer({ headers, body: 'body' });
    const stream = await answer;
    t.equal(await stream.end(), 'complete');
    t.equal(stream.text, `body${added}`);
  }
  t.match(fixture.ends, [{ reason: 'link-failed' }, { reason: 'link-failed' }]);
});

t.test('recover does nothing to a stream without a link', async (t) => {
  const fixture = await HoldFixture.open(t, { updateOnFirstSubscription: true });
  const stream = await fixture.stream(room, { timers: 1 });
  fixture.recover();
  fixture.clock.advance(10_000);
  t.equal(await body(fixture, stream), '');
  t.equal(fixture.origin.all.length, 1);
});

t.test('JSON: the document’s head and body open the stream', async (t) => {
  const fixture = await HoldFixture.open(t);
  const instruct = {
    hold: { mode: 'stream', channels: [{ name: 'room' }], 'keep-alive': { content: '.', timeout: 20 } },
    response: { code: 202, headers: { 'X-A': 'a' }, body: 'from JSON ' },
  };
  const answer = fixture.ask();
  const headers = { 'Content-Type': 'application/grip-instruct' };
  (await fixture.asked()).answer({ headers, body: JSON.stringify(instruct) });
  const stream = await answer;
  t.match(stream, { status: 202, headers: { 'x-a': 'a' } });
  await stream.until('from JSON ');
  await fixture.timers(1);
  fixture.send('room', '-');
  await stream.until('-');
  fixture.clock.advance(20_000);
  await stream.until('from JSON -.');
});

t.test('streams are chunked by item, and HTTP/1.0 clients get them until the close', async (t) => {
  const fixture = await HoldFixture.open(t);
  const wire = await connectTo(t, fixture.url);
  wire.send('GET / HTTP/1.0', 'Host: a', '');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'stream', ...room }, body: 'body,' });
  await wire.until('body,');
  fixture.send('room', 'item');
  fixture.act('room', 'close');
  await wire.closed();
  t.match(wire.text, /\r\n\r\nbody,item$/);
});
