/** Reliable streams: items that are lost, doubled or late on their way, an origin that restarts. */
import t, { type Test } from 'tap';
import { type Answer, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { LogOrigin } from '../../kit/origins/log-origin.js';
import { until } from '../../kit/until.js';

async function start(t: Test): Promise<{ origin: LogOrigin; holdfast: Holdfast }> {
  const origin = await LogOrigin.start(t);
  const settings = { message_wait: 50, client_half_close_grace: 0 };
  return { origin, holdfast: await startHoldfast(t, { routes: [`* ${origin.target}`], settings }) };
}

/** The events of a stream so far, each with the id that it bears. */
function eventsOf({ text }: Answer): { readonly id: string; readonly n: number }[] {
  return [...text.matchAll(/id: (.*)\ndata: (\d+)\n\n/g)].map(([, id = '', n]) => ({ id, n: Number(n) }));
}

/** Waits for the last event, then checks that all have come, once, in order, under their ids. */
async function complete(t: Test, stream: Answer, expected: readonly number[]): Promise<void> {
  const last = expected.at(-1);
  await until(
    `event ${last}`,
    () => eventsOf(stream).some(({ n }) => n === last),
    () => stream.text,
  );
  const events = eventsOf(stream);
  t.strictSame(
    events.map(({ n }) => n),
    expected,
  );
  t.ok(events.every(({ id, n }) => id === `room:${n}`));
  t.equal(stream.text.replaceAll(/id: room:\d+\ndata: \d+\n\n|event: keep-alive\ndata:\n\n/g, ''), '');
}

const upTo = (n: number, from = 0) => Array.from({ length: n - from }, (_, i) => from + i + 1);

t.test('items that are never published come by the link, once and in their place', async (t) => {
  const { origin, holdfast } = await start(t);
  const streams = await Promise.all(upTo(5).map(() => open(t, `${holdfast.clients}/events`)));
  for (let n = 1; n <= 60; n++) {
    const item = origin.add();
    // Whole runs are lost, and single ones; the last is not.
    if (n === 60 || (n % 4 !== 0 && n % 20 > 5)) await holdfast.publish(item);
  }
  for (const stream of streams) await complete(t, stream, upTo(60));
});

t.test('items that come in any order, and several times, go out once and in order, without a question', async (t) => {
  const { origin, holdfast } = await start(t);
  const stream = await open(t, `${holdfast.clients}/events`);
  await holdfast.publish(origin.add());
  await complete(t, stream, upTo(1));
  const items = upTo(30).map(() => origin.add());
  const order = upTo(30).sort((a, b) => ((a * 7) % 31) - ((b * 7) % 31));
  // In one request, so that no item waits longer than it may.
  await holdfast.publish(...order.flatMap((n) => [items[n - 1] as object, items[n - 1] as object]));
  await complete(t, stream, upTo(31));
  const receipts = await holdfast.publish(items[4] as object);
  t.match(receipts, [{ id: '6', duplicate: true }]);
  t.equal(origin.asked.length, 1);
});

t.test('an origin that restarts in the middle: what it had in its log is there in the end', async (t) => {
  const { origin, holdfast } = await start(t);
  const streams = [await open(t, `${holdfast.clients}/events`), await open(t, `${holdfast.clients}/events`)];
  await holdfast.publish(origin.add());
  for (const stream of streams) await complete(t, stream, upTo(1));
  // The fetch that the gap calls for fails, and is repeated a second or two later.
  await origin.restart(async () => {
    origin.add();
    await holdfast.publish(origin.add(), origin.add());
  });
  for (const stream of streams) await complete(t, stream, upTo(4));
  await holdfast.publish(origin.add());
  for (const stream of streams) await complete(t, stream, upTo(5));
});

t.test('recover has every stream ask for what it may have missed', async (t) => {
  const { origin, holdfast } = await start(t);
  const stream = await open(t, `${holdfast.clients}/events`);
  origin.add();
  origin.add();
  const answered = await fetch(`${holdfast.control}/recover/`, { method: 'POST' });
  t.equal(await answered.text(), 'Updated\n');
  await complete(t, stream, upTo(2));
  t.match(origin.asked.at(-1), '/events?user=&link=next events-room; last-id=0');
});

t.test('a client that comes back with its last id gets page after page, then what is published', async (t) => {
  const { origin, holdfast } = await start(t);
  for (let n = 1; n <= 11; n++) origin.add();
  const stream = await open(t, `${holdfast.clients}/events`, { headers: { 'Last-Event-ID': 'room:1' } });
  await complete(t, stream, upTo(11, 1));
  await holdfast.publish(origin.add());
  await complete(t, stream, upTo(12, 1));
  t.strictSame(
    origin.asked.map((text) => text.split(' ').at(-1)),
    ['/events', 'last-id=4', 'last-id=7', 'last-id=10'],
  );
});

t.test('streams of users see what is for them, whether it is published or told by the link', async (t) => {
  const { origin, holdfast } = await start(t);
  const users = ['1', '2'];
  const streams = await Promise.all(users.map((user) => open(t, `${holdfast.clients}/events?user=${user}`)));
  for (let n = 1; n <= 24; n++) {
    const meta =
      n % 3 === 0 ? { skip_users: '2, 9' } : n % 7 === 0 ? { require_sub: 'other' } : { require_sub: 'events-room' };
    const item = origin.add(meta);
    if (n % 5 !== 0) await holdfast.publish(item);
  }
  await holdfast.publish(origin.add());
  for (const [i, stream] of streams.entries()) await complete(t, stream, origin.visible(users[i] ?? ''));
  t.not(origin.visible('1').length, origin.visible('2').length);
});
