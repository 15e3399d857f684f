/** One shard of an occupancy in Redis: reports what this node has, beats, and takes out what dead nodes had. */
import type { RedisCommands, Script } from '../backplane/redis/connection/commands.js';
import type { OccupancyKeys } from '../backplane/redis/keys.js';
import { HEARTBEAT_MS, NODE_TTL_MS } from '../cluster/redis.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { GATHER_MS, HeldMembers } from './held-members.js';
import type { OccupancyCounts, OccupancyListener } from './occupancy.js';
import { beatScript, endScript, parseEdges, reportScript } from './scripts.js';

/** How long after a report or heartbeat that failed the next one is tried, in ms. */
export const RETRY_MS = 1_000;

/**
 * Members that one call of a script counts: Redis does nothing else meanwhile.
 *
 * @limit {} members of an occupancy that are counted in one call
 * @over the others are counted in the next one
 */
export const MEMBERS_PER_CALL = 500;

/** What an {@link OccupancyShard} is made of. */
export interface OccupancyShardOptions {
  readonly commands: Pick<RedisCommands, 'run' | 'unavailableReason'>;
  readonly keys: OccupancyKeys;
  readonly node: string;
  readonly clock: Clock;
  /** How long a member is kept after its last connection, in ms. */
  readonly delay: number;
  readonly log: Log;
}

/** One call of a script is under way at a time, so that edges come in their order. */
export class OccupancyShard implements OccupancyCounts {
  readonly #options: OccupancyShardOptions;
  readonly #keys: readonly string[];
  readonly #held: HeldMembers;
  #listener: OccupancyListener | undefined;
  /** Redis has nothing of this node, or has forgotten it: it has to begin anew. */
  #isNew = true;
  #isBeatDue = false;
  #isClosing = false;
  /** It was said that it fails. */
  #isFailing = false;
  #timer: unknown;
  #beatTimer: unknown;
  /** Undefined while none is under way. */
  #work: Promise<void> | undefined;

  constructor(options: OccupancyShardOptions) {
    const { clock, delay, keys, node } = options;
    this.#options = options;
    this.#keys = keys.of(node);
    this.#held = new HeldMembers({ clock, delay, changed: () => this.#workIn(GATHER_MS) });
  }

  start(listener: OccupancyListener): void {
    this.#listener = listener;
    this.#beat();
  }

  enter(group: string, member: string, note?: string): void {
    if (this.#listener !== undefined) this.#held.enter(group, member, note);
  }

  leave(group: string, member: string): void {
    if (this.#listener !== undefined) this.#held.leave(group, member);
  }

  async close(): Promise<void> {
    if (this.#listener === undefined || this.#isClosing) return;
    this.#isClosing = true;
    const { clock, node, delay } = this.#options;
    this.#held.close();
    clock.clear(this.#timer);
    clock.clear(this.#beatTimer);
    // What Redis answers now is reported nowhere else.
    await this.#work;
    this.#listener = undefined;
    // If that fails, the node counts as dead when its heartbeats stop.
    await this.#run(endScript, [node, NODE_TTL_MS, Math.min(delay, NODE_TTL_MS)]).catch(() => {});
  }

  #beat(): void {
    if (this.#isClosing) return;
    this.#isBeatDue = true;
    this.#beatTimer = this.#options.clock.after(HEARTBEAT_MS, () => this.#beat());
    this.#workNow();
  }

  #workIn(ms: number): void {
    if (this.#work !== undefined || this.#isClosing) return;
    this.#timer ??= this.#options.clock.after(ms, () => this.#workNow());
  }

  #workNow(): void {
    const { clock } = this.#options;
    clock.clear(this.#timer);
    this.#timer = undefined;
    if (this.#work !== undefined) return;
    this.#work = this.#workOff()
      .then(
        () => GATHER_MS,
        (error: unknown) => {
          this.#failed(error);
          return RETRY_MS;
        },
      )
      .then((pause) => {
        this.#work = undefined;
        if (this.#isBeatDue || this.#held.hasChanges) this.#workIn(pause);
      });
  }

  /** That Redis is away is known; what else keeps it from counting, such as a key of another program, is not. */
  #failed(error: unknown): void {
    const { commands, log } = this.#options;
    const isNews = commands.unavailableReason === undefined && !this.#isFailing;
    if (isNews) this.#isFailing = true;
    log[isNews ? 'warn' : 'debug']({ err: error }, 'who is present cannot be counted in Redis');
  }

  /** Until there is nothing more to do. */
  async #workOff(): Promise<void> {
    while (!this.#isClosing) {
      if (this.#isBeatDue) await this.#sendBeat();
      else if (this.#held.hasChanges) await this.#report();
      else return;
      this.#isFailing = false;
    }
  }

  async #sendBeat(): Promise<void> {
    const { node, keys } = this.#options;
    const args = [node, this.#isNew ? '1' : '0', NODE_TTL_MS, MEMBERS_PER_CALL, keys.nodes];
    const reply = (await this.#run(beatScript, args)) as readonly string[];
    const [isLost, hasMore] = reply;
    this.#isBeatDue = hasMore === '1';
    this.#isNew = false;
    if (isLost === '1') this.#beginAnew();
    this.#pass(reply, 2);
  }

  async #report(): Promise<void> {
    const changes = this.#held.take(MEMBERS_PER_CALL);
    const args: string[] = [this.#options.node, this.#isNew ? '1' : '0'];
    for (const { key, held } of changes) args.push(key, held ? '1' : '0');
    let reply: unknown;
    try {
      reply = await this.#run(reportScript, args);
    } catch (error) {
      this.#held.putBack(changes);
      throw error;
    }
    if (Array.isArray(reply)) {
      this.#isNew = false;
      this.#pass(reply as readonly string[], 0);
    } else {
      this.#held.putBack(changes);
      this.#beginAnew();
    }
  }

  #beginAnew(): void {
    this.#isNew = true;
    this.#held.renew();
  }

  #pass(reply: readonly string[], from: number): void {
    const edges = parseEdges(reply, from, (key) => this.#held.noteOf(key));
    if (edges.length > 0) this.#listener?.onEdges(edges);
  }

  #run(script: Script, args: readonly (string | number)[]): Promise<unknown> {
    return this.#options.commands.run(script, this.#keys, args);
  }
}
