/** The interest of a node in prefixes: the feeds that it is subscribed to, and what has publishers fill them. */
import { type ControlError, unavailable } from '../../../errors.js';
import type { Clock } from '../../../runtime/clock.js';
import type { PrefixInterest } from '../../backplane.js';
import type { RedisCommands } from '../connection/commands.js';
import type { ConnectionWarnings } from '../events.js';
import { PARTITIONS, type RedisKeys } from '../keys.js';
import { CHANNELS_PER_COMMAND, MAX_PREFIXES, PREFIX_EVERY_MS, RETRY_MS } from '../limits.js';
import { parseWanted, wantPrefixesScript } from '../prefix-scripts.js';
import type { ChannelSubscriptions } from './subscriptions.js';

/** What {@link PrefixSubscriptions} is made of. */
export interface PrefixSubscriptionsOptions {
  readonly commands: RedisCommands;
  readonly keys: RedisKeys;
  readonly subscriptions: Pick<ChannelSubscriptions, 'subscribeToFeed' | 'unsubscribeFromFeed'>;
  /** In a cluster each partition has a feed of its own, for a script works on one slot only. */
  readonly sharded: boolean;
  readonly clock: Clock;
  readonly warnings: ConnectionWarnings;
  /** Items may not have gone to a prefix for a while: Redis had forgotten that it is wanted. */
  readonly lost: (prefix: string) => void;
}

interface Wanted {
  readonly live: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: ControlError) => void;
  /** Partitions that are published to the prefix. */
  readonly fed: Set<number>;
  /** Its feeds are subscribed to: publishers may be asked for it. */
  isSubscribed: boolean;
}

/**
 * Subscribes to the feeds of a prefix first, and then has publishers fill them: what is accepted from then on comes. Publishers are asked
 * again from time to time, and whenever Redis is back, as what it knows is forgotten with the nodes that want it.
 */
export class PrefixSubscriptions implements PrefixInterest {
  readonly #options: PrefixSubscriptionsOptions;
  readonly #wanted = new Map<string, Wanted>();
  readonly #partitions: readonly number[];
  #timer: unknown;
  #isAsking = false;
  #isAskedAgain = false;
  #closed: ControlError | undefined;

  constructor(options: PrefixSubscriptionsOptions) {
    this.#options = options;
    this.#partitions = Array.from({ length: options.sharded ? PARTITIONS : 1 }, (_, partition) => partition);
  }

  subscribePrefix(prefix: string): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    const known = this.#wanted.get(prefix);
    if (known !== undefined) return known.live;
    let resolve: () => void = () => {};
    let reject: (error: ControlError) => void = () => {};
    const live = new Promise<void>((onResolve, onReject) => {
      resolve = onResolve;
      reject = onReject;
    });
    // The caller may ignore the promise.
    live.catch(() => {});
    const wanted: Wanted = { live, resolve, reject, fed: new Set(), isSubscribed: false };
    this.#wanted.set(prefix, wanted);
    const { subscriptions } = this.#options;
    Promise.all(this.#partitions.map((partition) => subscriptions.subscribeToFeed(prefix, partition))).then(
      () => {
        wanted.isSubscribed = true;
        if (this.#wanted.get(prefix) === wanted) this.#ask();
      },
      (error: ControlError) => {
        if (this.#wanted.get(prefix) === wanted) this.#wanted.delete(prefix);
        reject(error);
      },
    );
    return live;
  }

  unsubscribePrefix(prefix: string): void {
    const wanted = this.#wanted.get(prefix);
    if (wanted === undefined) return;
    this.#drop(prefix);
    wanted.resolve();
  }

  /** Redis is back, and may not be what it was. */
  restored(): void {
    if (this.#wanted.size > 0) this.#ask();
  }

  close(error: ControlError): void {
    this.#closed = error;
    this.#options.clock.clear(this.#timer);
    for (const { reject } of this.#wanted.values()) reject(error);
    this.#wanted.clear();
  }

  /** The feeds are left as channels are; publishers go on for the time of the prefix. */
  #drop(prefix: string): void {
    this.#wanted.delete(prefix);
    const { subscriptions } = this.#options;
    for (const partition of this.#partitions) subscriptions.unsubscribeFromFeed(prefix, partition);
  }

  /** Behind all that is subscribed to in the same turn: patterns come many at a time after a failure. */
  #ask(): void {
    if (this.#isAsking) {
      this.#isAskedAgain = true;
      return;
    }
    this.#isAsking = true;
    this.#isAskedAgain = false;
    setImmediate(() => {
      this.#askAll().then(
        () => this.#asked(PREFIX_EVERY_MS),
        (error: unknown) => {
          if (this.#closed) return;
          this.#options.warnings.warn({}, error, 'publishers cannot be asked for patterns');
          this.#options.commands.whenReady(() => this.#asked(RETRY_MS));
        },
      );
    });
  }

  #asked(next: number): void {
    this.#isAsking = false;
    if (this.#closed) return;
    this.#options.clock.clear(this.#timer);
    this.#timer = undefined;
    if (this.#isAskedAgain) this.#ask();
    else if (this.#wanted.size > 0) this.#timer = this.#options.clock.after(next, () => this.#ask());
  }

  /** Rejects where one of the partitions could not be asked; the others have been. */
  async #askAll(): Promise<void> {
    const prefixes = [...this.#wanted].filter(([, { isSubscribed }]) => isSubscribed).map(([prefix]) => prefix);
    for (let i = 0; i < prefixes.length; i += CHANNELS_PER_COMMAND) {
      const some = prefixes.slice(i, i + CHANNELS_PER_COMMAND);
      const results = await Promise.allSettled(this.#partitions.map((partition) => this.#askOne(partition, some)));
      const failed = results.find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
    }
  }

  async #askOne(partition: number, prefixes: readonly string[]): Promise<void> {
    const { commands, keys } = this.#options;
    const { known, version } = keys.prefixes(partition);
    const { added, refused } = parseWanted(await commands.run(wantPrefixesScript, [known, version], prefixes));
    const tooMany = new Set(refused);
    const isNew = new Set(added);
    for (const prefix of prefixes) {
      const wanted = this.#wanted.get(prefix);
      if (wanted === undefined) continue;
      if (tooMany.has(prefix)) {
        this.#drop(prefix);
        wanted.reject(unavailable(`Patterns begin with more than ${MAX_PREFIXES} prefixes.`));
        continue;
      }
      if (wanted.fed.has(partition)) {
        if (isNew.has(prefix)) this.#options.lost(prefix);
        continue;
      }
      wanted.fed.add(partition);
      if (wanted.fed.size === this.#partitions.length) wanted.resolve();
    }
  }
}
