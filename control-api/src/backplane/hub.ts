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
  type Message,
} from './backplane.js';

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

interface Interest {
  readonly shares: Set<HubShare>;
  /** Until the backplane behind has the channel live: one promise for all shares. */
  pending: Promise<void> | undefined;
}

/**
 * Hands out shares of one backplane. Each is a `Backplane` for one consumer in this process, with all that the contract
 * says of a node. Towards the backplane behind they are one node: an item counts one, however many have interest.
 */
export class BackplaneHub {
  readonly #options: BackplaneHubOptions;
  readonly #shares = new Set<HubShare>();
  readonly #channels = new Map<string, Interest>();
  #starting: Promise<void> | undefined;

  constructor(options: BackplaneHubOptions) {
    this.#options = options;
  }

  /** Starts the backplane behind, once, however often it is called; rejects as `Backplane.start` does. */
  start(): Promise<void> {
    this.#starting ??= this.#options.inner.start({
      onMessage: (message) => this.#distribute(message),
      onGap: (gap) => {
        this.#options.onGap?.(gap);
        for (const share of this.#interested(gap.channel)) share.deliverGap(gap);
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
      subscribe: (share, channel) => this.#subscribe(share, channel),
      unsubscribe: (share, channel) => this.#unsubscribe(share, channel),
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

  /** How many channels this process has interest in. */
  get channels(): number {
    return this.#channels.size;
  }

  /** Closes all shares and the backplane behind. May be called again. */
  async close(): Promise<void> {
    await Promise.all([...this.#shares].map((share) => share.close()));
    await this.#options.inner.close();
  }

  #subscribe(share: HubShare, channel: string): Promise<void> | undefined {
    const { inner, followers = [] } = this.#options;
    if (share.channels.has(channel)) return this.#channels.get(channel)?.pending;
    share.channels.add(channel);
    const known = this.#channels.get(channel);
    this.#audienceOf(share, known)?.subscribed(channel);
    if (known !== undefined) {
      known.shares.add(share);
      return known.pending;
    }
    const interest: Interest = { shares: new Set([share]), pending: undefined };
    this.#channels.set(channel, interest);
    for (const follower of followers) follower.subscribed(channel);
    interest.pending = inner.subscribe(channel)?.then(
      () => {
        interest.pending = undefined;
      },
      (error) => {
        // Withdrawn by the backplane behind. A newer interest in the same channel is not concerned.
        if (this.#channels.get(channel) === interest) {
          for (const one of interest.shares) one.channels.delete(channel);
          if ([...interest.shares].some(({ watches }) => !watches)) this.#options.audience?.unsubscribed(channel);
          this.#forget(channel);
        }
        throw error;
      },
    );
    return interest.pending;
  }

  #unsubscribe(share: HubShare, channel: string): void {
    share.channels.delete(channel);
    const interest = this.#channels.get(channel);
    if (!interest?.shares.delete(share)) return;
    this.#audienceOf(share, interest)?.unsubscribed(channel);
    if (interest.shares.size > 0) return;
    this.#forget(channel);
    this.#options.inner.unsubscribe(channel);
  }

  /** The audience, where this share is the first to come or the last to go of those that serve clients on a channel. */
  #audienceOf(share: HubShare, others: Interest | undefined): InterestFollower | undefined {
    const { audience } = this.#options;
    if (audience === undefined || share.watches) return undefined;
    for (const other of others?.shares ?? []) if (other !== share && !other.watches) return undefined;
    return audience;
  }

  #forget(channel: string): void {
    this.#channels.delete(channel);
    for (const follower of this.#options.followers ?? []) follower.unsubscribed(channel);
  }

  #leave(share: HubShare): void {
    this.#shares.delete(share);
    // Its own, and not all of the process, among which those of a tap or a worker are few.
    for (const channel of share.channels) this.#unsubscribe(share, channel);
  }

  #distribute(message: Message): void {
    if (message.type === 'recover') {
      for (const share of [...this.#shares]) share.deliver(message);
      return;
    }
    const interest = this.#channels.get(message.item.channel);
    if (interest === undefined) return;
    const { shares } = interest;
    // Most channels have one consumer: nothing is allocated for it.
    if (shares.size > 1) for (const share of this.#interested(message.item.channel)) share.deliver(message);
    else {
      for (const share of shares) {
        share.deliver(message);
        break;
      }
    }
  }

  /** A share that joins during a delivery does not get it; one that leaves during it does not either. */
  *#interested(channel: string): Iterable<HubShare> {
    const interest = this.#channels.get(channel);
    if (interest === undefined) return;
    for (const share of [...interest.shares]) if (interest.shares.has(share)) yield share;
  }
}

/** What a share asks of its hub. */
interface ShareOwner {
  start(share: HubShare): Promise<void>;
  subscribe(share: HubShare, channel: string): Promise<void> | undefined;
  unsubscribe(share: HubShare, channel: string): void;
  leave(share: HubShare): void;
}

/** One consumer's part of a {@link BackplaneHub}. Closing it withdraws its interest and leaves the others alone. */
export class HubShare implements Backplane {
  /** Only where the backplane behind has it; see {@link historyOf}. */
  readonly read?: History['read'];
  readonly head?: History['head'];
  /** In which it has interest; kept by the hub. */
  readonly channels = new Set<string>();
  /** It serves no clients. */
  readonly watches: boolean;
  readonly #inner: Backplane;
  readonly #faults: Containment;
  readonly #owner: ShareOwner;
  #state: 'new' | 'live' | 'closed' = 'new';
  #listener: BackplaneListener | undefined;

  /** Made by the hub. */
  constructor({ inner, log, faults }: BackplaneHubOptions, watches: boolean, owner: ShareOwner) {
    this.watches = watches;
    this.#faults = faults ?? loggedFaults(log);
    this.#inner = inner;
    this.#owner = owner;
    const history = historyOf(inner);
    if (history === undefined) return;
    this.read = (...asked) => this.#refusal() ?? history.read(...asked);
    this.head = (channel) => this.#refusal() ?? history.head(channel);
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
