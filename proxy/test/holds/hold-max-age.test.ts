/** `hold_max_age`: when holds end by their age, and what their clients get before. The chance is 0: each ends at 90 % of the age. */
import { Agent } from 'node:http';
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

/** Of each hold, in ms, with `holdMaxAge` 60 s. */
const AGE = 54_200;
const room = { 'Grip-Channel': 'room' };
const NEXT = '</next>; rel=next';
const open = (options = {}) => HoldFixture.open(t, { holdMaxAge: 60, ...options });

t.test('a stream gets items until its time is over, ends as a whole, and its connection closes', async (t) => {
  const fixture = await open();
  const stream = await fixture.stream({ ...room, 'Grip-Link': '</gone>; rel=gone' }, { body: 'x', timers: 1 });
  fixture.clock.advance(AGE - 400);
  t.equal(fixture.ends.length, 0);
  fixture.send('room', 'item');
  fixture.clock.advance(400);
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'xitem');
  t.match(await fixture.holdsEnded(), { kind: 'stream', reason: 'aged', items: 1 });
  t.equal(fixture.count('ended stream aged'), 1);
  t.match(await fixture.asked(), { method: 'POST', url: '/gone' }, 'as at any other end');
  t.equal(fixture.clock.pending, 0);
});

t.test('a long poll gets the origin’s answer, and its connection closes', async (t) => {
  const fixture = await open();
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const headers = { ...room, 'Grip-Timeout': '120' };
  const { answer } = await fixture.poll(headers, 'origin', { agent });
  fixture.clock.advance(AGE);
  t.match(await answer, { status: 200, headers: { connection: 'close' } });
  t.equal((await answer).text, 'origin');
  t.match(fixture.ends, [{ kind: 'response', reason: 'aged' }]);
});

t.test('a long poll with a shorter time-out is answered then, as always', async (t) => {
  const fixture = await open();
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const { answer } = await fixture.poll({ ...room, 'Grip-Timeout': '30' }, 'origin', { agent });
  fixture.clock.advance(30_000);
  t.not((await answer).headers.connection, 'close');
  t.match(fixture.ends, [{ kind: 'response', reason: 'timeout' }]);
});

t.test('a long poll whose answer is still on its way ends with it, at once', async (t) => {
  const fixture = await open();
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', 'Grip-Timeout': '120', ...room });
  asked.write('origin ');
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.clock.advance(AGE);
  t.equal(fixture.ends.length, 0);
  asked.end('all');
  t.equal(await (await answer).end(), 'complete');
  t.equal((await answer).text, 'origin all');
  t.match(fixture.ends, [{ reason: 'aged' }]);
});

t.test('a stream whose first body is still on its way gets all of it, and what came meanwhile', async (t) => {
  const fixture = await open();
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'stream', ...room }, 'first ');
  const stream = await answer;
  await stream.until('first ');
  fixture.clock.advance(2 * AGE);
  fixture.send('room', 'item');
  t.equal(fixture.ends.length, 0);
  asked.end('and last ');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'first and last item');
  t.match(await fixture.holdsEnded(), { reason: 'aged', items: 1 });
});

t.test('a stream that follows its link ends when it has caught up, with what waited', async (t) => {
  const fixture = await open();
  const held = (prevId: string) => ({ 'Grip-Link': NEXT, 'Grip-Channel': `room; prev-id=${prevId}` });
  const stream = await fixture.stream(held('1'), { timers: 2 });
  fixture.act('room', 'hint');
  const next = await fixture.asked();
  next.begin({ 'Grip-Hold': 'stream', ...held('2') }, '1 to ');
  await stream.until('1 to ');
  fixture.clock.advance(AGE);
  fixture.send('room', '3 ', { id: '3', 'prev-id': '2' });
  t.equal(fixture.ends.length, 0);
  next.end('2 ');
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, '1 to 2 3 ');
  t.match(await fixture.holdsEnded(), { reason: 'aged' });
});

t.test(
  'an item that a server is asked about goes out before, and those that come then do not put the end off',
  async (t) => {
    const fixture = await open();
    const headers = { 'Grip-Channel': 'room; filter=http-check', 'Grip-Set-Meta': 'url=/check' };
    const stream = await fixture.stream(headers, { timers: 1 });
    fixture.clock.advance(AGE - 400);
    fixture.send('room', 'item');
    const asked = await fixture.asked();
    fixture.clock.advance(400);
    t.equal(fixture.ends.length, 0);
    t.equal(fixture.registry.count('room'), 0);
    fixture.send('room', 'more');
    asked.answer({ headers: { Action: 'accept' } });
    t.equal(await stream.end(), 'complete');
    t.equal(stream.text, 'item');
    t.match(await fixture.holdsEnded(), { reason: 'aged', items: 1 });
  },
);

t.test('an event stream does not end before it has the id by which its client comes back', async (t) => {
  const fixture = await open({ route: 'history', historySize: 10 });
  const sse = { 'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream', ...room };
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin(sse, 'data: a\n\n');
  const stream = await answer;
  await stream.until('data: a\n\n');
  fixture.clock.advance(2 * AGE);
  asked.end('data: b\n\n');
  t.equal(await stream.end(), 'complete');
  t.match(await fixture.holdsEnded(), { reason: 'aged' });
  const [, id = ''] = /^id: (.+)$/m.exec(stream.text) ?? [];
  t.not(id, '', stream.text);
  fixture.send('room', 'data: missed\n\n');
  const back = fixture.ask('/', { headers: { 'Last-Event-ID': id } });
  (await fixture.asked()).answer({ headers: sse });
  await (await back).until('data: missed\n');
});

t.test('with 0 none ends by its age', async (t) => {
  const fixture = await HoldFixture.open(t, { holdMaxAge: 0 });
  await fixture.stream(room, { body: 'x' });
  t.equal(fixture.clock.pending, 0);
  fixture.clock.advance(2_000_000_000);
  t.equal(fixture.ends.length, 0);
});
