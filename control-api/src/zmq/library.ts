/** The ZeroMQ library, which need not be installed: loading it, and opening, reading and writing its sockets. */
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type * as zeromq from 'zeromq';
import { ControlError } from '../errors.js';
import type { Containment } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';

/** The library's module. */
export type Library = typeof zeromq;
/** What its sockets live in. */
export type Context = zeromq.Context;
/** Any of its sockets. */
export type Socket = zeromq.Socket;
/** PULL. */
export type Pull = zeromq.Pull;
/** ROUTER. */
export type Router = zeromq.Router;
/** SUB. */
export type Subscriber = zeromq.Subscriber;
/** XPUB. */
export type XPublisher = zeromq.XPublisher;

/**
 * Messages that may wait in a socket, in each direction and per connection: as many as in Pushpin. Over: see each socket.
 *
 * @limit {} messages in a ZeroMQ socket, for each connection
 * @over PULL: publishers block. SUB and statistics: dropped by ZeroMQ
 */
export const HIGH_WATER_MARK = 101_000;

/**
 * Bytes of one part of a message: a large multiple of what the control API takes by default. Over: the library cuts the
 * connection on which it comes, before it is in memory; what else was sent on it is lost. The
 * library has no limit for the number of parts.
 *
 * @limit {MiB} of one part of a ZeroMQ message
 * @over ZeroMQ cuts the connection
 */
export const MAX_PART_BYTES = 67_108_864;

/**
 * Loads the library. Rejects with `ControlError` ERR_ZMQ_MISSING, whose message says what to install. `load` is replaced
 * in tests.
 */
export async function loadLibrary(load: () => Promise<Library> = () => import('zeromq')): Promise<Library> {
  try {
    return await load();
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND';
    const why = absent ? 'is not installed' : `cannot be loaded (${(cause as Error).message})`;
    throw new ControlError(
      'ERR_ZMQ_MISSING',
      `ZeroMQ is asked for, but the package zeromq ${why}: run \`npm install zeromq\`, or do without ZeroMQ sockets.`,
      { cause },
    );
  }
}

/** `tcp://host:port`, where host may be `*` or `[::1]` and port 0 or `*`; or `ipc://path`. */
export interface Spec {
  /** As written. */
  readonly text: string;
  /** Of an ipc socket; undefined also for one in Linux's abstract name space (`ipc://@name`), which is no file. */
  readonly file: string | undefined;
  /** The library opens numeric IPv6 addresses only with an option. */
  readonly ipv6: boolean;
  /** Whether the system chooses the port. */
  readonly anyPort: boolean;
}

const tcp = /^tcp:\/\/(\[[0-9a-fA-F:.]+(?:%\w+)?\]|[^\s:/[\]]+):(\*|\d{1,5})$/;
const ipc = /^ipc:\/\/([^\s].*)$/;
const MAX_PORT = 65_535;

/** Reads a spec. Throws `ControlError` ERR_ZMQ_SPEC that names it. */
export function parseSpec(text: string): Spec {
  const [, path] = ipc.exec(text) ?? [];
  if (path !== undefined) return { text, file: path.startsWith('@') ? undefined : path, ipv6: false, anyPort: false };
  const [, host, port] = tcp.exec(text) ?? [];
  if (host === undefined || port === undefined || Number(port) > MAX_PORT) {
    throw new ControlError(
      'ERR_ZMQ_SPEC',
      `${JSON.stringify(text)} is not the spec of a ZeroMQ socket: expected tcp://host:port or ipc://path.`,
    );
  }
  return { text, file: undefined, ipv6: host.startsWith('['), anyPort: port === '*' || Number(port) === 0 };
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process already listens there',
  EACCES: 'this process has no permission to listen there',
  EADDRNOTAVAIL: 'the host is not an address of this machine',
  ENODEV: 'the host is neither a numeric address nor an interface of this machine',
  ENAMETOOLONG: 'the path is too long for a socket',
  EINVAL: 'the address is not valid',
};

function openError(verb: string, spec: Spec, cause: unknown): ControlError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const reason = reasons[code ?? ''] ?? message;
  return new ControlError('ERR_ZMQ_OPEN', `A ZeroMQ socket cannot ${verb} ${spec.text}: ${reason}.`, { cause });
}

/**
 * Binds a socket; resolves with the address under which it is reached: the spec with the port that the system chose, if
 * it was to choose. The directory of an ipc socket is made when missing; its file gets the mode, if one is given. Rejects
 * with `ControlError` ERR_ZMQ_SPEC or ERR_ZMQ_OPEN.
 */
