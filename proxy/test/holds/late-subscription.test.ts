/** Streams whose subscription is live only after a while, as with a backplane across nodes. */
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { LIVE_WAIT_MS } from '../../dist/channels/subscriber-deps.js';
import { HttpCall } from '../../dist/origin/http-call.js';
import { connectTo } from '../kit/clients/raw-client.js';
import { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { HoldFixture } from './hold-fixture.js';

const headers = { 'Grip-Hold': 'stream', 'Grip-Channel': 'room' };

async function asked(fixture: HoldFixture) {
  const answer = fixture.ask();
  let hasHead = false;
  void answer.then(
    () => {
      hasHead = true;
    },
    () => {},
  );
  const origin = await fixture.asked();
  return { answer, origin, hasHead: () => hasHead };
}

t.test('the head goes out once the subscription is live, with the body and what was published meanwhile', async (t) => {
  const live = new Turn();
  const fixture = await HoldFixture.open(t, { live });
  const { answer, origin, hasHead } = await asked(fixture);
  origin.answer({ headers, body: 'body ' });
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.send('room', 'item ');
  t.equal(fixture.requests.length, 0);
  t.equal(hasHead(), false);
  live.resolve();
  const stream = await answer;
  await stream.until('body item ');
  fixture.send('room', 'more');
  await stream.until('body item more');
  t.match(fixture.requests, [{ status: 200, hold: 'stream' }]);
});

t.test('a body that is still coming waits, and the origin with it', async (t) => {
  const live = new Turn();
  const fixture = await HoldFixture.open(t, { live });
  const { answer, origin } = await asked(fixture);
  origin.begin(headers, 'one ');
  await until('the hold', () => fixture.registry.count('room') === 1);
  live.resolve();
  const stream = await answer;
  await stream.until('one ');
  origin.end('two ');
  await stream.until('one two ');
  fixture.send('room', 'item');
  await stream.until('one two item');
});

t.test('it waits a second at most: the client is not kept while the backplane is away', async (t) => {
  const fixture = await HoldFixture.open(t, { live: new Turn() });
  const { answer, origin } = await asked(fixture);
  origin.answer({ headers, body: 'body' });
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.clock.advance(LIVE_WAIT_MS);
  await (await answer).until('body');
});

t.test('a subscription that fails before is a failed request', async (t) => {
  const live = new Turn();
  const fixture = await HoldFixture.open(t, { live });
  const { answer, origin } = await asked(fixture);
  origin.answer({ headers, body: 'body' });
  await until('the hold', () => fixture.registry.count('room') === 1);
  live.reject(new Error('refused'));
  const got = await answer;
  await got.end();
  t.equal(got.status, 502);
  t.equal(fixture.registry.size, 0);
  t.match(fixture.requests, [{ status: 502 }]);
});

t.test('one that fails later ends the stream', async (t) => {
  const live = new Turn();
  const fixture = await HoldFixture.open(t, { live });
  const { answer, origin } = await asked(fixture);
  origin.answer({ headers, body: 'body' });
  await until('the hold', () => fixture.registry.count('room') === 1);
  fixture.clock.advance(LIVE_WAIT_MS);
  const stream = await answer;
  live.reject(new Error('refused'));
  await stream.end();
  t.match(await fixture.holdsEnded(), { reason: 'origin-failed' });
});

t.test('a client that goes away meanwhile leaves nothing behind', async (t) => {
  const live = new Turn();
  const fixture = await HoldFixture.open(t, { live });
  const wire = await connectTo(t, fixture.url);
  wire.send('GET / HTTP/1.1', 'Host: a', '');
  (await fixture.asked()).begin(headers, 'half');
  await until('the hold', () => fixture.registry.count('room') === 1);
  wire.socket.resetAndDestroy();
  await until('its end', () => fixture.registry.count('room') === 0);
  live.resolve();
  await live.promise;
  t.equal(fixture.registry.size, 0);
});

t.test('an origin that breaks off meanwhile is a failed request: the client has heard of nothing yet', async (t) => {
  const live = new Turn();
  const fixture = await HoldFixture.open(t, { live });
  const { answer, origin } = await asked(fixture);
  origin.begin(headers, 'half');
  await until('the hold', () => fixture.registry.count('room') === 1);
  origin.breakOff();
  const got = await answer;
  t.equal(await got.end(), 'complete');
  t.match(got, { status: 502, text: 'Error while proxying to origin.\n' });
  t.match(fixture.requests, [{ status: 502, error: 'ERR_ORIGIN_CLOSED', hold: undefined }]);
  t.equal(fixture.registry.size, 0);
  live.resolve();
  await until('no timer', () => fixture.clock.pending === 0);
  t.equal(fixture.requests.length, 1);
});

for (const waits of [false, true]) {
  t.test(
    `a stream that ${waits ? 'waited' : 'did not wait'} for its subscription keeps nothing of its origin`,
    async (t) => {
      setFlagsFromString('--expose_gc');
      const collect = runInNewContext('gc') as () => void;
      const calls: WeakRef<HttpCall>[] = [];
      const { onConnect } = HttpCall.prototype;
      HttpCall.prototype.onConnect = function (this: HttpCall, abort) {
        calls.push(new WeakRef(this));
        onConnect.call(this, abort);
      };
      t.teardown(() => {
        HttpCall.prototype.onConnect = onConnect;
      });
      const live = new Turn();
      const fixture = await HoldFixture.open(t, waits ? { live } : {});
      const { answer, origin } = await asked(fixture);
      origin.answer({ headers, body: 'body' });
      await until('the hold', () => fixture.registry.count('room') === 1);
      // The origin has said all that it has to say before.
      if (waits) await delay(100);
      live.resolve();
      const stream = await answer;
      await stream.until('body');
      t.equal(calls.length, 1);
      await until('nothing of the call', async () => {
        await delay(10);
        collect();
        return calls[0]?.deref() === undefined;
      });
      fixture.send('room', ' item');
      await stream.until('body item');
    },
  );
}
