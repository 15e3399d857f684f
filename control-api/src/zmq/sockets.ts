/** All ZeroMQ sockets of a node. */
import type { InterestFollower } from '../backplane/hub.js';
import type { PublishEvents, Publisher } from '../publisher.js';
import { PacedLog } from '../runtime/bounded-logs.js';
import type { Clock } from '../runtime/clock.js';
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import type { StatsSink } from '../stats/packet.js';
import { CommandMethods, CommandSocket, type Connections, type PublishUris } from './command.js';
import { ItemIntake, PullSocket, SubSocket } from './intake.js';
import { type Library, loadLibrary } from './library.js';
import { type CurveKeys, ZeroMqSecurity } from './security.js';
import { StatsSocket } from './stats-socket.js';

/** Which sockets there are to be; undefined and empty ones are off. Ports as they are to be opened. */
export interface ZeroMqSpecs {
  readonly pushInSpec: string | undefined;
  readonly pushInSubSpecs: readonly string[] | undefined;
  /** Connect to all of `pushInSubSpecs`, instead of binding the first. */
  readonly pushInSubConnect: boolean;
  readonly commandSpec: string | undefined;
  readonly statsSpec: string | undefined;
  /** Mode of the files of ipc sockets; as the process's mask has it if undefined. */
  readonly ipcFileMode?: number | undefined;
  /** Left out: no socket has CURVE. */
  readonly curve?: CurveKeys | undefined;
}

/** What {@link ZeroMqSockets} are made of. */
export interface ZeroMqOptions {
  readonly specs: ZeroMqSpecs;
  readonly publisher: Publisher;
  readonly connections: Connections;
  /** Called when other types of statistics are wanted than before. */
  readonly wantsChanged?: () => void;
  readonly events: PublishEvents;
  readonly log: Log;
  /** Paces the log: every peer of a socket can send what is dropped. */
  readonly clock: Clock;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** An open socket, for the line that announces it. */
export interface ZeroMqAddress {
  readonly what: 'publish items' | 'published items' | 'commands' | 'statistics';
  readonly uri: string;
  /** Whether the socket connects, instead of listening. */
  readonly connects: boolean;
}

interface Closable {
  close(): void;
}

/**
 * The sockets of one node. Takes channels and statistics from the beginning; without specs it does
 * nothing at all, and the library need not be installed.
 */
export class ZeroMqSockets implements InterestFollower, StatsSink {
  readonly #options: ZeroMqOptions;
  readonly #opened: Closable[] = [];
  /** Those that came before the SUB socket was open. */
  readonly #channels = new Set<string>();
  #sub: SubSocket | undefined;
  #stats: StatsSocket | undefined;
  #uris: PublishUris = { command: undefined, publishPull: undefined, publishSub: undefined };

  constructor(options: ZeroMqOptions) {
    this.#options = { ...options, log: new PacedLog(options.log, options.clock) };
  }

