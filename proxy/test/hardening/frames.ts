/** WebSocket frames: right, wrong and random ones, and a strict reader of what comes back (RFC 6455 §5). */
import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { oddText } from './odd.js';
import type { Random } from './random.js';

/** Parts of a frame. */
export interface Frame {
  readonly opcode: number;
  readonly payload?: Buffer;
  readonly fin?: boolean;
  /** RSV1 to RSV3, as three bits. */
  readonly reserved?: number;
  /** Absent: as the side has to. */
  readonly masked?: boolean;
  /** The length that is declared instead of the payload's own. */
  readonly declared?: bigint;
  /** Form of the length: 7, 16 or 64 bits; the shortest when absent. */
  readonly lengthBits?: 7 | 16 | 64;
}

/** The bytes of a frame. */
export function encodeFrame({
  opcode,
  payload = Buffer.alloc(0),
  fin = true,
  reserved = 0,
  masked = false,
  declared,
  lengthBits,
}: Frame): Buffer {
  const length = declared ?? BigInt(payload.length);
  const bits = lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (bits === 7) head.push(mask | Number(length & 0x7fn));
  else if (bits === 16) head.push(mask | 126, Number((length >> 8n) & 0xffn), Number(length & 0xffn));
  else head.push(mask | 127, ...Array.from({ length: 8 }, (_, i) => Number((length >> BigInt(8 * (7 - i))) & 0xffn)));
  // With a mask of zeros the payload stands as it is.
  return Buffer.concat([Buffer.from(head), masked ? Buffer.alloc(4) : Buffer.alloc(0), payload]);
}

const close = (code: number, reason = '') => {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
};

/** Frames of one side, most of them right. `text` makes what text messages say. */
export function randomFrames(random: Random, masked: boolean, text: (random: Random) => string = oddText): Buffer[] {
  const message = (): Frame[] => {
    const binary = random.once(4);
    const payload = binary ? random.bytes(0, 60) : Buffer.from(text(random));
    const opcode = binary ? 2 : 1;
    if (!random.once(4)) return [{ opcode, payload }];
    const cuts = random.list(0, random.once(20) ? 400 : 4, () => random.int(0, payload.length)).sort((a, b) => a - b);
    const parts = [...cuts, payload.length].map((cut, index) => payload.subarray(cuts[index - 1] ?? 0, cut));
    return parts.map((part, index) => ({
      opcode: index === 0 ? opcode : 0,
      payload: part,
      fin: index === parts.length - 1,
    }));
  };
  const one = (): Frame[] =>
    random.one<Frame[]>(
      message,
      message,
      message,
      () => [{ opcode: random.pick([9, 10]), payload: random.bytes(0, 125) }],
      () => random.list(1, 60, () => ({ opcode: random.pick([1, 2, 9]) })),
    );
  const wrong = (): Frame[] =>
    random.one<Frame[]>(
      () => [{ opcode: random.pick([3, 4, 7, 11, 15]), payload: random.bytes(0, 9) }],
      () => [{ opcode: 1, payload: Buffer.from('x'), reserved: random.int(1, 7) }],
      () => [{ opcode: 1, payload: Buffer.from('x'), masked: !masked }],
      () => [{ opcode: random.pick([8, 9, 10]), payload: random.bytes(126, 200) }],
      () => [{ opcode: random.pick([8, 9, 10]), fin: false }],
      () => [{ opcode: 0, payload: Buffer.from('no beginning') }],
      () => [
        { opcode: 1, payload: Buffer.from('a'), fin: false },
        { opcode: 1, payload: Buffer.from('b') },
      ],
      () => [{ opcode: 1, payload: Buffer.from([0xff, 0xc3, 0x28]) }],
      () => [
        {
          opcode: 2,
          declared: random.pick([1n << 63n, (1n << 64n) - 1n, 1n << 32n, 300_000n, 2n ** 53n]),
          lengthBits: 64,
        },
      ],
      () => [{ opcode: 2, payload: Buffer.from('long way'), lengthBits: random.pick([16, 64] as const) }],
      () => [{ opcode: 1, payload: deflateRawSync(Buffer.alloc(random.pick([10, 1_000_000]))), reserved: 4 }],
      () => [{ opcode: 1, payload: random.bytes(1, 30), reserved: 4 }],
      () => [{ opcode: 2, payload: Buffer.alloc(random.pick([199_999, 200_000, 200_001, 250_000])) }],
    );
  const ends = (): Frame[] =>
    random.one<Frame[]>(
      () => [{ opcode: 8 }],
      () => [
        {
          opcode: 8,
          payload: close(
            random.pick([1000, 1001, 1005, 1006, 1015, 0, 999, 1016, 3000, 4999, 5000, 65535]),
            random.once(2) ? 'bye' : '',
          ),
        },
      ],
      () => [{ opcode: 8, payload: Buffer.from([1]) }],
      () => [{ opcode: 8, payload: Buffer.concat([close(1000), Buffer.from([0xff])]) }],
      () => [],
      () => [],
    );
  const frames = [
    ...random.list(0, 8, one).flat(),
    ...(random.once(3) ? wrong() : []),
    ...ends(),
    ...(random.once(10) ? message() : []),
  ];
  return frames.map((frame) => encodeFrame({ masked, ...frame }));
}

