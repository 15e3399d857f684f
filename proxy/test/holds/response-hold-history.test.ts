/** Response holds with prev-ids that the history serves before their origin is asked again. */
import t, { type Test } from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const tracked = (prevId: string) => ({ 'Grip-Channel': `room; prev-id=${prevId}` });
const item = (fixture: HoldFixture, n: number) =>
  fixture.respond('room', `${n}`, { id: `${n}`, 'prev-id': `${n - 1}` });
const keeping = (t: Test, historySize = 10) => HoldFixture.open(t, { route: 'history', historySize });

const textOf = async (answer: Promise<Answer>) => {
  const got = await answer;
  await got.end();
  return got.text;
};

t.test('a hold that is behind is answered at once with the first item that follows', async (t) => {
  const fixture = await keeping(t);
  for (const n of [1, 2, 3]) item(fixture, n);
  const { answer } = await fixture.poll(tracked('1'));
  const got = await answer;
  await got.end();
  t.equal(got.text, '2');
  t.equal(fixture.origin.all.length, 1);
  t.strictSame(
    ['sent response', 'replayed response', 'replay response complete'].map((what) => fixture.count(what)),
    [1, 1, 1],
  );
});

t.test('a hold that has all waits for the next', async (t) => {
  const fixture = await keeping(t);
  item(fixture, 1);
  const { answer } = await fixture.poll(tracked('1'));
  await until('the answer of the history', () => fixture.count('replay response complete') === 1);
  item(fixture, 2);
  t.equal(await (await answer).end(), 'complete');
  t.equal((await answer).text, '2');
  t.equal(fixture.origin.all.length, 1);
});

t.test('an item that does not follow is not asked for where the history knows what is between', async (t) => {
  const fixture = await keeping(t);
  item(fixture, 1);
  const { answer } = await fixture.poll(tracked('1'));
  await until('the answer of the history', () => fixture.count('replay response complete') === 1);
  fixture.backplane.unsubscribe('room');
  item(fixture, 2);
  void fixture.backplane.subscribe('room');
  item(fixture, 3);
  t.equal(await textOf(answer), '2');
  t.equal(fixture.origin.all.length, 1);
});

t.test('items without a body for it are passed over', async (t) => {
  const fixture = await keeping(t);
  item(fixture, 1);
  fixture.send('room', 'for streams', { id: '2', 'prev-id': '1' });
  const { answer } = await fixture.poll(tracked('1'));
  await until('the answer of the history', () => fixture.count('replay response complete') === 1);
  item(fixture, 3);
  t.equal(await textOf(answer), '3');
});

t.test('an origin that the history leaves in doubt is asked again: overtaken, and not kept', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'history', historySize: 1, subscriptionLinger: 60 });
  const first = await fixture.poll({ 'Grip-Channel': 'room' });
  item(fixture, 2);
  await first.answer;
  item(fixture, 3);
  const answer = fixture.ask();
  answer.catch(() => {});
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response', ...tracked('1') } });
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  t.equal(fixture.count('replay response incomplete'), 1);
});

t.test('where nothing is known at all the hold waits, as without a history', async (t) => {
  const fixture = await keeping(t);
  const { answer } = await fixture.poll(tracked('1'));
  await until('the answer of the history', () => fixture.count('replay response incomplete') === 1);
  item(fixture, 2);
  t.equal(await textOf(answer), '2');
  t.equal(fixture.origin.all.length, 1);
});

t.test('a gap that the history cannot fill is the origin’s, in its turn', async (t) => {
  const fixture = await keeping(t);
  const held = await fixture.poll(tracked('1'));
  held.answer.catch(() => {});
  await until('the answer of the history', () => fixture.count('replay response incomplete') === 1);
  item(fixture, 3);
  await until('a turn for the origin', () => {
    fixture.clock.advance(100);
    return fixture.origin.all.length === 2;
  });
  t.strictSame((await fixture.asked()).lastIds, ['room; last-id=1']);
});

t.test('many holds that missed the same share what is read', async (t) => {
  const fixture = await keeping(t);
  for (const n of [1, 2]) item(fixture, n);
  let reads = 0;
  const { reading } = fixture.backplane;
  fixture.backplane.reading = (...args) => {
    reads++;
    return reading(...args);
  };
  const answers = Array.from({ length: 50 }, () => fixture.ask());
  const asked = [];
  for (let i = 0; i < 50; i++) asked.push(await fixture.asked());
  for (const one of asked) one.answer({ headers: { 'Grip-Hold': 'response', ...tracked('1') } });
  for (const answer of answers) t.equal(await textOf(answer), '2');
  t.ok(reads < 50, `${reads} reads`);
});
