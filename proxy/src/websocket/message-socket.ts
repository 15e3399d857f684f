/** The port of an open WebSocket: messages, control frames and frames that many clients share; and which extensions a field names. */
import { randomFillSync } from 'node:crypto';
import type { Containment, Faulty } from '@holdfast/control-api';
import type { WsMessageType } from '@holdfast/grip';

/** What travels: data messages, whole (fragments are joined), and the control frames other than Close. */
export type MessageType = WsMessageType;

/**
 * Handles the events of a socket. Calls are in the order of the wire. Nothing follows `onClose` or `onLost`, and
 * no message `onClosing` or `onBreach`. One that has no `fault` sees a socket that is lost when something it does throws.
 */
export interface SocketHandler extends Faulty {
  /** `data` is the handler's to keep; text is valid UTF-8. Pings are not answered by the socket: that is the handler's. */
  onMessage(type: MessageType, data: Buffer): void;
  /**
   * The other side has sent its Close frame, and nothing else comes of it; until the handler answers with `close`, what it sends
   * still goes out. The answer to a Close of one's own comes this way too. Left out, it is answered at once with the same; not
   * every socket can wait. `onClose` or `onLost` follows. `code` is undefined when there was none (RFC 6455 §7.1.5).
   */
  onClosing?(code: number | undefined, reason: Buffer): void;
  /**
   * The other side broke the protocol, as `error` says, and nothing that it sends now is read. The handler is to `close` it with
   * this code, once what came before is answered. Left out, that happens at once; not every socket can wait. `onLost` follows.
   */
  onBreach?(code: number, error: Error): void;
  /** The connection has ended after a Close frame of the other side; `code` is undefined when it had none (RFC 6455 §7.1.5). */
  onClose(code: number | undefined, reason: Buffer): void;
  /** The connection broke without a Close frame, or the other side broke the protocol, as `error` says. */
  onLost(error: Error | undefined): void;
  /** What waited has been taken; called after a `send` that returned false. */
  onWritable(): void;
}

/** An open WebSocket. Calls after its end do nothing. */
export interface MessageSocket {
  /** Sets the handler of events from now on; until then everything waits. */
  setHandler(handler: SocketHandler): void;
  /** Sends a message or control frame; false when much waits already: better to wait for `onWritable`. */
  send(type: MessageType, data: Buffer): boolean;
  /**
   * Sends a frame that is shared with other clients, after everything sent before. Frames pushed in one turn of the event
   * loop leave in one write.
   */
  push(piece: FramePiece): void;
  /** Starts the closing handshake; without a code the Close frame is empty. The connection is cut if it is not completed. */
  close(code?: number, reason?: Buffer): void;
  /** Cuts the connection without a Close frame; what waits is lost. */
  abort(): void;
  /** Stops reading: the other side is held back by TCP. */
  pause(): void;
  resume(): void;
  /** Bytes sent that the connection has not taken yet. */
  readonly waiting: number;
}

/** What libraries say instead of a code (RFC 6455 §7.1.5): a Close frame without one, and a connection that ended without any. */
export const NO_CODE = 1005;
export const LOST = 1006;

/** RFC 6455 §7.4.1: the server has met something unexpected. */
const INTERNAL_ERROR = 1011;

/**
 * Reports a fault in the code behind a socket, and ends the socket: by its handler, which knows what else to end; otherwise with
 * a Close frame of 1011.
 */
export function endFaultySocket(
  socket: Pick<MessageSocket, 'close'>,
  handler: SocketHandler | undefined,
  error: unknown,
  faults: Containment,
): void {
  faults.caught('client', error, handler);
  if (handler?.fault !== undefined) return;
  faults.run('client', () => socket.close(INTERNAL_ERROR));
  faults.run('client', () => handler?.onLost(error instanceof Error ? error : undefined));
}

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

const MASK = 0x80;
const MASK_BYTES = 4;

/** Masks that nobody can foresee (RFC 6455 §5.3): made by the thousand, for one by one they cost more than the rest of a frame. */
const masks = Buffer.alloc(2_048 * MASK_BYTES);
let nextMask = masks.length;

/** A message of less than 64 KiB as one uncompressed frame, masked as a client's or plain as a server's; `data` stays as it is. */
export function frameOf(type: MessageType, data: Buffer, isMasked: boolean): Buffer {
  const { length } = data;
  const maskAt = length < 126 ? 2 : 4;
  const from = isMasked ? maskAt + MASK_BYTES : maskAt;
  const frame = Buffer.allocUnsafe(from + length);
  frame[0] = FIN | OPCODES[type];
  frame[1] = (isMasked ? MASK : 0) | Math.min(length, 126);
  if (length >= 126) frame.writeUInt16BE(length, 2);
  if (!isMasked) {
    data.copy(frame, from);
    return frame;
  }
  if (nextMask === masks.length) {
    randomFillSync(masks);
    nextMask = 0;
  }
  masks.copy(frame, maskAt, nextMask, nextMask + MASK_BYTES);
  nextMask += MASK_BYTES;
  for (let i = 0; i < length; i++) frame[from + i] = (data[i] as number) ^ (frame[maskAt + (i & 3)] as number);
  return frame;
}

/** One element of the list (RFC 6455 §9.1): a comma inside quotes does not end it. */
const ELEMENT = /(?:[^,"]|"(?:\\.|[^"\\])*"?)+/g;

/** The extensions of this name, each as it is written, from all values of the field; `name` is in lower case. */
export function extensionsNamed(values: readonly string[], name: string): string[] {
  const elements = values.flatMap((value) => value.match(ELEMENT) ?? []).map((element) => element.trim());
  return elements.filter((element) => element.split(';', 1)[0]?.trim().toLowerCase() === name);
}
