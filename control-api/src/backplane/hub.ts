/** One backplane for all its consumers in a process: the data plane, the links to workers, taps. */
import { refusalOf, startedTwice } from '../errors.js';
import { type Containment, loggedFaults } from '../runtime/faults.js';
import type { Log } from '../runtime/log.js';
import {
  type Acceptance,
  type Backplane,
  type BackplaneListener,
  type Gap,
  GuardedListener,
  type History,
  historyOf,
  type ItemMessage,
  type Message,
  type PrefixInterest,
  prefixInterestOf,
} from './backplane.js';
import { offerInTurn } from './claims.js';
import { InterestTable } from './interest-table.js';

/** Follows the interest of the whole process in channels. Calls must not throw. */
export interface InterestFollower {
  /** The channel has its first subscriber. Called again for the same channel, nothing changes. */
  subscribed(channel: string): void;
  /** The channel has no subscriber any more, and is not kept for clients that come back. Unknown ones are ignored. */
  unsubscribed(channel: string): void;
}

/** What a {@link BackplaneHub} is made of. */
export interface BackplaneHubOptions {
  /** Not yet started; the hub starts and closes it. */
  readonly inner: Backplane;
  /** Also follow the interest, such as a ZeroMQ SUB socket. */
  readonly followers?: readonly InterestFollower[];
  /** Follows the interest of those shares alone that serve clients. */
  readonly audience?: InterestFollower | undefined;
  /** Called once for each gap, whoever has interest in its channel. Must not throw. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  readonly log: Log;
  /** Left out: faults are logged only. */
  readonly faults?: Containment;
}

/**
 * Hands out shares of one backplane. Each is a `Backplane` for one consumer in this process, with all that the contract
 * says of a node. Towards the backplane behind they are one node: an item counts one, however many have interest.
 */
export class BackplaneHub {
  readonly #options: BackplaneHubOptions;
  readonly #shares = new Set<HubShare>();
  readonly #channels: InterestTable<HubShare>;
  readonly #prefixes: InterestTable<HubShare>;
  #starting: Promise<void> | undefined;

