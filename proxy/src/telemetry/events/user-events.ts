/** Which users have connections to this process, for the events `user_online` and `user_offline`, which are decided over all nodes. */
import type { OccupancyCounts } from '@holdfast/control-api';
import { kindRows } from '@holdfast/grip';
import type { UserWatch } from '../../channels/registry.js';
import type { Subscriber } from '../../channels/subscriber.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Bytes of a user's name in UTF-8.
 *
 * @limit {} bytes of the name of a user that has events
 * @over the connection has no user for events
 */
export const USER_BYTES = 255;

/** Counts the connections of users. A long poll that leaves is on its way back: its user stays for `linger` ms, as its channels do. */
export class UserEvents implements UserWatch {
  readonly #counts: OccupancyCounts;
  readonly #clock: Clock;
  readonly #linger: number;
  /** By the id of the connection. */
  readonly #users = new Map<string, string>();
  /** User → when one more connection of theirs counts as gone, by the monotonic clock. In that order, as all linger for the same time. */
  readonly #lingering = new Map<string, number>();
  #isWaiting = false;

  constructor(counts: OccupancyCounts, clock: Clock, linger: number) {
    this.#counts = counts;
    this.#clock = clock;
    this.#linger = linger;
  }

  /** The origin has said whose connection it is, which may change; nobody's, where it is undefined, empty or too long. */
  set({ id }: Pick<Subscriber, 'id'>, user: string | undefined): void {
    const before = this.#users.get(id);
    const now = user === undefined || user === '' || Buffer.byteLength(user) > USER_BYTES ? undefined : user;
    if (before === now) return;
    if (now === undefined) this.#users.delete(id);
    else {
      this.#users.set(id, now);
      this.#counts.enter(now, '');
    }
    if (before !== undefined) this.#counts.leave(before, '');
  }

  /** The connection is over. */
  leave({ id, kind }: Pick<Subscriber, 'id' | 'kind'>): void {
    const user = this.#users.get(id);
    if (user === undefined) return;
    this.#users.delete(id);
    if (!kindRows[kind].polls || this.#linger === 0) {
      this.#counts.leave(user, '');
      return;
    }
    // One connection stands for all that have left: the later ones only put it off.
    if (this.#lingering.delete(user)) this.#counts.leave(user, '');
    this.#lingering.set(user, this.#clock.monotonic() + this.#linger);
    this.#wait(this.#linger);
  }

  #wait(ms: number): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#clock.after(ms, () => {
      this.#isWaiting = false;
      this.#look();
    });
  }

  #look(): void {
    const now = this.#clock.monotonic();
    for (const [user, due] of this.#lingering) {
      if (due > now) {
        this.#wait(due - now);
        return;
      }
      this.#lingering.delete(user);
      this.#counts.leave(user, '');
    }
  }
}

/** Calls both, as far as there are any. */
export function bothWatch(one: UserWatch | undefined, other: UserWatch | undefined): UserWatch | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return {
    set: (subscriber, user) => {
      one.set(subscriber, user);
      other.set(subscriber, user);
    },
    leave: (subscriber) => {
      one.leave(subscriber);
      other.leave(subscriber);
    },
  };
}
