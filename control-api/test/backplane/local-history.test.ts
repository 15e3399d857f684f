import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { contentOf, formatKeys, type Item, parseItem, parseItems, parsePublished } from '@holdfast/grip';
import t from 'tap';
import { keptItem, MAX_COUNTED_CHANNELS, PAGE_BYTES } from '../../dist/backplane/local-history.js';
import {
  type HistoryPage,
  IdCache,
  LocalBackplane,
  LocalHistory,
  type LocalHistoryOptions,
  silentLog,
} from '../../dist/index.js';
import { streamItem, streamMessage } from '../items.js';
import { ManualClock } from '../manual-clock.js';
import { RecordingListener } from '../recorder.js';
import { backplaneContract } from './contract.js';
import { historyContract } from './history-contract.js';

// Large items take their time on a busy machine.
t.setTimeout(120_000);

const TTL = 60_000;

function made(options: Partial<LocalHistoryOptions> = {}) {
  const clock = new ManualClock();
  const history = new LocalHistory({ clock, epoch: 'e', historySize: 10, historyTtl: TTL, ...options });
  const ids = new IdCache({ clock, idCacheTtl: TTL, events: { idsForgotten() {} } });
  return { clock, history, backplane: new LocalBackplane(silentLog, ids, history) };
}

historyContract(t, 'local', async (size) => ({ backplane: made({ historySize: size }).backplane }));
backplaneContract(t, 'local with history', async () => ({ backplanes: [made().backplane] }));

async function started(options: Partial<LocalHistoryOptions> = {}) {
  const fixture = made(options);
  const listener = new RecordingListener();
  await fixture.backplane.start(listener);
  const publish = async (...items: readonly (readonly [channel: string, id: string])[]) =>
    (await fixture.backplane.publish(items.map(([channel, id]) => streamMessage(channel, id)))).map(
      ({ position }) => position,
    );
  return { ...fixture, listener, publish };
}

t.test('items are delivered with their positions', async (t) => {
  const { backplane, listener, publish } = await started();
  await backplane.subscribe('a');
  const positions = await publish(['a', '1'], ['a', '2']);
  t.strictSame(
    listener.messages.map((message) => message.type === 'item' && message.position),
    positions,
  );
});

t.test('a duplicate has the position of the first', async (t) => {
  const { backplane, publish } = await started();
  const [first] = await publish(['a', '1'], ['a', '2']);
  t.strictSame(await backplane.publish([streamMessage('a', '1')]), [{ duplicate: true, position: first }]);
});

t.test('items go after their time', async (t) => {
  const { backplane, clock, history, publish } = await started();
  await backplane.subscribe('a');
  const [first, second] = await publish(['a', '1'], ['a', '2']);
  clock.advance(TTL - 1);
  const [third] = await publish(['a', '3']);
  t.match(await backplane.read('a', { after: first as never }, 9), { end: third, complete: true });
  clock.advance(1);
  t.equal(await backplane.read('a', { after: first as never }, 9), undefined);
  t.match(await backplane.read('a', { after: second as never }, 9), { end: third });
  clock.advance(2 * TTL);
  t.equal(history.held.bytes, 0);
});

t.test('where a channel stood some time ago is known as long as the items since then are kept', async (t) => {
  const { backplane, clock, publish } = await started({ historySize: 2 });
  const [first] = await publish(['a', '1']);
  clock.advance(1_000);
  await publish(['a', '2']);
  clock.advance(1_000);
  const [third] = await publish(['a', '3']);
  clock.advance(500);
  t.strictSame(await backplane.head('a', 100), third);
  t.strictSame(await backplane.head('a', 1_600), first, 'the item before has gone, but it is known that it was older');
  const lost = await backplane.head('a', 2_600);
  t.equal(await backplane.read('a', { after: lost as never }, 9), undefined);
});

t.test('asking for the last items of names makes no channels', async (t) => {
  const { backplane, history } = await started();
  for (let i = 0; i < 10; i++) await backplane.read(`c${i}`, { last: 1 }, 9);
  t.equal(history.held.channels, 0);
});

