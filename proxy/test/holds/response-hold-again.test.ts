/** Response holds that go back to their origin: hints, ids that do not fit, recovery. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const tracked = { 'Grip-Channel': 'room; prev-id=1' };

t.test('a hint repeats the request, byte for byte, with the last ids that the origin gave', async (t) => {
  const fixture = await HoldFixture.open(t);
  const asking = { method: 'PUT', headers: { 'X-Own': 'a', Cookie: 'c', 'Grip-Last': 'forged' }, body: 'question' };
  const { answer } = await fixture.poll({ 'Grip-Channel': 'room; prev-id=1, other; prev-id=b, bare' }, '', asking);
  fixture.publish('room', { 'http-response': { action: 'hint' } }, { id: '2', 'prev-id': '1' });
  const again = await fixture.asked();
  t.match(again, { method: 'PUT', url: '/', headers: { 'x-own': 'a', cookie: 'c' } });
  t.equal(again.body.toString(), 'question');
  t.strictSame(again.lastIds, ['room; last-id=1', 'other; last-id=b'], 'what is hinted at is not there yet');
  t.match(fixture.ends, [{ reason: 'retried' }]);
  again.answer({ status: 203, body: 'news' });
  const got = await answer;
  await got.end();
  t.match(got, { status: 203, text: 'news' });
  t.match(fixture.requests.at(-1), { status: 203, retry: true, hold: undefined });
});

t.test('a request that is asked again is held again, with a time-out of its own', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ ...tracked, 'Grip-Timeout': '10' });
  fixture.clock.advance(9_000);
  fixture.publish('room', { 'http-response': { action: 'hint' } });
  (await fixture.asked()).answer({
    headers: { 'Grip-Hold': 'response', 'Grip-Channel': 'new', 'Grip-Timeout': '10' },
    body: 'second',
  });
  await fixture.ended(2);
  t.equal(fixture.registry.has('room'), false);
  fixture.clock.advance(9_999);
  t.equal(fixture.ends.length, 1);
  fixture.clock.advance(1);
  await (await answer).until('second');
});

t.test('a hold that its origin made too late, with an older id than the last one, asks again at once', async (t) => {
  const fixture = await HoldFixture.open(t, { subscriptionLinger: 60 });
  const first = await fixture.poll({ 'Grip-Channel': 'room' });
  fixture.respond('room', 'two', { id: '2' });
  await first.answer;
  const answer = fixture.ask();
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response', ...tracked } });
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ headers: { 'Grip-Hold': 'response', ...tracked } });
  await fixture.ended(3);
  t.equal(fixture.origin.untaken, 0, 'only once: an origin that knows no better is not asked in a loop');
  fixture.respond('room', 'next', { id: '2', 'prev-id': '1' });
  await (await answer).until('next');
});

t.test('a hold with the very last id is held', async (t) => {
  const fixture = await HoldFixture.open(t, { subscriptionLinger: 60 });
  const first = await fixture.poll({ 'Grip-Channel': 'room' });
  fixture.respond('room', 'one', { id: '1' });
  await first.answer;
  const { answer } = await fixture.poll(tracked);
  fixture.respond('room', 'two', { id: '2', 'prev-id': '1' });
  await (await answer).until('two');
  t.equal(fixture.origin.all.length, 2);
});

for (const [what, ids] of [
  ['another prev-id', { id: '3', 'prev-id': '2' }],
  ['no prev-id', { id: '3' }],
  ['neither id nor prev-id', {}],
] as const) {
  t.test(`an item with ${what} does not answer a hold with ids: it asks again, in its turn`, async (t) => {
    const fixture = await HoldFixture.open(t);
    const { answer } = await fixture.poll(tracked);
    fixture.respond('room', 'not this', ids);
    t.equal(fixture.delivery.sequencer.lastId('room'), undefined, 'the next hold is not to stumble over it again');
    fixture.clock.advance(99);
    t.equal(fixture.ends.length, 0);
    fixture.clock.advance(1);
    const again = await fixture.asked();
    t.strictSame(again.lastIds, ['room; last-id=1']);
    again.answer({ body: 'caught up' });
    await (await answer).until('caught up');
    t.equal(fixture.count('sent response'), 0);
  });
}

t.test('an item that fits, and comes before the turn, answers', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(tracked);
  fixture.respond('room', 'not this', { id: '3', 'prev-id': '2' });
  fixture.respond('room', 'this', { id: '2', 'prev-id': '1' });
  await (await answer).until('this');
  fixture.clock.advance(1_000);
  await fixture.poll(tracked);
  t.equal(fixture.origin.all.length, 2, 'the turn is given back');
});

t.test('holds that find the same gap go back a hundred at a time, ten times a second', async (t) => {
  const fixture = await HoldFixture.open(t);
  const polls = [];
  for (let i = 0; i < 105; i++) polls.push(await fixture.poll(tracked));
  fixture.respond('room', 'gap', { id: '9', 'prev-id': '8' });
  fixture.respond('room', 'gap', { id: '10', 'prev-id': '9' });
  fixture.clock.advance(100);
  t.equal(fixture.ends.length, 100);
  fixture.clock.advance(99);
  t.equal(fixture.ends.length, 100);
  fixture.clock.advance(1);
  t.equal(fixture.ends.length, 105);
  for (const _ of polls) (await fixture.asked()).answer({ body: 'ok' });
  for (const { answer } of polls) await answer;
});

t.test('recover asks again for every hold, in its turn', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(tracked);
  fixture.recover();
  fixture.clock.advance(99);
  t.equal(fixture.origin.all.length, 1);
  fixture.clock.advance(1);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ body: 'recovered' });
  await (await answer).until('recovered');
});

t.test('recover while the origin’s answer is on its way asks again once it is there', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', ...tracked }, 'old ');
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.recover();
  asked.end('state');
  (await fixture.asked()).answer({ body: 'new state' });
  await (await answer).until('new state');
});

t.test('a request whose body is too long to be repeated is not held', async (t) => {
  const fixture = await HoldFixture.open(t, { requestBodyMax: 20_000 });
  const answer = fixture.ask('/', { method: 'POST', body: 'x'.repeat(20_001) });
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response', ...tracked } });
  const got = await answer;
  await got.end();
  t.match(got, { status: 400, text: 'Request too large to accept GRIP instruct.\n' });
  t.equal(fixture.registry.size, 0);
});

t.test('a route that has gone meanwhile answers a retry with 502', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(tracked);
  fixture.reroute('elsewhere ORIGIN');
  fixture.publish('room', { 'http-response': { action: 'hint' } });
  const got = await answer;
  await got.end();
  t.match(got, { status: 502, text: 'Route not found\n' });
});

t.test('the update after a first subscription repeats the request after a second, where it is wanted', async (t) => {
  const fixture = await HoldFixture.open(t, { updateOnFirstSubscription: true, subscriptionLinger: 60 });
  const { answer } = await fixture.poll(tracked);
  fixture.clock.advance(999);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(101);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ headers: { 'Grip-Hold': 'response', ...tracked }, body: 'origin' });
  await fixture.ended(2);
  fixture.clock.advance(10_000);
  t.equal(fixture.ends.length, 1, 'a channel that is known already has no first subscription');
  fixture.respond('room', 'two', { id: '2', 'prev-id': '1' });
  await (await answer).until('two');
});

t.test('no update where it is not wanted', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.poll(tracked);
  fixture.clock.advance(10_000);
  t.equal(fixture.ends.length, 0);
  t.equal(fixture.clock.pending, 1, 'only the time-out');
});
