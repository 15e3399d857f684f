/** Items from ZeroMQ: the PULL socket (`push_in_spec`, 5560) and the SUB socket (`push_in_sub_specs`, 5562). */
import { decodePacket, GripError, type Item, parsePublished } from '@holdfast/grip';
import type { InterestFollower } from '../backplane/hub.js';
import { ControlError } from '../errors.js';
import { answerTo } from '../http/answer.js';
import type { PublishEvents, Publisher } from '../publisher.js';
import { controlResult } from '../request-report.js';
import { type Containment, uncontained } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import {
  bindSocket,
  connectSocket,
  HIGH_WATER_MARK,
  type Library,
  MAX_PART_BYTES,
  type Pull,
  readMessages,
  type Subscriber,
} from './library.js';
import type { SocketSecurity } from './security.js';

/**
 * Items handed to the backplane and not yet accepted, per socket. Over: the socket is not read until the latest is
 * accepted, so that items wait where ZeroMQ's own limit applies, and at the publisher.
 *
 * @limit {} items of a ZeroMQ socket that the backplane has not accepted yet
 * @over the socket is not read
 */
export const PENDING_LIMIT = 1_000;

/**
 * @limit {MiB} of such items
 * @over the socket is not read
 */
export const PENDING_BYTES = 16 * 1024 * 1024;

/** Takes the items of one socket. */
export class ItemIntake {
  readonly #publisher: Publisher;
  readonly #events: PublishEvents;
  readonly #log: Log;
  #pending = 0;
  #bytes = 0;

  constructor(publisher: Publisher, events: PublishEvents, log: Log) {
    this.#publisher = publisher;
    this.#events = events;
    this.#log = log;
  }

  /**
   * Publishes the item in a packet, on the channel `topic` unless that is empty, else on each that it names. Calls keep their order. An item that is
   * malformed, or that the backplane does not accept, is dropped, counted as rejected and logged as a warning. The
   * result, if any, is to be awaited before the next call. Never rejects.
   */
  take(packet: Uint8Array, topic = ''): Promise<void> | undefined {
    const since = performance.now();
    const refuse = (error: unknown) => {
      this.#publisher.ended(controlResult(answerTo(error).status), since);
      this.drop(error);
    };
    let items: readonly Item[];
    let accepted: Promise<unknown>;
    try {
      items = parsePublished(decodePacket(packet), topic);
      accepted = this.#publisher.publish(items);
    } catch (error) {
      refuse(error);
      return undefined;
    }
    const { length } = packet;
    const count = items.length;
    this.#pending += count;
    this.#bytes += length;
    const finish = () => {
      this.#pending -= count;
      this.#bytes -= length;
    };
    const done = () => {
      finish();
      this.#publisher.ended('ok', since);
    };
    const finished = accepted.then(done, (error: unknown) => {
      finish();
      refuse(error);
    });
    return this.#pending >= PENDING_LIMIT || this.#bytes >= PENDING_BYTES ? finished : undefined;
  }

  /** Counts and logs a message that does not become an item. */
  drop(error: unknown): void {
    const known = error instanceof GripError || error instanceof ControlError;
    const code = known ? error.code : 'ERR_CONTROL_INTERNAL';
    this.#events.rejected(code);
    const detail = error instanceof GripError ? error.detail : undefined;
    const reason = known ? error.message : undefined;
    const fields = { code, reason, ...(detail !== undefined && { detail }), err: known ? error.cause : error };
    if (known) this.#log.warn(fields, 'ZeroMQ item dropped');
    else this.#log.error(fields, 'ZeroMQ item dropped');
  }
}

/** One item a message: `J` and JSON, or a tnetstring with or without `T`; no answer. */
export class PullSocket {
  readonly #socket: Pull;
  readonly #intake: ItemIntake;
  readonly #log: Log;
  readonly #faults: Containment;

  constructor(
    library: Library,
    intake: ItemIntake,
    log: Log,
    faults: Containment = uncontained,
    security: SocketSecurity = {},
  ) {
    this.#faults = faults;
    // Over the mark publishers block: nothing is lost while this process lives.
    this.#socket = new library.Pull({
      ...security,
      receiveHighWaterMark: HIGH_WATER_MARK,
      maxMessageSize: MAX_PART_BYTES,
      linger: 0,
    });
    this.#intake = intake;
    this.#log = log;
  }

  /** Binds, and begins to read; resolves and rejects as `bindSocket` does. */
  async open(spec: string, ipcMode?: number): Promise<string> {
    const uri = await bindSocket(this.#socket, spec, ipcMode);
    void readMessages(this.#socket, (parts) => this.#take(parts), this.#log, this.#faults);
    return uri;
  }

  /** Stops reading at once; messages that ZeroMQ has received and that were not read are lost. */
  close(): void {
    this.#socket.close();
  }

  #take(parts: readonly Buffer[]): Promise<void> | undefined {
    const [packet] = parts;
    if (packet !== undefined && parts.length === 1) return this.#intake.take(packet);
    this.#intake.drop(new ControlError('ERR_ZMQ_MESSAGE', `an item is one part, not ${parts.length}`));
    return undefined;
  }
}

/** Pushpin's settings for detecting a dead publisher, in seconds and probes. */
const keepAlive = { tcpKeepalive: 1, tcpKeepaliveIdle: 30, tcpKeepaliveCount: 6, tcpKeepaliveInterval: 5 } as const;

/**
 * Messages of two parts: topic, which is the channel, and item. An XPUB publisher sees exactly the channels with
 * subscribers. ZeroMQ matches prefixes, so items of other channels may come too; they are published as they are.
 */
export class SubSocket implements InterestFollower {
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
