/** The backplane of a node that is alone: messages go straight to its own listener. */
import { type ControlError, refusalOf, startedTwice, unavailable } from '../errors.js';
import { type Containment, loggedFaults } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import {
  type Acceptance,
  type Backplane,
  type BackplaneListener,
  GuardedListener,
  type History,
  type HistoryPage,
  type HistoryStart,
  type ItemMessage,
  type Message,
  type Position,
  type PrefixInterest,
} from './backplane.js';
import { FirstClaim } from './claims.js';
import type { RecentIds } from './id-cache.js';
import type { LocalHistory } from './local-history.js';
import { PrefixSet } from './prefix-set.js';
import { ChannelVersions } from './versions.js';

type State = 'new' | 'live' | 'closed';

const ACCEPTED: Acceptance = { duplicate: false };
const DUPLICATE: Acceptance = { duplicate: true };
const STALE: Acceptance = { duplicate: false, stale: true };
const REACHED: Acceptance = { duplicate: false, nodes: 1 };
const UNREACHED: Acceptance = { duplicate: false, nodes: 0 };

/**
 * How many messages a listener may publish while messages are being delivered, before they get their turn. Only
 * code in this process can do that, so that reaching it means a loop; the publish is then rejected with
 * ERR_BACKPLANE_UNAVAILABLE.
 *
 * @limit {} messages published from within a delivery
 * @over that publish is refused, 503
 */
export const NESTED_MESSAGES_LIMIT = 10_000;

/**
 * In-process {@link Backplane}. Delivers within the `publish` call, in one synchronous block; only what the listener
 * itself publishes meanwhile waits for the end of that block, and is delivered before anything published later.
 */
export class LocalBackplane implements Backplane, History, PrefixInterest {
  readonly unavailableReason = undefined;
  readonly #faults: Containment;
  readonly #ids: RecentIds | undefined;
  readonly #history: LocalHistory | undefined;
  readonly #versions = new ChannelVersions();
  readonly #interest = new Set<string>();
  readonly #prefixes = new PrefixSet();
  #state: State = 'new';
  #listener: BackplaneListener | undefined;
  #delivering = false;
  #nested: Message[] = [];

  /**
   * Without `ids` duplicates are not looked for; without `history` items have no positions, and none is kept. Without `faults`
   * what the listener throws is logged only.
   */
  constructor(log: Log, ids?: RecentIds, history?: LocalHistory, faults: Containment = loggedFaults(log)) {
    this.#faults = faults;
    this.#ids = ids;
    this.#history = history;
    history?.keep((channel) => this.#interest.has(channel));
  }

  start(listener: BackplaneListener): Promise<void> {
    if (this.#state === 'live') {
      return Promise.reject(startedTwice());
    }
    if (this.#state === 'closed') return Promise.reject(this.#refusal());
    this.#listener = new GuardedListener(listener, this.#faults);
    this.#state = 'live';
    return Promise.resolve();
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    if (this.#delivering && this.#nested.length + messages.length > NESTED_MESSAGES_LIMIT) {
      return Promise.reject(unavailable('Too many messages were published from within a delivery.'));
    }
    const fresh: Message[] = [];
    const acceptances = messages.map((message) => this.#accept(message, fresh));
    if (this.#delivering) this.#enqueue(fresh);
    else {
      if (this.#nested.length > 0) this.#deliverNested();
      this.#deliver(fresh);
    }
    return Promise.resolve(acceptances);
  }

  subscribe(channel: string): Promise<void> | undefined {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    this.#interest.add(channel);
    return undefined;
  }

  unsubscribe(channel: string): void {
    this.#interest.delete(channel);
  }

  subscribePrefix(prefix: string): Promise<void> | undefined {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    this.#prefixes.add(prefix);
    return undefined;
  }

  unsubscribePrefix(prefix: string): void {
    this.#prefixes.delete(prefix);
  }

  read(channel: string, start: HistoryStart, limit: number): Promise<HistoryPage | undefined> {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#history?.read(channel, start, limit) ?? Promise.resolve(undefined);
  }

  head(channel: string, ago?: number): Promise<Position | undefined> {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#history?.head(channel, ago) ?? Promise.resolve(undefined);
  }

  remove(channel: string): Promise<void> {
    if (this.#state !== 'live') return Promise.reject(this.#refusal());
    return this.#history?.remove(channel) ?? Promise.resolve();
  }

  close(): Promise<void> {
    this.#state = 'closed';
    this.#history?.clear();
    this.#versions.clear();
    this.#listener = undefined;
    this.#interest.clear();
    this.#prefixes.clear();
    this.#nested = [];
    return Promise.resolve();
  }

  /** Messages that are to be delivered are added to `fresh`. */
  #accept(message: Message, fresh: Message[]): Acceptance {
    if (message.type === 'recover') {
      fresh.push(message);
      return ACCEPTED;
    }
    const { channel, id } = message.item;
    if (id !== undefined && this.#ids?.seen(channel, id)) {
      const position = this.#history?.find(channel, id);
      return position === undefined ? DUPLICATE : { duplicate: true, position };
    }
    if (this.#versions.isStale(message.item)) {
      if (id !== undefined) this.#ids?.forget(channel, id);
      return STALE;
    }
    // One for one subscriber is for nobody who comes later.
    const placed = message.item.deliver === 'one' ? undefined : this.#history?.add(message);
    fresh.push(placed ?? message);
    const isWanted = this.#interest.has(channel) || (this.#prefixes.size > 0 && this.#prefixes.of(channel).length > 0);
    const acceptance = isWanted ? REACHED : UNREACHED;
    return placed === undefined ? acceptance : { ...acceptance, position: placed.position };
  }

  #enqueue(messages: readonly Message[]): void {
    // A turn of the event loop lies between the blocks, so that a listener that answers every message with another
    // cannot starve the process.
    if (this.#nested.length === 0) setImmediate(() => this.#deliverNested());
    for (const message of messages) this.#nested.push(message);
  }

  #deliverNested(): void {
    const messages = this.#nested;
    this.#nested = [];
    this.#deliver(messages);
  }

  #deliver(messages: readonly Message[]): void {
    this.#delivering = true;
    for (const sent of messages) {
      const isForOne = sent.type === 'item' && sent.item.deliver === 'one';
      const message = isForOne ? { ...sent, claim: new FirstClaim() } : sent;
      // Asked anew for each message: the listener may unsubscribe, or close, at any of them.
      if (message.type === 'recover' || this.#interest.has(message.item.channel)) this.#listener?.onMessage(message);
      if (message.type === 'item' && this.#prefixes.size > 0) this.#deliverByPrefix(message);
    }
    this.#delivering = false;
  }

  #deliverByPrefix({ position: _, ...message }: ItemMessage): void {
    for (const prefix of this.#prefixes.of(message.item.channel)) {
      if (this.#prefixes.has(prefix)) this.#listener?.onMessage({ ...message, prefix });
    }
  }

  #refusal(): ControlError {
    return refusalOf(this.#state === 'closed');
  }
}
