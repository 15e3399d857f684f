/** The command socket: requests with an answer (`command_spec`, 5563). */
import { decodeTnetstring, encodeTnetstring } from '@holdfast/grip';
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import { HIGH_WATER_MARK, type Library, MAX_PART_BYTES, type Router } from './library.js';
import type { Call, Reply } from './methods.js';
import { Outbox } from './outbox.js';
import type { SocketSecurity } from './security.js';
import { bindSocket, readMessages } from './socket.js';

/** Milliseconds for which replies may still be sent when the socket closes. */
const LINGER_MS = 500;

/**
 * Requests under way. Over: the socket is not read until the latest is answered, so that they wait where ZeroMQ's limit applies.
 *
 * @limit {} commands of the ZeroMQ command socket under way
 * @over the socket is not read
 */
export const CALLS_LIMIT = 1_000;

/**
 * Answers REQ and DEALER clients. A request is a tnetstring map `{id?, method, args?}` without a letter in front; what is
 * none gets no answer, as in Pushpin. Requests are served side by side: replies may overtake each other.
 */
export class CommandSocket {
  readonly #socket: Router;
  readonly #perform: (call: Call) => Promise<Reply>;
  readonly #log: Log;
  readonly #faults: Containment;
  readonly #outbox: Outbox;
  #calls = 0;

  /** `perform` never rejects. */
  constructor(
    library: Library,
    perform: (call: Call) => Promise<Reply>,
    log: Log,
    faults: Containment = uncontained,
    security: SocketSecurity = {},
  ) {
    this.#faults = faults;
    // Replies to clients that have gone, or that do not read, are dropped: that is what ROUTER does.
    this.#socket = new library.Router({
      ...security,
      receiveHighWaterMark: HIGH_WATER_MARK,
      sendHighWaterMark: HIGH_WATER_MARK,
      maxMessageSize: MAX_PART_BYTES,
      linger: LINGER_MS,
    });
    this.#perform = perform;
    this.#log = log;
    this.#outbox = new Outbox(this.#socket, log);
  }

  /** Binds, and begins to answer; resolves and rejects as `bindSocket` does. */
  async open(spec: string, ipcMode?: number): Promise<string> {
    const uri = await bindSocket(this.#socket, spec, ipcMode);
    void readMessages<Buffer[]>(this.#socket, (parts) => this.#take(parts), this.#log, this.#faults);
    return uri;
  }

  /** Stops answering at once; the answers of requests under way are not sent. */
  close(): void {
    this.#socket.close();
  }

  #take(parts: readonly Buffer[]): Promise<void> | undefined {
    // [identity, more of them behind ROUTER-DEALER proxies, empty, request]
    const empty = parts.findIndex((part, index) => index > 0 && part.length === 0);
    const request = parts[empty + 1];
    if (empty < 0 || request === undefined || parts.length !== empty + 2) {
      this.#log.warn({ parts: parts.length }, 'ZeroMQ command dropped: not an empty part and a request');
      return undefined;
    }
    this.#calls++;
    const answered = this.#answer(parts.slice(0, empty + 1), request)
      .catch((error: unknown) => this.#faults.caught('zeromq', error))
      .finally(() => this.#calls--);
    return this.#calls >= CALLS_LIMIT ? answered : undefined;
  }

  /** Never rejects. */
  async #answer(envelope: readonly Buffer[], request: Buffer): Promise<void> {
    let id: Buffer | undefined;
    let call: Call;
    try {
      ({ id, call } = readRequest(request));
    } catch (error) {
      this.#log.warn({ reason: (error as Error).message }, 'ZeroMQ command dropped');
      return;
    }
    const reply = await this.#perform(call);
    if (this.#log.isDebug()) this.#log.debug({ method: call.method, condition: reply.condition }, 'ZeroMQ command');
    if (!this.#outbox.send([...envelope, writeReply(id, reply)])) this.#log.debug({}, 'ZeroMQ reply not sent');
  }
}

/** Throws for anything that is no request. */
function readRequest(bytes: Buffer): { id: Buffer | undefined; call: Call } {
  const request = decodeTnetstring(bytes);
  if (!isMap(request)) throw new TypeError('the request is not a map');
  const { id, method, args } = request;
  if (id !== undefined && !Buffer.isBuffer(id)) throw new TypeError("'id' is not a byte string");
  if (!Buffer.isBuffer(method)) throw new TypeError("'method' is not a byte string");
  if (args !== undefined && !isMap(args)) throw new TypeError("'args' is not a map");
  return { id, call: { method: method.toString('utf8'), args: args ?? {} } };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

/** `value` is always there on success, as null if there is none: clients read it without looking. */
function writeReply(id: Buffer | undefined, { condition, value }: Reply): Buffer {
  const named = id === undefined || id.length === 0 ? {} : { id };
  if (condition === undefined) return encodeTnetstring({ ...named, success: true, value: value ?? null });
  return encodeTnetstring({ ...named, success: false, condition, value });
}
