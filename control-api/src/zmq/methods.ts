/** The five methods of the command socket, with Pushpin's arguments, results and conditions. */
import { GripError, type Item, parseItemList } from '@holdfast/grip';
import { ControlError } from '../errors.js';
import type { PublishEvents } from '../events.js';
import { unavailableText } from '../http/answer.js';
import type { Publisher } from '../publisher.js';
import type { Log } from '../runtime/log.js';

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
      return this.#refused(error.message);
    }
    await this.#publisher.publish(items);
    return done;
  }

  #refused(reason: string): Reply {
    this.#events.rejected('ERR_GRIP_ITEM');
    this.#log.warn({ code: 'ERR_GRIP_ITEM', reason }, 'ZeroMQ publish refused');
    return { ...badRequest, value: `Invalid format: ${reason}` };
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
