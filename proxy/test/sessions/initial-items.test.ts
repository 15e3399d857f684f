/** Sessions whose origin subscribes them with the last items of a channel. */
import t, { type Test } from 'tap';
import type { RawSocket } from '../kit/clients/raw-socket.js';
import { until } from '../kit/until.js';
import { SessionFixture } from './session-fixture.js';

const open = (t: Test, route = 'history') => SessionFixture.open(t, { route });
const subscribe = (more: object = {}, channel = 'a') => `c:${JSON.stringify({ type: 'subscribe', channel, ...more })}`;
const next = async (client: RawSocket) => (await client.brief())[1];

t.test('the client gets them before what comes, and no token', async (t) => {
  const fixture = await open(t);
  for (const content of ['1', '2', '3']) fixture.publish('a', { content });
  const { client, origin } = await fixture.join();
  await origin.text(subscribe({ initial: 2 }));
  t.strictSame([await next(client), await next(client)], ['2', '3']);
  fixture.publish('a', { content: '4' });
  t.equal(await next(client), '4');
  await origin.text(subscribe({ initial: 2 }));
  await origin.text('m:ready');
  t.equal(await next(client), 'ready', 'who is on the channel already is not new');
  t.equal(fixture.replays.items, 2);
  t.equal(fixture.replays.complete + fixture.replays.incomplete, 0);
});

t.test('the last one, and those since a position', async (t) => {
  const fixture = await open(t);
  for (const content of ['1', '2', '3']) fixture.publish('a', { content });
  const one = await fixture.join();
  await one.origin.text(subscribe({ initial: 'last' }));
  t.equal(await next(one.client), '3');
  const other = await fixture.join();
  await other.origin.text(subscribe({ since: 'none:1' }));
  await until('the answer of the history', () => fixture.replays.incomplete === 1);
  fixture.publish('a', { content: '4' });
  t.equal(await next(other.client), '4', 'a client that did not ask is sent no token of a gap');
});

t.test('a client that comes back is not new where its token knows the channel', async (t) => {
  const fixture = await open(t, 'resume');
  fixture.publish('a', { content: '1' });
  const join = (token: string) => fixture.join(undefined, [], `/?holdfast-resume=${token}`);
  const first = await join('');
  await first.origin.text(subscribe({ initial: 'last' }));
  t.equal(await next(first.client), '1');
  const token = (JSON.parse(await next(first.client)) as { 'holdfast-resume': string })['holdfast-resume'];
  first.client.reset();
  await fixture.ended();
  for (const content of ['2', '3']) fixture.publish('a', { content });
  const second = await join(token);
  await second.origin.text(subscribe({ initial: 'last' }));
  t.equal(await next(second.client), '2');
});

t.test('without a history for the route nothing comes of it', async (t) => {
  const fixture = await SessionFixture.open(t);
  fixture.publish('a', { content: '1' });
  const { client, origin } = await fixture.join();
  await origin.text(subscribe({ initial: 'last' }));
  await origin.text('m:ready');
  t.equal(await next(client), 'ready');
});
