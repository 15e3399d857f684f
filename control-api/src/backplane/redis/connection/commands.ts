/** The connection on which a node publishes and reads history, and the scripts that run over it. */
import { createHash } from 'node:crypto';
import { unavailable } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { Log } from '../../../runtime/log.js';
import type { ConnectionWarnings, RedisEvents } from '../events.js';
import type { Connection } from './connection.js';

/** A script and the name under which Redis caches it. */
export interface Script {
  readonly lua: string;
  /** SHA-1 in hexadecimal. */
  readonly sha: string;
}

/** Makes a script of its text. */
export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** What {@link RedisCommands} are made of. */
export interface RedisCommandsOptions {
  /** What is connected to, for logs; without password. */
  readonly name: string;
  readonly clock: Clock;
  readonly events: RedisEvents;
  readonly warnings: ConnectionWarnings;
  readonly log: Log;
}

/** Runs scripts and commands. Rejects with the errors of Redis and of the connection as they are. */
export class RedisCommands {
  readonly #options: RedisCommandsOptions;
  #connection: Connection | undefined;
  #awaySince: number | undefined;
  /** The same as a stamp. */
  #awayAt: number;
  #opened = 0;
  #waiting: Array<() => void> = [];

  constructor(options: RedisCommandsOptions) {
    this.#options = options;
    this.#awaySince = options.clock.monotonic();
    this.#awayAt = options.clock.wall();
  }

  /** To be called once; the connection reports to {@link onReady} and {@link onDown}. */
  use(connection: Connection): void {
    this.#connection = connection;
  }

  /** Since when nothing can be sent, by the monotonic clock; undefined while it can. */
  get awaySince(): number | undefined {
    return this.#awaySince;
  }

  /** How many connections there have been: what is known of one server need not hold for the next. */
  get opened(): number {
    return this.#opened;
  }

  /** For probes; undefined while commands can be sent. */
  get unavailableReason(): string | undefined {
    if (this.#awaySince === undefined) return undefined;
    return `redis ${this.#options.name} unreachable since ${new Date(this.#awayAt).toISOString()}`;
  }

  /** Runs a script; it is sent as a whole where Redis does not know it. */
  async run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args];
    try {
      return await this.send('evalsha', [script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.send('eval', [script.lua, ...rest]);
    }
  }

  /** Sends one command. */
  send(name: string, args: readonly (string | number)[]): Promise<unknown> {
    if (!this.#connection) return Promise.reject(unavailable('Not connected.'));
    return this.#connection.send(name, args);
  }

  /** Calls once commands can be sent: at once if they can be now. */
  whenReady(run: () => void): void {
    if (this.#awaySince === undefined) run();
    else this.#waiting.push(run);
  }

  /** Gives up the connection, which may be dead without knowing it or lead to a server that is not the master any more. */
  restart(): void {
    this.#connection?.restart();
  }

  close(): void {
    this.#connection?.close();
    this.#away();
    this.#waiting = [];
  }

  onReady(): void {
    if (this.#opened++ > 0) this.#options.events.reconnected('commands');
    this.#awaySince = undefined;
    this.#options.log.info({ redis: this.#options.name }, 'redis is there');
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  onDown(error: Error | undefined): void {
    this.#away();
    this.#options.warnings.warn({ redis: this.#options.name }, error, 'redis is away');
  }

  #away(): void {
    if (this.#awaySince !== undefined) return;
    this.#awaySince = this.#options.clock.monotonic();
    this.#awayAt = this.#options.clock.wall();
  }
}