t.test('the count of a channel goes on as long as somebody is interested, and ends with its time after', async (t) => {
  const { backplane, clock, history, publish } = await started();
  await backplane.subscribe('a');
  const head = await backplane.head('a');
  clock.advance(10 * TTL);
  await publish(['a', '1']);
  t.match(await backplane.read('a', { after: head as never }, 9), { messages: [{ id: '1' }], complete: true });
  backplane.unsubscribe('a');
  clock.advance(3 * TTL);
  t.strictSame(history.held, { channels: 0, bytes: 0 });
  t.equal(clock.pending, 0, 'and no timer is left, once the ids are forgotten too');
  await publish(['a', '2']);
  t.equal(await backplane.read('a', { after: head as never }, 9), undefined, 'the count is another');
});

t.test('over the limit of bytes the channels published to least recently lose their items', async (t) => {
  const { backplane, history, publish } = await started({ historySize: 100, maxBytes: 5_500 });
  const heads = await Promise.all(['a', 'b', 'c'].map((name) => backplane.head(name)));
  for (const [i, name] of ['a', 'b', 'a', 'c', 'c', 'c', 'c'].entries()) await publish([name, `${i}`]);
  t.ok(history.held.bytes <= 5_500);
  await publish(['c', 'last']);
  t.ok(history.held.bytes <= 5_500);
  const read = await Promise.all(
    ['a', 'b', 'c'].map((name, i) => backplane.read(name, { after: heads[i] as never }, 9)),
  );
  t.equal(read[1], undefined);
  t.equal(read[2]?.messages.length, 5);
  t.equal(history.held.channels, 3, 'counts stay');
});

t.test('while it is off nothing is kept, and what was kept is forgotten', async (t) => {
  let isOn = true;
  const { backplane, history, publish } = await started({ isOn: () => isOn });
  const [first] = await publish(['a', '1'], ['a', '2']);
  isOn = false;
  t.strictSame(await publish(['a', '3']), [undefined]);
  t.equal(history.held.channels, 0);
  t.equal(await backplane.head('a'), undefined);
  isOn = true;
  const [again] = await publish(['a', '4']);
  t.not(again?.epoch, first?.epoch);
  t.equal(await backplane.read('a', { after: first as never }, 9), undefined);
});

t.test('without a history there are no positions, and nothing can be read', async (t) => {
  const backplane = new LocalBackplane(silentLog);
  await backplane.start(new RecordingListener());
  t.strictSame(await backplane.publish([streamMessage('a', '1')]), [{ duplicate: false, nodes: 0 }]);
  t.equal(await backplane.read('a', { afterId: '1' }, 1), undefined);
  t.equal(await backplane.head('a'), undefined);
});

t.test('all of an item counts, and what a channel costs as long as it has items', async (t) => {
  const { backplane, history, clock } = await started();
  const large = { a: 'x'.repeat(10_000) };
  const formats = { 'http-stream': { content: '' } };
  const item = parseItem({ channel: 'a'.repeat(1_000), id: 'i'.repeat(1_000), meta: large, formats });
  await backplane.publish([{ type: 'item', item, id: '1' }]);
  t.ok(history.held.bytes > 12_000);
  clock.advance(3 * TTL);
  t.strictSame(history.held, { channels: 0, bytes: 0 });
});

t.test('a page has no more than its bytes, but an item however large', async (t) => {
  const { backplane } = await started();
  const head = await backplane.head('a');
  const content = 'x'.repeat(PAGE_BYTES / 2 + 1);
  for (const id of ['1', '2', '3']) {
    await backplane.publish([{ type: 'item', item: streamItem('a', content, id), id }]);
  }
  const first = await backplane.read('a', { after: head as never }, 9);
  t.match(first, { messages: [{ id: '1' }], end: { offset: 1 }, complete: false });
  t.equal(first?.messages.length, 1);
  t.match(await backplane.read('a', { after: { ...(first as HistoryPage).end, offset: 2 } }, 9), { complete: true });
});

t.test('counts of channels that lost their items go on for only so many', async (t) => {
  const { history, publish } = await started({ maxBytes: 2_000 });
  const [first] = await publish(['first', '1']);
  for (let i = 0; i < MAX_COUNTED_CHANNELS; i += 1_000) {
    await publish(...Array.from({ length: 1_000 }, (_, j) => [`c${i + j}`, '1'] as const));
  }
  await publish(['last', '1']);
  t.ok(history.held.channels <= MAX_COUNTED_CHANNELS + 1);
  const [again] = await publish(['first', '2']);
  t.not(again?.epoch, first?.epoch);
});

