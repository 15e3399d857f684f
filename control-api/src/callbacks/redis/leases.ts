/** Which shards of the callbacks this node keeps: each is leased to one node at a time, and all nodes have about as many. */
import type { RedisCommands } from '../../backplane/redis/connection/commands.js';
import { CALLBACK_SHARDS, type CallbackKeys } from '../../backplane/redis/keys.js';
import type { Clock } from '../../runtime/clock.js';
import type { Containment } from '../../runtime/faults.js';
import type { Log } from '../../runtime/log.js';
import { leaseScript, releaseScript, signOffScript, signScript } from './scripts.js';

/**
 * Milliseconds for which a shard is leased. Longer than a node may hang: one that is killed has its callbacks wait for so long.
 *
 * @limit {s} for which callbacks wait whose node was killed
 * @over another node keeps them
 */
export const LEASE_MS = 6_000;

/** How often leases are renewed, in ms: two renewals may fail. */
export const RENEW_MS = 1_500;

/** How much earlier than Redis a node takes its lease for over, in ms: for the time that a request needs to begin. */
const MARGIN_MS = 500;

/** What {@link CallbackLeases} report to. They do not wait for it: leases have to be renewed. */
export interface LeaseListener {
  /** The shard is this node's from here on, or again after a time of which nothing is known. */
  onTaken(shard: number): void;
  /** It is, as before; `version` is that of its last change, and `count` the number of its callbacks. */
  onHeld(shard: number, version: number, count: number): void;
  /** It is about to be another node's, or is already: resolves when nothing of it is under way. */
  onLeaving(shard: number): Promise<void>;
}

/** What {@link CallbackLeases} are made of. */
export interface CallbackLeasesOptions {
  readonly commands: Pick<RedisCommands, 'run' | 'unavailableReason'>;
  readonly keys: readonly CallbackKeys[];
  /** Names this node; new with each start. */
  readonly node: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly faults: Containment;
}

/** Renews, takes and gives back. */
export class CallbackLeases {
  readonly #options: CallbackLeasesOptions;
  readonly #listener: LeaseListener;
  /** Until when a shard is this node's for sure, by the monotonic clock; 0 where it is not. */
  readonly #until = new Array<number>(CALLBACK_SHARDS).fill(0);
  /** Shards that the listener has taken. */
  readonly #held = new Set<number>();
  readonly #leaving = new Set<number>();
  #timer: unknown;
  #round: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: CallbackLeasesOptions, listener: LeaseListener) {
    this.#options = options;
    this.#listener = listener;
  }

  /** Takes the first shards; resolves when it has tried. */
  async start(): Promise<void> {
    await this.#beat();
  }

  /** Whether a shard is this node's now. */
  holds(shard: number): boolean {
    return (this.#until[shard] as number) > this.#options.clock.monotonic();
  }

  /** Gives all back, once nothing of them is under way. */
  async close(): Promise<void> {
    const { clock, keys, node } = this.#options;
    this.#isClosed = true;
    clock.clear(this.#timer);
    await this.#round;
    await Promise.allSettled([...this.#held].map((shard) => this.#giveBack(shard)));
    await this.#run(signOffScript, [(keys[0] as CallbackKeys).nodes], [node]).catch(() => {});
  }

  async #beat(): Promise<void> {
    const { clock, commands, log } = this.#options;
    this.#round = this.#renew().catch((error: unknown) => {
      const level = commands.unavailableReason === undefined ? 'warn' : 'debug';
      log[level]({ err: error }, 'which callbacks this node sees to cannot be agreed in Redis');
    });
    await this.#round;
    if (this.#isClosed) return;
    this.#timer = clock.after(RENEW_MS, () => this.#options.faults.watch('timer', this.#beat()));
  }

  async #renew(): Promise<void> {
    const { keys, node } = this.#options;
    const nodes = (await this.#run(signScript, [(keys[0] as CallbackKeys).nodes], [node, LEASE_MS])) as number;
    const share = Math.ceil(CALLBACK_SHARDS / Math.max(1, nodes));
    // Its own first, then those that come after them, so that nodes do not all ask for the same.
    const first = Math.floor((hashOf(node) % CALLBACK_SHARDS) + CALLBACK_SHARDS);
    const shards = Array.from({ length: CALLBACK_SHARDS }, (_, i) => (first + i) % CALLBACK_SHARDS);
    const own = shards.filter((shard) => this.#held.has(shard));
    await Promise.all(own.map((shard) => this.#ask(shard, false)));
    for (const shard of shards) {
      if (this.#held.size >= share || this.#isClosed) break;
      if (!this.#held.has(shard) && !this.#leaving.has(shard)) await this.#ask(shard, true);
    }
    const extra = [...this.#held].filter((shard) => !this.#leaving.has(shard)).slice(share);
    for (const shard of extra) this.#options.faults.watch('backplane', this.#giveBack(shard));
  }

  async #ask(shard: number, takes: boolean): Promise<void> {
    const { keys, node, clock } = this.#options;
    const of = keys[shard] as CallbackKeys;
    const now = clock.monotonic();
    const reply = await this.#run(leaseScript, [of.lease, of.version, of.ids], [node, LEASE_MS, takes ? '1' : '0']);
    const [held = 0, version = 0, count = 0] = reply as readonly number[];
    if (held === 0) {
      this.#until[shard] = 0;
      if (this.#held.delete(shard)) this.#options.faults.watch('backplane', this.#listener.onLeaving(shard));
      return;
    }
    // Another node may have had it since.
    const isNew = !this.#held.has(shard) || held === 2 || !this.holds(shard);
    this.#until[shard] = now + LEASE_MS - MARGIN_MS;
    this.#held.add(shard);
    if (this.#leaving.has(shard)) return;
    if (isNew) this.#listener.onTaken(shard);
    this.#listener.onHeld(shard, version, count);
  }

  async #giveBack(shard: number): Promise<void> {
    const { keys, node } = this.#options;
    this.#leaving.add(shard);
    try {
      // It is renewed meanwhile: what is under way is not to be sent by another node as well.
      await this.#listener.onLeaving(shard);
      this.#until[shard] = 0;
      this.#held.delete(shard);
      await this.#run(releaseScript, [(keys[shard] as CallbackKeys).lease], [node]).catch(() => {});
    } finally {
      this.#leaving.delete(shard);
    }
  }

  #run(
    script: Parameters<RedisCommands['run']>[0],
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<unknown> {
    return this.#options.commands.run(script, keys, args);
  }
}

function hashOf(text: string): number {
  let hash = 0;
  for (const char of text) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return hash;
}
