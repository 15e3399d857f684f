/** The channels of one stream, as an operator may change them. */
import { memberOf } from '../channels/presence.js';
import type { ChannelRegistry } from '../channels/registry.js';
import type { ChangeableChannels, Subscriber } from '../channels/subscriber.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { Route } from '../routes/route.js';
import type { StreamReplay } from './hold-replay.js';

/** What the channels of a stream depend on. */
type StreamRoute = Pick<Route, 'prefix'> & Partial<Pick<Route, 'presence'>>;

/** Made for one change. */
export class StreamChannels implements ChangeableChannels {
  readonly #stream: Subscriber;
  readonly #route: StreamRoute;
  readonly #list: SubscriptionList;
  readonly #replay: Pick<StreamReplay, 'follow'> | undefined;
  readonly #registry: ChannelRegistry;

  /** `list` is the stream's own; `replay` is undefined where no history serves it. */
  constructor(
    stream: Subscriber,
    route: StreamRoute,
    list: SubscriptionList,
    replay: Pick<StreamReplay, 'follow'> | undefined,
    registry: ChannelRegistry,
  ) {
    this.#stream = stream;
    this.#route = route;
    this.#list = list;
    this.#replay = replay;
    this.#registry = registry;
  }

  join(channels: readonly string[]): Promise<void> | undefined {
    const { prefix } = this.#route;
    const added = channels.filter((channel) => !this.#list.has(channel));
    for (const channel of added) {
      const name = channel.startsWith(prefix) ? channel.slice(prefix.length) : channel;
      this.#list.set(channel, { name, filters: [] });
    }
    const live = this.#registry.add(this.#stream, added, undefined, memberOf(this.#route, this.#list.meta));
    this.#replay?.follow(this.#list);
    return live;
  }

  quit(channels: readonly string[]): void {
    const left = channels.filter((channel) => this.#list.delete(channel));
    this.#registry.remove(this.#stream, left);
    this.#replay?.follow(this.#list, { channels: left });
  }
}
