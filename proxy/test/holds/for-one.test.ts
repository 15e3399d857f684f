/** Items for one subscriber and the holds of a node: which of them is free for one, and what it does to their order. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const room = { 'Grip-Channel': 'room' };
const one = { deliver: 'one' } as const;

t.test('streams get items in turn; those for all go to each', async (t) => {
  const fixture = await HoldFixture.open(t);
  const streams = [await fixture.stream(room), await fixture.stream(room)] as const;
  for (const content of ['1', '2', '3']) fixture.send('room', content, one);
  fixture.send('room', ' all');
  for (const stream of streams) await stream.until(' all');
  t.strictSame(
    streams.map(({ text }) => text),
    ['13 all', '2 all'],
  );
  t.equal(fixture.count('sent stream'), 5);
});

t.test('a stream whose filters would drop the item is passed over', async (t) => {
  const fixture = await HoldFixture.open(t);
  const of = (user: string) => ({ 'Grip-Channel': 'room; filter=skip-self', 'Grip-Set-Meta': `user=${user}` });
  const [ann, bob] = [await fixture.stream(of('ann')), await fixture.stream(of('bob'))];
  for (const content of ['1', '2', '3']) fixture.send('room', content, { ...one, meta: { sender: 'ann' } });
  await bob.until('123');
  fixture.send('room', '4', { ...one, meta: { sender: 'bob' } });
  await ann.until('4');
  t.strictSame([ann.text, bob.text], ['4', '123']);
});

t.test('a stream whose body is still going out is passed over', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', ...room }, 'begun ');
  const opening = await answer;
  await opening.until('begun ');
  fixture.send('room', 'lost ', one);
  const open = await fixture.stream(room);
  fixture.send('room', '1 ', one);
  fixture.send('room', '2 ', one);
  await open.until('1 2 ');
  asked.end();
  await until('the stream is held', () => {
    fixture.send('room', '. ', one);
    return opening.text.includes('. ');
  });
  t.notMatch(opening.text + open.text, 'lost');
});

t.test('a hold that follows prev-ids gets it beside them, and misses nothing by it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const followed = { 'Grip-Channel': 'room; prev-id=1' };
  const link = { 'Grip-Link': '</next>; rel=next' };
  const stream = await fixture.stream({ ...followed, ...link }, { timers: 1 });
  fixture.send('room', '2 ', { id: '2', 'prev-id': '1' });
  fixture.send('room', 'one ', { ...one, id: 'x' });
  fixture.send('room', '3 ', { id: '3', 'prev-id': '2' });
  await stream.until('3 ');
  t.equal(stream.text, '2 one 3 ');

  const { answer } = await fixture.poll({ 'Grip-Channel': 'room; prev-id=3' });
  fixture.publish('room', { 'http-response': { body: 'for one' } }, { ...one, id: 'y' });
  await (await answer).until('for one');
  t.equal(fixture.origin.untaken, 0, 'no origin was asked again');
});

t.test('each of several items answers a long poll of its own; what is left over is for nobody', async (t) => {
  const fixture = await HoldFixture.open(t);
  const polls = [await fixture.poll(room), await fixture.poll(room)];
  for (const body of ['1', '2', '3']) fixture.respond('room', body, one);
  const texts = await Promise.all(
    polls.map(async ({ answer }) => {
      const answered = await answer;
      await answered.end();
      return answered.text;
    }),
  );
  t.strictSame(texts, ['1', '2']);
  const last = await fixture.poll(room);
  fixture.respond('room', '4', one);
  await (await last.answer).until('4');
});

t.test('who has no form for it is passed over', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(room);
  const { answer } = await fixture.poll(room);
  fixture.send('room', '1', one);
  fixture.send('room', '2', one);
  fixture.respond('room', 'polled', one);
  await stream.until('12');
  await (await answer).until('polled');
  t.equal(stream.text, '12');
});
