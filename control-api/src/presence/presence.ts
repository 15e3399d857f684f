/** The presence of one node: what its processes have, counted over all nodes, and published. */
import type { Occupancy, OccupancyCounts } from '../occupancy/occupancy.js';
import { OccupancyShare } from '../occupancy/share.js';
import { PresenceAnnouncer, type PresenceAnnouncerOptions } from './announcer.js';

/** What {@link Presence} is made of. */
export interface PresenceOptions extends PresenceAnnouncerOptions {
  readonly occupancy: Occupancy;
}

/** Does nothing, and asks nothing of Redis, before somebody is to be announced. */
export class Presence implements OccupancyCounts {
  readonly #occupancy: Occupancy;
  readonly #announcer: PresenceAnnouncer;
  #isStarted = false;
  #isClosed = false;

  constructor({ occupancy, ...options }: PresenceOptions) {
    this.#occupancy = occupancy;
    this.#announcer = new PresenceAnnouncer(options);
  }

  /**
   * Takes part from here on, in what other nodes leave behind too. The backplane must have been started. The first member has the same
   * effect: for routes that come later.
   */
  start(): void {
    if (this.#isStarted || this.#isClosed) return;
    this.#isStarted = true;
    this.#occupancy.start(this.#announcer);
  }

  enter(channel: string, user: string, info?: string): void {
    this.start();
    this.#occupancy.enter(channel, user, info);
  }

  leave(channel: string, user: string): void {
    this.#occupancy.leave(channel, user);
  }

  /** For one process of the node, whose members leave when it is closed. */
  share(): OccupancyShare {
    return new OccupancyShare(this);
  }

  /** To be called before the backplane is closed, when all processes have let their clients go. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#announcer.flush();
    if (this.#isStarted) await this.#occupancy.close();
  }
}
