import fc from 'fast-check';
import t from 'tap';
import { chunkOf } from '../../dist/edge/node/answer.js';
import { StreamPiece } from '../../dist/edge/port.js';

t.test('a piece is one chunk: size in hexadecimal, bytes, empty line (RFC 9112 §7.1)', async (t) => {
  t.equal(chunkOf(Buffer.from('0123456789abcdef!')).toString(), '11\r\n0123456789abcdef!\r\n');
});

t.test('the framing is made once for all clients', async (t) => {
  const piece = new StreamPiece(Buffer.from('x'));
  t.equal(piece.framed(chunkOf), piece.framed(chunkOf));
  const other = (payload: Buffer) => Buffer.concat([Buffer.from('>'), payload]);
  t.equal(piece.framed(other).toString(), '>x', 'that of another edge is its own');
  t.equal(piece.framed(chunkOf).toString(), '1\r\nx\r\n');
});

t.test('the payload is the very buffer given, and comes whole out of the chunk', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 5_000 }), (bytes) => {
      const payload = Buffer.from(bytes);
      const piece = new StreamPiece(payload);
      const chunk = piece.framed(chunkOf);
      const line = chunk.indexOf('\r\n');
      const size = Number.parseInt(chunk.subarray(0, line).toString(), 16);
      return (
        piece.payload === payload &&
        size === payload.length &&
        chunk.length === line + 2 + size + 2 &&
        chunk.subarray(line + 2, line + 2 + size).equals(payload) &&
        chunk.subarray(-2).toString() === '\r\n'
      );
    }),
  );
  t.pass();
});
