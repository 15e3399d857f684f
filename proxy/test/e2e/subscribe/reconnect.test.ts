/** Clients that come back by their tokens: for what they missed, however many they are, and without an origin. */
import { EventSource } from 'eventsource';
import t from 'tap';
import { RawClient } from '../../kit/clients/raw-client.js';
import { streamItem } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { makeCuttable } from '../holds/cuttable.js';
import { bearer, startSubscribe, tokenFor } from './tokens.js';

/** More by hand: `RECONNECTS=10000`. */
const CLIENTS = Number(process.env.RECONNECTS ?? 1_000);
const AT_ONCE = 20;

t.test('an EventSource that is cut off gets what it missed, by its Last-Event-ID', async (t) => {
  const holdfast = await startSubscribe(t, { route: ',history' });
  const wire = await makeCuttable(t, holdfast.clients);
  const headers = bearer(tokenFor('u', 'a'));
  const source = new EventSource(`${wire.url}/sub?channel=a`, {
    fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } } as RequestInit),
  });
  t.teardown(() => source.close());
  const received: string[] = [];
  source.addEventListener('message', ({ data }) => received.push(String(data)));
  await holdfast.holds('stream', 1);
  await holdfast.publish(streamItem('a', 'retry: 5\ndata: 1\n\n'));
  await until('the first event', () => received.length === 1);
  wire.cut();
  await holdfast.holds('stream', 0);
  await holdfast.publish(streamItem('a', 'data: 2\n\n'), streamItem('a', 'data: 3\n\n'));
  await until('all events', () => received.length === 3);
  t.strictSame(received, ['1', '2', '3']);
});

t.test(`${CLIENTS} reconnects with tokens ask the origin for nothing`, async (t) => {
  const origin = await startOrigin(t, (_request, response) => void response.end('asked'));
  const holdfast = await startSubscribe(t, { route: ',history', routes: [`* ${origin.target}`] });
  const { port } = new URL(holdfast.clients);
  let held = 0;
  const reconnect = async (user: number) => {
    const client = await RawClient.to(t, { port: Number(port) });
    const authorization = `Authorization: Bearer ${tokenFor(`u${user}`, `c${user % 100}`)}`;
    client.send(`GET /sub?channel=c${user % 100} HTTP/1.1`, 'Host: a', authorization, 'Last-Event-ID: x', '');
    await client.receives(':\n\n');
    held++;
    client.reset();
  };
  for (let first = 0; first < CLIENTS; first += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => reconnect(first + i)));
  t.equal(held, CLIENTS);
  t.equal(origin.seen.length, 0);
  t.equal(await (await fetch(holdfast.clients)).text(), 'asked');
  t.equal(origin.seen.length, 1, 'the same node does ask it');
});
