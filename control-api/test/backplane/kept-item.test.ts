import { contentOf, formatKeys, parseItem } from '@holdfast/grip';
import t from 'tap';
import { keptItem } from '../../dist/backplane/kept-item.js';

/** Parsed from a tnetstring, as it were: small bytes that lie in a slab, and a format of each kind. */
const item = parseItem({
  channel: 'c',
  id: '1',
  formats: {
    'http-response': { body: 'short', headers: { A: 'b' } },
    'http-stream': { content: 'short', 'content-filters': ['a'] },
    'ws-message': { content: 'short' },
  },
});

t.test('the content of each format is in memory of its own, and is the same', async (t) => {
  const kept = keptItem(item);
  t.same(kept, item);
  for (const key of formatKeys) {
    t.ok((contentOf(item.formats, key)?.buffer.byteLength ?? 0) > 5, `${key} as it came`);
    t.equal(contentOf(kept.formats, key)?.buffer.byteLength, 5, `${key} as it is kept`);
  }
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
