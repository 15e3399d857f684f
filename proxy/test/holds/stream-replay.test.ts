/** Streams that the history serves: with prev-ids, and event streams that come back. */
import t, { type Test } from 'tap';
import type { Answer } from '../kit/clients/http-client.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const NEXT = '</next>; rel=next';
const SSE = { 'Content-Type': 'text/event-stream', 'Grip-Hold': 'stream' };
const tracked = (prevId: string) => ({ 'Grip-Link': NEXT, 'Grip-Channel': `room; prev-id=${prevId}` });
const item = (fixture: HoldFixture, n: number) => fixture.send('room', `${n} `, { id: `${n}`, 'prev-id': `${n - 1}` });
const event = (fixture: HoldFixture, text: string, channel = 'room') => fixture.send(channel, `data: ${text}\n\n`);
const keeping = (t: Test, route = 'history', historySize = 10) => HoldFixture.open(t, { route, historySize });

/** The data of the events so far, and the last id. */
function read(stream: Answer): { data: string[]; id: string | undefined } {
  const data = [...stream.text.matchAll(/^data: (.*)$/gm)].map(([, text]) => text as string);
  return { data, id: [...stream.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] };
}

/** An event stream that comes back with an id. */
async function back(fixture: HoldFixture, id: string, headers = {}, body = ''): Promise<Answer> {
  const answer = fixture.ask('/', { headers: { 'Last-Event-ID': id } });
  const asked = await fixture.asked();
  asked.answer({ headers: { ...SSE, 'Grip-Channel': 'room', ...headers }, body });
  return answer;
}

t.test('a stream with a prev-id that is behind gets what it missed from the history, not by its link', async (t) => {
  const fixture = await keeping(t);
  for (const n of [1, 2, 3]) item(fixture, n);
  const stream = await fixture.stream(tracked('1'), { body: 'origin ', timers: 1 });
  await stream.until('2 3 ');
  item(fixture, 4);
  await stream.until('4 ');
  t.equal(stream.text, 'origin 2 3 4 ');
  t.equal(fixture.origin.all.length, 1);
  t.strictSame(
    ['sent stream', 'replayed stream', 'replay stream complete'].map((what) => fixture.count(what)),
    [3, 2, 1],
  );
});

t.test('a gap in an open stream is filled from the history, in order with what comes meanwhile', async (t) => {
  const fixture = await keeping(t);
  item(fixture, 1);
  const stream = await fixture.stream(tracked('1'), { timers: 1 });
  // Nobody on this node was told of item 2.
  fixture.backplane.unsubscribe('room');
  item(fixture, 2);
  void fixture.backplane.subscribe('room');
  item(fixture, 3);
  item(fixture, 4);
  await stream.until('4 ');
  item(fixture, 5);
  await stream.until('5 ');
  t.equal(stream.text, '2 3 4 5 ');
  fixture.clock.advance(1_000);
  t.equal(fixture.origin.all.length, 1);
});

t.test('where the history has not kept enough the link is asked', async (t) => {
  const fixture = await keeping(t, 'history', 2);
  for (const n of [1, 2, 3, 4]) item(fixture, n);
  const stream = await fixture.stream(tracked('1'), { timers: 1 });
  item(fixture, 5);
  await until('a turn for the link', () => {
    fixture.clock.advance(100);
    return fixture.origin.all.length === 2;
  });
  const next = await fixture.asked();
  t.strictSame(next.lastIds, ['room; last-id=1']);
  next.answer({ headers: { 'Grip-Hold': 'stream', ...tracked('5') }, body: '2 3 4 5 ' });
  await stream.until('2 3 4 5 ');
  t.equal(fixture.count('replay stream incomplete'), 2, 'at the beginning, and at the gap');
});

t.test('items whose ids make no chain are not told: the link knows', async (t) => {
  const fixture = await keeping(t);
  item(fixture, 1);
  fixture.send('room', 'x ', { id: 'x' });
  item(fixture, 2);
  await fixture.stream(tracked('1'), { timers: 1 });
  item(fixture, 3);
  await until('a turn for the link', () => {
    fixture.clock.advance(100);
    return fixture.origin.all.length === 2;
  });
});

