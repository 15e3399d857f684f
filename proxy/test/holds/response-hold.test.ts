/** A request that is held: what answers it, when, and with what. */
import t from 'tap';
import { connectTo } from '../kit/clients/raw-client.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const room = { 'Grip-Channel': 'room' };

t.test('at its time-out, to the second, the origin’s own answer goes out', async (t) => {
  const fixture = await HoldFixture.open(t);
  const held = { ...room, 'Grip-Timeout': '7', 'Grip-Status': '404 Not Yet', 'X-A': 'a' };
  const { answer } = await fixture.poll(held, 'nothing');
  fixture.clock.advance(6_999);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  t.match(await answer, { status: 404, reason: 'Not Yet', headers: { 'x-a': 'a', 'content-length': '7' } });
  await (await answer).until('nothing');
  t.match(fixture.ends, [{ kind: 'response', reason: 'timeout', items: 0, duration: 7_000, channels: ['room'] }]);
  t.equal(fixture.clock.pending, 0);
});

for (const [given, seconds] of [
  ['0', 5],
  ['4', 5],
  [undefined, 55],
] as const) {
  t.test(`a time-out of ${given ?? 'nothing'} is ${seconds} seconds`, async (t) => {
    const fixture = await HoldFixture.open(t);
    const { answer } = await fixture.poll({ ...room, ...(given === undefined ? {} : { 'Grip-Timeout': given }) });
    fixture.clock.advance(seconds * 1_000 - 1);
    t.equal(fixture.ends.length, 0);
    fixture.clock.advance(1);
    await answer;
    t.equal(fixture.ends[0]?.reason, 'timeout');
  });
}

t.test('a hold without a channel lasts until its time-out', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ 'Grip-Timeout': '5' });
  fixture.clock.advance(5_000);
  await (await answer).until('origin');
  t.strictSame(fixture.ends[0]?.channels, []);
});

t.test('an item answers: code and reason are its own, its fields replace those of the origin', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ ...room, 'Grip-Status': '404 Not Yet', 'X-A': 'a', 'X-B': 'b' });
  const format = { code: 201, reason: 'Done', headers: { 'x-a': 'new', 'Grip-Hold': 'stream' }, body: 'item' };
  fixture.publish('room', { 'http-response': format });
  const got = await answer;
  await got.until('item');
  t.match(got, { status: 201, reason: 'Done', headers: { 'x-a': 'new', 'x-b': 'b', 'content-length': '4' } });
  t.equal(got.headers['grip-hold'], undefined);
  t.match(fixture.ends, [{ reason: 'answered', items: 1 }]);
  t.equal(fixture.count('sent response'), 1);
  t.equal(fixture.clock.pending, 0, 'the time-out is called off');
});

t.test('an item without a code is 200, whatever Grip-Status was', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ ...room, 'Grip-Status': '404' });
  fixture.respond('room', 'x');
  t.match(await answer, { status: 200, reason: 'OK' });
});

t.test('Grip-Expose-Headers of the origin limits its own fields, that of an item all of them', async (t) => {
  const fixture = await HoldFixture.open(t);
  const origin = { ...room, 'Grip-Expose-Headers': 'X-A', 'X-A': 'a', 'X-B': 'b' };
  const first = await fixture.poll(origin);
  fixture.publish('room', { 'http-response': { headers: { 'X-C': 'c' }, body: '' } });
  t.match((await first.answer).headers, { 'x-a': 'a', 'x-b': undefined, 'x-c': 'c' });
  const second = await fixture.poll(origin);
  fixture.publish('room', { 'http-response': { headers: { 'Grip-Expose-Headers': 'x-c', 'X-C': 'c' }, body: '' } });
  t.match((await second.answer).headers, { 'x-a': undefined, 'x-c': 'c' });
});

t.test('only the first item answers, of whatever channel; the next is for nobody', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ 'Grip-Channel': 'a, b' });
  fixture.respond('b', 'first');
  fixture.respond('a', 'second');
  await (await answer).until('first');
  t.equal((await answer).text, 'first');
  t.equal(fixture.registry.size, 0);
});

