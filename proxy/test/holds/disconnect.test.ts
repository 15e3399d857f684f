/** Holds that whoever runs the node looks at, and ends. */
import t from 'tap';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const room = { 'Grip-Channel': 'room' };

t.test('a long poll is found by its id as long as it is held, and kicked without an answer', async (t) => {
  const fixture = await HoldFixture.open(t, { route: 'id=web' });
  const { answer } = await fixture.poll(room);
  const [hold] = fixture.registry.all();
  t.equal(fixture.registry.find(hold?.id ?? ''), hold);
  t.match(hold?.view(), { kind: 'response', route: 'web', client: '127.0.0.1', channels: ['room'], items: 0 });
  t.equal(hold?.view().since, new Date(fixture.clock.wall()).toISOString());
  fixture.clock.setWall(-3_600_000);
  t.equal(hold?.view().since, new Date(fixture.clock.wall()).toISOString(), 'as clocks go now');
  hold?.disconnect();
  hold?.disconnect();
  await t.rejects(answer);
  t.match(fixture.ends, [{ kind: 'response', reason: 'kicked', items: 0 }]);
  t.equal(fixture.registry.find(hold?.id ?? ''), undefined);
  t.equal(fixture.clock.pending, 0);
});

t.test('a long poll is kicked before the answer of its origin is complete', async (t) => {
  const fixture = await HoldFixture.open(t);
  const answer = fixture.ask();
  answer.catch(() => {});
  const asked = await fixture.asked();
  asked.begin({ 'Grip-Hold': 'response', ...room });
  asked.write('beginning');
  await until('the hold', () => fixture.registry.count('room') === 1);
  for (const hold of fixture.registry.all()) hold.disconnect();
  await t.rejects(answer);
  t.equal(fixture.registry.size, 0);
  asked.end('end');
});

t.test('a stream ends as a whole, and is not asked for any more', async (t) => {
  const fixture = await HoldFixture.open(t);
  const stream = await fixture.stream(
    { ...room, 'Grip-Link': '</next>; rel=next; timeout=60' },
    { body: 'x', timers: 1 },
  );
  fixture.send('room', 'item');
  await stream.until('item');
  const [hold] = fixture.registry.all();
  t.match(hold?.view(), { kind: 'stream', channels: ['room'], items: 1, waiting: 0 });
  t.notOk('route' in (hold?.view() ?? {}), 'the route has no id');
  hold?.disconnect();
  t.equal(await stream.end(), 'complete');
  t.equal(stream.text, 'xitem');
  t.match(fixture.ends, [{ kind: 'stream', reason: 'kicked', items: 1 }]);
  t.equal(fixture.clock.pending, 0);
  t.strictSame([...fixture.registry.all()], []);
});

t.test('its origin is told that it is gone, where it asked for that', async (t) => {
  const fixture = await HoldFixture.open(t);
  await fixture.stream({ ...room, 'Grip-Link': '</gone>; rel=gone' }, { body: 'x' });
  for (const hold of fixture.registry.all()) hold.disconnect();
  const asked = await fixture.asked();
  t.match(asked, { method: 'POST', url: '/gone' });
  asked.answer({});
});
