/** Next links that fail, or answer what a stream cannot use. */
import t from 'tap';
import { deadPort } from '../kit/ports.js';
import { HoldScene } from './hold-scene.js';
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
async function failAll(t: { equal(a: unknown, b: unknown): unknown }, scene: HoldScene, fail: (asked: Asked) => void) {
  fail(await scene.asked());
  for (const delay of DELAYS) {
    await scene.timers(1);
    const before = scene.origin.all.length;
    scene.clock.advance(delay - 1);
    t.equal(scene.clock.pending, 1);
    scene.clock.advance(1);
    scene.logClock.advance(delay);
    fail(await scene.asked());
    t.equal(scene.origin.all.length, before + 1);
  }
}

for (const [what, fail] of [
  ['is cut', (asked: Asked) => asked.breakOff()],
  ['answers 500', (asked: Asked) => asked.answer({ status: 500, headers: held('2'), body: 'not for the client' })],
  ['answers 404', (asked: Asked) => asked.answer({ status: 404 })],
] as const) {
  t.test(`a link that ${what} is repeated after 1, 2, 4, 8 and 16 seconds; then the stream ends`, async (t) => {
    const scene = await HoldScene.open(t, { debug: true });
    const stream = await scene.stream(held('1'), { timers: 1 });
    scene.act('room', 'hint');
    await failAll(t, scene, fail);
    t.equal(await stream.end(), 'complete');
    t.match(stream.text, /^\n\n(Failed to retrieve next link\.|the link was answered \d+)\n$/);
    t.equal(scene.ends[0]?.reason, 'link-failed');
    t.equal(scene.clock.pending, 0);
    t.equal(scene.warnings.length, 6, 'the log says it at once, and each time');
    t.match(scene.warnings[0], /^link failed and will be asked again: /);
    t.match(scene.warnings[5], /^link failed and its stream ends: /);
  });
}

t.test('a link that redirects ends the stream at once: it would do so again', async (t) => {
  const scene = await HoldScene.open(t, { debug: true });
  const stream = await scene.stream(held('1'), { timers: 1 });
  scene.act('room', 'hint');
  (await scene.asked()).answer({ status: 302, headers: { Location: '/' } });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, '\n\nthe link was answered 302: redirects are not followed\n');
  t.strictSame(scene.warnings, [
    'link failed and its stream ends: the link was answered 302: redirects are not followed',
  ]);
  t.equal(scene.clock.pending, 0);
});

t.test('the log says what is wrong with a link once in a second, however many streams have it', async (t) => {
  const scene = await HoldScene.open(t);
  for (let i = 1; i <= 3; i++) await scene.stream({ ...room(`${i}`), 'Grip-Link': NEXT }, { timers: 1 });
  scene.act('room', 'hint');
  for (let i = 1; i <= 3; i++) (await scene.asked()).answer({ status: 500 });
  await scene.timers(3);
  t.strictSame(scene.warnings, ['link failed and will be asked again: the link was answered 500']);
});

t.test(
  'a link that leads nowhere is named in the log when it is named by the origin, and ends when it is due',
  async (t) => {
    const scene = await HoldScene.open(t);
    const headers = { ...room('1'), 'Grip-Link': ['<//a.example/x>; rel=next', '<//b.example/x>; rel=gone'] };
    const stream = await scene.stream(headers, { timers: 1 });
    t.match(scene.warnings, [/^link not followed: its host is no target/]);
    scene.clock.advance(120_000);
    scene.clock.advance(100);
    t.equal(await stream.end(), 'complete');
    t.equal(scene.ends[0]?.reason, 'link-failed');
  },
);

t.test('each delay is up to a second longer by chance', async (t) => {
  const scene = await HoldScene.open(t, { random: 0.5 });
  await scene.stream(held('1'), { timers: 1 });
  scene.act('room', 'hint');
  (await scene.asked()).breakOff();
  await scene.timers(1);
  scene.clock.advance(1_499);
  t.equal(scene.clock.pending, 1);
  scene.clock.advance(1);
  t.equal((await scene.asked()).url, '/next');
});

