/** WebSocket frames byte by byte (RFC 6455 §5.2), valid or not. */
import { randomBytes } from 'node:crypto';

/** Opcodes of RFC 6455 §11.8. */
export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** One frame as it was on the wire, unmasked. */
export interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  /** The three reserved bits as a number: 4 is RSV1. */
  readonly rsv: number;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** What a frame is besides opcode and payload. */
export interface FrameShape {
  /** True unless told otherwise. */
  readonly fin?: boolean;
  readonly rsv?: number;
  /** Clients mask, servers do not. */
  readonly mask?: boolean;
}

/** The bytes of a frame. Nothing is checked. */
export function encodeFrame(opcode: number, payload: string | Buffer, shape: FrameShape = {}): Buffer {
  const { fin = true, rsv = 0, mask = false } = shape;
  const bytes = Buffer.from(payload as string);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const masked = mask ? 0x80 : 0;
  if (bytes.length < 126) head.push(masked | bytes.length);
  else if (bytes.length < 65_536) head.push(masked | 126, bytes.length >> 8, bytes.length & 0xff);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(bytes.length));
    head.push(masked | 127, ...length);
  }
  if (!mask) return Buffer.concat([Buffer.from(head), bytes]);
  const key = randomBytes(4);
  applyMask(bytes, key);
  return Buffer.concat([Buffer.from(head), key, bytes]);
}

/** The payload of a Close frame; without a code it is empty. */
export function closePayload(code?: number, reason: string | Buffer = ''): Buffer {
  if (code === undefined) return Buffer.alloc(0);
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason as string)]);
}

/** The code in the payload of a Close frame; undefined when there is none. */
export function closeCodeOf(frame: Frame): number | undefined {
  return frame.payload.length < 2 ? undefined : frame.payload.readUInt16BE(0);
}

/** Bytes of the first frame in `bytes`: exactly, once its head is there; at least, before. */
export function frameSize(bytes: Buffer): number {
  if (bytes.length < 2) return 2;
  const second = bytes[1] as number;
  const short = second & 0x7f;
  const start = headSize(second);
  if (bytes.length < start) return start;
  return start + (short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2)));
}

/** Reads a whole frame. */
export function decodeFrame(bytes: Buffer): Frame {
  const [first, second] = [bytes[0] as number, bytes[1] as number];
  const masked = (second & 0x80) !== 0;
  const start = headSize(second);
  const payload = Buffer.from(bytes.subarray(start));
  if (masked) applyMask(payload, bytes.subarray(start - 4, start));
  return { opcode: first & 0x0f, fin: (first & 0x80) !== 0, rsv: (first >> 4) & 7, masked, payload };
}

function headSize(second: number): number {
  const short = second & 0x7f;
  return 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + ((second & 0x80) !== 0 ? 4 : 0);
}

function applyMask(bytes: Buffer, key: Buffer): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (key[i & 3] as number);
}
