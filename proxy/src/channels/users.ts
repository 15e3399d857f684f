/** Which connections are of which user: the meta `user` that their origins set. Those without one take no part. */
import type { Subscriber } from './subscriber.js';

/** The name of the meta that says who the user of a connection is. */
export const USER_META = 'user';

/**
 * Bytes of a user's name in UTF-8.
 *
 * @limit {} bytes of a user's name
 * @over the connection has no user for the control API, and gets no `Holdfast-Resume-Token`; a subscriber's token is refused, 401
 */
export const USER_NAME_BYTES = 255;

/**
 * Users whose last connection has ended, so that a message for one is answered 410 and not 404.
 *
 * @limit {} users without a connection that a process remembers
 * @over the one longest without is forgotten: 404 in place of 410
 */
export const ENDED_USERS = 10_000;

const NOBODY: ReadonlySet<Subscriber> = new Set();

/** User → connections of this process. */
export class UserIndex {
  readonly #users = new Map<string, Set<Subscriber>>();
  readonly #names = new Map<Subscriber, string>();
  /** In the order in which they went. */
  readonly #ended = new Set<string>();

  /** A connection has this user from here on; with undefined, or a name that is empty or too long, none. */
  set(subscriber: Subscriber, user: string | undefined): void {
    const name = user !== undefined && isUserName(user) ? user : undefined;
    const before = this.#names.get(subscriber);
    if (name === before) return;
    if (before !== undefined) this.#drop(subscriber, before);
    if (name === undefined) return;
    this.#names.set(subscriber, name);
    this.#ended.delete(name);
    const connections = this.#users.get(name);
    if (connections === undefined) this.#users.set(name, new Set([subscriber]));
    else connections.add(subscriber);
  }

  /** A connection has ended. */
  leave(subscriber: Subscriber): void {
    // Most systems name no users: then nothing is looked up.
    if (this.#names.size === 0) return;
    const name = this.#names.get(subscriber);
    if (name !== undefined) this.#drop(subscriber, name);
  }

  /** The connections of a user: a live view that may change while it is walked. */
  of(user: string): ReadonlySet<Subscriber> {
    return this.#users.get(user) ?? NOBODY;
  }

  /** The user of a connection. */
  userOf(subscriber: Subscriber): string | undefined {
    return this.#names.get(subscriber);
  }

  /** Whether the last connection of a user has ended lately. */
  hasEnded(user: string): boolean {
    return this.#ended.has(user);
  }

  #drop(subscriber: Subscriber, name: string): void {
    this.#names.delete(subscriber);
    const connections = this.#users.get(name);
    connections?.delete(subscriber);
    if (connections === undefined || connections.size > 0) return;
    this.#users.delete(name);
    this.#ended.add(name);
    if (this.#ended.size <= ENDED_USERS) return;
    const [oldest] = this.#ended;
    if (oldest !== undefined) this.#ended.delete(oldest);
  }
}

/** Whether a user can be called so: by some character, and within {@link USER_NAME_BYTES}. */
export function isUserName(user: string): boolean {
  // No character has more than three bytes for each of its code units.
  const isShort = user.length * 3 <= USER_NAME_BYTES || Buffer.byteLength(user) <= USER_NAME_BYTES;
  return user !== '' && isShort;
}
