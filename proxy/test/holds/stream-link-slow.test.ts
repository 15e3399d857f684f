/** Items that come while the link of a stream is asked only because it is time, or all may be out of date. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const NEXT = '</next>; rel=next; timeout=1';
const held = (channels: string) => ({ 'Grip-Hold': 'stream', 'Grip-Link': NEXT, 'Grip-Channel': channels });
const room = (prevId: number) => held(`room; prev-id=${prevId}`);
const item = (fixture: HoldFixture, n: number, channel = 'room') =>
  fixture.send(channel, `${n} `, { id: `${n}`, 'prev-id': `${n - 1}` });

/** A stream that is up to date, and whose link has just been asked because it was time. */
async function due(fixture: HoldFixture, channels: string) {
  const stream = await fixture.stream(held(channels), { timers: 1 });
  fixture.clock.advance(1_000);
  fixture.clock.advance(100);
  return { stream, next: await fixture.asked() };
}

/** Waits until the link's answer has put the stream on this channel. */
const on = (fixture: HoldFixture, channel: string) =>
  until(`a stream on ${channel}`, () => [...fixture.registry.of(channel)].length > 0);

t.test('an item that follows does not wait for a link that was only due', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { stream, next } = await due(fixture, 'room; prev-id=1');
  item(fixture, 2);
  item(fixture, 3);
  await stream.until('2 3 ');
  next.answer({ headers: room(1) });
  await fixture.timers(2);
  item(fixture, 4);
  await stream.until('4 ');
  t.equal(stream.text, '2 3 4 ', 'the answer, which was made before, does not set the stream back');
  fixture.clock.advance(1_000);
  fixture.clock.advance(100);
  t.strictSame((await fixture.asked()).lastIds, ['room; last-id=4']);
});

t.test('nor for its turn', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(room(1), { timers: 1 });
  fixture.clock.advance(1_000);
  item(fixture, 2);
  await stream.until('2 ');
  fixture.clock.advance(100);
  t.strictSame((await fixture.asked()).lastIds, ['room; last-id=2'], 'which is with the ids of then');
});

t.test('nor for the repeats of one that fails, which are with the ids of then', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { stream, next } = await due(fixture, 'room; prev-id=1');
  next.answer({ status: 503 });
  await fixture.timers(2);
  item(fixture, 2);
  await stream.until('2 ');
  fixture.clock.advance(1_000);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=2']);
  again.answer({ headers: room(3), body: '3 ' });
  await stream.until('2 3 ');
});

t.test(
  'an answer that tells again what went out meanwhile is left, and another asked for when it is time',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const { stream, next } = await due(fixture, 'room; prev-id=1');
    item(fixture, 2);
    await stream.until('2 ');
    next.begin(room(2), '2 ');
    await fixture.timers(2);
    await next.abandoned();
    item(fixture, 3);
    await stream.until('3 ');
    fixture.clock.advance(1_000);
    fixture.clock.advance(100);
    const again = await fixture.asked();
    t.strictSame(again.lastIds, ['room; last-id=3']);
    again.answer({ headers: room(4), body: '4 ' });
    await stream.until('4 ');
    t.equal(stream.text, '2 3 4 ');
  },
);

t.test(
  'an item that does not follow waits for what the link tells, and so does all that comes behind it',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const { stream, next } = await due(fixture, 'room; prev-id=1, other; prev-id=6, free');
    item(fixture, 7, 'other');
    fixture.send('free', 'a ');
    await stream.until('7 a ');
    item(fixture, 3);
    item(fixture, 8, 'other');
    fixture.send('free', 'b ');
    next.answer({ headers: held('room; prev-id=3, other; prev-id=6, free'), body: '2 3 ' });
    await stream.until('b ');
    t.equal(stream.text, '7 a 2 3 8 b ');
  },
);

t.test('a hint that comes meanwhile has it asked once more, and items behind it wait for that', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { stream, next } = await due(fixture, 'room; prev-id=1');
  fixture.act('room', 'hint', { id: '2', 'prev-id': '1' });
  item(fixture, 3);
  next.answer({ headers: room(1) });
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ headers: room(2), body: '2 ' });
  await stream.until('2 3 ');
});

t.test('what was asked about because all may be out of date does not hold back what follows for certain', async (t) => {
  const fixture = await HoldFixture.open(t);
  const channels = (a: number, b: number) => held(`a; prev-id=${a}, b; prev-id=${b}, free`);
  const stream = await fixture.stream(channels(1, 1), { timers: 1 });
  fixture.recover();
  fixture.clock.advance(100);
  const next = await fixture.asked();
  item(fixture, 2, 'a');
  await stream.until('2 ');
  fixture.send('free', 'f ');
  next.answer({ headers: channels(1, 5), body: 'b2-5 ' });
  await stream.until('f ');
  t.equal(stream.text, '2 b2-5 f ', 'what has no ids could be behind something that was lost');
});

t.test('an answer in doubt that tells again what went out is asked for anew at once, and then all waits', async (t) => {
  const fixture = await HoldFixture.open(t);
  const channels = (a: number, b: number) => held(`a; prev-id=${a}, b; prev-id=${b}`);
  const stream = await fixture.stream(channels(1, 1), { timers: 1 });
  fixture.recover();
  fixture.clock.advance(100);
  const next = await fixture.asked();
  item(fixture, 2, 'a');
  await stream.until('2 ');
  next.begin(channels(2, 5), 'a2 b2-5 ');
  await next.abandoned();
  fixture.clock.advance(100);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['a; last-id=2', 'b; last-id=1']);
  item(fixture, 3, 'a');
  again.answer({ headers: channels(2, 5), body: 'b2-5 ' });
  await stream.until('3 ');
  t.equal(stream.text, '2 b2-5 3 ');
});

t.test('an answer that has nothing to tell holds nothing back, however long its body takes to end', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { stream, next } = await due(fixture, 'room; prev-id=1, free');
  next.begin(held('room; prev-id=1, free, more'));
  await on(fixture, 'more');
  fixture.send('free', 'a ');
  item(fixture, 2);
  await stream.until('a 2 ');
  next.write('body ');
  await stream.until('body ');
  item(fixture, 3);
  next.end('end ');
  await stream.until('3 ');
  t.equal(stream.text, 'a 2 body end 3 ', 'what comes within a body waits for its end');
});

t.test('an answer that tells something goes out before what follows it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { stream, next } = await due(fixture, 'room; prev-id=1');
  next.begin(held('room; prev-id=2, more'));
  await on(fixture, 'more');
  item(fixture, 3);
  next.end('2 ');
  await stream.until('2 3 ');
  t.equal(stream.text, '2 3 ');
});

t.test('an item about which a server is asked waits for the link, so as not to come into its body', async (t) => {
  const fixture = await HoldFixture.open(t);
  const filter = 'room; prev-id=1; filter=http-check';
  const stream = await fixture.stream({ ...held(filter), 'Grip-Set-Meta': 'url=/check' }, { timers: 1 });
  fixture.clock.advance(1_000);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  item(fixture, 2);
  next.answer({ headers: { ...held(filter), 'Grip-Set-Meta': 'url=/check' }, body: 'body ' });
  const check = await fixture.asked();
  t.equal(check.url, '/check');
  check.answer({});
  await stream.until('2 ');
  t.equal(stream.text, 'body 2 ');
});
