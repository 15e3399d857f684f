/** Bytes without end that show their own place: made by a sender, checked by a receiver. */
import { createHash } from 'node:crypto';

/** A prime, so that no two places within a gibibyte have both the same block boundary and the same bytes. */
const PERIOD = 1_000_003;
const BLOCK = 65_536;

const bytes = Buffer.alloc(PERIOD + BLOCK);
for (let i = 0, state = 1; i < bytes.length; i++) {
  // The second lap repeats the first, so that every block can be cut out of one piece.
  if (i === PERIOD) state = 1;
  state = (state * 48_271) % 2_147_483_647;
  bytes[i] = state & 0xff;
}

/** The bytes from `position` on: a block of 64 KiB, or what is left up to `total`. Not a copy. */
export function patternAt(position: number, total: number): Buffer {
  const start = position % PERIOD;
  return bytes.subarray(start, start + Math.min(BLOCK, total - position));
}

/** Reads the pattern from its first byte and notes the first place where something else came. */
export class PatternCheck {
  received = 0;
  /** Where the first wrong byte was, within a block; undefined as long as all is well. */
  wrongAt: number | undefined;

  take(chunk: Buffer): void {
    for (let offset = 0; offset < chunk.length; ) {
      const expected = patternAt(this.received, Number.MAX_SAFE_INTEGER);
      const length = Math.min(expected.length, chunk.length - offset);
      const same = chunk.compare(expected, 0, length, offset, offset + length) === 0;
      if (!same) this.wrongAt ??= this.received;
      this.received += length;
      offset += length;
    }
  }
}

/** Writes the pattern up to `total` and ends, holding back whenever the receiver does. Stops when it closes. */
export function sendPattern(to: NodeJS.WritableStream & { destroyed?: boolean }, total: number): void {
  let position = 0;
  const more = () => {
    while (position < total) {
      if (to.destroyed === true) return;
      const block = patternAt(position, total);
      position += block.length;
      if (!to.write(block)) {
        to.once('drain', more);
        return;
      }
    }
    to.end();
  };
  more();
}

/** The pattern up to `total` as one piece, for messages. */
export function patternOf(total: number): Buffer {
  const whole = Buffer.alloc(total);
  for (let position = 0; position < total; ) position += patternAt(position, total).copy(whole, position);
  return whole;
}

/** The SHA-256 of bytes, in hex. */
export const hashOf = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