t.test('a hint among what was missed is for the origin to explain', async (t) => {
  const fixture = await keeping(t);
  item(fixture, 1);
  item(fixture, 2);
  fixture.publish('room', { 'http-stream': { action: 'hint' } }, { id: '3', 'prev-id': '2' });
  await fixture.stream(tracked('1'), { timers: 1 });
  fixture.publish('room', { 'http-stream': { content: '4 ' } }, { id: '4', 'prev-id': '3' });
  await until('a turn for the link', () => {
    fixture.clock.advance(100);
    return fixture.origin.all.length === 2;
  });
  t.equal(fixture.count('replayed stream'), 0);
});

t.test('without the route parameter the history is not asked, and items have no ids', async (t) => {
  const fixture = await keeping(t, '');
  for (const n of [1, 2]) item(fixture, n);
  const stream = await fixture.stream({ ...SSE, ...tracked('1') }, { timers: 1 });
  fixture.send('room', 'data: x\n\n', { id: '2', 'prev-id': '1' });
  await stream.until('data: x\n\n');
  t.equal(stream.text, 'data: x\n\n');
  t.equal(fixture.count('replay stream complete'), 0);
});

t.test('an event stream that comes back gets what it missed, once, and goes on', async (t) => {
  const fixture = await keeping(t);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' }, { body: 'data: hello\n\n' });
  event(fixture, 'one');
  await first.until('one');
  await until('an id', () => read(first).id !== undefined);
  const { id } = read(first);
  await fixture.drop(first);
  event(fixture, 'two');
  event(fixture, 'three');
  const second = await back(fixture, id as string, {}, 'data: hello\n\n');
  t.equal(second.headers['last-event-id'], id, 'the response says from where it tells');
  await second.until('three');
  event(fixture, 'four');
  await second.until('four');
  t.strictSame(read(second).data, ['hello', 'two', 'three', 'four']);
  t.equal(fixture.count('replayed stream'), 2);
  t.equal(fixture.origin.all.at(-1)?.headers['last-event-id'], id, 'the origin gets the header');
});

t.test('a stream can come back before its first item', async (t) => {
  const fixture = await keeping(t);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  event(fixture, 'missed');
  const second = await back(fixture, read(first).id as string);
  await second.until('missed');
  t.strictSame(read(second).data, ['missed']);
});

t.test('the id stands for all channels of a stream', async (t) => {
  const fixture = await keeping(t);
  const channels = { 'Grip-Channel': 'room, hall' };
  const first = await fixture.stream({ ...SSE, ...channels });
  await first.until(/^id: /);
  event(fixture, 'room 1');
  event(fixture, 'hall 1', 'hall');
  await first.until('hall 1');
  const { id } = read(first);
  await fixture.drop(first);
  event(fixture, 'hall 2', 'hall');
  event(fixture, 'room 2');
  const second = await back(fixture, id as string, channels);
  await second.until('hall 2');
  await second.until('room 2');
  t.strictSame(read(second).data.sort(), ['hall 2', 'room 2']);
  t.equal(second.headers['last-event-id'], id);
});

t.test('items that come while a stream comes back follow what it missed', async (t) => {
  const fixture = await keeping(t);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  event(fixture, 'missed');
  const answer = fixture.ask('/', { headers: { 'Last-Event-ID': read(first).id as string } });
  const asked = await fixture.asked();
  asked.begin({ ...SSE, 'Grip-Channel': 'room' });
  const second = await answer;
  asked.write('data: body');
  await second.until('body');
  event(fixture, 'live');
  asked.end('\n\n');
  await second.until('live');
  t.strictSame(read(second).data, ['body', 'missed', 'live']);
});

t.test('a stream that comes back too late is told so, and goes on from there', async (t) => {
  const fixture = await keeping(t, 'history', 2);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  for (let i = 1; i <= 5; i++) event(fixture, `${i}`);
  const second = await back(fixture, read(first).id as string);
  t.equal(second.headers['last-event-id'], 'earliest');
  t.equal(fixture.count('replay stream incomplete'), 1);
  await until('the hold', () => fixture.registry.count('room') === 1);
  event(fixture, '6');
  await second.until('6');
  t.strictSame(read(second).data, ['6']);
  const { id } = read(second);
  await fixture.drop(second, 2);
  event(fixture, '7');
  const third = await back(fixture, id as string);
  await third.until('7');
  t.equal(third.headers['last-event-id'], id);
});

t.test('with a next link it is asked instead', async (t) => {
  const fixture = await keeping(t, 'history', 1);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  for (let i = 1; i <= 3; i++) event(fixture, `${i}`);
  await back(fixture, read(first).id as string, { 'Grip-Link': NEXT });
  await until('a turn for the link', () => {
    fixture.clock.advance(100);
    return fixture.origin.all.some(({ url }) => url === '/next');
  });
});

