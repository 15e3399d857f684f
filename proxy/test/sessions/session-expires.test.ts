/** The control message `expire`: when sessions are closed with 4401, what comes before, and what takes it back. */
import t from 'tap';
import { CLOSE_ANSWER_MS } from '../../dist/sessions/awaited-close.js';
import { closeCodeOf, closePayload, opcodes } from '../kit/clients/raw-frames.js';
import { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { control, type Joined, SessionFixture } from './session-fixture.js';

const { text, continuation, close } = opcodes;

/** A session on channel `a` that expires after so many seconds. */
async function expiring(fixture: SessionFixture, timeout: number): Promise<Joined> {
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' }, { type: 'expire', timeout });
  return joined;
}

const view = (fixture: SessionFixture) => [...fixture.registry.all()].map((one) => fixture.registry.expiryOf(one));

t.test('at that moment, not before: the client is closed with 4401, and the origin with its answer', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await expiring(fixture, 60);
  t.strictSame(view(fixture), [new Date(fixture.clock.wall() + 60_000).toISOString()]);
  fixture.clock.advance(59_999);
  fixture.publish('a', { content: 'item' });
  t.strictSame(await client.brief(), [text, 'item']);
  fixture.clock.advance(1);
  fixture.publish('a', { content: 'late' });
  const frame = await client.frame();
  t.strictSame([frame.opcode, frame.payload], [close, closePayload(4401, 'expired')]);
  t.match(await fixture.ended(), { kind: 'ws', reason: 'expired', items: 1 });
  t.equal(fixture.registry.count('a'), 0);
  await client.close(4401);
  t.equal(closeCodeOf(await origin.frame()), 4401);
  await origin.close(4401);
  t.strictSame(await client.rest(), []);
});

t.test('at a date, by the wall clock', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await fixture.join();
  await control(joined, { type: 'expire', date: new Date(fixture.clock.wall() + 60_000).toUTCString() });
  t.strictSame(view(fixture), [new Date(fixture.clock.wall() + 60_000).toISOString()]);
  fixture.clock.advance(59_999);
  t.equal(fixture.ends.length, 0);
  fixture.clock.advance(1);
  t.equal(closeCodeOf(await joined.client.frame()), 4401);
});

t.test('a later message takes the place of the one before; without a timeout there is none', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await expiring(fixture, 60);
  fixture.clock.advance(30_000);
  await control(joined, { type: 'expire', timeout: 60 });
  fixture.clock.advance(59_999);
  t.equal(fixture.ends.length, 0);
  await control(joined, { type: 'expire' });
  t.strictSame(view(fixture), [undefined]);
  fixture.clock.advance(1_000_000);
  t.equal(fixture.ends.length, 0);
  await control(joined, { type: 'expire', timeout: 5 });
  fixture.clock.advance(5_000);
  t.equal(closeCodeOf(await joined.client.frame()), 4401);
});

t.test('a timeout of 0 closes now, behind what the origin has said before', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await fixture.join();
  void origin.text('m:last');
  void origin.text('c:{"type":"expire","timeout":0}');
  t.strictSame(await client.brief(), [text, 'last']);
  await until('the time', () => view(fixture)[0] !== undefined);
  fixture.clock.advance(0);
  t.equal(closeCodeOf(await client.frame()), 4401);
});

t.test('one that is no message is ignored, with a warning, and changes nothing', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await expiring(fixture, 60);
  await control(joined, { type: 'expire', timeout: null }, { type: 'expire', timeout: -1 });
  await control(joined, { type: 'expire', timeout: 1_764_512_345 });
  t.match(fixture.logged('warn').join('\n'), /control message of the origin ignored: .*'timeout'/);
  fixture.clock.advance(60_000);
  t.equal(closeCodeOf(await joined.client.frame()), 4401);
});

t.test('a message that the client has begun reaches the origin whole', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await expiring(fixture, 60);
  await client.send(text, 'begun, ', { fin: false });
  fixture.clock.advance(60_000);
  t.equal(closeCodeOf(await client.frame()), 4401);
  await client.send(continuation, 'and done');
  await client.close(4401);
  t.strictSame(await origin.brief(), [text, 'begun, and done']);
  t.equal(closeCodeOf(await origin.frame()), 4401);
});

t.test('a client that does not answer is cut off', async (t) => {
  const fixture = await SessionFixture.open(t);
  const { client, origin } = await expiring(fixture, 60);
  fixture.clock.advance(60_000);
  t.equal(closeCodeOf(await client.frame()), 4401);
  fixture.clock.advance(CLOSE_ANSWER_MS);
  t.equal(closeCodeOf(await origin.frame()), 4401);
  fixture.clock.advance(30_000);
  t.strictSame(await client.rest(), []);
});

t.test('what the origin has said comes before, though it waits for a subscription', async (t) => {
  const live = new Turn();
  const fixture = await SessionFixture.open(t, { live });
  const joined = await fixture.join();
  const { client, origin } = joined;
  await control(joined, { type: 'expire', timeout: 1 });
  fixture.clock.advance(600);
  void origin.text('c:{"type":"subscribe","channel":"news"}');
  void origin.text('m:after');
  await until('the subscription', () => fixture.registry.count('news') === 1);
  fixture.clock.advance(399);
  fixture.publish('news', { content: 'item' });
  fixture.clock.advance(1);
  t.equal(fixture.registry.count('news'), 0, 'no item comes from now on');
  live.resolve();
  t.strictSame(await client.brief(), [text, 'item']);
  t.strictSame(await client.brief(), [text, 'after']);
  t.equal(closeCodeOf(await client.frame()), 4401);
});

t.test('a session whose origin has detached expires too', async (t) => {
  const fixture = await SessionFixture.open(t);
  const joined = await expiring(fixture, 60);
  await joined.origin.text('c:{"type":"detach"}');
  t.equal(closeCodeOf(await joined.origin.frame()), 1000);
  fixture.clock.advance(60_000);
  t.equal(closeCodeOf(await joined.client.frame()), 4401);
  t.match(await fixture.ended(), { reason: 'expired' });
});

t.test('one that is over or closing does not; on debug routes the reason is given', async (t) => {
  const fixture = await SessionFixture.open(t, { route: 'debug' });
  const closing = await expiring(fixture, 60);
  const other = await expiring(fixture, 60);
  await closing.origin.close(4001, 'bye');
  t.equal(closeCodeOf(await closing.client.frame()), 4001);
  fixture.clock.advance(60_000);
  const { payload } = await other.client.frame();
  t.match(payload.subarray(2).toString(), /^Its time was over/);
  t.strictSame((await fixture.ended(2)) && fixture.ends.map(({ reason }) => reason), ['origin-closed', 'expired']);
});
