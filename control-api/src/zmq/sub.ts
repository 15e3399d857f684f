/** The SUB socket: items from publishers that want to know the subscribed channels (`push_in_sub_specs`, 5562). */
import { ControlError } from '../errors.js';
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import type { ItemIntake } from './intake.js';
import { HIGH_WATER_MARK, type Library, MAX_PART_BYTES, type Subscriber } from './library.js';
import type { SocketSecurity } from './security.js';
import { bindSocket, connectSocket, readMessages } from './socket.js';

/** Follows which channels the node wants. Calls never throw. */
export interface InterestListener {
  /** The channel has its first subscriber. Called again for the same channel, nothing changes. */
  subscribed(channel: string): void;
  /** The channel has no subscriber any more, and is not kept for clients that come back. Unknown ones are ignored. */
  unsubscribed(channel: string): void;
}

/** Pushpin's settings for detecting a dead publisher, in seconds and probes. */
const keepAlive = { tcpKeepalive: 1, tcpKeepaliveIdle: 30, tcpKeepaliveCount: 6, tcpKeepaliveInterval: 5 } as const;

/**
 * Messages of two parts: topic, which is the channel, and item. An XPUB publisher sees exactly the channels with
 * subscribers. ZeroMQ matches prefixes, so items of other channels may come too; they are published as they are.
 */
export class SubSocket implements InterestListener {
  readonly #socket: Subscriber;
  readonly #intake: ItemIntake;
  readonly #log: Log;
  readonly #faults: Containment;
  /** The library counts subscriptions to a topic; here each is made once. */
  readonly #channels = new Set<string>();

  constructor(
    library: Library,
    intake: ItemIntake,
    log: Log,
    faults: Containment = uncontained,
    security: SocketSecurity = {},
  ) {
    this.#faults = faults;
    // Over the mark the publisher's socket drops: that is what PUB does.
    this.#socket = new library.Subscriber({
      ...security,
      ...keepAlive,
      receiveHighWaterMark: HIGH_WATER_MARK,
      maxMessageSize: MAX_PART_BYTES,
      linger: 0,
    });
    this.#intake = intake;
    this.#log = log;
  }

  /** Binds, and begins to read; resolves and rejects as `bindSocket` does. */
  async bind(spec: string, ipcMode?: number): Promise<string> {
    const uri = await bindSocket(this.#socket, spec, ipcMode);
    this.#read();
    return uri;
  }

  /** Connects to all specs, and begins to read; throws as `connectSocket` does. */
  connect(specs: readonly string[]): void {
    for (const spec of specs) connectSocket(this.#socket, spec);
    this.#read();
  }

  subscribed(channel: string): void {
    if (this.#socket.closed || this.#channels.has(channel)) return;
    this.#channels.add(channel);
    this.#socket.subscribe(channel);
  }

  unsubscribed(channel: string): void {
    if (this.#socket.closed || !this.#channels.delete(channel)) return;
    this.#socket.unsubscribe(channel);
  }

  /** Stops reading at once. */
  close(): void {
    this.#socket.close();
  }

  #read(): void {
    void readMessages(this.#socket, (parts) => this.#take(parts), this.#log, this.#faults);
  }

  #take(parts: readonly Buffer[]): Promise<void> | undefined {
    const [topic, packet] = parts;
    if (topic !== undefined && packet !== undefined && parts.length === 2) {
      return this.#intake.take(packet, topic.toString('utf8'));
    }
    this.#intake.drop(new ControlError('ERR_ZMQ_MESSAGE', `a topic and an item are two parts, not ${parts.length}`));
    return undefined;
  }
}
