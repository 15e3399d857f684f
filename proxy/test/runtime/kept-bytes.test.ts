import fc from 'fast-check';
import t from 'tap';
import { KeptBytes } from '../../dist/runtime/kept-bytes.js';

t.test('bytes come out as they came in, whatever the pieces', async () => {
  const piece = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 1_000, maxLength: 5_000 }));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const kept = new KeptBytes();
      for (const one of pieces) kept.add(Buffer.from(one));
      const all = Buffer.concat(pieces);
      return kept.length === all.length && kept.whole().equals(all) && Buffer.concat(kept.pieces).equals(all);
    }),
  );
});

t.test('a single piece is kept as it is', async (t) => {
  const kept = new KeptBytes();
  const piece = Buffer.from('all');
  kept.add(piece);
  t.equal(kept.whole(), piece);
});

t.test('a body in pieces of one byte is kept in few buffers, and none of the reads that they came in', async (t) => {
  const kept = new KeptBytes();
  const read = Buffer.alloc(65_536, 'x');
  for (let i = 0; i < 100_000; i++) kept.add(read.subarray(i % 65_536, (i % 65_536) + 1));
  t.equal(kept.length, 100_000);
  t.ok(kept.pieces.length < 30, `${kept.pieces.length} buffers`);
  t.equal(kept.pieces.filter(({ buffer }) => buffer === read.buffer).length, 1, 'only the first');
});
