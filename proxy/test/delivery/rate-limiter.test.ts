import t from 'tap';
import { MAX_WAITING_BYTES } from '../../dist/delivery/rate-limiter.js';
import { type Connection, delivery, LimiterFixture } from './rate-limiter-fixture.js';

t.test('an idle node delivers the first share at once, and a share each 25 ms', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100 });
  t.equal(fixture.limiter.offer(delivery('1'), fixture.connections(8)), 8);
  t.equal(fixture.order, 'a1 a2 a3');
  t.equal(fixture.limiter.waiting, 5);
  fixture.clock.advance(24);
  t.equal(fixture.went.length, 3);
  fixture.clock.advance(1_000);
  t.same(fixture.pace, { 0: 3, 25: 3, 50: 2 });
  t.equal(fixture.limiter.waiting, 0);
  t.equal(fixture.clock.pending, 0, 'nothing runs while nothing waits');
});

t.test('the share is rounded up: 63 at 2,500 a second', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 2_500 });
  fixture.limiter.offer(delivery('1'), fixture.connections(130));
  fixture.clock.advance(1_000);
  t.same(fixture.pace, { 0: 63, 25: 63, 50: 4 });
});

t.test('below 40 a second one goes out at a time, less often', async (t) => {
  for (const { messageRate, pace } of [
    { messageRate: 10, pace: { 0: 1, 100: 1, 200: 1 } },
    { messageRate: 30, pace: { 0: 1, 33: 1, 66: 1 } },
    { messageRate: 40, pace: { 0: 1, 25: 1, 50: 1 } },
    { messageRate: 1, pace: { 0: 1, 1000: 1, 2000: 1 } },
  ]) {
    const fixture = new LimiterFixture({ messageRate });
    fixture.limiter.offer(delivery('1'), fixture.connections(3));
    fixture.clock.advance(3_000);
    t.same(fixture.pace, pace, `rate ${messageRate}`);
  }
});

t.test('what is left of a share serves items that come before the next tick', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100 });
  const one = fixture.connections(1);
  fixture.limiter.offer(delivery('1'), one);
  fixture.clock.advance(1);
  for (const name of ['2', '3', '4']) fixture.limiter.offer(delivery(name), one);
  fixture.clock.advance(1_000);
  t.same(fixture.pace, { 0: 1, 1: 2, 25: 1 });
});

t.test('a share that was not used is not saved', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100 });
  fixture.limiter.offer(delivery('1'), fixture.connections(1));
  fixture.clock.advance(500);
  fixture.limiter.offer(delivery('2'), fixture.connections(9));
  t.equal(fixture.went.length, 1 + 3);
});

t.test('routes take turns, whatever waits on each', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100 });
  fixture.limiter.offer(delivery('1'), [...fixture.connections(7), ...fixture.connections(2, 'b', 'blue')]);
  fixture.limiter.offer(delivery('2'), fixture.connections(1, 'g', 'green'));
  fixture.clock.advance(1_000);
  t.equal(fixture.order, 'a1 b1 a2 b2 a3 g1 a4 a5 a6 a7');
  t.same(fixture.pace, { 0: 3, 25: 3, 50: 3, 75: 1 });
});

t.test('the turn passes on from tick to tick', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40 });
  fixture.limiter.offer(delivery('1'), [...fixture.connections(3), ...fixture.connections(3, 'b', 'blue')]);
  fixture.clock.advance(1_000);
  t.equal(fixture.order, 'a1 b1 a2 b2 a3 b3');
});

t.test('connections that have gone do not use up the rate', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100 });
  const all = fixture.connections(9);
  fixture.limiter.offer(delivery('1'), all);
  for (const connection of all.slice(3, 7)) connection.gone = true;
  fixture.clock.advance(25);
  t.equal(fixture.order, 'a1 a2 a3 a8 a9');
  t.equal(fixture.limiter.waiting, 0);
});

t.test('connections for which an item has no form are not queued', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageHwm: 1 });
  const [ws] = fixture.connections(1, 'w', '', 'ws');
  const [stream] = fixture.connections(1, 's');
  t.ok(ws && stream);
  t.equal(
    fixture.limiter.offer(
      delivery('1'),
      [ws, ws, stream].filter((one) => one !== undefined),
    ),
    1,
  );
  t.equal(fixture.order, 's1');
  t.same(fixture.dropped, []);
});

t.test('each kind of connection is given the item once by its own form', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageBlockSize: 10 });
  const content = Buffer.alloc(10);
  const item = delivery('1', {
    formats: {
      httpResponse: { action: 'send', code: 200, reason: 'OK', headers: [], bodyPatch: '[]' },
      httpStream: { action: 'hint' },
      wsMessage: { action: 'send', type: 'text', content },
    },
  });
  for (const kind of ['response', 'stream', 'ws'] as const)
    fixture.limiter.offer(item, fixture.connections(1, kind, '', kind));
  fixture.clock.advance(1_000);
  t.equal(fixture.order, 'response1 stream1 ws1');
});