t.test('an id that is not ours is the origin’s affair', async (t) => {
  const fixture = await keeping(t);
  event(fixture, 'old');
  const stream = await back(fixture, '7');
  t.equal(stream.headers['last-event-id'], undefined);
  await until('the hold', () => fixture.registry.count('room') === 1);
  event(fixture, 'new');
  await stream.until('new');
  t.strictSame(read(stream).data, ['new']);
});

t.test('an id of other channels tells nothing here', async (t) => {
  const fixture = await keeping(t);
  const id = fixture.tokens.write(new Map([[fixture.tokens.tag('other'), { epoch: 'e.0', offset: 1 }]])) as string;
  const stream = await back(fixture, id);
  t.equal(stream.headers['last-event-id'], undefined);
});

t.test('where the origin says by a prev-id what it told, that counts', async (t) => {
  const fixture = await keeping(t);
  const headers = { 'Grip-Link': NEXT, 'Grip-Channel': 'room; prev-id=2' };
  const send = (n: number) => fixture.send('room', `data: ${n}\n\n`, { id: `${n}`, 'prev-id': `${n - 1}` });
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  for (const n of [1, 2, 3]) send(n);
  const second = await back(fixture, read(first).id as string, headers, 'data: up to 2\n\n');
  await second.until('data: 3');
  send(4);
  await second.until('data: 4');
  t.strictSame(read(second).data, ['up to 2', '3', '4']);
});

t.test('content that is not whole has no id, and the next that is counts for both', async (t) => {
  const fixture = await keeping(t);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' }, { body: 'retry: 1' });
  fixture.send('room', '\ndata: a');
  await first.until('data: a');
  t.equal(read(first).id, undefined);
  fixture.send('room', 'b\n\n');
  await first.until('\n\n');
  t.match(first.text, /^retry: 1\ndata: ab\nid: [\w-]+\n\n$/);
  const { id } = read(first);
  await fixture.drop(first);
  event(fixture, 'c');
  const second = await back(fixture, id as string);
  await second.until('c');
  t.strictSame(read(second).data, ['c']);
});

t.test('close and other actions among what was missed were for those who were there', async (t) => {
  const fixture = await keeping(t);
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  event(fixture, 'before');
  fixture.act('room', 'close');
  event(fixture, 'after');
  const second = await back(fixture, read(first).id as string);
  await second.until('after');
  t.strictSame(read(second).data, ['before', 'after']);
});

t.test('only event streams have ids', async (t) => {
  const fixture = await keeping(t);
  const headers = { 'Grip-Hold': 'stream', 'Grip-Channel': 'room', 'Content-Type': 'text/plain' };
  const stream = await fixture.stream(headers);
  event(fixture, 'x');
  await stream.until('x\n\n');
  t.equal(stream.text, 'data: x\n\n');
});

t.test('a node that goes down while a stream comes back answers it, and ends it whole', async (t) => {
  const fixture = await keeping(t);
  const id = fixture.tokens.write(new Map([[fixture.tokens.tag('room'), { epoch: 'e.0', offset: 0 }]])) as string;
  let answered = () => {};
  fixture.backplane.reading = () => new Promise((resolve) => (answered = () => resolve(undefined)));
  const answer = back(fixture, id);
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.shutDown();
  answered();
  t.equal(await (await answer).end(), 'complete');
  t.match(await fixture.holdsEnded(), { reason: 'shutdown' });
});

t.test('a client that has missed more than it takes at once gets all of it', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'history', historySize: 1_000, clientQueueSize: 100_000 });
  const first = await fixture.stream({ ...SSE, 'Grip-Channel': 'room' });
  await first.until(/^id: /);
  await fixture.drop(first);
  const line = 'x'.repeat(20_000);
  for (let i = 1; i <= 500; i++) event(fixture, `${i} ${line}`);
  const second = await back(fixture, read(first).id as string);
  second.stall();
  await until('the hold', () => fixture.registry.count('room') === 1);
  second.resume();
  await second.until('data: 500 ');
  event(fixture, 'live');
  await second.until('live');
  t.strictSame(
    read(second).data.map((text) => text.split(' ')[0]),
    [...Array.from({ length: 500 }, (_, i) => `${i + 1}`), 'live'],
  );
});
