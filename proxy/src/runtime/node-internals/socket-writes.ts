/** Writes to a socket beneath the stream that node puts in front of it, and how many wait in that stream. */
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

/** A write under way, as node knows it. */
interface WriteRequest {
  /** 0, or what went wrong. */
  oncomplete?: (status: number) => void;
  /** Keeps the bytes from being collected. */
  buffer?: Buffer;
}

/** What node has for it, by names that have been the same since version 12. */
export interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly streamBaseState: Record<number, number>;
  /** Where `streamBaseState` says whether the last write left something for later. */
  readonly kLastWriteWasAsync: number;
}

/** A socket as it is beneath its stream. */
export interface DirectHandle {
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  readonly writeQueueSize: number;
}

/** The writer of such bytes. */
export interface DirectWriter {
  /** The kernel has taken what `write` left behind, or never will. */
  directlyWritten(isBroken: boolean): void;
}

/** This node's; undefined where it is missing, or hidden. */
export function streamBinding(): StreamBinding | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): Partial<StreamBinding> };
    const { WriteWrap, streamBaseState, kLastWriteWasAsync } = binding('stream_wrap');
    if (WriteWrap === undefined || streamBaseState === undefined || kLastWriteWasAsync === undefined) return undefined;
    return { WriteWrap, streamBaseState, kLastWriteWasAsync };
  } catch {
    return undefined;
  }
}

/** What handles of TCP sockets inherit; undefined where it is missing, or hidden. */
export function handlePrototype(): Partial<DirectHandle> | undefined {
  try {
    const { binding } = process as unknown as { binding(name: string): { TCP?: { prototype: Partial<DirectHandle> } } };
    return binding('tcp_wrap').TCP?.prototype;
  } catch {
    return undefined;
  }
}

/**
 * Writes to sockets on which nothing waits. Almost always the kernel takes all at once; node then has no use for the
 * request that such a write is given, so that one serves all of them, until it is needed.
 */
export class DirectWrites {
  readonly #binding: StreamBinding | undefined;
  #request: WriteRequest | undefined;

  constructor(binding: StreamBinding | undefined) {
    this.#binding = binding;
    this.#request = binding && new binding.WriteWrap();
  }

  /** Where to write for this socket; undefined where that cannot be: over TLS, or with another version of node. */
  handleOf(socket: Socket): DirectHandle | undefined {
    const { _handle } = socket as { _handle?: Partial<DirectHandle> | null };
    if (this.#request === undefined || 'encrypted' in socket || _handle?.writeBuffer === undefined) return undefined;
    return _handle as DirectHandle;
  }

  /**
   * Writes where nothing waits. Returns how many bytes the kernel has not taken: they follow by themselves, before all that
   * is written to the socket afterwards, and `writer` is called when they have. -1: nothing is written, for the socket is
   * closed or broken; writing to it shows what is wrong.
   */
  write(handle: DirectHandle, bytes: Buffer, writer: DirectWriter): number {
    const request = this.#request;
    const binding = this.#binding;
    if (request === undefined || binding === undefined || handle.writeBuffer(request, bytes) !== 0) return -1;
    if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) return 0;
    request.buffer = bytes;
    request.oncomplete = (status) => writer.directlyWritten(status !== 0);
    this.#request = new binding.WriteWrap();
    return handle.writeQueueSize;
  }
}

/**
 * What a write counts beside its bytes: measured, 40 for one whose buffer is shared with others, 145 for one with a buffer
 * of its own.
 *
 * @limit {} bytes that each write counts on top of its own, where what waits for a client is counted
 * @over –
 */
export const WRITE_BYTES = 64;

interface Inside {
  /** By names that have been the same since node 14. */
  readonly _writableState?: { readonly buffered?: readonly unknown[]; readonly bufferedIndex?: number };
}

/** How many writes wait for those that the kernel has been given; 0 where this version of node does not show it. */
export function queuedWrites(stream: Writable): number {
  const { buffered, bufferedIndex = 0 } = (stream as unknown as Inside)._writableState ?? {};
  return buffered === undefined ? 0 : buffered.length - bufferedIndex;
}
