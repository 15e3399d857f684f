/** A published message, encoded once as a frame for all clients that it goes to. */
import type { WsMessageType } from '@holdfast/grip';

/** RFC 6455 §5.2. */
const OPCODES: Record<WsMessageType, number> = { text: 1, binary: 2, ping: 9, pong: 10 };

const FIN = 0x80;

/** A message for any number of clients. The frame is unmasked, as servers send them, and built when first needed. */
export class FramePiece {
  readonly type: WsMessageType;
  readonly payload: Buffer;
  #frame: Buffer | undefined;

  /** `payload` must not be changed afterwards; of a ping or pong it has at most 125 bytes. */
  constructor(type: WsMessageType, payload: Buffer) {
    this.type = type;
    this.payload = payload;
  }

  /** The payload as one uncompressed frame. */
  get frame(): Buffer {
    this.#frame ??= Buffer.concat([header(OPCODES[this.type], this.payload.length), this.payload]);
    return this.#frame;
  }
}

function header(opcode: number, length: number): Buffer {
  if (length < 126) return Buffer.from([FIN | opcode, length]);
  if (length < 65_536) return Buffer.from([FIN | opcode, 126, length >> 8, length & 0xff]);
  const long = Buffer.alloc(10);
  long[0] = FIN | opcode;
  long[1] = 127;
  long.writeBigUInt64BE(BigInt(length), 2);
  return long;
}
