/** One client among many that has stopped reading: what it costs the others (nothing), and what becomes of it. */
import t, { type Test } from 'tap';
import { type Answer, open } from '../../kit/clients/http-client.js';
import { type Holdfast, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { startOrigin, streamHold } from '../../kit/origins/origin.js';
import { until } from '../../kit/until.js';

const READERS = 4;
/** The buffers between the proxy and a client that does not read take 10 MiB at most by the usual limits: fewer items. */
const ITEMS_MAX = 300;
const BYTES = 65_536;
const QUEUE = 4 * BYTES;
const DROPPED = 'holdfast_items_dropped_total{kind="stream",reason="slow-client"}';

/** Item number `n`. */
const itemText = (n: number) => `<${n}>${'.'.repeat(BYTES - 3 - `${n}`.length)}\n`;

/** How long the text of a reader is that has got so many items. */
const lengthOf = (count: number) => 'opened\n'.length + count * BYTES;

/**
 * Waits until these have got so many items, by the length of what they got: to search megabytes for each item would cost more than
 * all that the proxy does.
 */
const haveGot = (count: number, answers: readonly Answer[]) =>
  until(`${count} items`, () => answers.every(({ text }) => text.length >= lengthOf(count)));

interface Fixture {
  readonly holdfast: Holdfast;
  readonly readers: readonly Answer[];
  readonly stalled: Answer;
}

/** Many readers, and one that stops after the opening. */
async function start(t: Test, policy: string): Promise<Fixture> {
  const origin = await startOrigin(t, (_request, response) => {
    response.writeHead(200, streamHold('room'));
    response.end('opened\n');
  });
  const settings = { client_queue_size: QUEUE, slow_client_policy: policy, client_half_close_grace: 0 };
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings });
  const urls = Array.from({ length: READERS }, (_, i) => `${holdfast.clients}/reader-${i}`);
  const readers = await Promise.all(urls.map((url) => open(t, url)));
  const stalled = await open(t, `${holdfast.clients}/stalled`);
  await Promise.all([...readers, stalled].map((answer) => answer.until('opened\n')));
  stalled.stall();
  return { holdfast, readers, stalled };
}

/**
 * Publishes items one after the other, each when all readers have the one before, until the proxy has dropped one, and
 * ten more. Resolves with their number.
 */
async function publishUntilDropped({ holdfast, readers }: Fixture): Promise<number> {
  let last = ITEMS_MAX;
  for (let n = 0; n < last; n++) {
    await holdfast.publish(streamItem('room', itemText(n)));
    await haveGot(n + 1, readers);
    if (last === ITEMS_MAX && (await holdfast.metric(DROPPED)) > 0) last = n + 10;
  }
  if (last === ITEMS_MAX) throw new Error(`nothing dropped within ${ITEMS_MAX} items`);
  return last;
}

/** Everything that a reader gets who misses nothing. */
const everything = (count: number) => `opened\n${Array.from({ length: count }, (_, n) => itemText(n)).join('')}`;

/** The numbers of the items in a text, and whether each of them is whole. */
function itemsIn(text: string): { numbers: number[]; whole: boolean } {
  const items = text
    .replace(/^opened\n/, '')
    .split('\n')
    .slice(0, -1);
  const numbers = items.map((item) => Number(/^<(\d+)>/.exec(item)?.[1]));
  return { numbers, whole: items.every((item, i) => `${item}\n` === itemText(numbers[i] ?? -1)) };
}

const isRisingOnly = (numbers: readonly number[]) => numbers.every((n, i) => i === 0 || n > (numbers[i - 1] as number));

t.test('policy close: the stream of the slow client is cut, logged and counted; the others miss nothing', async (t) => {
  const fixture = await start(t, 'close');
  const { holdfast, readers, stalled } = fixture;
  const count = await publishUntilDropped(fixture);
  t.comment(`${count} items of ${BYTES} bytes`);
  const expected = everything(count);
  await haveGot(count, readers);
  for (const [i, reader] of readers.entries()) t.ok(reader.text === expected, `reader ${i}: every item once, in order`);
  await holdfast.holds('stream', READERS);
  t.equal(await holdfast.metric(DROPPED), 1, 'it was cut at the first item that did not fit');

  const { id } = await holdfast.record('of the request', ({ url }) => String(url).endsWith('/stalled'));
  const warning = await holdfast.record('of the slow client', ({ msg }) => String(msg).startsWith('slow client'));
  t.match(warning, { level: 'warn', id, msg: 'slow client: closing its stream' });
  t.ok(Number(warning.waiting) <= QUEUE, `${warning.waiting} bytes waited`);
  const end = await holdfast.record('of the end', ({ reason }) => reason === 'slow-client');
  t.match(end, { id, kind: 'stream', dropped: 1 });

  stalled.resume();
  t.equal(await stalled.end(), 'broken', 'the client can tell that its stream did not end by itself');
  const { numbers } = itemsIn(stalled.text);
  t.ok(numbers.length < count && numbers.every((n, i) => n === i), 'what it did get is the beginning');
});

t.test('policy drop: the slow client stays, misses whole items, and gets the next ones when it reads', async (t) => {
  const fixture = await start(t, 'drop');
  const { holdfast, readers, stalled } = fixture;
  const count = await publishUntilDropped(fixture);
  t.comment(`${count} items of ${BYTES} bytes`);
  const expected = everything(count);
  await haveGot(count, readers);
  for (const [i, reader] of readers.entries()) t.ok(reader.text === expected, `reader ${i}: every item once, in order`);
  await holdfast.holds('stream', READERS + 1);
  const dropped = await holdfast.metric(DROPPED);
  t.ok(dropped >= 10, `${dropped} items dropped`);

  stalled.resume();
  const kept = count - dropped;
  await haveGot(kept, [stalled]);
  await holdfast.publish(streamItem('room', itemText(count)), {
    channel: 'room',
    formats: { 'http-stream': { action: 'close' } },
  });
  t.equal(await stalled.end(), 'complete');
  const { numbers, whole } = itemsIn(stalled.text);
  t.ok(whole, 'no item is torn');
  t.ok(isRisingOnly(numbers), 'none twice, and in order');
  t.equal(numbers.length, kept + 1, 'all but the dropped ones');
  t.equal(numbers.at(-1), count, 'the newest among them');

  const { id } = await holdfast.record('of the request', ({ url }) => String(url).endsWith('/stalled'));
  const end = await holdfast.record('of the end', (record) => record.id === id && record.reason !== undefined);
  const warnings = holdfast.records().filter(({ msg }) => String(msg).startsWith('slow client'));
  t.match(warnings, [{ level: 'warn', id, msg: 'slow client: dropping items' }], 'one warning, however many items');
  t.match(end, { reason: 'closed', dropped, items: kept + 1 });
});