  /**
   * Opens all configured sockets; resolves with them. If one cannot be opened, none is left open, and it rejects with
   * `ControlError` ERR_ZMQ_MISSING, ERR_ZMQ_SPEC or ERR_ZMQ_OPEN. To be called once, when the publisher may publish.
   */
  async open(): Promise<ZeroMqAddress[]> {
    const { pushInSpec, pushInSubSpecs = [], commandSpec, statsSpec } = this.#options.specs;
    if (pushInSubSpecs.length === 0 && (pushInSpec ?? commandSpec ?? statsSpec) === undefined) return [];
    const library = await loadLibrary();
    try {
      const security = await this.#secure(library);
      return (await this.#openAll(library, security)).filter((address) => address !== undefined);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  subscribed(channel: string): void {
    if ((this.#options.specs.pushInSubSpecs ?? []).length === 0) return;
    if (this.#sub === undefined) this.#channels.add(channel);
    else this.#sub.subscribed(channel);
  }

  unsubscribed(channel: string): void {
    this.#channels.delete(channel);
    this.#sub?.unsubscribed(channel);
  }

  wants(type: string): boolean {
    return this.#stats?.wants(type) ?? false;
  }

  send(packet: Buffer): void {
    this.#stats?.send(packet);
  }

  /** Closes all sockets at once. May be called again, and if nothing was opened. */
  close(): void {
    for (const socket of this.#opened.splice(0).reverse()) socket.close();
  }

  async #secure(library: Library): Promise<ZeroMqSecurity> {
    const { specs, log, faults = uncontained } = this.#options;
    const security = this.#keep(new ZeroMqSecurity(library, specs.curve, log, faults));
    await security.open();
    const { publicKey } = security;
    if (publicKey !== undefined) log.info({ publicKey }, 'ZeroMQ sockets have CURVE: clients need this public key');
    return security;
  }

  /** In this order: a client that gets the addresses, or statistics, can publish. */
  async #openAll(library: Library, security: ZeroMqSecurity): Promise<(ZeroMqAddress | undefined)[]> {
    return [
      await this.#openPull(library, security),
      await this.#openSub(library, security),
      await this.#openStats(library, security),
      await this.#openCommand(library, security),
    ];
  }

  async #openPull(library: Library, security: ZeroMqSecurity): Promise<ZeroMqAddress | undefined> {
    const { specs, log } = this.#options;
    if (specs.pushInSpec === undefined) return undefined;
    const socket = this.#keep(
      new PullSocket(library, this.#intake('pull'), log, this.#options.faults, security.bound(specs.pushInSpec)),
    );
    const uri = await socket.open(specs.pushInSpec, specs.ipcFileMode);
    this.#uris = { ...this.#uris, publishPull: uri };
    return { what: 'publish items', uri, connects: false };
  }

  async #openSub(library: Library, security: ZeroMqSecurity): Promise<ZeroMqAddress | undefined> {
    const { specs, log } = this.#options;
    const { pushInSubSpecs = [], pushInSubConnect, ipcFileMode } = specs;
    const [first] = pushInSubSpecs;
    if (first === undefined) return undefined;
    const keys = pushInSubConnect ? security.connected(pushInSubSpecs) : security.bound(first);
    const socket = this.#keep(new SubSocket(library, this.#intake('sub'), log, this.#options.faults, keys));
    let uri = pushInSubSpecs.join(',');
    if (pushInSubConnect) socket.connect(pushInSubSpecs);
    else uri = await socket.bind(first, ipcFileMode);
    if (!pushInSubConnect) this.#uris = { ...this.#uris, publishSub: uri };
    this.#sub = socket;
    for (const channel of this.#channels) socket.subscribed(channel);
    this.#channels.clear();
    return { what: 'published items', uri, connects: pushInSubConnect };
  }

  async #openStats(library: Library, security: ZeroMqSecurity): Promise<ZeroMqAddress | undefined> {
    const { specs, log, wantsChanged } = this.#options;
    if (specs.statsSpec === undefined) return undefined;
    const socket = this.#keep(
      new StatsSocket(library, log, wantsChanged, this.#options.faults, security.bound(specs.statsSpec)),
    );
    const uri = await socket.open(specs.statsSpec, specs.ipcFileMode);
    this.#stats = socket;
    return { what: 'statistics', uri, connects: false };
  }

  async #openCommand(library: Library, security: ZeroMqSecurity): Promise<ZeroMqAddress | undefined> {
    const { specs, publisher, connections, events, log } = this.#options;
    if (specs.commandSpec === undefined) return undefined;
    const methods = new CommandMethods(publisher, connections, () => this.#uris, events, log);
    const socket = this.#keep(
      new CommandSocket(library, methods.perform, log, this.#options.faults, security.bound(specs.commandSpec)),
    );
    const uri = await socket.open(specs.commandSpec, specs.ipcFileMode);
    this.#uris = { ...this.#uris, command: uri };
    return { what: 'commands', uri, connects: false };
  }

  #intake(part: string): ItemIntake {
    const { publisher, events, log } = this.#options;
    return new ItemIntake(publisher, events, log.child(part));
  }

  #keep<Socket extends Closable>(socket: Socket): Socket {
    this.#opened.push(socket);
    return socket;
  }
}
