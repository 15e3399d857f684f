/** Next links that fail, or answer what a stream cannot use. */
import t from 'tap';
import { deadPort } from '../kit/ports.js';
import { HoldFixture } from './hold-fixture.js';
import type { Asked } from './pull-origin.js';

const NEXT = '</next>; rel=next';
const room = (prevId: string) => ({ 'Grip-Channel': `room; prev-id=${prevId}` });
const held = (prevId: string, link = NEXT) => ({
  'Grip-Hold': 'stream',
  'Grip-Link': link,
  ...room(prevId),
  // A request on a connection that was kept, and is cut without an answer, is repeated at once: not what is tried here.
  Connection: 'close',
});
const DELAYS = [1_000, 2_000, 4_000, 8_000, 16_000];

/** Has the first fetch and all its repeats fail, and checks the times between. */
async function failAll(
  t: { equal(a: unknown, b: unknown): unknown },
  fixture: HoldFixture,
  fail: (asked: Asked) => void,
) {
  fail(await fixture.asked());
  for (const delay of DELAYS) {
    await fixture.timers(1);
    const before = fixture.origin.all.length;
    fixture.clock.advance(delay - 1);
    t.equal(fixture.clock.pending, 1);
    fixture.clock.advance(1);
    fail(await fixture.asked());
    t.equal(fixture.origin.all.length, before + 1);
  }
}

for (const [what, fail] of [
  ['is cut', (asked: Asked) => asked.breakOff()],
  ['answers 500', (asked: Asked) => asked.answer({ status: 500, headers: held('2'), body: 'not for the client' })],
  ['answers 404', (asked: Asked) => asked.answer({ status: 404 })],
] as const) {
  t.test(`a link that ${what} is repeated after 1, 2, 4, 8 and 16 seconds; then the stream ends`, async (t) => {
    const fixture = await HoldFixture.open(t, { debug: true });
    const stream = await fixture.stream(held('1'), { timers: 1 });
    fixture.act('room', 'hint');
    await failAll(t, fixture, fail);
    t.equal(await stream.end(), 'complete');
    t.match(stream.text, /^\n\n(Failed to retrieve next link\.|the link was answered \d+)\n$/);
    t.equal(fixture.ends[0]?.reason, 'link-failed');
    t.equal(fixture.clock.pending, 0);
    t.equal(fixture.warnings.length, 7, 'the log says it at once, and each time, and what came of it');
    t.match(fixture.warnings[0], /^link failed and will be asked again: /);
    t.match(fixture.warnings[5], /^link failed and its stream ends: /);
    t.match(fixture.warnings[6], /^stream broken off: /);
  });
}

t.test('a link that redirects ends the stream at once: it would do so again', async (t) => {
  const fixture = await HoldFixture.open(t, { debug: true });
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ status: 302, headers: { Location: '/' } });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, '\n\nthe link was answered 302: redirects are not followed\n');
  t.strictSame(fixture.warnings, [
    'link failed and its stream ends: the link was answered 302: redirects are not followed',
    'stream broken off: the link was answered 302: redirects are not followed',
  ]);
  t.equal(fixture.clock.pending, 0);
});

t.test('the log says what is wrong with a link once in a second, however many streams have it', async (t) => {
  const fixture = await HoldFixture.open(t);
  for (let i = 1; i <= 3; i++) await fixture.stream({ ...room(`${i}`), 'Grip-Link': NEXT }, { timers: 1 });
  fixture.act('room', 'hint');
  for (let i = 1; i <= 3; i++) (await fixture.asked()).answer({ status: 500 });
  await fixture.timers(3);
  t.strictSame(fixture.warnings, ['link failed and will be asked again: the link was answered 500']);
});

t.test(
  'a link that leads nowhere is named in the log when it is named by the origin, and ends when it is due',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const headers = { ...room('1'), 'Grip-Link': ['<//a.example/x>; rel=next', '<//b.example/x>; rel=gone'] };
    const stream = await fixture.stream(headers, { timers: 1 });
    t.match(fixture.warnings, [/^link not followed: its host is no target/]);
    fixture.clock.advance(120_000);
    fixture.clock.advance(100);
    t.equal(await stream.end(), 'complete');
    t.equal(fixture.ends[0]?.reason, 'link-failed');
  },
);

t.test('each delay is up to a second longer by chance', async (t) => {
  const fixture = await HoldFixture.open(t, { random: 0.5 });
  await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).breakOff();
  await fixture.timers(1);
  fixture.clock.advance(1_499);
  t.equal(fixture.clock.pending, 1);
  fixture.clock.advance(1);
  t.equal((await fixture.asked()).url, '/next');
});

