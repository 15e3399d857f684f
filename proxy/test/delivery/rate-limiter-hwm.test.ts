import t from 'tap';
import { REPORT_MS } from '../../dist/delivery/rate-limiter.js';
import { delivery, LimiterFixture } from './rate-limiter-fixture.js';

t.test('with a limit of 10 waiting, 10 of 50 connections are given an item', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 2_500, messageHwm: 10 });
  t.equal(fixture.limiter.offer(delivery('1'), fixture.connections(50)), 10);
  fixture.clock.advance(1_000);
  t.equal(fixture.order, 'a1 a2 a3 a4 a5 a6 a7 a8 a9 a10');
});

t.test('every drop is counted by kind', async (t) => {
  const fixture = new LimiterFixture({ messageHwm: 1 });
  fixture.limiter.offer(delivery('1'), fixture.connections(3));
  t.same(fixture.dropped, [
    { kind: 'stream', reason: 'rate-limit' },
    { kind: 'stream', reason: 'rate-limit' },
  ]);
});

t.test('each route has the limit for itself', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageHwm: 2 });
  t.equal(fixture.limiter.offer(delivery('1'), [...fixture.connections(3), ...fixture.connections(2, 'b', 'blue')]), 4);
  fixture.clock.advance(1_000);
  t.equal(fixture.order, 'a1 b1 a2 b2');
});

t.test('what has gone out makes room', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageHwm: 2 });
  const one = fixture.connections(1);
  for (const name of ['1', '2', '3', '4']) fixture.limiter.offer(delivery(name), one);
  t.equal(fixture.dropped.length, 1, 'one has gone, two wait');
  fixture.clock.advance(25);
  t.equal(fixture.limiter.offer(delivery('5'), one), 1);
  fixture.clock.advance(1_000);
  t.same(
    fixture.went.map(({ item }) => item),
    ['1', '2', '3', '5'],
  );
});

t.test('the limit is one of weight', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageHwm: 4, messageBlockSize: 10 });
  t.equal(fixture.limiter.offer(delivery('1', { bytes: 20 }), fixture.connections(3)), 2);
});

t.test('an item that weighs more than the limit is taken where nothing waits', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageHwm: 2, messageBlockSize: 1 });
  t.equal(fixture.limiter.offer(delivery('1', { bytes: 9 }), fixture.connections(2)), 1);
  t.equal(fixture.order, 'a1');
});

t.test('the first drop is logged with its connection, in the words of Pushpin', async (t) => {
  const fixture = new LimiterFixture({ messageHwm: 1 });
  fixture.limiter.offer(delivery('1'), [...fixture.connections(2), ...fixture.connections(2, 'b', 'blue')]);
  t.same(fixture.lines, [
    {
      level: 'warn',
      fields: { id: 'a2', channel: 'c', dropped: 1 },
      message: 'exceeded publish hwm (1), dropping message',
    },
    {
      level: 'warn',
      fields: { id: 'b2', route: 'blue', channel: 'c', dropped: 1 },
      message: 'exceeded publish hwm (1) for route blue, dropping message',
    },
  ]);
});

t.test('a flood of drops is summed up every 10 s, until there are none for as long', async (t) => {
  const fixture = new LimiterFixture({ messageRate: 40, messageHwm: 1 });
  for (let i = 0; i < 3; i++) fixture.limiter.offer(delivery(`${i}`), fixture.connections(100, 'a', 'blue'));
  t.equal(fixture.lines.length, 1);
  fixture.clock.advance(REPORT_MS);
  fixture.clock.advance(REPORT_MS);
  t.equal(fixture.lines.length, 2);
  t.match(fixture.lines[1], {
    fields: { route: 'blue', dropped: fixture.dropped.length - 1, lastId: 'a100' },
    message: `exceeded publish hwm (1) for route blue: ${fixture.dropped.length - 1} more messages dropped`,
  });
  t.equal(fixture.clock.pending, 0);
  fixture.limiter.offer(delivery('later'), fixture.connections(2, 'a', 'blue'));
  t.match(fixture.lines[2], { fields: { id: 'a2', dropped: 1 } }, 'a new episode begins with its first drop');
});

t.test('at level debug every drop is logged with its connection', async (t) => {
  const fixture = new LimiterFixture({ messageHwm: 1 });
  fixture.debug = true;
  fixture.limiter.offer(delivery('1'), fixture.connections(4));
  t.same(
    fixture.lines.map(({ level, fields }) => [level, (fields as { id: string }).id]),
    [
      ['warn', 'a2'],
      ['debug', 'a3'],
      ['debug', 'a4'],
    ],
  );
});

t.test('finishing tells of the drops that were not told', async (t) => {
  const fixture = new LimiterFixture({ messageHwm: 1 });
  fixture.limiter.offer(delivery('1'), fixture.connections(5));
  fixture.limiter.finish();
  t.match(fixture.lines[1], { fields: { dropped: 3, lastId: 'a5' } });
  fixture.clock.advance(2 * REPORT_MS);
  t.equal(fixture.lines.length, 2, 'once');
});
