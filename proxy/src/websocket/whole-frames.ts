/**
 * Messages that come whole, in one frame and one read, as short ones do: read here, where the `ws` library has a stream and the states
 * of a frame between the read and the message. What is in any way unusual is left to the library.
 */
import { isUtf8 } from 'node:buffer';
import type { Writable } from 'node:stream';

/** Longest message, in bytes, that is read here. */
const WHOLE_MAX = 16_384;

const FIN_TEXT = 0x81;
const FIN_BINARY = 0x82;
const MASK = 0x80;
const CLOSE = 8;

/** What a message of one frame holds. */
interface WholeFrame {
  readonly data: Buffer;
  readonly isBinary: boolean;
}

/**
 * The bytes as one message in one frame, no more and no less, uncompressed, valid, and masked if it is to a server; undefined where they
 * are anything else. The data of an unmasked one is a part of `bytes`.
 */
export function readWholeFrame(bytes: Buffer, isToServer: boolean): WholeFrame | undefined {
  const [first, second = 0] = bytes;
  const isBinary = first === FIN_BINARY;
  if ((first !== FIN_TEXT && !isBinary) || second >= MASK !== isToServer) return undefined;
  const length = second & 0x7f;
  if (length === 127 || bytes.length > WHOLE_MAX) return undefined;
  const headEnd = length === 126 ? 4 : 2;
  const from = isToServer ? headEnd + 4 : headEnd;
  if (bytes.length < from) return undefined;
  if (bytes.length - from !== (length === 126 ? bytes.readUInt16BE(2) : length)) return undefined;
  const data = isToServer ? unmasked(bytes, headEnd, from) : bytes.subarray(from);
  return isBinary || isUtf8(data) ? { data, isBinary } : undefined;
}

/** A copy, for what cannot be read here has to stay as it came. */
function unmasked(bytes: Buffer, maskAt: number, from: number): Buffer {
  const data = Buffer.allocUnsafe(bytes.length - from);
  for (let i = 0; i < data.length; i++) data[i] = (bytes[from + i] as number) ^ (bytes[maskAt + (i & 3)] as number);
  return data;
}

/** The library's reader, by the names of its fields. */
interface FrameReader extends Writable {
  readonly _isServer: boolean;
  /** 0: none. */
  readonly _maxPayload: number;
  /** 0: it awaits a frame. */
  readonly _state: number;
  readonly _bufferedBytes: number;
  /** The kind of the message of which some fragments have come; 0: none. */
  readonly _fragmented: number;
  readonly _loop: boolean;
  readonly _errored: boolean;
  /** Of the last frame. */
  readonly _opcode: number;
}

/** Whether the next byte begins a message, and nothing before it is still to be reported. Where a field is missing it is not known. */
function isAtRest(reader: FrameReader): boolean {
  if (reader._state !== 0 || reader._bufferedBytes !== 0 || reader._fragmented !== 0 || reader._opcode === CLOSE)
    return false;
  return reader._loop === false && reader._errored === false && reader.writableLength === 0 && reader.writable;
}

/** Marks what is made here. */
const WHOLE = Symbol('whole');

/** Has all of the library's readers read whole messages here; `reader` is one of them. Once for all of them. */
export function readingWholeFrames(reader: Writable): void {
  const kind = Object.getPrototypeOf(reader) as FrameReader;
  const { write } = kind;
  if (WHOLE in write || typeof reader.emit !== 'function') return;
  const whole = function (this: FrameReader, ...written: unknown[]): boolean {
    const [bytes] = written;
    const isBare = written.length === 1 && Buffer.isBuffer(bytes);
    const frame = isBare && isAtRest(this) ? readWholeFrame(bytes, this._isServer) : undefined;
    if (frame === undefined || (this._maxPayload > 0 && frame.data.length > this._maxPayload)) {
      return write.apply(this, written as Parameters<Writable['write']>);
    }
    this.emit('message', frame.data, frame.isBinary);
    return true;
  };
  kind.write = Object.assign(whole, { [WHOLE]: true }) as Writable['write'];
}