t.test('an item weighs one for each block begun, and its own size counts before that of its content', async (t) => {
  for (const { sketch, pace } of [
    { sketch: { bytes: 0 }, pace: { 0: 3, 25: 3 } },
    { sketch: { bytes: 10 }, pace: { 0: 3, 25: 3 } },
    { sketch: { bytes: 11 }, pace: { 0: 2, 25: 1, 50: 2, 75: 1 } },
    { sketch: { bytes: 30 }, pace: { 0: 1, 25: 1, 50: 1, 75: 1, 100: 1, 125: 1 } },
    { sketch: { bytes: 10, size: 30 }, pace: { 0: 1, 25: 1, 50: 1, 75: 1, 100: 1, 125: 1 } },
    { sketch: { bytes: 30, size: 0 }, pace: { 0: 3, 25: 3 } },
  ]) {
    const fixture = new LimiterFixture({ messageRate: 100, messageBlockSize: 10 });
    fixture.limiter.offer(delivery('1', sketch), fixture.connections(6));
    fixture.clock.advance(1_000);
    t.same(fixture.pace, pace, JSON.stringify(sketch));
  }
});

t.test('without a block size a large item weighs one', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100 });
  fixture.limiter.offer(delivery('1', { bytes: 100_000 }), fixture.connections(3));
  t.equal(fixture.went.length, 3);
});

t.test('what a heavy item exceeds the share by is taken from later ticks, although nothing waits', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 100, messageBlockSize: 1 });
  fixture.limiter.offer(delivery('heavy', { bytes: 8 }), fixture.connections(1));
  fixture.clock.advance(30);
  fixture.limiter.offer(delivery('light'), fixture.connections(3));
  fixture.clock.advance(1_000);
  t.same(fixture.pace, { 0: 1, 50: 1, 75: 2 });
  t.equal(fixture.clock.pending, 0);
});

t.test('a long queue is served whole and in order', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 2_500 });
  const all = fixture.connections(5_000);
  fixture.limiter.offer(delivery('1'), all);
  fixture.clock.advance(10_000);
  t.equal(fixture.order, all.map(({ id }) => id).join(' '));
});

t.test('finishing delivers all that waits, whatever the rate', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40 });
  fixture.limiter.offer(delivery('1'), fixture.connections(5));
  fixture.limiter.finish();
  t.same(fixture.pace, { 0: 5 });
  t.equal(fixture.limiter.waiting, 0);
  t.equal(fixture.clock.pending, 0);
});

t.test('items that are published while another is delivered follow it, at the same pace', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40 });
  const one = fixture.connections(1);
  for (const connection of one) {
    connection.onDeliver = () => {
      connection.onDeliver = undefined;
      for (const name of ['2', '3']) fixture.limiter.offer(delivery(name), one);
    };
  }
  fixture.limiter.offer(delivery('1'), one);
  fixture.clock.advance(1_000);
  t.same(fixture.went, [
    { to: 'a1', item: '1', at: 0 },
    { to: 'a1', item: '2', at: 25 },
    { to: 'a1', item: '3', at: 50 },
  ]);
});

t.test('items that wait take only so many bytes, each once however many it is for', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40 });
  const third = { bytes: MAX_WAITING_BYTES / 3 };
  const [first, ...others] = fixture.connections(50);
  t.ok(first);
  t.equal(fixture.limiter.offer(delivery('1', third), [first as Connection, ...others]), 50);
  t.equal(fixture.limiter.offer(delivery('2', third), others), 49);
  t.equal(
    fixture.limiter.offer(delivery('3', third), others),
    0,
    'with what they are beside their content it is too much',
  );
  t.equal(fixture.dropped.length, 49);
  t.equal(fixture.limiter.offer(delivery('4'), others), 49, 'a small one has room');
  fixture.clock.advance(60_000);
  t.equal(fixture.limiter.waiting, 0);
  t.equal(
    fixture.limiter.offer(delivery('5', { bytes: 2 * MAX_WAITING_BYTES }), others),
    49,
    'where nothing waits any',
  );
  fixture.clock.advance(60_000);
  t.equal(fixture.limiter.offer(delivery('6', third), others), 49);
});

t.test('what counts is the item itself, whatever size its publisher gives it', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40 });
  const all = fixture.connections(3);
  const half = { bytes: MAX_WAITING_BYTES / 2, size: 0 };
  fixture.limiter.offer(delivery('1', half), all);
  t.equal(fixture.limiter.offer(delivery('2', half), all), 0);
});
