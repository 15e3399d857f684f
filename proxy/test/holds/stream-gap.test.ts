/** Streams that have missed something, and how they get it. */
import t from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { HoldFixture, WAIT } from './hold-fixture.js';

const NEXT = '</next>; rel=next';
const room = (prevId: string) => ({ 'Grip-Channel': `room; prev-id=${prevId}` });
const held = (prevId: string) => ({ 'Grip-Hold': 'stream', 'Grip-Link': NEXT, ...room(prevId) });
const item = (fixture: HoldFixture, n: number) => fixture.send('room', `${n} `, { id: `${n}`, 'prev-id': `${n - 1}` });

/** A stream that has item 1. */
const open = (fixture: HoldFixture) => fixture.stream(held('1'), { timers: 1 });

t.test('an item that does not follow is not sent: the link tells what is missing, in its turn', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  item(fixture, 3);
  t.equal(fixture.delivery.sequencer.lastId('room'), undefined);
  fixture.clock.advance(99);
  t.equal(fixture.origin.all.length, 1);
  fixture.clock.advance(1);
  const next = await fixture.asked();
  t.strictSame(next.lastIds, ['room; last-id=1']);
  next.answer({ headers: held('3'), body: '2 3 ' });
  await stream.until('2 3 ');
  await fixture.timers(2);
  item(fixture, 4);
  await stream.until('4 ');
  fixture.clock.advance(1_000);
  item(fixture, 5);
  await stream.until('5 ');
  t.equal(stream.text, '2 3 4 5 ');
  t.equal(fixture.origin.all.length, 2, 'no further fetch');
});

t.test(
  'where the last id is known the item waits for its time first, and may be overtaken by what it waits for',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const stream = await open(fixture);
    item(fixture, 2);
    item(fixture, 4);
    item(fixture, 3);
    await stream.until('2 3 4 ');
    item(fixture, 6);
    fixture.clock.advance(WAIT + 99);
    t.equal(fixture.origin.all.length, 1);
    fixture.clock.advance(1);
    const next = await fixture.asked();
    t.strictSame(next.lastIds, ['room; last-id=4']);
    next.answer({ headers: held('6'), body: '5 6 ' });
    await stream.until('2 3 4 5 6 ');
  },
);

for (const [what, ids] of [
  ['no prev-id', { id: '2' }],
  ['no ids', {}],
] as const) {
  t.test(`an item with ${what} on a channel with ids is not sent either`, async (t) => {
    const fixture = await HoldFixture.open(t);
    const stream = await open(fixture);
    fixture.send('room', 'not this', ids);
    fixture.clock.advance(100);
    (await fixture.asked()).answer({ headers: held('2'), body: '2 ' });
    await fixture.timers(2);
    item(fixture, 3);
    await stream.until('3 ');
    t.equal(stream.text, '2 3 ');
  });
}

t.test('an item without id that follows ends the tracking of its channel', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  fixture.send('room', 'a ', { 'prev-id': '1' });
  fixture.send('room', 'b ', { id: '9', 'prev-id': '7' });
  await stream.until('a b ');
  fixture.act('room', 'hint');
  t.strictSame((await fixture.asked()).lastIds, []);
});

t.test('items that come while the link answers: what it has told is left out, the rest follows', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  item(fixture, 3);
  item(fixture, 4);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  item(fixture, 5);
  next.begin(held('5'), '2 3 ');
  await stream.until('3 ');
  item(fixture, 6);
  next.end('4 5 ');
  await stream.until('6 ');
  item(fixture, 7);
  await stream.until('7 ');
  t.equal(stream.text, '2 3 4 5 6 7 ');
});

t.test('an answer that ends before what waits is asked for again, from where it ended', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  item(fixture, 3);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  item(fixture, 4);
  item(fixture, 6);
  next.answer({ headers: held('3'), body: '2 3 ' });
  await stream.until('3 ');
  // The fourth was the next, the sixth waits for the fifth until its time is up.
  await stream.until('4 ');
  fixture.clock.advance(WAIT);
  fixture.clock.advance(100);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=4']);
  again.answer({ headers: held('6'), body: '5 6 ' });
  await stream.until('2 3 4 5 6 ');
});

