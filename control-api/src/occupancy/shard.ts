/** One shard of an occupancy in Redis: reports what this node has, beats, and takes out what dead nodes had. */
import type { RedisCommands, Script } from '../backplane/redis/connection/commands.js';
import type { OccupancyKeys } from '../backplane/redis/keys.js';
import { HEARTBEAT_MS, NODE_TTL_MS } from '../cluster/redis.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/log.js';
import { GATHER_MS, HeldMembers } from './held-members.js';
import type { OccupancyCounts, OccupancyListener } from './occupancy.js';
import { beatScript, type CallState, endScript, parseEdges, reportScript } from './scripts.js';

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
  /** Number of the last call of a script, and of the last whose reply has come. */
  #called = 0;
  #answered = 0;
  /** It was said that it fails. */
  #isFailing = false;
  #timer: unknown;
  #beatTimer: unknown;
  /** Undefined while none is under way. */
  #work: Promise<void> | undefined;

  constructor(options: OccupancyShardOptions) {
    const { clock, delay, keys, node } = options;
    this.#options = options;
    this.#keys = [...keys.of(node), `${keys.nodes}${node}:last`];
    this.#held = new HeldMembers({ clock, delay, changed: () => this.#workIn(GATHER_MS) });
  }

  start(listener: OccupancyListener): void {
    this.#listener = listener;
    this.#beat();
  }

  enter(group: string, member: string, note?: string): void {
    if (this.#isCounting) this.#held.enter(group, member, note);
  }

  leave(group: string, member: string): void {
    if (this.#isCounting) this.#held.leave(group, member);
  }

  async close(): Promise<void> {
    if (!this.#isCounting) return;
    this.#isClosing = true;
    const { clock, delay } = this.#options;
    this.#held.close();
    clock.clear(this.#timer);
    clock.clear(this.#beatTimer);
    // What Redis answers now is reported nowhere else.
    await this.#work;
    // If that fails, the node counts as dead when its heartbeats stop.
    await this.#call(endScript, [NODE_TTL_MS, Math.min(delay, NODE_TTL_MS)]).catch(() => {});
    this.#listener = undefined;
  }

  get #isCounting(): boolean {
    return this.#listener !== undefined && !this.#isClosing;
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
    const state = await this.#call(beatScript, [NODE_TTL_MS, MEMBERS_PER_CALL, this.#options.keys.nodes]);
    this.#isBeatDue = state !== 'done';
  }

  async #report(): Promise<void> {
    const changes = this.#held.take(MEMBERS_PER_CALL);
    let isDone = false;
    try {
      const pairs = changes.flatMap(({ key, held }) => [key, held ? '1' : '0']);
      isDone = (await this.#call(reportScript, pairs)) === 'done';
    } finally {
      if (!isDone) this.#held.putBack(changes);
    }
  }

  /** Passes on the edges of the reply, and of those before it that have not come. */
  async #call(script: Script, args: readonly (string | number)[]): Promise<CallState> {
    const { commands, node } = this.#options;
    const number = ++this.#called;
    const all = [node, this.#isNew ? '1' : '0', number, this.#answered, ...args];
    const reply = (await commands.run(script, this.#keys, all)) as readonly [CallState, ...string[]];
    const [state] = reply;
    this.#isNew = state === 'lost';
    if (state === 'lost') {
      this.#held.renew();
      return state;
    }
    this.#answered = number;
    const edges = parseEdges(reply, (key) => this.#held.noteOf(key));
    if (edges.length > 0) this.#listener?.onEdges(edges);
    return state;
  }
}
