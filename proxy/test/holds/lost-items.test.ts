/** Holds of whose channel the backplane has lost items. */
import type { Gap } from '@holdfast/control-api';
import t from 'tap';
import { HoldScene } from './hold-scene.js';

const GAP: Gap = { channel: 'room', reason: 'trimmed', after: { epoch: 'e', offset: 3 }, until: undefined };
const room = { 'Grip-Channel': 'room' };

t.test('a stream with a next link asks it, in its turn, and goes on', async (t) => {
  const scene = await HoldScene.open(t);
  const headers = { 'Grip-Hold': 'stream', 'Grip-Link': '</next>; rel=next', ...room };
  const stream = await scene.stream(headers, { timers: 1 });
  scene.delivery.onGap(GAP);
  scene.send('room', 'later ');
  scene.clock.advance(100);
  (await scene.asked()).answer({ headers, body: 'lost ' });
  await stream.until('lost later ');
});

t.test('a stream without one ends broken off, soon, and gets nothing of what follows', async (t) => {
  const scene = await HoldScene.open(t, { random: 0.5 });
  const stream = await scene.stream({ 'Grip-Hold': 'stream', ...room });
  scene.send('room', 'before ');
  await stream.until('before ');
  scene.delivery.onGap(GAP);
  scene.send('room', 'after ');
  scene.clock.advance(999);
  t.equal(scene.ends.length, 0);
  scene.clock.advance(1);
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'before ');
  t.match(await scene.holdsEnded(), { reason: 'items-lost', items: 1 });
});

t.test('with the policy to continue it goes on with what follows', async (t) => {
  const scene = await HoldScene.open(t, { gapPolicy: 'continue' });
  const stream = await scene.stream({ 'Grip-Hold': 'stream', ...room });
  scene.delivery.onGap(GAP);
  scene.send('room', 'after ');
  await stream.until('after ');
  t.equal(scene.ends.length, 0);
});

t.test('a response hold asks its origin again, in its turn', async (t) => {
  const scene = await HoldScene.open(t);
  const { answer } = await scene.poll(room);
  scene.delivery.onGap(GAP);
  scene.delivery.onGap(GAP);
  t.equal(scene.origin.all.length, 1);
  scene.clock.advance(100);
  (await scene.asked()).answer({ body: 'news' });
  await (await answer).until('news');
  t.equal(scene.origin.all.length, 2);
});

t.test('a gap on another channel changes nothing', async (t) => {
  const scene = await HoldScene.open(t);
  const stream = await scene.stream({ 'Grip-Hold': 'stream', ...room });
  scene.delivery.onGap({ ...GAP, channel: 'hall' });
  scene.clock.advance(10_000);
  scene.send('room', 'on');
  await stream.until('on');
});
