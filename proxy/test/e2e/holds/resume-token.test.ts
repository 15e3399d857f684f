/** Grip-Resume-Token: a stream that its origin has granted comes back without it. */
import { EventSource } from 'eventsource';
import t from 'tap';
import { startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { makeCuttable } from './cuttable.js';

t.test('a client that is cut off again and again gets all, and its origin is asked once', async (t) => {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(
      200,
      streamHold('events', { 'Content-Type': 'text/event-stream', 'Grip-Resume-Token': '60; cookie' }),
    );
    response.end('retry: 5\n\n');
  });
  const holdfast = await startHoldfast(t, {
    routes: [`*,history ${origin.target}`],
    settings: { client_half_close_grace: 0 },
  });
  const wire = await makeCuttable(t, holdfast.clients);
  let cookie = 'session=1';
  const source = new EventSource(`${wire.url}/events`, {
    fetch: async (url, init) => {
      const response = await fetch(url, { ...init, headers: { ...init.headers, cookie } } as RequestInit);
      const [set] = response.headers.getSetCookie();
      if (set !== undefined) cookie = `session=1; ${set.split(';', 1)[0]}`;
      return response;
    },
  });
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  await holdfast.holds('stream', 1);
  for (let round = 1; round <= 5; round++) {
    await holdfast.publish(streamItem('events', `data: ${round}\n\n`));
    await until('the event', () => received.length === 2 * round - 1);
    wire.cut();
    await holdfast.publish(streamItem('events', `data: ${round}, missed\n\n`));
    await until('what was missed', () => received.length === 2 * round);
  }
  t.strictSame(
    received,
    [1, 2, 3, 4, 5].flatMap((round) => [`${round}`, `${round}, missed`]),
  );
  t.equal(origin.seen.length, 1);
  cookie = cookie.replace('session=1', 'session=2');
  wire.cut();
  await origin.requests(2);
  t.match(origin.seen.at(-1)?.headers.cookie, 'session=2', 'another login');
});
