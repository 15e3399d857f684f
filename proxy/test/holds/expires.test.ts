/** `Grip-Expires`: when holds expire, what their clients get before and after, and what their origins are asked. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const room = { 'Grip-Channel': 'room' };
const NEXT = '</next>; rel=next; timeout=600';
const expires = (seconds: number) => ({ ...room, 'Grip-Expires': `${seconds}` });
const linked = (seconds?: number): Record<string, string> => {
  const headers = { 'Grip-Hold': 'stream', 'Grip-Link': NEXT, ...room };
  return seconds === undefined ? headers : { ...headers, 'Grip-Expires': `${seconds}` };
};
const view = (fixture: HoldFixture) => [...fixture.registry.all()].map((one) => fixture.registry.expiryOf(one));

t.test('a long poll: its origin is asked again at that moment, and may say anything', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ 'Grip-Channel': 'room; prev-id=1', 'Grip-Expires': '30' });
  t.strictSame(view(fixture), [new Date(fixture.clock.wall() + 30_000).toISOString()]);
  fixture.clock.advance(29_999);
  t.equal(fixture.origin.untaken, 0);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  t.match(fixture.ends, [{ kind: 'response', reason: 'retried' }]);
  const again = await fixture.asked();
  t.strictSame(again.lastIds, ['room; last-id=1']);
  again.answer({ status: 401, body: 'who are you?' });
  t.match(await answer, { status: 401 });
  t.equal((await answer).text, 'who are you?');
  t.equal(fixture.clock.pending, 0);
});

t.test('a long poll: a new hold has a new time, or none; items answer as ever', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ ...expires(10), 'Grip-Timeout': '300' });
  fixture.clock.advance(10_000);
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response', ...expires(20), 'Grip-Timeout': '300' } });
  await until('the second hold', () => fixture.registry.count('room') === 1);
  fixture.clock.advance(19_999);
  t.equal(fixture.origin.untaken, 0);
  fixture.clock.advance(1);
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response', ...room, 'Grip-Timeout': '300' } });
  await until('the third hold', () => fixture.registry.count('room') === 1);
  t.strictSame(view(fixture), [undefined]);
  fixture.clock.advance(100_000);
  t.equal(fixture.origin.untaken, 0);
  fixture.respond('room', 'item');
  t.equal((await answer).text, 'item');
  t.strictSame(
    fixture.ends.map(({ reason }) => reason),
    ['retried', 'retried', 'answered'],
  );
});

t.test('a long poll: a shorter time-out ends it as always', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ ...expires(60), 'Grip-Timeout': '30' });
  fixture.clock.advance(30_000);
  t.equal((await answer).text, 'origin');
  t.match(fixture.ends, [{ reason: 'timeout' }]);
  t.equal(fixture.clock.pending, 0);
});

t.test('a long poll: a time that is over already asks again after a second, and not in a loop', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.poll(expires(0));
  fixture.clock.advance(999);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  t.match(await fixture.asked(), { method: 'GET', url: '/' });
});

t.test('a long poll: an answer that is still on its way when it expires is out of date', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', 'Grip-Timeout': '300', ...expires(10) }, 'old ');
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.clock.advance(10_000);
  t.equal(fixture.ends.length, 0);
  fixture.respond('room', 'not for it any more');
  asked.end('answer');
  (await fixture.asked()).answer({ body: 'new answer' });
  t.equal((await (await answer).end()) && (await answer).text, 'new answer');
  t.match(fixture.ends, [{ reason: 'retried' }]);
});

t.test('a long poll: an item that a server is asked about counts, one that comes later does not', async (t) => {
  const fixture = await HoldFixture.open(t);
  const filter = { 'Grip-Channel': 'room; filter=http-check', 'Grip-Set-Meta': 'url=/check', 'Grip-Timeout': '300' };
  const { answer } = await fixture.poll({ ...filter, 'Grip-Expires': '10' });
  fixture.clock.advance(9_600);
  fixture.respond('room', 'item');
  const check = await fixture.asked();
  fixture.clock.advance(400);
  fixture.respond('room', 'late');
  t.equal(fixture.ends.length, 0);
  check.answer({ headers: { Action: 'drop' } });
  (await fixture.asked()).answer({ body: 'asked again' });
  t.equal((await answer).text, 'asked again');
});

t.test('a stream without a link: items until that moment and none after, then it ends whole', async (t) => {
  const fixture = await HoldFixture.open(t);
  const gone = { 'Grip-Link': '</gone>; rel=gone' };
  const stream = await fixture.stream({ ...expires(30), ...gone }, { body: 'x', timers: 1 });
  fixture.clock.advance(29_999);
  fixture.send('room', 'item');
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  fixture.send('room', 'late');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'xitem');
  t.match(await fixture.holdsEnded(), { kind: 'stream', reason: 'expired', items: 1 });
  t.equal(fixture.count('ended stream expired'), 1);
  t.match(await fixture.asked(), { method: 'POST', url: '/gone' });
  t.equal(fixture.clock.pending, 0);
});

t.test('a stream: its first body goes out whole, with what came before the moment', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', ...expires(10) }, 'first ');
  const stream = await answer;
  await stream.until('first ');
  fixture.send('room', 'item ');
  fixture.clock.advance(10_000);
  fixture.send('room', 'late ');
  t.equal(fixture.ends.length, 0);
  asked.end('and last ');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'first and last item ');
  t.match(await fixture.holdsEnded(), { reason: 'expired', items: 1 });
});

t.test('a stream: an item that a server is asked about goes out before', async (t) => {
  const fixture = await HoldFixture.open(t);
  const headers = { 'Grip-Channel': 'room; filter=http-check', 'Grip-Set-Meta': 'url=/check', 'Grip-Expires': '10' };
  const stream = await fixture.stream(headers, { timers: 1 });
  fixture.clock.advance(9_600);
  fixture.send('room', 'item');
  const check = await fixture.asked();
  fixture.clock.advance(400);
  fixture.send('room', 'late');
  t.equal(fixture.ends.length, 0);
  check.answer({ headers: { Action: 'accept' } });
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'item');
  t.match(await fixture.holdsEnded(), { reason: 'expired' });
});

t.test('a stream: an item that a slow client has not read yet reaches it whole, and then the end', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(expires(10), { body: 'x', timers: 1 });
  stream.stall();
  // More than the buffers of a connection take.
  const item = 'i'.repeat(8_000_000);
  fixture.send('room', item);
  const [hold] = fixture.registry.all();
  await until('full buffers', () => (hold?.waiting ?? 0) > 0);
  fixture.clock.advance(10_000);
  fixture.send('room', 'late');
  t.match(await fixture.holdsEnded(), { reason: 'expired', items: 1, dropped: 0 });
  stream.resume();
  t.equal(await stream.end(), 'complete');
  t.ok(stream.text === `x${item}`);
});

t.test(
  'a stream with a link asks it; what is published meanwhile waits, and follows if the stream goes on',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const stream = await fixture.stream(linked(30), { timers: 2 });
    fixture.clock.advance(29_999);
    fixture.send('room', '1 ');
    await stream.until('1 ');
    fixture.clock.advance(1);
    fixture.send('room', '2 ');
    fixture.clock.advance(100);
    const next = await fixture.asked();
    t.match(next, { method: 'GET', url: '/next' });
    fixture.send('room', '3 ');
    t.equal(stream.text, '1 ', 'nothing goes out before the link has answered');
    next.answer({ headers: linked(60), body: 'granted ' });
    await stream.until('3 ');
    t.equal(stream.text, '1 granted 2 3 ');
    t.strictSame(view(fixture), [new Date(fixture.clock.wall() + 60_000).toISOString()]);
    fixture.clock.advance(60_100);
    const last = await fixture.asked();
    fixture.send('room', 'never ');
    last.answer({ body: 'bye' });
    t.equal(await stream.end(), 'complete');
    t.equal(stream.text, '1 granted 2 3 bye');
    t.match(await fixture.holdsEnded(), { reason: 'ended' });
  },
);

t.test('a link’s answer without a time takes the time away', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(linked(30), { timers: 2 });
  fixture.act('room', 'hint');
  (await fixture.asked()).answer({ headers: linked(), body: 'again ' });
  await stream.until('again ');
  await until('no time', () => view(fixture)[0] === undefined);
  fixture.clock.advance(100_000);
  fixture.send('room', 'item');
  await stream.until('item');
  t.equal(fixture.origin.untaken, 0);
});

t.test('a link that is being asked because it was due holds everything back from the moment on', async (t) => {
  const fixture = await HoldFixture.open(t);
  const due = { ...linked(130), 'Grip-Link': '</next>; rel=next; timeout=120', 'Grip-Channel': 'room; prev-id=1' };
  const stream = await fixture.stream(due, { timers: 2 });
  fixture.clock.advance(120_100);
  const next = await fixture.asked();
  fixture.send('room', '2 ', { id: '2', 'prev-id': '1' });
  await stream.until('2 ');
  fixture.clock.advance(9_900);
  fixture.send('room', '3 ', { id: '3', 'prev-id': '2' });
  next.answer({ headers: { ...linked(60), 'Grip-Channel': 'room; prev-id=1' } });
  await stream.until('3 ');
  t.equal(stream.text, '2 3 ');
  t.equal(fixture.origin.untaken, 0, 'its answer is the origin’s word, and no other is asked for');
});

t.test('a first body that flows when its stream expires: the link is asked behind it', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin(linked(10), 'first ');
  const stream = await answer;
  await stream.until('first ');
  fixture.clock.advance(10_000);
  fixture.send('room', 'item ');
  asked.end('and last ');
  await stream.until('and last ');
  await until('the turn', () => fixture.clock.pending > 0);
  fixture.clock.advance(100);
  (await fixture.asked()).answer({ headers: linked(10), body: 'granted ' });
  await stream.until('item ');
  t.equal(stream.text, 'first and last granted item ');
});

t.test('while the node goes down nothing is asked again', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', 'Grip-Timeout': '300', ...expires(10) });
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.shutDown();
  fixture.clock.advance(10_000);
  asked.end('origin');
  // The time-out that waits for the answer looks every second.
  await until('the end', () => {
    fixture.clock.advance(1_000);
    return fixture.ends.length > 0;
  });
  t.equal((await answer).status, 200);
  t.match(fixture.ends, [{ reason: 'shutdown' }]);
  t.equal(fixture.origin.untaken, 0);
});

t.test('an event stream has the id by which its client comes back, and gets what it missed', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'history', historySize: 10 });
  const sse = { 'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream', ...expires(10) };
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin(sse, 'data: a\n\n');
  const stream = await answer;
  await stream.until('data: a\n\n');
  fixture.clock.advance(10_000);
  asked.end('data: b\n\n');
  t.equal(await stream.end(), 'complete');
  t.match(await fixture.holdsEnded(), { reason: 'expired' });
  const [, id = ''] = /^id: (.+)$/m.exec(stream.text) ?? [];
  t.not(id, '', stream.text);
  fixture.send('room', 'data: missed\n\n');
  const back = fixture.ask('/', { headers: { 'Last-Event-ID': id } });
  (await fixture.asked()).answer({ headers: sse });
  await (await back).until('data: missed\n');
});

t.test('what does not expire costs no timer', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream(room, { body: 'x' });
  t.equal(fixture.clock.pending, 0);
  t.strictSame(view(fixture), [undefined]);
});