t.test('one publish answers many holds', async (t) => {
  const fixture = await HoldFixture.open(t);
  const polls = [];
  for (let i = 0; i < 20; i++) polls.push(await fixture.poll({ ...room, 'X-Own': `${i}` }));
  fixture.respond('room', 'for all');
  const answers = await Promise.all(polls.map(({ answer }) => answer));
  for (const [i, answer] of answers.entries()) {
    await answer.until('for all');
    t.equal(answer.headers['x-own'], `${i}`);
  }
  t.equal(fixture.count('sent response'), 20);
});

t.test('close, refresh and items for others leave it held', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll(room);
  fixture.publish('room', { 'http-response': { action: 'close' } });
  fixture.publish('room', { 'http-response': { action: 'refresh' } });
  fixture.send('room', 'for streams');
  fixture.respond('rooms', 'for another channel');
  fixture.respond('room', 'this one');
  await (await answer).until('this one');
  t.equal((await answer).text, 'this one');
});

t.test('a patch is applied to the origin’s body', async (t) => {
  const fixture = await HoldFixture.open(t);
  const cases = [
    ['{"b": 1, "a": [1]}\r\n', [{ op: 'add', path: '/a/0', value: 0 }], '{"b":1,"a":[0,1]}\r\n'],
    ['[]', [{ op: 'add', path: '/-', value: 'x' }], '["x"]'],
    ['{"a": 1}', [{ op: 'test', path: '/a', value: 2 }], ''],
    ['"no object"', [{ op: 'replace', path: '', value: {} }], ''],
    ['not JSON', [{ op: 'add', path: '/a', value: 1 }], ''],
  ] as const;
  for (const [body, patch, expected] of cases) {
    const { answer } = await fixture.poll(room, body);
    fixture.publish('room', { 'http-response': { 'body-patch': patch } });
    const got = await answer;
    await got.end();
    t.match(got, { status: 200, text: expected, headers: { 'content-length': `${expected.length}` } }, body);
  }
});

t.test(
  'an item that comes before the origin’s answer is whole waits for it, and those after it are missed',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const answer = fixture.ask();
    const asked = await fixture.asked();
    asked.begin({ 'Grip-Hold': 'response', ...room }, '{"a"');
    await until('the hold', () => fixture.registry.count('room') === 1);
    fixture.publish('room', { 'http-response': { 'body-patch': [{ op: 'add', path: '/b', value: 2 }] } });
    fixture.respond('room', 'second');
    t.equal(fixture.ends.length, 0);
    asked.end(':1}');
    const got = await answer;
    await got.end();
    t.equal(got.text, '{"a":1,"b":2}');
  },
);

t.test('a time-out waits for the origin’s answer', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', 'Grip-Timeout': '5', ...room }, 'slow');
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.clock.advance(6_000);
  t.equal(fixture.ends.length, 0);
  asked.end(' body');
  await fixture.ended(1);
  fixture.clock.advance(1_000);
  const got = await answer;
  await got.end();
  t.equal(got.text, 'slow body');
});

t.test('an origin that breaks off in the answer: 502, and nothing is left', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', 'Grip-Link': '</gone>; rel=gone', ...room }, 'half');
  await until('the hold', () => fixture.registry.count('room') === 1);
  asked.breakOff();
  const got = await answer;
  await got.end();
  t.match(got, { status: 502, text: 'Error while proxying to origin.\n' });
  t.equal(fixture.registry.size, 0);
  t.equal(fixture.clock.pending, 0);
  t.equal(fixture.count('ended response origin-failed'), 1);
});