t.test('a repeat that succeeds: nothing is lost of what came meanwhile, and the count begins anew', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream(held('1'), { timers: 1 });
  for (let round = 0; round < 2; round++) {
    scene.act('room', 'hint');
    (await scene.asked()).breakOff();
    await scene.timers(1);
    scene.send('room', `item ${round} `, { id: `3${round}`, 'prev-id': `2${round}` });
    scene.clock.advance(1_000);
    const again = await scene.asked();
    t.equal(again.lastIds.length, 1);
    again.answer({ headers: held(`2${round}`), body: `link ${round} ` });
    await stream.until(`link ${round} item ${round} `);
    // The sequencer's knowledge of the last id would make the next item wait.
    scene.delivery.sequencer.forgetLastIds();
    await scene.timers(1);
  }
});

t.test('a client that goes away between two attempts stops them', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream(held('1'), { timers: 1 });
  scene.act('room', 'hint');
  (await scene.asked()).breakOff();
  await scene.timers(1);
  await scene.drop(stream);
  t.equal(scene.clock.pending, 0);
});

t.test('a link that breaks off in its body is not repeated: the client sees that something is missing', async (t) => {
  const scene = await HoldScene.open(t, { debug: true });
  const stream = await scene.stream(held('1'), { timers: 1 });
  scene.act('room', 'hint');
  const next = await scene.asked();
  next.begin(held('2'), 'half');
  await stream.until('half');
  next.breakOff();
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'half');
  t.equal(scene.ends[0]?.reason, 'link-failed');
  t.equal(scene.clock.pending, 0);
});

t.test('a link that breaks off before the first byte of its body is repeated', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream(held('1'), { timers: 1 });
  scene.act('room', 'hint');
  const next = await scene.asked();
  next.begin(held('2'));
  // The head has come when the stream has taken over what it says: it is on one more channel.
  next.breakOff();
  await scene.timers(1);
  scene.clock.advance(1_000);
  (await scene.asked()).answer({ headers: held('2'), body: 'whole' });
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
    const scene = await HoldScene.open(t, { routes: ['debug,debug ORIGIN'] });
    for (const host of ['any', 'debug']) {
      const opening = scene.ask('/', { headers: { Host: host } });
      (await scene.asked()).answer({ headers: held('1'), body: 'body' });
      const stream = await opening;
      await scene.timers(1);
      scene.act('room', 'hint');
      (await scene.asked()).answer(answer);
      t.equal(await stream.end(), 'complete');
      t.equal(stream.text, host === 'debug' ? `body\n\n${text}\n` : 'body');
    }
    t.equal(scene.origin.all.length, 4);
    t.equal(scene.clock.pending, 0);
  });
}

t.test('a chain that fails before any hold: the answer is broken off, for a part of it is missing', async (t) => {
  const scene = await HoldScene.open(t);
  const answer = scene.ask();
  (await scene.asked()).answer({ headers: { 'Grip-Link': NEXT }, body: 'one' });
  const stream = await answer;
  await stream.until('one');
  await failAll(t, scene, (asked) => asked.answer({ status: 404 }));
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'one');
});

t.test('an unreachable host counts as a failure like others', async (t) => {
  const scene = await HoldScene.open(t, { route: 'link_hosts=127.0.0.1' });
  const stream = await scene.stream(held('1', `<http://127.0.0.1:${await deadPort()}/x>; rel=next`), { timers: 1 });
  scene.act('room', 'hint');
  for (const delay of DELAYS) {
    await scene.timers(1);
    scene.clock.advance(delay);
  }
  t.equal(await stream.end(), 'complete');
  t.equal(scene.origin.all.length, 1);
});

t.test('streams that share a fetch repeat it together', async (t) => {
  const scene = await HoldScene.open(t);
  const streams = [await scene.stream(held('1'), { timers: 1 }), await scene.stream(held('1'), { timers: 1 })];
  scene.act('room', 'hint');
  (await scene.asked()).answer({ status: 503, headers: { Connection: 'close' } });
  await scene.timers(2);
  scene.clock.advance(1_000);
  (await scene.asked()).answer({ headers: held('2'), body: 'news' });
  for (const stream of streams) await stream.until('news');
  t.equal(scene.origin.all.length, 4);
});