t.test('an answer that was made before the item that showed the gap is asked for again', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  item(fixture, 3);
  fixture.clock.advance(100);
  (await fixture.asked()).answer({ headers: held('2'), body: '2 ' });
  await stream.until('2 ');
  await fixture.timers(2);
  fixture.clock.advance(100);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=2']);
  again.answer({ headers: held('3'), body: '3 ' });
  await stream.until('2 3 ');
  await fixture.timers(2);
  fixture.clock.advance(1_000);
  t.equal(fixture.origin.all.length, 3);
});

t.test('an origin whose ids never fit is not asked in a loop', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  item(fixture, 3);
  for (let i = 0; i < 2; i++) {
    fixture.clock.advance(100);
    (await fixture.asked()).answer({ headers: held('nonsense'), body: `${i} ` });
    await stream.until(`${i} `);
    await fixture.timers(2);
  }
  fixture.clock.advance(10_000);
  t.equal(fixture.origin.all.length, 3);
});

t.test('one channel behind: the other goes on, and its items are not lost', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = (a: string) => ({
    'Grip-Hold': 'stream',
    'Grip-Channel': `a; prev-id=${a}, free`,
    'Grip-Link': NEXT,
  });
  const stream = await fixture.stream(headers('1'), { timers: 1 });
  fixture.act('free', 'hint');
  const next = await fixture.asked();
  fixture.send('free', 'f1 ');
  fixture.send('a', 'a2 ', { id: '2', 'prev-id': '1' });
  fixture.send('a', 'a4 ', { id: '4', 'prev-id': '3' });
  fixture.clock.advance(WAIT);
  fixture.send('free', 'f2 ');
  next.answer({ headers: headers('1') });
  await stream.until('f1 a2 ');
  t.notMatch(stream.text, 'f2', 'what came behind the gap stays behind it');
  fixture.clock.advance(100);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['a; last-id=2']);
  again.answer({ headers: headers('4'), body: 'a3 a4 ' });
  await stream.until('f2 ');
  t.equal(stream.text, 'f1 a2 a3 a4 f2 ');
});

t.test('a stream that its origin opened too late asks the link as soon as its body is out', async (t) => {
  const fixture = await HoldFixture.open(t);
  const first = await open(fixture);
  item(fixture, 2);
  await first.until('2 ');
  const answer = fixture.ask();
  (await fixture.asked()).answer({ headers: held('1'), body: '1 ' });
  const late = await answer;
  await late.until('1 ');
  await fixture.timers(2);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  t.strictSame(next.lastIds, ['room; last-id=1']);
  item(fixture, 3);
  next.answer({ headers: held('2'), body: '2 ' });
  await late.until('3 ');
  t.equal(late.text, '1 2 3 ');
});

t.test('so does a stream that a link put on a channel too late', async (t) => {
  const fixture = await HoldFixture.open(t);
  const first = await open(fixture);
  const answer = fixture.ask('/late');
  (await fixture.asked()).answer({ headers: { 'Grip-Link': NEXT }, body: '0 ' });
  const late = await answer;
  const next = await fixture.asked();
  item(fixture, 2);
  await first.until('2 ');
  next.answer({ headers: held('1'), body: '1 ' });
  await late.until('1 ');
  await fixture.timers(2);
  fixture.clock.advance(100);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ headers: held('2'), body: '2 ' });
  await late.until('0 1 2 ');
});

t.test('recover fetches the link, in its turn', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  fixture.recover();
  fixture.clock.advance(99);
  t.equal(fixture.origin.all.length, 1);
  fixture.clock.advance(1);
  (await fixture.asked()).answer({ headers: held('2'), body: '2 ' });
  await stream.until('2 ');
});

t.test('recover during the initial body fetches the link once that is out', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin(held('1'), '1 ');
  await (await answer).until('1 ');
  fixture.recover();
  asked.end('- ');
  await fixture.timers(1);
  fixture.clock.advance(100);
  (await fixture.asked()).answer({ headers: held('2'), body: '2 ' });
  await (await answer).until('1 - 2 ');
});

