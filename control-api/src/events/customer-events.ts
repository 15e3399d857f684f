/** The events of a node: from what happens on it and in its system to what is sent. One for each node, in its primary process. */
import { ChannelPatterns } from '../auth/channel-patterns.js';
import type { Gap } from '../backplane/backplane.js';
import type { InterestFollower } from '../backplane/hub.js';
import type { Occupancy, OccupancyCounts, OccupancyEdge } from '../occupancy/occupancy.js';
import type { Clock } from '../runtime/clock.js';
import type { CustomerEvent, EventSink, EventType } from './event.js';

/**
 * Milliseconds for which the end of a node sends what waits.
 *
 * @limit {s} for which a node that ends sends its events
 * @over what is left is dropped, counted and logged
 */
export const LAST_EVENTS_MS = 3_000;

/** Where events wait to be sent. */
export interface EventOutbox {
  offer(event: CustomerEvent): void;
  close(withinMs: number): Promise<void>;
}

/** What {@link CustomerEvents} are made of. */
export interface CustomerEventsOptions {
  /** Those that are sent. */
  readonly types: readonly EventType[];
  /** Patterns of the channels whose events are sent; all, where there are none. */
  readonly channels: readonly string[];
  /** Id of this node, as in `GET /nodes`. */
  readonly node: string;
  readonly outbox: EventOutbox;
  /** Count over all nodes; they are started and closed here. Used only where their events are sent. */
  readonly channelCounts: Occupancy;
  readonly userCounts: Occupancy;
  readonly clock: Clock;
}

/** Interest of clients in channels, users, gaps and what data planes report become events. */
export class CustomerEvents implements EventSink, InterestFollower {
  readonly #options: CustomerEventsOptions;
  readonly #types: ReadonlySet<EventType>;
  readonly #patterns: ChannelPatterns;
  readonly #countsChannels: boolean;
  readonly #countsUsers: boolean;

  constructor(options: CustomerEventsOptions) {
    const { types, channels } = options;
    this.#options = options;
    this.#types = new Set(types);
    this.#patterns = new ChannelPatterns(channels.length === 0 ? ['*'] : channels);
    this.#countsChannels = this.wants('channel_occupied') || this.wants('channel_vacated');
    this.#countsUsers = this.wants('user_online') || this.wants('user_offline');
  }

  /** To be called once, when the backplane has started. */
  start(): void {
    const { channelCounts, userCounts } = this.#options;
    if (this.#countsChannels) {
      channelCounts.start({
        onEdges: (edges) => this.#edges(edges, 'channel_occupied', 'channel_vacated', 'channel'),
      });
    }
    if (this.#countsUsers) {
      userCounts.start({ onEdges: (edges) => this.#edges(edges, 'user_online', 'user_offline', 'user') });
    }
  }

  wants(type: EventType): boolean {
    return this.#types.has(type);
  }

  /** Clients of this node are on a channel, or linger on it. */
  subscribed(channel: string): void {
    if (this.#countsChannels && this.#patterns.has(channel)) this.#options.channelCounts.enter(channel, '');
  }

  unsubscribed(channel: string): void {
    if (this.#countsChannels && this.#patterns.has(channel)) this.#options.channelCounts.leave(channel, '');
  }

  get users(): OccupancyCounts | undefined {
    return this.#countsUsers ? this.#options.userCounts : undefined;
  }

  /** Items of a channel never reach this node. */
  gap({ channel, reason, after, until }: Gap): void {
    this.report({ type: 'gap', channel, reason, after, until, time: this.#now() });
  }

  /** Takes what a data plane has noticed. */
  report(event: CustomerEvent): void {
    if (!this.wants(event.type)) return;
    const { channel, channels } = event;
    if (channel !== undefined && !this.#patterns.has(channel)) return;
    // Connections have events whatever channels they are on; others than are asked for are not named.
    const named = Array.isArray(channels) && { channels: channels.filter((name) => this.#patterns.has(name)) };
    this.#options.outbox.offer({ ...event, ...named, node: this.#options.node });
  }

  /** Counts no more, and sends what waits, for {@link LAST_EVENTS_MS} at most. Never rejects. */
  async close(): Promise<void> {
    const { channelCounts, userCounts, outbox } = this.#options;
    await Promise.allSettled([
      this.#countsChannels ? channelCounts.close() : undefined,
      this.#countsUsers ? userCounts.close() : undefined,
    ]);
    await outbox.close(LAST_EVENTS_MS);
  }

  #edges(edges: readonly OccupancyEdge[], came: EventType, went: EventType, member: 'channel' | 'user'): void {
    const { outbox, node } = this.#options;
    const time = this.#now();
    for (const { group, occupied, seq } of edges) {
      const type = occupied ? came : went;
      if (this.wants(type)) outbox.offer({ type, [member]: group, seq, time, node });
    }
  }

  #now(): string {
    return new Date(this.#options.clock.wall()).toISOString();
  }
}
