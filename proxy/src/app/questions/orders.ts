/** What the control API has done to connections of one process: ending those of a user, giving them items, changing channels. */
import {
  type CloseOrder,
  type Containment,
  type Known,
  type OrderResult,
  type Recipient,
  type SubscribeResult,
  uncontained,
} from '@holdfast/control-api';
import { parseItem, zeroCounts } from '@holdfast/grip';
import { Delivery } from '../../channels/delivery.js';
import { DIRECT_CHANNEL } from '../../channels/direct-items.js';
import type { ChannelRegistry } from '../../channels/registry.js';
import type { Subscriber } from '../../channels/subscriber.js';
import type { Clock } from '../../runtime/clock.js';

/**
 * Connections of one user that are ended, or get an item, before others have their turn.
 *
 * @limit {} connections of a user that are ended, or get an item, in one turn of the event loop
 * @over the others in later turns
 */
export const ORDER_SLICE = 1_000;

/** What orders are carried out with. */
export interface OrdersDeps {
  readonly registry: ChannelRegistry;
  readonly clock: Clock;
  /** Channels of one connection, those of its target among them. */
  readonly connectionSubscriptionMax: number;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** Carries orders out. */
export class Orders {
  readonly #deps: OrdersDeps;

  constructor(deps: OrdersDeps) {
    this.#deps = deps;
  }

  /** Ends the connections of a user, but for those with one of these ids or Connection-Ids. */
  async disconnectUser(user: string, except: readonly string[], close: CloseOrder | undefined): Promise<OrderResult> {
    const spared = new Set(except);
    const isSpared = ({ id, session }: Subscriber) => spared.has(id) || (session !== undefined && spared.has(session));
    const all = this.#of({ user });
    const known = this.#known({ user }, all);
    const ended = all.filter((subscriber) => !isSpared(subscriber));
    const taken = await this.#each(ended, (subscriber) => {
      subscriber.disconnect(close);
      return true;
    });
    return { known, connections: ended.length, taken };
  }

  /**
   * Gives an item, as JSON, to a connection or those of a user, in order with what they get of their channels.
   * @throws GripError when it is none
   */
  async deliver(to: Recipient, item: object): Promise<OrderResult> {
    const { clock } = this.#deps;
    const direct = { ...parseItem({ ...item, channel: '' }), channel: DIRECT_CHANNEL };
    const delivery = new Delivery(direct, clock.monotonic());
    const all = this.#of(to);
    const known = this.#known(to, all);
    const taken = await this.#each(all, (subscriber) => subscriber.deliver(delivery));
    return { known, connections: all.length, taken };
  }

  /** Puts a connection on channels, by full names, or takes it off them; resolves when it gets what is published there. */
  async subscribe(id: string, channels: readonly string[], isOn: boolean): Promise<SubscribeResult> {
    const { registry, connectionSubscriptionMax } = this.#deps;
    const subscriber = registry.find(id);
    if (subscriber === undefined) return { known: this.#known({ id }, []) };
    const { subscriptions } = subscriber;
    if (subscriptions === undefined) return { known: 'here', refused: 'unfit' };
    if (isOn) {
      const after = new Set([...subscriber.view().channels, ...channels]);
      if (after.size > Math.max(connectionSubscriptionMax, subscriber.view().channels.length)) {
        return { known: 'here', refused: 'full' };
      }
      try {
        await subscriptions.join(channels);
      } catch (error) {
        // Of what the backplane has refused nothing would come.
        subscriptions.quit(channels);
        throw error;
      }
    } else subscriptions.quit(channels);
    return { known: 'here', channels: subscriber.view().channels };
  }

  #of(to: Recipient): Subscriber[] {
    const { registry } = this.#deps;
    if ('user' in to) return [...registry.users.of(to.user)];
    const subscriber = registry.find(to.id);
    return subscriber === undefined ? [] : [subscriber];
  }

  #known(of: Recipient, present: readonly Subscriber[]): Known {
    const { registry } = this.#deps;
    if (present.length > 0) return 'here';
    return ('user' in of ? registry.users.hasEnded(of.user) : registry.hasEnded(of.id)) ? 'ended' : 'never';
  }

  /** How many of each kind have taken it. A fault ends the connection that it came up with, and no other. */
  async #each(all: readonly Subscriber[], take: (subscriber: Subscriber) => boolean): Promise<OrderResult['taken']> {
    const { faults = uncontained } = this.#deps;
    const taken = zeroCounts();
    for (const [at, subscriber] of all.entries()) {
      if (at > 0 && at % ORDER_SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
      const count = () => {
        if (take(subscriber)) taken[subscriber.kind]++;
      };
      faults.run('delivery', count, subscriber);
    }
    return taken;
  }
}
