/** Response holds that go back to their origin: hints, ids that do not fit, recovery. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldScene } from './hold-scene.js';

const tracked = { 'Grip-Channel': 'room; prev-id=1' };

t.test('a hint repeats the request, byte for byte, with the last ids that the origin gave', async (t) => {
  const scene = await HoldScene.open(t);
  const asking = { method: 'PUT', headers: { 'X-Own': 'a', Cookie: 'c', 'Grip-Last': 'forged' }, body: 'question' };
  const { answer } = await scene.poll({ 'Grip-Channel': 'room; prev-id=1, other; prev-id=b, bare' }, '', asking);
  scene.publish('room', { 'http-response': { action: 'hint' } }, { id: '2', 'prev-id': '1' });
  const again = await scene.asked();
  t.match(again, { method: 'PUT', url: '/', headers: { 'x-own': 'a', cookie: 'c' } });
  t.equal(again.body.toString(), 'question');
  t.strictSame(again.lastIds, ['room; last-id=1', 'other; last-id=b'], 'what is hinted at is not there yet');
  t.match(scene.ends, [{ reason: 'retried' }]);
  again.answer({ status: 203, body: 'news' });
  const got = await answer;
  await got.end();
  t.match(got, { status: 203, text: 'news' });
  t.match(scene.requests.at(-1), { status: 203, retry: true, hold: undefined });
});

t.test('a request that is asked again is held again, with a time-out of its own', async (t) => {
  const scene = await HoldScene.open(t);
  const { answer } = await scene.poll({ ...tracked, 'Grip-Timeout': '10' });
  scene.clock.advance(9_000);
  scene.publish('room', { 'http-response': { action: 'hint' } });
  (await scene.asked()).answer({
    headers: { 'Grip-Hold': 'response', 'Grip-Channel': 'new', 'Grip-Timeout': '10' },
    body: 'second',
  });
  await scene.ended(2);
  t.equal(scene.registry.has('room'), false);
  scene.clock.advance(9_999);
  t.equal(scene.ends.length, 1);
  scene.clock.advance(1);
  await (await answer).until('second');
});

t.test('a hold that its origin made too late, with an older id than the last one, asks again at once', async (t) => {
  const scene = await HoldScene.open(t, { linger: 60_000 });
  const first = await scene.poll({ 'Grip-Channel': 'room' });
  scene.respond('room', 'two', { id: '2' });
  await first.answer;
  const answer = scene.ask();
  (await scene.asked()).answer({ headers: { 'Grip-Hold': 'response', ...tracked } });
  const again = await scene.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ headers: { 'Grip-Hold': 'response', ...tracked } });
  await scene.ended(3);
  t.equal(scene.origin.untaken, 0, 'only once: an origin that knows no better is not asked in a loop');
  scene.respond('room', 'next', { id: '2', 'prev-id': '1' });
  await (await answer).until('next');
});

t.test('a hold with the very last id is held', async (t) => {
  const scene = await HoldScene.open(t, { linger: 60_000 });
  const first = await scene.poll({ 'Grip-Channel': 'room' });
  scene.respond('room', 'one', { id: '1' });
  await first.answer;
  const { answer } = await scene.poll(tracked);
  scene.respond('room', 'two', { id: '2', 'prev-id': '1' });
  await (await answer).until('two');
  t.equal(scene.origin.all.length, 2);
});

for (const [what, ids] of [
  ['another prev-id', { id: '3', 'prev-id': '2' }],
  ['no prev-id', { id: '3' }],
  ['neither id nor prev-id', {}],
] as const) {
  t.test(`an item with ${what} does not answer a hold with ids: it asks again, in its turn`, async (t) => {
    const scene = await HoldScene.open(t);
    const { answer } = await scene.poll(tracked);
    scene.respond('room', 'not this', ids);
    t.equal(scene.delivery.sequencer.lastId('room'), undefined, 'the next hold is not to stumble over it again');
    scene.clock.advance(99);
    t.equal(scene.ends.length, 0);
    scene.clock.advance(1);
    const again = await scene.asked();
    t.strictSame(again.lastIds, ['room; last-id=1']);
    again.answer({ body: 'caught up' });
    await (await answer).until('caught up');
    t.equal(scene.count('sent response'), 0);
  });
}

t.test('an item that fits, and comes before the turn, answers', async (t) => {
  const scene = await HoldScene.open(t);
  const { answer } = await scene.poll(tracked);
  scene.respond('room', 'not this', { id: '3', 'prev-id': '2' });
  scene.respond('room', 'this', { id: '2', 'prev-id': '1' });
  await (await answer).until('this');
  scene.clock.advance(1_000);
  await scene.poll(tracked);
  t.equal(scene.origin.all.length, 2, 'the turn is given back');
});

t.test('holds that find the same gap go back a hundred at a time, ten times a second', async (t) => {
  const scene = await HoldScene.open(t);
  const polls = [];
  for (let i = 0; i < 105; i++) polls.push(await scene.poll(tracked));
  scene.respond('room', 'gap', { id: '9', 'prev-id': '8' });
  scene.respond('room', 'gap', { id: '10', 'prev-id': '9' });
  scene.clock.advance(100);
  t.equal(scene.ends.length, 100);
  scene.clock.advance(99);
  t.equal(scene.ends.length, 100);
  scene.clock.advance(1);
  t.equal(scene.ends.length, 105);
  for (const _ of polls) (await scene.asked()).answer({ body: 'ok' });
  for (const { answer } of polls) await answer;
});

t.test('recover asks again for every hold, in its turn', async (t) => {
  const scene = await HoldScene.open(t);
  const { answer } = await scene.poll(tracked);
  scene.recover();
  scene.clock.advance(99);
  t.equal(scene.origin.all.length, 1);
  scene.clock.advance(1);
  const again = await scene.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ body: 'recovered' });
  await (await answer).until('recovered');
});

t.test('recover while the origin’s answer is on its way asks again once it is there', async (t) => {
  const scene = await HoldScene.open(t);
  const answer = scene.ask();
  const asked = await scene.asked();
  asked.begin({ 'Grip-Hold': 'response', ...tracked }, 'old ');
  await until('the hold', () => scene.registry.count('room') === 1);
  scene.recover();
  asked.end('state');
  (await scene.asked()).answer({ body: 'new state' });
  await (await answer).until('new state');
});

t.test('a request whose body is too long to be repeated is not held', async (t) => {
  const scene = await HoldScene.open(t, { requestBodyMax: 20_000 });
  const answer = scene.ask('/', { method: 'POST', body: 'x'.repeat(20_001) });
  (await scene.asked()).answer({ headers: { 'Grip-Hold': 'response', ...tracked } });
  const got = await answer;
  await got.end();
  t.match(got, { status: 400, text: 'Request too large to accept GRIP instruct.\n' });
  t.equal(scene.registry.size, 0);
});

t.test('a route that has gone meanwhile answers a retry with 502', async (t) => {
  const scene = await HoldScene.open(t);
  const { answer } = await scene.poll(tracked);
  scene.table = new (scene.table.constructor as new (routes: []) => typeof scene.table)([]);
  scene.publish('room', { 'http-response': { action: 'hint' } });
  const got = await answer;
  await got.end();
  t.match(got, { status: 502, text: 'Route not found\n' });
});

t.test('the update after a first subscription repeats the request after a second, where it is wanted', async (t) => {
  const scene = await HoldScene.open(t, { updateOnFirstSubscription: true, linger: 60_000 });
  const { answer } = await scene.poll(tracked);
  scene.clock.advance(999);
  t.equal(scene.ends.length, 0);
  scene.clock.advance(101);
  const again = await scene.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ headers: { 'Grip-Hold': 'response', ...tracked }, body: 'origin' });
  await scene.ended(2);
  scene.clock.advance(10_000);
  t.equal(scene.ends.length, 1, 'a channel that is known already has no first subscription');
  scene.respond('room', 'two', { id: '2', 'prev-id': '1' });
  await (await answer).until('two');
});

t.test('no update where it is not wanted', async (t) => {
  const scene = await HoldScene.open(t);
  await scene.poll(tracked);
  scene.clock.advance(10_000);
  t.equal(scene.ends.length, 0);
  t.equal(scene.clock.pending, 1, 'only the time-out');
});