/** Bytes in use that are left after a collection. */
async function used(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Ways to be large, of items that a publisher may send; each about so many bytes of text. */
const LARGE: Readonly<Record<string, (text: string, i: number) => object>> = {
  content: (text) => ({ formats: { 'http-stream': { content: text } } }),
  meta: (text) => ({ meta: { a: text }, formats: { 'http-stream': { content: '' } } }),
  headers: (text) => ({ formats: { 'http-response': { body: '', headers: { a: text } } } }),
  patch: (text) => ({
    formats: { 'http-response': { 'body-patch': [{ op: 'add', path: '/a', value: text.slice(0, 200_000) }] } },
  }),
  'small members': (text) => ({
    meta: Object.fromEntries(Array.from({ length: text.length / 100 }, (_, i) => [`${i}`, ''])),
    formats: { 'http-stream': { content: '' } },
  }),
};

for (const [kind, make] of Object.entries(LARGE)) {
  t.test(`what is kept takes no more memory than it counts: ${kind}`, async (t) => {
    const maxBytes = 4 * 2 ** 20;
    const { history, backplane } = await started({ historySize: 1_000, maxBytes });
    const before = await used();
    for (let i = 0; i < 60; i++) {
      const [item] = parseItems(
        Buffer.from(
          JSON.stringify({ items: [{ channel: `c${i % 30}`, id: `${i}`, ...make('x'.repeat(400_000), i) }] }),
        ),
      );
      await backplane.publish([{ type: 'item', item: item as Item, id: `${i}` }]);
    }
    t.ok(history.held.bytes <= maxBytes);
    const taken = (await used()) - before;
    t.ok(taken < 1.5 * maxBytes, `${taken} bytes are taken`);
  });
}

t.test('a small item that is kept keeps nothing of what came beside it', async (t) => {
  const { history, backplane } = await started({ historySize: 1 });
  const before = await used();
  for (let i = 0; i < 2_000; i++) {
    const messages = [streamMessage(`c${i}`, 'x', `${i}`), streamMessage('busy', 'y'.repeat(3_000), `b${i}`)];
    await backplane.publish([...messages, streamMessage('busy', 'y'.repeat(3_000), `c${i}`)]);
  }
  const taken = (await used()) - before;
  t.ok(taken < 2 * history.held.bytes, `${taken} bytes are taken for ${history.held.bytes}`);
});

for (const hours of [-1, 1]) {
  t.test(`the wall clock is set by ${hours} h: items are kept for their time, and no longer`, async (t) => {
    const { backplane, clock, publish } = await started();
    await backplane.subscribe('a');
    const [first] = await publish(['a', '1'], ['a', '2']);
    clock.setWall(hours * 3_600_000);
    clock.advance(TTL - 1);
    t.match(await backplane.read('a', { after: first as never }, 9), { complete: true });
    clock.advance(2);
    t.equal(await backplane.read('a', { after: first as never }, 9), undefined);
  });
}

/** Parsed from a tnetstring, as it were: small bytes that lie in a slab, and a format of each kind. */
const item = parseItem({
  channel: 'c',
  id: '1',
  formats: {
    'http-response': { body: 'short', headers: { A: 'b' } },
    'http-stream': { content: 'short', 'content-filters': ['a'] },
    'ws-message': { content: 'short' },
    'http-request': { body: 'short' },
    'xmpp-stanza': { content: '<presence/>' },
  },
});

t.test('the content of each format is in memory of its own, and is the same', async (t) => {
  const kept = keptItem(item);
  t.same(kept, item);
  for (const key of formatKeys) {
    t.ok((contentOf(item.formats, key)?.buffer.byteLength ?? 0) > 11, `${key} as it came`);
    const { length } = contentOf(item.formats, key) ?? [];
    t.equal(contentOf(kept.formats, key)?.buffer.byteLength, length, `${key} as it is kept`);
  }
});

t.test('items of one publish with the same content share its memory while they are kept', async (t) => {
  const [one, other] = parsePublished({ channels: ['c', 'd'], formats: { 'http-stream': { content: 'short' } } });
  t.equal(keptItem(one as Item), one);
  t.equal(keptItem(other as Item).formats, keptItem(one as Item).formats);
});

t.test('what shares its memory with nothing is kept as it is', async (t) => {
  const kept = keptItem(item);
  t.equal(keptItem(kept), kept);
  const bare = parseItem({
    channel: 'c',
    formats: { 'http-stream': { action: 'close' }, 'http-response': { 'body-patch': [] } },
  });
  t.equal(keptItem(bare), bare);
});