t.test('recover during a fetch makes another', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await open(fixture);
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  fixture.recover();
  next.answer({ headers: held('1'), body: 'old ' });
  await stream.until('old ');
  await fixture.timers(1);
  fixture.clock.advance(100);
  (await fixture.asked()).answer({ headers: held('2'), body: '2 ' });
  await stream.until('old 2 ');
  await fixture.timers(2);
  fixture.clock.advance(10_000);
  t.equal(fixture.origin.all.length, 3, 'and that is all');
});

t.test('the update after a first subscription fetches the link, where it is wanted', async (t) => {
  const fixture = await HoldFixture.open(t, { updateOnFirstSubscription: true });
  const stream = await fixture.stream(held('1'), { timers: 2 });
  fixture.clock.advance(1_000 + 100);
  (await fixture.asked()).answer({ headers: held('2'), body: '2 ' });
  await stream.until('2 ');
  fixture.clock.advance(10_000);
  t.equal(fixture.origin.all.length, 2);
});

t.test('streams with the same gap share one fetch; later ones too, from its first byte', async (t) => {
  const fixture = await HoldFixture.open(t);
  const streams: Answer[] = [];
  for (let i = 0; i < 5; i++) streams.push(await fixture.stream(held('1'), { timers: 1 }));
  item(fixture, 3);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  next.begin(held('3'), '2 ');
  for (const stream of streams) await stream.until('2 ');
  const late = await fixture.stream(held('1'), { timers: 1 });
  fixture.recover();
  fixture.clock.advance(100);
  await late.until('2 ');
  next.end('3 ');
  for (const stream of [...streams, late]) await stream.until('2 3 ');
  t.equal(fixture.origin.all.length, 7, 'six for the streams, one for all their links');
  t.equal(fixture.fetches.size, 0);
});

t.test('streams with other ids fetch by themselves', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(held('1'), { timers: 1 });
  await fixture.stream(held('2'), { timers: 1 });
  item(fixture, 9);
  fixture.clock.advance(100);
  const lastIds = [await fixture.asked(), await fixture.asked()].flatMap((asked) => asked.lastIds);
  t.strictSame(lastIds.sort(), ['room; last-id=1', 'room; last-id=2']);
});

t.test('of streams that share a fetch the slowest decides, until it goes away', async (t) => {
  const fixture = await HoldFixture.open(t);
  const [slow, quick] = [
    await fixture.stream(held('1'), { timers: 1 }),
    await fixture.stream(held('1'), { timers: 1 }),
  ];
  slow.stall();
  item(fixture, 3);
  fixture.clock.advance(100);
  const next = await fixture.asked();
  next.begin(held('3'));
  const part = Buffer.alloc(1 << 20, 'x');
  let parts = 1;
  while (parts < 200 && next.write(part)) {
    parts++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.ok(parts < 200, `${parts} MiB were taken`);
  const drained = next.drained();
  await fixture.drop(slow);
  await drained;
  next.end('end');
  await quick.until(/end$/);
  t.equal(quick.text.length, parts * part.length + 3);
});

t.test('with many streams the links go out a hundred at a time, ten times a second; hints do not wait', async (t) => {
  const fixture = await HoldFixture.open(t);
  const count = 102;
  for (let i = 0; i < count; i++)
    await fixture.stream({ ...held('1'), 'Grip-Channel': `room; prev-id=1, c${i}` }, { timers: 1 });
  item(fixture, 3);
  // Each stream's ids are told apart by a channel of its own.
  fixture.clock.advance(100);
  const first = await fixture.asked();
  t.strictSame(first.lastIds, ['room; last-id=1']);
  t.equal(fixture.fetches.size, 1);
  fixture.clock.advance(100);
  t.equal(fixture.clock.pending, 1, 'all have had their turn: no more than one timer is left');
  first.answer({ headers: held('3'), body: '2 3 ' });
  await fixture.timers(count + 1);
});
