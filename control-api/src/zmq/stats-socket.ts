/**
 * The socket of the statistics feed (`stats_spec`).
 *
 * Owns: the socket, and knowing whether anybody listens. Does not own: the packets (stats/).
 */
import { type Containment, uncontained } from '../faults.js';
import type { Log } from '../log.js';
import type { StatsSink } from '../stats/sink.js';
import { HIGH_WATER_MARK, type Library, type XPublisher } from './library.js';
import { bindSocket, readMessages } from './socket.js';

const SUBSCRIBE = 1;
const UNSUBSCRIBE = 0;

/** Sends packets to all SUB sockets that want their type. XPUB, not PUB, as that tells what is subscribed to. */
export class StatsSocket implements StatsSink {
  readonly #socket: XPublisher;
  readonly #log: Log;
  readonly #faults: Containment;
  readonly #changed: () => void;
  readonly #prefixes = new Set<string>();
  /** Answers of `wants`, until subscriptions change. */
  readonly #wanted = new Map<string, boolean>();

  /** `changed` is called after each change of what is subscribed to. */
  constructor(library: Library, log: Log, changed: () => void = () => {}, faults: Containment = uncontained) {
    this.#faults = faults;
    // Over the mark the packets of a subscriber that does not read are dropped: that is what PUB does.
    this.#socket = new library.XPublisher({ sendHighWaterMark: HIGH_WATER_MARK, linger: 0 });
    this.#log = log;
    this.#changed = changed;
  }

  /** Binds; resolves and rejects as `bindSocket` does. */
  async open(spec: string, ipcMode?: number): Promise<string> {
    const uri = await bindSocket(this.#socket, spec, ipcMode);
    void readMessages(this.#socket, (parts) => this.#note(parts), this.#log, this.#faults);
    return uri;
  }

  wants(type: string): boolean {
    let wanted = this.#wanted.get(type);
    if (wanted === undefined) {
      const start = `${type} `;
      wanted = [...this.#prefixes].some((prefix) => start.startsWith(prefix) || prefix.startsWith(start));
      this.#wanted.set(type, wanted);
    }
    return wanted;
  }

  send(packet: Buffer): void {
    if (this.#socket.closed) return;
    this.#socket.send(packet).catch((error) => this.#log.debug({ err: error }, 'statistics packet not sent'));
  }

  /** Sends nothing more. */
  close(): void {
    this.#socket.close();
  }

  /** The library tells of the first and the last subscription to a prefix, whoever makes it. */
  #note([message]: readonly Buffer[]): undefined {
    if (message === undefined || message.length === 0) return;
    const prefix = message.toString('latin1', 1);
    if (message[0] === SUBSCRIBE) this.#prefixes.add(prefix);
    else if (message[0] === UNSUBSCRIBE) this.#prefixes.delete(prefix);
    this.#wanted.clear();
    this.#changed();
  }
}
