/** The callbacks that this node keeps: a sender for each. */
import { Agent as PlainAgent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { CauseLog } from '../runtime/bounded-logs.js';
import type { Clock } from '../runtime/clock.js';
import type { Containment } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import { exchange } from '../webhooks/exchange.js';
import type { CallbackRecord } from './callback.js';
import { HostSlots } from './host-slots.js';
import { type CallbackCall, type CallbackReports, CallbackSender, type SenderDeps } from './sender.js';
import type { CallbackListener, CallbackStore, CallbackWork } from './store.js';

/** How often callbacks are looked at whose time may be over, in ms; and those for which an item may wait that nothing has announced. */
export const SWEEP_MS = 15_000;

/**
 * Milliseconds for which the end of a node waits for requests under way.
 *
 * @limit {s} for which a node that ends waits for requests to callbacks
 * @over they are broken off, and sent again by another node
 */
export const LAST_CALLBACKS_MS = 3_000;

/** How long a connection to a server is kept for the next request, in ms: shorter than servers keep theirs. */
const IDLE_MS = 4_000;

/**
 * Connections that are kept for the next request, by a node, to all servers of one protocol.
 *
 * @limit {} unused connections to the servers of callbacks that a node keeps, of each protocol
 * @over the connection is closed
 */
export const IDLE_CONNECTIONS = 256;

/** Keeps no more than {@link IDLE_CONNECTIONS}: Node's own limits are by host. */
function boundIdle(agent: PlainAgent): PlainAgent {
  const keep = agent.keepSocketAlive.bind(agent) as (socket: Duplex) => boolean;
  const bounded = (socket: Duplex) => Object.keys(agent.freeSockets).length < IDLE_CONNECTIONS && keep(socket);
  agent.keepSocketAlive = bounded;
  return agent;
}

/** Where requests may go. */
export interface AddressPolicy {
  /** Whether they may go to a host of a URL, if that is an address; true for a name, which {@link lookup} sees to. */
  isAllowed(host: string): boolean;
  /** Fails for a name that stands for an address to which they may not go. */
  readonly lookup: LookupFunction;
}

/** What a {@link CallbackDeliverer} is made of. */
export interface CallbackDelivererOptions {
  readonly store: CallbackStore & CallbackWork;
  readonly addresses: AddressPolicy;
  /** Requests to one host at a time; at least 1. */
  readonly hostMax: number;
  /** How long attempts may fail before a callback is parked, in ms. */
  readonly patience: number;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random`. */
  readonly random: () => number;
  readonly reports: CallbackReports;
  readonly log: Log;
  readonly faults: Containment;
}

/** Starts and ends senders, and has all requests go by one policy. */
export class CallbackDeliverer implements CallbackListener {
  readonly #options: CallbackDelivererOptions;
  readonly #deps: SenderDeps;
  readonly #senders = new Map<string, CallbackSender>();
  readonly #agents: { readonly http: PlainAgent; readonly https: PlainAgent };
  readonly #slots: HostSlots;
  #timer: unknown;
  #isClosed = false;

  constructor(options: CallbackDelivererOptions) {
    const { store, hostMax, patience, clock, random, reports, log } = options;
    this.#options = options;
    this.#slots = new HostSlots(hostMax);
    const settings = { keepAlive: true, maxSockets: hostMax, maxFreeSockets: 1, timeout: IDLE_MS };
    this.#agents = { http: boundIdle(new PlainAgent(settings)), https: boundIdle(new TlsAgent(settings)) };
    this.#deps = {
      work: store,
      remove: (id, version) => store.remove(id, version),
      send: (call) => this.#send(call),
      slots: this.#slots,
      patience,
      clock,
      random,
      reports,
      causes: new CauseLog(log, clock),
    };
  }

  /** Has the store tell what this node is to see to. To be called once. */
  async start(): Promise<void> {
    await this.#options.store.start(this);
    if (!this.#isClosed) this.#sweepLater();
  }

  onKept(record: CallbackRecord): void {
    if (this.#isClosed) return;
    const known = this.#senders.get(record.callback.id);
    if (known !== undefined) {
      known.renew(record);
      return;
    }
    const sender = new CallbackSender(record, this.#deps);
    this.#senders.set(record.callback.id, sender);
    sender.look();
  }

  async onLeft(id: string): Promise<void> {
    const sender = this.#senders.get(id);
    if (sender === undefined) return;
    this.#senders.delete(id);
    await sender.stop();
  }

  onItems(id: string): void {
    this.#senders.get(id)?.look();
  }

  /** Callbacks that this node keeps, by their state. */
  count(): Readonly<Record<CallbackRecord['status']['state'], number>> {
    const counts = { pending: 0, active: 0, parked: 0 };
    for (const { status } of this.#senders.values()) counts[status.state]++;
    return counts;
  }

  /** Those of them that are on a channel. */
  countOn(channel: string): number {
    let count = 0;
    for (const { callback } of this.#senders.values()) {
      if (callback.channels.some(({ name }) => name === channel)) count++;
    }
    return count;
  }

  /** Requests under way. */
  get underWay(): number {
    return this.#slots.underWay;
  }

  /** Connections that are kept for the next request. */
  get idle(): number {
    const { http, https } = this.#agents;
    return Object.keys(http.freeSockets).length + Object.keys(https.freeSockets).length;
  }

  /** Sends nothing new; resolves when the requests under way are over, or broken off, and the store has let go. Never rejects. */
  async close(): Promise<void> {
    const { clock, store } = this.#options;
    this.#isClosed = true;
    clock.clear(this.#timer);
    const cut = () => {
      this.#agents.http.destroy();
      this.#agents.https.destroy();
    };
    const late = clock.after(LAST_CALLBACKS_MS, cut);
    await Promise.allSettled([...this.#senders.values()].map((sender) => sender.stop()));
    clock.clear(late);
    cut();
    this.#senders.clear();
    await store.close().catch(() => {});
  }

  #sweepLater(): void {
    this.#timer = this.#options.clock.after(SWEEP_MS, () => {
      for (const sender of this.#senders.values()) sender.look();
      this.#sweepLater();
    });
  }

  #send({ url, ...call }: CallbackCall) {
    const { addresses, clock } = this.#options;
    // Connections to an address are made without a look-up.
    if (!addresses.isAllowed(url.hostname)) return Promise.resolve({ error: 'address not allowed' });
    const agent = url.protocol === 'https:' ? this.#agents.https : this.#agents.http;
    return exchange({ ...call, url, agent, lookup: addresses.lookup }, clock);
  }
}
