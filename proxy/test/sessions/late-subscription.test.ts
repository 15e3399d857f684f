/** Sessions whose subscription is live only after a while, as with a backplane across nodes. */
import t from 'tap';
import { LIVE_WAIT_MS } from '../../dist/channels/subscriber-deps.js';
import { closeCodeOf, opcodes } from '../kit/clients/raw-frames.js';
import { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { GRIP, type Joined, SessionFixture } from './session-fixture.js';

const subscribe = (channel: string) => `c:${JSON.stringify({ type: 'subscribe', channel })}`;

async function open(live: Turn): Promise<{ fixture: SessionFixture; joined: Joined }> {
  const fixture = await SessionFixture.open(t, { live });
  const joined = await fixture.join(GRIP);
  void joined.origin.text('m:before');
  void joined.origin.text(subscribe('news'));
  void joined.origin.text('m:after');
  t.strictSame(await joined.client.brief(), [opcodes.text, 'before']);
  await until(() => fixture.registry.count('news') === 1);
  return { fixture, joined };
}

t.test('what the origin says after a subscribe reaches the client once that is live, in order', async (t) => {
  const live = new Turn();
  const { fixture, joined } = await open(live);
  void joined.origin.text(subscribe('more'));
  void joined.origin.text('m:last');
  fixture.publish('news', { content: 'item' });
  t.strictSame(await joined.client.brief(), [opcodes.text, 'item']);
  live.resolve();
  t.strictSame(await joined.client.brief(), [opcodes.text, 'after']);
  t.strictSame(await joined.client.brief(), [opcodes.text, 'last']);
  t.equal(fixture.registry.count('more'), 1);
});

t.test('a close of the origin comes after what it has said', async (t) => {
  const live = new Turn();
  const { joined } = await open(live);
  await joined.origin.close(4001);

  live.resolve();
  t.strictSame(await joined.client.brief(), [opcodes.text, 'after']);
  t.equal(closeCodeOf(await joined.client.frame()), 4001);
});

t.test('it waits a second at most', async (t) => {
  const { fixture, joined } = await open(new Turn());
  fixture.clock.advance(LIVE_WAIT_MS);
  t.strictSame(await joined.client.brief(), [opcodes.text, 'after']);
});

t.test('a subscription that fails ends the session', async (t) => {
  const live = new Turn();
  const { fixture } = await open(live);
  live.reject(new Error('refused'));
  t.equal((await fixture.ended()).reason, 'origin-failed');
});
