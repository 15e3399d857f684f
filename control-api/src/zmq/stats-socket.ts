/** The socket of the statistics feed (`stats_spec`). */
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import { type StatsSink, statsTypes } from '../stats/packet.js';
import { bindSocket, HIGH_WATER_MARK, type Library, Outbox, readMessages, type XPublisher } from './library.js';
import type { SocketSecurity } from './security.js';

const SUBSCRIBE = 1;
const UNSUBSCRIBE = 0;

/**
 * @limit {} bytes of a subscription to statistics
 * @over ZeroMQ cuts the connection
 */
export const MAX_SUBSCRIPTION_BYTES = 1_024;

/** Sends packets to all SUB sockets that want their type. XPUB, not PUB, as that reports what is subscribed to. */
export class StatsSocket implements StatsSink {
  readonly #socket: XPublisher;
  readonly #log: Log;
  readonly #faults: Containment;
  readonly #outbox: Outbox;
  readonly #changed: () => void;
  /** By type, how many of the prefixes that are subscribed to could be of its packets. The prefixes themselves are not kept. */
  readonly #wanted = new Map<string, number>(statsTypes.map((type) => [type, 0]));

  /** `changed` is called when other types are wanted than before. */
  constructor(
    library: Library,
    log: Log,
    changed: () => void = () => {},
    faults: Containment = uncontained,
    security: SocketSecurity = {},
  ) {
    this.#faults = faults;
    // Over the mark the packets of a subscriber that does not read are dropped: that is what PUB does.
    this.#socket = new library.XPublisher({
      ...security,
      sendHighWaterMark: HIGH_WATER_MARK,
      maxMessageSize: MAX_SUBSCRIPTION_BYTES,
      linger: 0,
    });
    this.#log = log;
    this.#outbox = new Outbox(this.#socket, log);
    this.#changed = changed;
  }

  /** Binds; resolves and rejects as `bindSocket` does. */
  async open(spec: string, ipcMode?: number): Promise<string> {
    const uri = await bindSocket(this.#socket, spec, ipcMode);
    void readMessages(this.#socket, (parts) => this.#note(parts), this.#log, this.#faults);
    return uri;
  }

  wants(type: string): boolean {
    return (this.#wanted.get(type) ?? 0) > 0;
  }

  send(packet: Buffer): void {
    this.#outbox.send(packet);
  }

  /** Sends nothing more. */
  close(): void {
    this.#socket.close();
  }

  /** The library reports the first and the last subscription to a prefix, over all subscribers. */
  #note([message]: readonly Buffer[]): undefined {
    const step = message?.[0] === SUBSCRIBE ? 1 : message?.[0] === UNSUBSCRIBE ? -1 : 0;
    if (message === undefined || step === 0) return;
    const prefix = message.toString('latin1', 1);
    let isChange = false;
    for (const [type, count] of this.#wanted) {
      const start = `${type} `;
      if (!start.startsWith(prefix) && !prefix.startsWith(start)) continue;
      const next = Math.max(0, count + step);
      this.#wanted.set(type, next);
      isChange ||= count === 0 || next === 0;
    }
    if (isChange) this.#changed();
  }
}
