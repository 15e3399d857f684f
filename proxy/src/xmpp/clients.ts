/** The XMPP clients that are subscribed, by their addresses, and how many there may be. */
import type { Address } from './address.js';
import type { XmppClient } from './client.js';
import type { XmppSubscriber } from './subscriber.js';

/**
 * Subscriptions of one account: its resources, and the addresses of ours that each of them has written to.
 *
 * @limit {} subscriptions of one XMPP account
 * @over the origin’s answer has no effect: the client gets the error `resource-constraint`; counted
 */
export const ACCOUNT_MAX = 20;

/** Who is subscribed. */
export class XmppClients {
  readonly #max: number;
  readonly #byAddresses = new Map<string, XmppSubscriber>();
  /** How many there are of each account. */
  readonly #accounts = new Map<string, number>();

  /** `max` is for all together. */
  constructor(max: number) {
    this.#max = max;
  }

  find(from: Address, to: Address): XmppSubscriber | undefined {
    return this.#byAddresses.get(keyOf(from, to));
  }

  /** Whether one more of this account may be added. */
  admits({ bare }: Address): boolean {
    return this.#byAddresses.size < this.#max && (this.#accounts.get(bare) ?? 0) < ACCOUNT_MAX;
  }

  add(subscriber: XmppSubscriber): void {
    const { from, to } = subscriber.client;
    this.#byAddresses.set(keyOf(from, to), subscriber);
    this.#accounts.set(from.bare, (this.#accounts.get(from.bare) ?? 0) + 1);
  }

  /** One that is not there is passed over. */
  delete(client: XmppClient): void {
    const { from, to } = client;
    const key = keyOf(from, to);
    if (this.#byAddresses.get(key)?.client !== client) return;
    this.#byAddresses.delete(key);
    const left = (this.#accounts.get(from.bare) ?? 1) - 1;
    if (left === 0) this.#accounts.delete(from.bare);
    else this.#accounts.set(from.bare, left);
  }
}

/** No address has a newline. */
function keyOf(from: Address, to: Address): string {
  return `${from.full}\n${to.full}`;
}
