/** Holds of whose channel the backplane has lost items. */
import type { Gap } from '@holdfast/control-api';
import t from 'tap';
import { HoldFixture } from './hold-fixture.js';

const GAP: Gap = { channel: 'room', reason: 'trimmed', after: { epoch: 'e', offset: 3 }, until: undefined };
const room = { 'Grip-Channel': 'room' };

t.test('a stream with a next link asks it, in its turn, and goes on', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { 'Grip-Hold': 'stream', 'Grip-Link': '</next>; rel=next', ...room };
  const stream = await fixture.stream(headers, { timers: 1 });
  fixture.delivery.onGap(GAP);
  fixture.send('room', 'later ');
  fixture.clock.advance(100);
  (await fixture.asked()).answer({ headers, body: 'lost ' });
  await stream.until('lost later ');
});

t.test('a stream without one ends broken off, soon, and gets nothing of what follows', async (t) => {
  const fixture = await HoldFixture.open(t, { random: 0.5 });
  const stream = await fixture.stream({ 'Grip-Hold': 'stream', ...room });
  fixture.send('room', 'before ');
  await stream.until('before ');
  fixture.delivery.onGap(GAP);
  fixture.send('room', 'after ');
  fixture.clock.advance(999);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  t.equal(await stream.end(), 'broken');
  t.equal(stream.text, 'before ');
  t.match(await fixture.holdsEnded(), { reason: 'items-lost', items: 1 });
});

t.test('with the policy to continue it goes on with what follows', async (t) => {
  const fixture = await HoldFixture.open(t, { gapPolicy: 'continue' });
  const stream = await fixture.stream({ 'Grip-Hold': 'stream', ...room });
  fixture.delivery.onGap(GAP);
  fixture.send('room', 'after ');
  await stream.until('after ');
  t.equal(fixture.ends.length, 0);
});

t.test('a response hold asks its origin again, in its turn', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(room);
  fixture.delivery.onGap(GAP);
  fixture.delivery.onGap(GAP);
  t.equal(fixture.origin.all.length, 1);
  fixture.clock.advance(100);
  (await fixture.asked()).answer({ body: 'news' });
  await (await answer).until('news');
  t.equal(fixture.origin.all.length, 2);
});

t.test('a gap on another channel changes nothing', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream({ 'Grip-Hold': 'stream', ...room });
  fixture.delivery.onGap({ ...GAP, channel: 'hall' });
  fixture.clock.advance(10_000);
  fixture.send('room', 'on');
  await stream.until('on');
});
