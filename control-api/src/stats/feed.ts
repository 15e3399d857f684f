/** The statistics feed: what a node reports to monitoring tools and brokers on its PUB socket. */
import type { FormatName, PacketFormat, SubscriberKind } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';
import { type ConnectionSettings, ConnectionStats, type StatsConnection, SubscriptionStats } from './announcements.js';
import { type Emit, emitterTo, type StatsSink } from './packet.js';
import { ActivityStats, type ReportCount, RouteReports } from './report.js';

/** An item as one kind of subscriber received it. */
export interface StatsDelivery {
  readonly channel: string;
  /** As published; undefined if the publisher gave none. */
  readonly itemId: string | undefined;
  readonly transport: FormatName;
  readonly receivers: number;
  /** Only where blocks are configured. */
  readonly blocks?: number;
}

/**
 * What a node reports. Routes are explicit ids, empty for none. Calls are cheap, keep no reference, and never throw.
 */
export interface StatsEvents {
  /** A client's request or handshake arrived: one activity. Its repetition at the origin is `active` alone. */
  requested(route: string): void;
  /** Other activity: repeated requests, keep-alives, each minute in which a WebSocket was used. */
  active(route: string, count?: number): void;
  /** A connection is there. A held request stays the same connection while it is repeated. */
  connected(connection: StatsConnection): void;
  /** It has gone. */
  disconnected(id: string): void;
  /** How many subscribers of this kind the channel has now; 0 once its subscription has ended, lingering included. */
  subscribers(kind: SubscriberKind, channel: string, count: number): void;
  /** An item has been handed to its subscribers of one kind. */
  delivered(delivery: StatsDelivery): void;
  /** Adds to the report of a route; items received belong to the empty one. */
  counted(route: string, counts: Partial<Record<ReportCount, number>>): void;
}

/** Reports nothing: for nodes without a statistics socket. */
export const noStats: StatsEvents = {
  requested() {},
  active() {},
  connected() {},
  disconnected() {},
  subscribers() {},
  delivered() {},
  counted() {},
};

/** What a {@link StatsFeed} is made of. Times are in ms. */
export interface StatsFeedOptions extends ConnectionSettings {
  readonly sink: StatsSink;
  readonly clock: Clock;
  /** Name of this instance, unique among those that one monitor receives from. */
  readonly from: string;
  readonly statsFormat: PacketFormat;
  readonly statsSubscriptionTtl: number;
  readonly statsReportInterval: number;
}

/** Sends every packet type of Pushpin. */
export class StatsFeed implements StatsEvents {
  readonly #emit: Emit;
  readonly #activity: ActivityStats;
  readonly #reports: RouteReports;
  readonly #connections: ConnectionStats;
  readonly #subscriptions: SubscriptionStats;

  constructor(options: StatsFeedOptions) {
    const { sink, clock, from, statsFormat } = options;
    this.#emit = emitterTo(sink, from, statsFormat);
    this.#activity = new ActivityStats(clock, this.#emit);
    this.#reports = new RouteReports(clock, options.statsReportInterval, this.#emit);
    this.#connections = new ConnectionStats(clock, options, this.#reports, this.#emit);
    this.#subscriptions = new SubscriptionStats(clock, options.statsSubscriptionTtl, this.#emit);
  }

  requested(route: string): void {
    this.#activity.request();
    this.#activity.add(route, 1);
  }

  active(route: string, count = 1): void {
    this.#activity.add(route, count);
  }

  connected(connection: StatsConnection): void {
    this.#connections.add(connection);
  }

  disconnected(id: string): void {
    this.#connections.remove(id);
  }

  subscribers(kind: SubscriberKind, channel: string, count: number): void {
    this.#subscriptions.set(kind, channel, count);
  }

  delivered({ channel, itemId, transport, receivers: count, blocks }: StatsDelivery): void {
    if (count > 0) this.#emit('message', { channel, 'item-id': itemId, count, blocks, transport });
  }

  counted(route: string, counts: Partial<Record<ReportCount, number>>): void {
    this.#reports.add(route, counts);
  }

  /** Sends nothing more. Announcements end by their time to live. */
  close(): void {
    for (const part of [this.#activity, this.#reports, this.#connections, this.#subscriptions]) part.close();
  }
}
