import fc from 'fast-check';
import t from 'tap';
import { StreamPiece } from '../../dist/edge/stream-piece.js';

t.test('a piece is one chunk: size in hexadecimal, bytes, empty line (RFC 9112 §7.1)', async (t) => {
  t.equal(new StreamPiece(Buffer.from('0123456789abcdef!')).chunk.toString(), '11\r\n0123456789abcdef!\r\n');
});

t.test('the framing is made once for all clients', async (t) => {
  const piece = new StreamPiece(Buffer.from('x'));
  t.equal(piece.chunk, piece.chunk);
});

t.test('the payload is the very buffer given, and comes whole out of the chunk', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), (bytes) => {
      const payload = Buffer.from(bytes);
      const piece = new StreamPiece(payload);
      const line = piece.chunk.indexOf('\r\n');
      const size = Number.parseInt(piece.chunk.subarray(0, line).toString(), 16);
      return (
        piece.payload === payload &&
        size === payload.length &&
        piece.chunk.length === line + 2 + size + 2 &&
        piece.chunk.subarray(line + 2, line + 2 + size).equals(payload) &&
        piece.chunk.subarray(-2).toString() === '\r\n'
      );
    }),
  );
  t.pass();
});
