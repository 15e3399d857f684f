/** The command socket (`command_spec`, 5563): requests with an answer, and the five methods with Pushpin's conditions. */
import { decodeTnetstring, encodeTnetstring, GripError, type Item, parseItemList } from '@holdfast/grip';
import { ControlError } from '../errors.js';
import { unavailableText } from '../http/answer.js';
import type { PublishEvents, Publisher } from '../publisher.js';
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import {
  bindSocket,
  HIGH_WATER_MARK,
  type Library,
  MAX_PART_BYTES,
  Outbox,
  type Router,
  readMessages,
} from './library.js';
import type { SocketSecurity } from './security.js';

/** What a client asks for. Byte strings are Buffers. */
export interface Call {
  readonly method: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** The answer: a condition if the method failed; a value, or none. */
export interface Reply {
  readonly condition?: string;
  readonly value?: unknown;
}

/** What the methods need of the node. Both may throw or reject. */
export interface Connections {
  /** Those of the ids whose connections are there: Connection-Id of WebSocket sessions, ids of the `conn` statistics. */
  connected(ids: readonly string[]): readonly string[] | Promise<readonly string[]>;
  /**
   * Has sessions over HTTP ask their origins at once, with an empty POST: that of a connection, or those that are
   * subscribed to a channel. False if there is no such connection; of channels that is not asked.
   */
  refresh(whom: { readonly connection: string } | { readonly channel: string }): boolean | Promise<boolean>;
}

/** Where publishers reach this node; undefined ones are off, `publishSub` also when it connects to them. */
export interface PublishUris {
  readonly command: string | undefined;
  readonly publishPull: string | undefined;
  readonly publishSub: string | undefined;
}

const done: Reply = {};
const badRequest: Reply = { condition: 'bad-request' };

/** Performs calls. */
export class CommandMethods {
  readonly #publisher: Publisher;
  readonly #connections: Connections;
  readonly #uris: () => PublishUris;
  readonly #events: PublishEvents;
  readonly #log: Log;

  constructor(
    publisher: Publisher,
    connections: Connections,
    uris: () => PublishUris,
    events: PublishEvents,
    log: Log,
  ) {
    this.#publisher = publisher;
    this.#connections = connections;
    this.#uris = uris;
    this.#events = events;
    this.#log = log;
  }

  /**
   * Performs a call; publishes have been handed over when it returns, so that calls keep their order. Never rejects: the
   * backplane's refusal is the condition `unavailable`, a fault of ours `internal-error`, neither of which Pushpin has.
   */
  readonly perform = async ({ method, args }: Call): Promise<Reply> => {
    try {
      switch (method) {
        case 'publish':
          return await this.#publish(args);
        case 'recover':
          await this.#publisher.recover();
          return done;
        case 'conncheck':
          return await this.#check(args);
        case 'refresh':
          return await this.#refresh(args);
        case 'get-zmq-uris':
          return { value: this.#zmqUris() };
        default:
          return { condition: 'method-not-found' };
      }
    } catch (error) {
      return this.#failed(method, error);
    }
  };

  async #publish(args: Call['args']): Promise<Reply> {
    let items: readonly Item[];
    try {
      items = parseItemList(args);
    } catch (error) {
      if (!(error instanceof GripError)) throw error;
      return this.#refused(error.code, error.message, `Invalid format: ${error.message}`);
    }
    try {
      await this.#publisher.publish(items);
    } catch (error) {
      // What is over a limit.
      if (error instanceof GripError || (error instanceof ControlError && error.code === 'ERR_CONTROL_ITEMS'))
        return this.#refused(error.code, error.message);
      throw error;
    }
    return done;
  }

  #refused(code: string, reason: string, value = reason): Reply {
    this.#events.rejected(code);
    this.#log.warn({ code, reason }, 'ZeroMQ publish refused');
    return { ...badRequest, value };
  }

  async #check({ ids }: Call['args']): Promise<Reply> {
    if (!Array.isArray(ids) || !ids.every((id) => Buffer.isBuffer(id))) return badRequest;
    try {
      return { value: await this.#connections.connected(ids.map((id) => id.toString('utf8'))) };
    } catch (error) {
      this.#log.error({ err: error }, 'connections could not be checked');
      return { condition: 'proxy-request-failed' };
    }
  }

  async #refresh({ cid, channel }: Call['args']): Promise<Reply> {
    if (Buffer.isBuffer(cid)) {
      const found = await this.#connections.refresh({ connection: cid.toString('utf8') });
      return found ? done : { condition: 'item-not-found' };
    }
    if (cid !== undefined || !Buffer.isBuffer(channel)) return badRequest;
    await this.#connections.refresh({ channel: channel.toString('utf8') });
    return done;
  }

  #zmqUris(): object {
    const { command, publishPull, publishSub } = this.#uris();
    return { command, 'publish-pull': publishPull, 'publish-sub': publishSub };
  }

  #failed(method: string, error: unknown): Reply {
    if (error instanceof ControlError && error.code.startsWith('ERR_BACKPLANE_')) {
      const { code } = error;
      const value = unavailableText(error);
      this.#events.rejected(code);
      this.#log.warn({ method, code, answer: value, err: error }, 'ZeroMQ command refused');
      return { condition: 'unavailable', value };
    }
    this.#log.error({ method, err: error }, 'ZeroMQ command failed');
    return { condition: 'internal-error' };
  }
}

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
 * Answers REQ and DEALER clients. A request is a tnetstring map `{id?, method, args?}` without a letter in front;
 * anything else gets no answer, as in Pushpin. Requests are served side by side: replies may overtake each other.
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