t.test('a repeat that succeeds: nothing is lost of what came meanwhile, and the count begins anew', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  for (let round = 0; round < 2; round++) {
    fixture.act('room', 'hint');
    (await fixture.asked()).breakOff();
    await fixture.timers(1);
    fixture.send('room', `item ${round} `, { id: `3${round}`, 'prev-id': `2${round}` });
    fixture.clock.advance(1_000);
    const again = await fixture.asked();
    t.equal(again.lastIds.length, 1);
    again.answer({ headers: held(`2${round}`), body: `link ${round} ` });
    await stream.until(`link ${round} item ${round} `);
    // The sequencer's knowledge of the last id would make the next item wait.
    fixture.delivery.sequencer.forgetLastIds();
    await fixture.timers(1);
  }
});

t.test('a client that goes away between two attempts stops them', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  (await fixture.asked()).breakOff();
  await fixture.timers(1);
  await fixture.drop(stream);
  t.equal(fixture.clock.pending, 0);
});

t.test('a link that breaks off in its body is not repeated: the client sees that something is missing', async (t) => {
  const fixture = await HoldFixture.open(t, { debug: true });
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  next.begin(held('2'), 'half');
  await stream.until('half');
  next.breakOff();
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'half');
  t.equal(fixture.ends[0]?.reason, 'link-failed');
  t.equal(fixture.clock.pending, 0);
});

t.test('a link that breaks off before the first byte of its body is repeated', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(held('1'), { timers: 1 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  next.begin(held('2'));
  // The head has come when the stream has taken over what it says: it is on one more channel.
  next.breakOff();
  await fixture.timers(1);
  fixture.clock.advance(1_000);
  (await fixture.asked()).answer({ headers: held('2'), body: 'whole' });
  await stream.until('whole');
});

for (const [what, answer, text] of [
  ['a response hold', { headers: { 'Grip-Hold': 'response', ...room('1') } }, 'Next link returned non-stream hold.'],
  ['a bad instruct', { headers: { 'Grip-Hold': 'neither' } }, "Grip-Hold must be set to either 'response' or 'stream'"],
  [
    'an instruct in JSON',
    {
      headers: { 'Content-Type': 'application/grip-instruct; charset=utf-8' },
      body: '{"hold":{"mode":"stream","channels":[]}}',
    },
    'Next link returned application/grip-instruct.',
  ],
] as const) {
  t.test(`${what} in answer to a link ends the stream, at once; nothing of it reaches the client`, async (t) => {
    const fixture = await HoldFixture.open(t, { lines: ['debug,debug ORIGIN'] });
    for (const host of ['any', 'debug']) {
      const opening = fixture.ask('/', { headers: { Host: host } });
      (await fixture.asked()).answer({ headers: held('1'), body: 'body' });
      const stream = await opening;
      await fixture.timers(1);
      fixture.act('room', 'hint');
      (await fixture.asked()).answer(answer);
      t.equal(await stream.end(), 'complete');
      t.equal(stream.text, host === 'debug' ? `body\n\n${text}\n` : 'body');
    }
    t.equal(fixture.origin.all.length, 4);
    t.equal(fixture.clock.pending, 0);
  });
}

t.test('a chain that fails before any hold: the answer is broken off, for a part of it is missing', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  (await fixture.asked()).answer({ headers: { 'Grip-Link': NEXT }, body: 'one' });
  const stream = await answer;
  await stream.until('one');
  await failAll(t, fixture, (asked) => asked.answer({ status: 404 }));
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'one');
});

t.test('an unreachable host counts as a failure like others', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'link_hosts=127.0.0.1' });
  const stream = await fixture.stream(held('1', `<http://127.0.0.1:${await deadPort()}/x>; rel=next`), { timers: 1 });
  fixture.act('room', 'hint');
  for (const delay of DELAYS) {
    await fixture.timers(1);
    fixture.clock.advance(delay);
  }
  t.equal(await stream.end(), 'complete');
  t.equal(fixture.origin.all.length, 1);
});

t.test('streams that share a fetch repeat it together', async (t) => {
  const fixture = await HoldFixture.open(t);
  const streams = [await fixture.stream(held('1'), { timers: 1 }), await fixture.stream(held('1'), { timers: 1 })];
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ status: 503, headers: { Connection: 'close' } });
  await fixture.timers(2);
  fixture.clock.advance(1_000);
  (await fixture.asked()).answer({ headers: held('2'), body: 'news' });
  for (const stream of streams) await stream.until('news');
  t.equal(fixture.origin.all.length, 4);
});
