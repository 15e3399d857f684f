/** Compression of answers for a whole node: the rules, what answers share, and the bound on encoders. */
import type { Containment } from '@holdfast/control-api';
import type { Options } from '../config/table.js';
import { type Codec, codecOf, preferredCoding } from '../http/codings.js';
import { GzipPieces } from './gzip-pieces.js';
import { Compressible, type CompressionRules } from './rules.js';

/**
 * Encoders at a time, each of which takes some 300 KiB. Further answers go out as they are.
 *
 * @limit {} answers that are compressed at a time, some 300 KiB each
 * @over further ones go out as they are
 */
export const MAX_ENCODERS = 256;

/**
 * Longest body, in bytes, that is encoded synchronously: that takes less than 1 ms.
 *
 * @limit {} bytes of a whole body that are compressed at once
 * @over longer ones are compressed in another thread
 */
export const SYNC_MAX = 16_384;

/** What the operator has said of answers and of held streams, which are compressed by gzip. */
export type CompressionOptions = CompressionRules & Pick<Options, 'compress' | 'compressStreams'>;

const STREAM_CODINGS = ['gzip'];

/** The compression of a node's answers. */
export class Compression {
  readonly compressible: Compressible;
  readonly pieces: GzipPieces;
  readonly faults: Containment;
  readonly compressMin: number;
  readonly #codings: readonly string[];
  readonly #streams: boolean;
  /** Encoded forms of bodies, for those that go to many clients. */
  readonly #whole = new WeakMap<Buffer, Map<string, Buffer>>();
  /** Who waits for such a form that is being made. */
  readonly #making = new WeakMap<Buffer, Map<string, ((encoded: Buffer | undefined) => void)[]>>();
  #encoders = 0;

  constructor(options: CompressionOptions, faults: Containment) {
    this.compressible = new Compressible(options);
    this.pieces = new GzipPieces(options.compressMin);
    this.faults = faults;
    this.compressMin = options.compressMin;
    this.#codings = options.compress;
    this.#streams = options.compressStreams;
  }

  /** Whether answers are compressed, and so are of several forms. */
  get isForAnswers(): boolean {
    return this.#codings.length > 0;
  }

  /** How an answer goes to a client that accepts this; undefined: as it is. */
  codecFor(accept: string | undefined): Codec | undefined {
    const coding = preferredCoding(accept, this.#codings);
    return coding === undefined ? undefined : codecOf(coding);
  }

  /** Whether a held stream goes to such a client in pieces of gzip. */
  isForStream(accept: string | undefined): boolean {
    return this.#streams && preferredCoding(accept, STREAM_CODINGS) !== undefined;
  }

  /** Reserves an encoder until `leave`; false where all are in use. */
  enter(): boolean {
    if (this.#encoders >= MAX_ENCODERS) return false;
    this.#encoders++;
    return true;
  }

  readonly leave = (): void => {
    this.#encoders--;
  };

  /**
   * Encodes a body that is there whole, once for all answers with the very same buffer, and calls `then`: at once, or in a later
   * turn. Undefined: it goes out as it is, since it would not get shorter or too much is being encoded.
   */
  encode(body: Buffer, codec: Codec, then: (encoded: Buffer | undefined) => void): void {
    const known = this.#whole.get(body)?.get(codec.coding);
    if (known !== undefined) then(known === body ? undefined : known);
    else if (body.length <= SYNC_MAX) then(this.#keep(body, codec, codec.sync(body)));
    else this.#encodeLater(body, codec, then);
  }

  #encodeLater(body: Buffer, codec: Codec, then: (encoded: Buffer | undefined) => void): void {
    const making = this.#making.get(body) ?? new Map<string, ((encoded: Buffer | undefined) => void)[]>();
    const waiting = making.get(codec.coding);
    if (waiting !== undefined) waiting.push(then);
    else if (!this.enter()) then(undefined);
    else {
      const all = [then];
      making.set(codec.coding, all);
      this.#making.set(body, making);
      codec.later(body, (error, encoded) => {
        this.leave();
        making.delete(codec.coding);
        const result = error === null ? this.#keep(body, codec, encoded) : undefined;
        for (const one of all) one(result);
      });
    }
  }

  /** One that does not get shorter is remembered as itself. */
  #keep(body: Buffer, { coding }: Codec, encoded: Buffer): Buffer | undefined {
    const isShorter = encoded.length < body.length;
    const forms = this.#whole.get(body) ?? new Map<string, Buffer>();
    forms.set(coding, isShorter ? encoded : body);
    this.#whole.set(body, forms);
    return isShorter ? encoded : undefined;
  }
}