  constructor(options: BackplaneHubOptions) {
    this.#options = options;
    const { inner, followers = [] } = options;
    this.#channels = new InterestTable(
      {
        subscribe: (channel) => inner.subscribe(channel),
        unsubscribe: (channel) => inner.unsubscribe(channel),
        opened: (channel) => {
          for (const follower of followers) follower.subscribed(channel);
        },
        closed: (channel) => {
          for (const follower of followers) follower.unsubscribed(channel);
        },
        joined: (share, channel, shares) => this.#audienceOf(share, shares)?.subscribed(channel),
        left: (share, channel, shares) => this.#audienceOf(share, shares)?.unsubscribed(channel),
      },
      (share) => share.channels,
    );
    const prefixes = prefixInterestOf(inner);
    this.#prefixes = new InterestTable(
      {
        subscribe: (prefix) => prefixes?.subscribePrefix(prefix),
        unsubscribe: (prefix) => prefixes?.unsubscribePrefix(prefix),
        opened() {},
        closed() {},
        joined() {},
        left() {},
      },
      (share) => share.prefixes,
    );
  }

  /** Starts the backplane behind, once, however often it is called; rejects as `Backplane.start` does. */
  start(): Promise<void> {
    this.#starting ??= this.#options.inner.start({
      claims: true,
      onMessage: (message) => this.#distribute(message),
      onGap: (gap) => {
        this.#options.onGap?.(gap);
        const shares = gap.prefix === undefined ? this.#channels.of(gap.channel) : this.#prefixes.of(gap.prefix);
        for (const share of shares) share.deliverGap(gap);
      },
    });
    return this.#starting;
  }

  /**
   * One more share, which its consumer starts. It has the capability `History` if the backplane behind has. One that only `watches` serves
   * no clients: the audience does not count it.
   */
  share({ watches = false } = {}): HubShare {
    return new HubShare(this.#options, watches, {
      start: async (share) => {
        await this.start();
        this.#shares.add(share);
      },
      subscribe: (share, channel) => this.#channels.subscribe(share, channel),
      unsubscribe: (share, channel) => this.#channels.unsubscribe(share, channel),
      subscribePrefix: (share, prefix) => this.#prefixes.subscribe(share, prefix),
      unsubscribePrefix: (share, prefix) => this.#prefixes.unsubscribe(share, prefix),
      leave: (share) => this.#leave(share),
    });
  }

  /** As `Backplane.publish`, for a caller that needs no share. */
  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    return this.#options.inner.publish(messages);
  }

  /** As `Backplane.unavailableReason`. */
  get unavailableReason(): string | undefined {
    return this.#options.inner.unavailableReason;
  }

  /** Whether its shares have the capability `History`. */
  get hasHistory(): boolean {
    return historyOf(this.#options.inner) !== undefined;
  }

  /** That of the backplane behind, for a caller that needs no share; undefined where it keeps none. */
  get history(): History | undefined {
    return historyOf(this.#options.inner);
  }

  /** How many channels this process has interest in. */
  get channels(): number {
    return this.#channels.size;
  }

  /** Closes all shares and the backplane behind. May be called again. */
  async close(): Promise<void> {
    await Promise.all([...this.#shares].map((share) => share.close()));
    await this.#options.inner.close();
  }

  /** The audience, where this share is the first to come or the last to go of those that serve clients on a channel. */
  #audienceOf(share: HubShare, others: Iterable<HubShare>): InterestFollower | undefined {
    const { audience } = this.#options;
    if (audience === undefined || share.watches) return undefined;
    for (const other of others) if (other !== share && !other.watches) return undefined;
    return audience;
  }

  #leave(share: HubShare): void {
    this.#shares.delete(share);
    this.#channels.leave(share);
    this.#prefixes.leave(share);
  }

  #distribute(message: Message): void {
    if (message.type === 'recover') {
      for (const share of [...this.#shares]) share.deliver(message);
    } else if (message.prefix !== undefined) deliver(this.#prefixes, message.prefix, message);
    else deliver(this.#channels, message.item.channel, message);
  }
}

/** Most channels have one consumer: nothing is allocated for it. */
function deliver(interest: InterestTable<HubShare>, name: string, message: ItemMessage): void {
  const shares = interest.sharesOf(name);
  const { claim } = message;
  if (claim !== undefined) {
    const all = [...(shares ?? [])];
    offerInTurn(message, claim, {
      all,
      has: (share) => interest.sharesOf(name)?.has(share) === true,
      asked: (share) => interest.putLast(share, name),
      denied: (share) => interest.putFirst(share, name),
    });
    return;
  }
  if (shares === undefined) return;
  if (shares.size > 1) for (const share of interest.of(name)) share.deliver(message);
  else {
    for (const share of shares) {
      share.deliver(message);
      break;
    }
  }
}

/** What a share asks of its hub. */
interface ShareOwner {
  start(share: HubShare): Promise<void>;
  subscribe(share: HubShare, channel: string): Promise<void> | undefined;
  unsubscribe(share: HubShare, channel: string): void;
  subscribePrefix(share: HubShare, prefix: string): Promise<void> | undefined;
  unsubscribePrefix(share: HubShare, prefix: string): void;
  leave(share: HubShare): void;
}

/** One consumer's part of a {@link BackplaneHub}. Closing it withdraws its interest and leaves the others alone. */
export class HubShare implements Backplane, PrefixInterest {
  /** Only where the backplane behind has it; see {@link historyOf}. */
  readonly read?: History['read'];
  readonly head?: History['head'];
  readonly remove?: History['remove'];
  /** In which it has interest; kept by the hub. */
  readonly channels = new Set<string>();
  /** The same of prefixes. */
  readonly prefixes = new Set<string>();
  /** It serves no clients. */
  readonly watches: boolean;
  readonly #inner: Backplane;
  readonly #faults: Containment;
  readonly #owner: ShareOwner;
  #state: 'new' | 'live' | 'closed' = 'new';
  #listener: GuardedListener | undefined;

  /** Made by the hub. */
  constructor({ inner, log, faults }: BackplaneHubOptions, watches: boolean, owner: ShareOwner) {
    this.watches = watches;
    this.#faults = faults ?? loggedFaults(log);
    this.#inner = inner;
    this.#owner = owner;
    const history = historyOf(inner);
    if (history === undefined) return;
    this.read = (...asked) => this.#refusal() ?? history.read(...asked);
    this.head = (...asked) => this.#refusal() ?? history.head(...asked);
    this.remove = (channel) => this.#refusal() ?? history.remove(channel);
  }

  async start(listener: BackplaneListener): Promise<void> {
    if (this.#state === 'closed') return this.#refusal();
    if (this.#listener !== undefined) {
      throw startedTwice();
    }
    this.#listener = new GuardedListener(listener, this.#faults);
    await this.#owner.start(this);
    if (this.#state === 'new') this.#state = 'live';
    else this.#owner.leave(this);
  }

  publish(messages: readonly Message[]): Promise<readonly Acceptance[]> {
    return this.#refusal() ?? this.#inner.publish(messages);
  }

  subscribe(channel: string): Promise<void> | undefined {
    return this.#refusal() ?? this.#owner.subscribe(this, channel);
  }

  unsubscribe(channel: string): void {
    this.#owner.unsubscribe(this, channel);
  }

  subscribePrefix(prefix: string): Promise<void> | undefined {
    return this.#refusal() ?? this.#owner.subscribePrefix(this, prefix);
  }

  unsubscribePrefix(prefix: string): void {
    this.#owner.unsubscribePrefix(this, prefix);
  }

  close(): Promise<void> {
    if (this.#state !== 'closed') {
      this.#state = 'closed';
      this.#listener = undefined;
      this.#owner.leave(this);
    }
    return Promise.resolve();
  }

  get unavailableReason(): string | undefined {
    return this.#inner.unavailableReason;
  }

  /** For the hub: whether its consumer takes claims. */
  get claims(): boolean {
    return this.#listener?.claims === true;
  }

  /** Called by the hub. */
  deliver(message: Message): void {
    this.#listener?.onMessage(message);
  }

  /** Called by the hub. */
  deliverGap(gap: Gap): void {
    this.#listener?.onGap(gap);
  }

  #refusal(): Promise<never> | undefined {
    if (this.#state === 'live') return undefined;
    return Promise.reject(refusalOf(this.#state === 'closed'));
  }
}
