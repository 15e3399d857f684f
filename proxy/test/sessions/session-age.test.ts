/** `hold_max_age`: how sessions end by their age. The chance is 0: each ends at 90 % of the age. */
import t from 'tap';
import { CLOSE_ANSWER_MS } from '../../dist/sessions/awaited-close.js';
import { closeCodeOf, closePayload, opcodes } from '../kit/clients/raw-frames.js';
import { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { control, GRIP, SessionFixture, type SessionFixtureOptions } from './session-fixture.js';

const { text, continuation, close } = opcodes;

/** Of each session, in ms. */
const AGE = 54_200;
const open = (options: SessionFixtureOptions = {}) =>
  SessionFixture.open(t, { ...options, settings: { hold_max_age: 60, ...options.settings } });

t.test('the client is closed with 1012, and the origin with what the client answers', async (t) => {
  const fixture = await open();
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  fixture.clock.advance(AGE - 400);
  fixture.publish('a', { content: 'item' });
  t.strictSame(await joined.client.brief(), [text, 'item']);
  fixture.clock.advance(400);
  const frame = await joined.client.frame();
  t.strictSame([frame.opcode, frame.payload], [close, closePayload(1012, '')]);
  t.match(await fixture.ended(), { kind: 'ws', reason: 'aged', items: 1 });
  t.equal(fixture.registry.count('a'), 0);
  await joined.client.close(1012);
  t.equal(closeCodeOf(await joined.origin.frame()), 1012);
  await joined.origin.close(1012);
  t.strictSame(await joined.client.rest(), []);
});

t.test('a message that the client has begun reaches the origin whole', async (t) => {
  const fixture = await open();
  const { client, origin } = await fixture.join();
  await client.send(text, 'begun, ', { fin: false });
  fixture.clock.advance(AGE);
  t.equal(closeCodeOf(await client.frame()), 1012);
  await client.send(continuation, 'and done');
  await client.text('one more');
  await client.close(1012);
  t.strictSame(await origin.brief(), [text, 'begun, and done']);
  t.strictSame(await origin.brief(), [text, 'one more']);
  t.equal(closeCodeOf(await origin.frame()), 1012);
});

t.test('a client that does not answer is cut off, and its origin closed', async (t) => {
  const fixture = await open();
  const { client, origin } = await fixture.join();
  fixture.clock.advance(AGE);
  t.equal(closeCodeOf(await client.frame()), 1012);
  fixture.clock.advance(CLOSE_ANSWER_MS);
  t.equal(closeCodeOf(await origin.frame()), 1012);
  fixture.clock.advance(30_000);
  t.strictSame(await client.rest(), []);
});

t.test('what the origin has said comes before', async (t) => {
  const live = new Turn();
  const fixture = await open({ live });
  const { client, origin } = await fixture.join(GRIP);
  fixture.clock.advance(AGE - 400);
  void origin.text('c:{"type":"subscribe","channel":"news"}');
  void origin.text('m:after');
  await until(() => fixture.registry.count('news') === 1);
  fixture.clock.advance(400);
  t.equal(fixture.ends.length, 0);
  live.resolve();
  t.strictSame(await client.brief(), [text, 'after']);
  t.equal(closeCodeOf(await client.frame()), 1012);
  t.match(await fixture.ended(), { reason: 'aged' });
});

t.test('a session whose origin has detached', async (t) => {
  const fixture = await open();
  const joined = await fixture.join();
  await control(joined, { type: 'subscribe', channel: 'a' });
  await joined.origin.text('c:{"type":"detach"}');
  t.equal(closeCodeOf(await joined.origin.frame()), 1000);
  fixture.clock.advance(AGE);
  t.equal(closeCodeOf(await joined.client.frame()), 1012);
  t.match(await fixture.ended(), { reason: 'aged' });
});

t.test('one that is closing already is left alone; on debug routes the reason is given', async (t) => {
  const fixture = await open({ route: 'debug' });
  const closing = await fixture.join();
  const other = await fixture.join();
  fixture.clock.advance(AGE - 400);
  await closing.origin.close(4001, 'bye');
  t.equal(closeCodeOf(await closing.client.frame()), 4001);
  fixture.clock.advance(400);
  const { payload } = await other.client.frame();
  t.same(payload, closePayload(1012, 'It was as old as `hold_max_age` lets it become.'));
  t.strictSame((await fixture.ended(2)) && fixture.ends.map(({ reason }) => reason), ['origin-closed', 'aged']);
});
