import t, { type Test } from 'tap';
import type { HistoryPage, HistoryStart } from '../../../../dist/index.js';
import { label, streamMessage } from '../../../items.js';
import { startNode } from '../backplane-fixture.js';
import { startRedis } from '../redis-fixture.js';

const server = await startRedis(t);
let systems = 0;

/** A node, and a channel of which the last 6 of 10 items are kept; the item at offset 7 came without id. */
async function kept(t: Test) {
  systems += 1;
  const { backplane } = await startNode(t, server.url, { redisPrefix: `hf${systems}`, historySize: 6 });
  const ids = Array.from({ length: 10 }, (_, i) => `i${i + 1}`);
  const items = ids.map((id) => streamMessage('a', id));
  const [, , , , , , seventh] = items;
  if (seventh) items[6] = { ...seventh, item: { ...seventh.item, id: undefined } as never };
  const [first] = await backplane.publish(items);
  const epoch = first?.position?.epoch ?? '';
  const read = (start: HistoryStart, limit = 100) => backplane.read('a', start, limit);
  return { backplane, epoch, read };
}

function offsets(page: HistoryPage | undefined): unknown {
  return page && [page.messages.map(({ position }) => position?.offset), page.end.offset, page.complete];
}

t.test('redis: history is read from a position on, in parts', async (t) => {
  const { epoch, read } = await kept(t);
  t.strictSame(offsets(await read({ after: { epoch, offset: 6 } })), [[7, 8, 9, 10], 10, true]);
  t.strictSame(offsets(await read({ after: { epoch, offset: 6 } }, 3)), [[7, 8, 9], 9, false]);
  t.strictSame(offsets(await read({ after: { epoch, offset: 9 } }, 1)), [[10], 10, true]);
  t.strictSame(offsets(await read({ after: { epoch, offset: 10 } })), [[], 10, true]);
});

t.test('redis: history is read from just before the oldest item that is kept', async (t) => {
  const { epoch, read } = await kept(t);
  t.strictSame(offsets(await read({ after: { epoch, offset: 4 } }, 2)), [[5, 6], 6, false]);
  t.equal(await read({ after: { epoch, offset: 3 } }), undefined);
});

t.test('redis: history tells nothing of another epoch, nor after a position that was never reached', async (t) => {
  const { epoch, read } = await kept(t);
  t.equal(await read({ after: { epoch: 'other', offset: 9 } }), undefined);
  t.equal(await read({ after: { epoch, offset: 11 } }), undefined);
});

t.test('redis: history is read from an id on, if the publisher gave it and it is kept', async (t) => {
  const { epoch, read } = await kept(t);
  const page = await read({ afterId: 'i8' });
  t.strictSame(page?.messages.map(label), ['a/i9', 'a/i10']);
  t.strictSame(page?.end, { epoch, offset: 10 });
  t.equal(await read({ afterId: 'i4' }), undefined);
  t.equal(await read({ afterId: 'i7' }), undefined, 'a made id is nobody’s business');
  t.strictSame(offsets(await read({ afterId: 'i10' })), [[], 10, true]);
});

t.test('redis: an empty channel has no history', async (t) => {
  const { backplane } = await kept(t);
  t.equal(await backplane.read('none', { afterId: 'x' }, 10), undefined);
  t.equal(await backplane.read('none', { after: { epoch: 'e', offset: 1 } }, 10), undefined);
});