export async function bindSocket(socket: Socket, text: string, ipcMode?: number): Promise<string> {
  const spec = parseSpec(text);
  socket.ipv6 = spec.ipv6;
  try {
    if (spec.file !== undefined) mkdirSync(dirname(spec.file), { recursive: true });
    await socket.bind(spec.text);
    if (spec.file !== undefined && ipcMode !== undefined) chmodSync(spec.file, ipcMode);
  } catch (error) {
    throw openError('listen on', spec, error);
  }
  if (!spec.anyPort) return spec.text;
  const port = /:(\d+)$/.exec(socket.lastEndpoint ?? '')?.[1] ?? '0';
  return spec.text.replace(/:[^:]*$/, `:${port}`);
}

/**
 * Has the library connect a socket, and connect it again whenever the connection breaks; the other end may come later.
 * Throws `ControlError` ERR_ZMQ_SPEC or ERR_ZMQ_OPEN.
 */
export function connectSocket(socket: Socket, text: string): void {
  const spec = parseSpec(text);
  socket.ipv6 = spec.ipv6;
  try {
    socket.connect(spec.text);
  } catch (error) {
    throw openError('connect to', spec, error);
  }
}

/**
 * Hands each message to `take`, in order, until the socket is closed; waits for what `take` returns before the next.
 * A throw of `take` costs that message only. Never rejects.
 */
export async function readMessages<Parts extends readonly Buffer[]>(
  socket: { [Symbol.asyncIterator](): AsyncIterator<Parts> },
  take: (parts: Parts) => Promise<void> | undefined,
  log: Log,
  faults: Containment,
): Promise<void> {
  try {
    for await (const parts of { [Symbol.asyncIterator]: () => socket[Symbol.asyncIterator]() }) {
      try {
        await take(parts);
      } catch (error) {
        faults.caught('zeromq', error);
      }
    }
  } catch (error) {
    log.error({ err: error }, 'a ZeroMQ socket failed; nothing more is read from it');
  }
}

/**
 * Messages that wait for the library. Over: the new one is dropped, as the library does beyond its own limit.
 *
 * @limit {} replies, or packets of statistics, that wait for the ZeroMQ library
 * @over dropped
 */
export const OUTBOX_LIMIT = 10_000;

type Parts = Buffer | readonly Buffer[];

interface Writable {
  readonly closed: boolean;
  send(parts: Buffer | Buffer[]): Promise<void>;
}

/** Sends messages of one socket. */
export class Outbox {
  readonly #socket: Writable;
  readonly #log: Log;
  #waiting: Parts[] = [];
  #isSending = false;

  constructor(socket: Writable, log: Log) {
    this.#socket = socket;
    this.#log = log;
  }

  /** False when it is dropped. A message that the library cannot send is lost without notice. */
  send(parts: Parts): boolean {
    if (this.#socket.closed || this.#waiting.length >= OUTBOX_LIMIT) return false;
    this.#waiting.push(parts);
    if (!this.#isSending) void this.#sendAll();
    return true;
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const parts of batch) {
        try {
          if (!this.#socket.closed) await this.#socket.send(parts as Buffer | Buffer[]);
        } catch (error) {
          this.#log.debug({ err: error }, 'ZeroMQ message not sent');
        }
      }
    }
    this.#isSending = false;
  }
}

/**
 * @limit {s} for `holdfast publish` to find a ZeroMQ socket, and again to write
 * @over it fails
 */
export const PUSH_TIMEOUT_MS = 5_000;

/**
 * Connects to a PULL socket and sends a message. Resolves when the library has it for a connection that stands, which is
 * all that ZeroMQ lets a sender know; the process then goes on for as long as writing takes. Rejects with `ControlError`
 * ERR_ZMQ_MISSING, ERR_ZMQ_SPEC, ERR_ZMQ_OPEN, or ERR_ZMQ_SEND when there was no peer in time.
 */
export async function pushPacket(spec: string, packet: Buffer, timeoutMs = PUSH_TIMEOUT_MS): Promise<void> {
  const library = await loadLibrary();
  // Without `immediate` the message would count as sent while there is no connection to send it on.
  const socket = new library.Push({ immediate: true, sendTimeout: timeoutMs, linger: timeoutMs });
  try {
    connectSocket(socket, spec);
    await socket.send(packet);
  } catch (cause) {
    if (cause instanceof ControlError) throw cause;
    throw new ControlError('ERR_ZMQ_SEND', `Nobody listens on ${spec}.`, { cause });
  } finally {
    socket.close();
  }
}