t.test('a client that goes away leaves no hold, timer or subscription', async (t) => {
  const fixture = await HoldFixture.open(t);
  const wire = await connectTo(t, fixture.url);
  wire.send('GET / HTTP/1.1', 'Host: a', '');
  (await fixture.asked()).answer({ headers: { 'Grip-Hold': 'response', ...room } });
  await fixture.ended(1);
  wire.socket.resetAndDestroy();
  t.match(await fixture.holdsEnded(), { reason: 'client-gone', items: 0 });
  t.equal(fixture.registry.size, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('when the node goes down the origin’s answer goes out, as at the time-out', async (t) => {
  const fixture = await HoldFixture.open(t);
  const { answer } = await fixture.poll({ ...room, 'Grip-Status': '404', 'Grip-Link': '</gone>; rel=gone' }, 'none');
  fixture.shutDown();
  const got = await answer;
  await got.end();
  t.match(got, { status: 404, text: 'none' });
  t.equal(fixture.ends[0]?.reason, 'shutdown');
  await fixture.poll(room);
  t.equal(fixture.origin.all.length, 2, 'no one was told that it is gone');
});

t.test('after the last hold the channel, and its last id, are kept for the time of the linger', async (t) => {
  const fixture = await HoldFixture.open(t, { subscriptionLinger: 60 });
  const first = await fixture.poll(room);
  fixture.respond('room', 'one', { id: '1' });
  await first.answer;
  fixture.clock.advance(59_999);
  t.ok(fixture.registry.has('room'));
  fixture.respond('room', 'two', { id: '2', 'prev-id': '1' });
  t.equal(fixture.delivery.sequencer.lastId('room'), '2', 'items are followed although nobody is there');
  fixture.clock.advance(1);
  t.notOk(fixture.registry.has('room'));
  t.equal(fixture.delivery.sequencer.lastId('room'), undefined);
});

t.test(
  'instructs name at most so many channels; those of the target come beside them, without the prefix',
  async (t) => {
    const fixture = await HoldFixture.open(t, {
      connectionSubscriptionMax: 2,
      route: 'prefix=p-',
      target: 'sub=all,sub=more',
    });
    await fixture.poll({ 'Grip-Channel': 'a, b, a, c' });
    fixture.clock.advance(55_000);
    t.strictSame((await fixture.holdsEnded()).channels, ['all', 'more', 'p-a', 'p-b']);
  },
);

t.test(
  'a patch that would make too much of this body is not delivered, and the hold waits for another item',
  async (t) => {
    const fixture = await HoldFixture.open(t);
    const { answer } = await fixture.poll(room, '{"a":["xxxxxxxxxxxxxxxx"]}');
    const doubling = Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/-' }));
    fixture.publish('room', { 'http-response': { 'body-patch': doubling } });
    t.equal(fixture.count('dropped response patch-limit'), 1);
    fixture.publish('room', { 'http-response': { 'body-patch': [{ op: 'replace', path: '/a', value: 1 }] } });
    const got = await answer;
    await got.end();
    t.equal(got.text, '{"a":1}');
  },
);

t.test('a patch of what is inherited does not apply', async (t) => {
  const fixture = await HoldFixture.open(t);
  for (const path of ['/hasOwnProperty/call', '/__proto__/polluted', '/constructor/prototype/polluted']) {
    const { answer } = await fixture.poll(room, '{"a":1}');
    fixture.publish('room', { 'http-response': { 'body-patch': [{ op: 'add', path, value: 0 }] } });
    const got = await answer;
    await got.end();
    t.match(got, { status: 200, text: '' });
  }
  t.equal(({} as Record<string, unknown>).polluted, undefined);
});

t.test('items that come before the origin’s answer is whole take only so many bytes', async (t) => {
  const fixture = await HoldFixture.open(t, { clientQueueSize: 10_000 });
  const answer = fixture.ask();
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', 'Grip-Channel': 'room; filter=require-sub' }, 'a');
  await until('the hold', () => fixture.registry.count('room') === 1);
  const a = 'x'.repeat(4_000);
  // The first is kept, and of no use; the second finds no room.
  fixture.respond('room', 'first', { meta: { require_sub: 'none', a } });
  fixture.respond('room', 'second', { meta: { a } });
  asked.end('b');
  fixture.respond('room', 'later');
  const got = await answer;
  await got.end();
  t.equal(got.text, 'later');
});
