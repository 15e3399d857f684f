/** Gzip streams put together from pieces that other streams have too. */
import { crc32, createGunzip, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { DEFLATE_MAX, GZIP_HEADER, GzipPieces, GzipSum, joinedCrc, shiftOf } from '../../dist/compression/gzip.js';
import { StreamPiece } from '../../dist/edge/port.js';

const MIN = 512;

/** Bytes of all kinds and lengths: repetitive, random, around the limits of a stored block. */
const content = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
  fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 400 })).map(([bytes, times]) => {
    return Buffer.concat(Array.from({ length: times }, () => bytes));
  }),
  fc.constantFrom(MIN - 1, MIN, 4_096, 4_097, 65_535, 65_536, 131_071).map((length) => Buffer.alloc(length, 'item ')),
);

t.test('any pieces in any order, again and again: gunzip gives the plain bytes one after the other', async (t) => {
  fc.assert(
    fc.property(
      fc.array(content, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (contents, order) => {
        const pieces = new GzipPieces(MIN);
        const all = contents.map((bytes) => new StreamPiece(Buffer.from(bytes)));
        const sum = new GzipSum();
        const written = [GZIP_HEADER.payload];
        const plain: Buffer[] = [];
        for (const at of order) {
          const piece = all[at % all.length] as StreamPiece;
          const gzip = at % 2 === 0 ? pieces.of(piece) : pieces.ofBytes(piece.payload);
          sum.add(gzip);
          written.push(gzip.piece.payload);
          plain.push(piece.payload);
        }
        written.push(sum.trailer);
        const whole = Buffer.concat(plain);
        return sum.length === whole.length && gunzipSync(Buffer.concat(written)).equals(whole);
      },
    ),
    { numRuns: 200 },
  );
  t.pass();
});

t.test('each piece can be read as soon as it is there', async (t) => {
  const gunzip = createGunzip();
  let text = '';
  gunzip.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const pieces = new GzipPieces(MIN);
  gunzip.write(GZIP_HEADER.payload);
  let plain = '';
  for (const item of ['short', 'long '.repeat(500), 'x', 'longer '.repeat(5_000)]) {
    plain += item;
    await new Promise((resolve) => gunzip.write(pieces.of(new StreamPiece(Buffer.from(item))).piece.payload, resolve));
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(text, plain);
  }
  gunzip.destroy();
});

t.test('a piece is compressed once for all streams, and so are bytes that come again', async (t) => {
  const pieces = new GzipPieces(MIN);
  const piece = new StreamPiece(Buffer.alloc(2_000, 'abc'));
  t.equal(pieces.of(piece), pieces.of(piece));
  t.equal(pieces.ofBytes(piece.payload), pieces.ofBytes(piece.payload));
  t.ok(pieces.of(piece).piece.payload.length < 100);
});

t.test('short pieces, those longer than DEFLATE_MAX and those that do not shrink are stored', async (t) => {
  const pieces = new GzipPieces(MIN);
  const of = (bytes: Buffer) => pieces.of(new StreamPiece(bytes)).piece.payload.length - bytes.length;
  t.equal(of(Buffer.alloc(MIN - 1)), 5);
  t.ok(of(Buffer.alloc(MIN)) < 0);
  t.ok(of(Buffer.alloc(DEFLATE_MAX)) < 0);
  t.equal(of(Buffer.alloc(DEFLATE_MAX + 1)), 5 * 17);
  let seed = 1;
  const noise = Buffer.from(
    Array.from({ length: 3_000 }, () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed >> 8;
    }),
  );
  t.equal(of(noise), 5);
});

t.test('the checksum of bytes put together is that of the whole', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (one, other) => {
      const joined = joinedCrc(crc32(one), crc32(other), shiftOf(other.length)) >>> 0;
      return joined === crc32(Buffer.concat([one, other]));
    }),
  );
  const long = Buffer.alloc(5_000_000, 'zeros and more');
  t.equal(
    joinedCrc(crc32(Buffer.from('a')), crc32(long), shiftOf(long.length)) >>> 0,
    crc32(long, crc32(Buffer.from('a'))),
  );
});
