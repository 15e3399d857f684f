/** Clients that come back by their tokens: for what they missed, however many they are, and without an origin. */
import { EventSource } from 'eventsource';
import t from 'tap';
import { RawClient } from '../../kit/clients/raw-client.js';
import { streamItem } from '../../kit/holdfast.js';
import { startOrigin } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';
import { makeCuttable } from '../holds/cuttable.js';
import { bearer, startSubscribe, tokenFor } from './tokens.js';

/** A multiple of those that come at once; more by hand: `RECONNECTS=10000`. */
const CLIENTS = Number(process.env.RECONNECTS ?? 500);
const AT_ONCE = 20;
const CHANNELS = 50;

const channelOf = (user: number) => `c${user % CHANNELS}`;

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
  const port = Number(new URL(holdfast.clients).port);
  const texts = Array.from({ length: CLIENTS }, (_, user) => tokenFor(`u${user}`, channelOf(user)));
  const come = async (user: number, lastEventId: readonly string[]) => {
    const client = await RawClient.to(t, { port });
    const fields = [`Authorization: Bearer ${texts[user]}`, ...lastEventId.map((id) => `Last-Event-ID: ${id}`)];
    client.send(`GET /sub?channel=${channelOf(user)} HTTP/1.1`, 'Host: a', ...fields, '');
    return client;
  };
  /** Of all clients, some at a time. */
  const each = async <Got>(act: (user: number) => Promise<Got>): Promise<Got[]> => {
    const got: Got[] = [];
    for (let first = 0; first < CLIENTS; first += AT_ONCE)
      got.push(...(await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => act(first + i)))));
    return got;
  };

  const clients = await each(async (user) => {
    const client = await come(user, []);
    // Where the stream begins.
    await client.receives('id: ');
    await client.until(/^id: \S+$/m);
    return client;
  });
  for (const client of clients) client.reset();
  await holdfast.holds('stream', 0);
  const missed = Array.from({ length: CHANNELS }, (_, n) => streamItem(channelOf(n), `data: missed on ${n}.\n\n`));
  await holdfast.publish(...missed);
  await each(async (user) => {
    const [, id = ''] = /^id: (\S+)$/m.exec(clients[user]?.text ?? '') ?? [];
    const client = await come(user, [id]);
    await client.receives(`data: missed on ${user % CHANNELS}.`);
  });
  t.equal(await holdfast.metric('holdfast_holds{kind="stream"}'), CLIENTS);
  t.equal(origin.seen.length, 0);
  t.equal(await (await fetch(holdfast.clients)).text(), 'asked');
  t.equal(origin.seen.length, 1, 'the same node does ask it');
});