/** What is wrong with frames that Holdfast has sent; an incomplete one at the end is none. */
export function frameFaults(bytes: Buffer, { masked, compressed }: { masked: boolean; compressed: boolean }): string[] {
  let open: { opcode: number; parts: Buffer[]; packed: boolean } | undefined;
  let isClosed = false;
  for (let at = 0; at + 2 <= bytes.length; ) {
    const [first, second] = [bytes[at] as number, bytes[at + 1] as number];
    const [fin, reserved, opcode, size] = [first >= 0x80, (first >> 4) & 7, first & 15, second & 0x7f];
    const where = `frame ${bytes.toString('hex', at, at + 14)}`;
    if (isClosed) return [`${where} after a close frame`];
    if (second >= 0x80 !== masked) return [`${where} is masked wrongly`];
    const headLength = 2 + (size === 126 ? 2 : size === 127 ? 8 : 0);
    if (at + headLength > bytes.length) return [];
    const length =
      size === 126 ? bytes.readUInt16BE(at + 2) : size === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : size;
    const start = at + headLength + (masked ? 4 : 0);
    if (start + length > bytes.length) return [];
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (masked)
      for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ (bytes[start - 4 + (i & 3)] as number);
    at = start + length;
    if (opcode >= 8) {
      if (opcode > 10 || !fin || length > 125 || reserved !== 0) return [`${where} is no control frame`];
      if (opcode === 8) {
        isClosed = true;
        const code = length < 2 ? undefined : payload.readUInt16BE();
        if (length === 1 || (code !== undefined && !canBeSent(code))) return [`${where} closes with ${code}`];
        if (!isUtf8(payload.subarray(2))) return [`${where} has a reason that is no UTF-8`];
      }
      continue;
    }
    if (opcode > 2 || (opcode === 0) !== (open !== undefined)) return [`${where} begins or goes on wrongly`];
    if ((reserved & 3) !== 0 || (reserved !== 0 && (!compressed || opcode === 0)))
      return [`${where} has reserved bits`];
    open ??= { opcode, parts: [], packed: reserved !== 0 };
    open.parts.push(payload);
    if (!fin) continue;
    if (open.opcode === 1 && !open.packed && !isUtf8(Buffer.concat(open.parts)))
      return [`${where} ends a text that is no UTF-8`];
    open = undefined;
  }
  return [];
}

const canBeSent = (code: number) =>
  (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999);

/** The value of Sec-WebSocket-Accept for a key. */
export const acceptFor = (key: string) =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
