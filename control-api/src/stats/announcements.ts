/** `conn`, `conn-max` and `sub`: what there is on this node, announced again before each announcement expires. */
import type { SubscriberKind } from '@holdfast/grip';
import type { Clock } from '../runtime/clock.js';
import type { Emit } from './packet.js';
import type { RouteReports } from './report.js';
import { Batch, REFRESH_SHARE, RefreshQueue } from './schedule.js';

/** A client connection as the feed shows it. */
export interface StatsConnection {
  /** Unique, and the id that the command socket's conncheck takes. Connection-Id for WebSockets. */
  readonly id: string;
  readonly type: 'http' | 'ws';
  /** Explicit id of the route; empty if it has none. */
  readonly route: string;
  readonly peerAddress?: string;
  readonly ssl: boolean;
}

const MINUTE_MS = 60_000;

/** How connections are announced. Times are in ms. */
export interface ConnectionSettings {
  /** False: the number of connections per route (`conn-max`) instead of each (`conn`). */
  readonly statsConnectionSend: boolean;
  readonly statsConnectionTtl: number;
  readonly statsConnectionsMaxTtl: number;
}

interface RouteMax {
  now: number;
  /** Highest since the last packet. */
  max: number;
  /** Of the last packet. */
  sent: number;
}

/** The connections of this node. Every begun minute of each counts in its route's report. */
export class ConnectionStats {
  readonly #settings: ConnectionSettings;
  readonly #emit: Emit;
  readonly #reports: RouteReports;
  readonly #connections = new Map<string, StatsConnection>();
  readonly #routes = new Map<string, RouteMax>();
  readonly #changed = new Set<string>();
  readonly #minutes: RefreshQueue;
  readonly #refresh: RefreshQueue;
  readonly #refreshMax: RefreshQueue;
  readonly #batch: Batch;

  constructor(clock: Clock, settings: ConnectionSettings, reports: RouteReports, emit: Emit) {
    this.#settings = settings;
    this.#emit = emit;
    this.#reports = reports;
    this.#minutes = new RefreshQueue(clock, MINUTE_MS, (id) => this.#minute(id));
    this.#refresh = new RefreshQueue(clock, settings.statsConnectionTtl * REFRESH_SHARE, (id) => this.#announce(id));
    this.#refreshMax = new RefreshQueue(clock, settings.statsConnectionsMaxTtl * REFRESH_SHARE, (route) =>
      this.#sendMax(route),
    );
    this.#batch = new Batch(clock, () => {
      for (const route of this.#changed) this.#sendMax(route);
      this.#changed.clear();
    });
  }

  /** A connection is there; one that is known already is only announced again. */
  add(connection: StatsConnection): void {
    const { id, route } = connection;
    const known = this.#connections.has(id);
    this.#connections.set(id, connection);
    if (!known) {
      this.#reports.connections(route, 1);
      this.#reports.minute(route);
      this.#minutes.touch(id);
      if (!this.#settings.statsConnectionSend) this.#count(route, 1);
    }
    if (!this.#settings.statsConnectionSend) return;
    this.#refresh.touch(id);
    this.#announce(id);
  }

  /** A connection has gone. Unknown ones are ignored. */
  remove(id: string): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    const { route } = connection;
    this.#connections.delete(id);
    this.#minutes.delete(id);
    this.#refresh.delete(id);
    this.#reports.connections(route, -1);
    if (this.#settings.statsConnectionSend) this.#emit('conn', { id, route, unavailable: true });
    else this.#count(route, -1);
  }

  /** Sends nothing more. */
  close(): void {
    for (const part of [this.#minutes, this.#refresh, this.#refreshMax, this.#batch]) part.close();
  }

  #minute(id: string): void {
    const route = this.#connections.get(id)?.route;
    if (route !== undefined) this.#reports.minute(route);
  }

  #announce(id: string): void {
    const connection = this.#connections.get(id);
    if (connection === undefined) return;
    const { type, route, peerAddress, ssl } = connection;
    this.#emit('conn', {
      id,
      type,
      route,
      'peer-address': peerAddress,
      ssl: ssl || undefined,
      ttl: Math.round(this.#settings.statsConnectionTtl / 1000),
    });
  }

  #count(route: string, change: 1 | -1): void {
    const state = this.#routes.get(route) ?? { now: 0, max: 0, sent: 0 };
    this.#routes.set(route, state);
    state.now += change;
    state.max = Math.max(state.max, state.now);
    if (state.max === state.sent) return;
    this.#changed.add(route);
    this.#batch.arm();
  }

  /** A fall is announced at the next refresh only: the highest count is what matters. */
  #sendMax(route: string): void {
    const state = this.#routes.get(route);
    if (state === undefined) return;
    const { max } = state;
    this.#emit('conn-max', { route, max, ttl: Math.round(this.#settings.statsConnectionsMaxTtl / 1000) });
    state.sent = max;
    state.max = state.now;
    if (max > 0) {
      this.#refreshMax.touch(route);
    } else {
      this.#refreshMax.delete(route);
      this.#routes.delete(route);
    }
  }
}

interface Subscription {
  readonly mode: SubscriberKind;
  readonly channel: string;
  count: number;
}

/** The subscriptions of this node: the first and the last are announced at once, other changes of the count in batches. */
export class SubscriptionStats {
  readonly #ttlMs: number;
  readonly #emit: Emit;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #changed = new Set<string>();
  readonly #refresh: RefreshQueue;
  readonly #batch: Batch;

  /** `ttlMs` is the life time of an announcement. */
  constructor(clock: Clock, ttlMs: number, emit: Emit) {
    this.#ttlMs = ttlMs;
    this.#emit = emit;
    this.#refresh = new RefreshQueue(clock, ttlMs * REFRESH_SHARE, (key) => this.#announce(key));
    this.#batch = new Batch(clock, () => {
      for (const key of this.#changed) this.#announce(key);
      this.#changed.clear();
    });
  }

  /** Sets how many subscribers of a kind a channel has. 0 takes the subscription off. */
  set(mode: SubscriberKind, channel: string, count: number): void {
    const key = `${mode} ${channel}`;
    const known = this.#subscriptions.get(key);
    if (count === 0) {
      if (known !== undefined) this.#end(key, known);
      return;
    }
    if (known === undefined) {
      this.#subscriptions.set(key, { mode, channel, count });
      this.#announce(key);
    } else if (known.count !== count) {
      known.count = count;
      this.#changed.add(key);
      this.#batch.arm();
    }
  }

  /** Sends nothing more. */
  close(): void {
    this.#refresh.close();
    this.#batch.close();
  }

  #end(key: string, { mode, channel }: Subscription): void {
    this.#subscriptions.delete(key);
    this.#changed.delete(key);
    this.#refresh.delete(key);
    this.#emit('sub', { mode, channel, unavailable: true });
  }

  #announce(key: string): void {
    const subscription = this.#subscriptions.get(key);
    if (subscription === undefined) return;
    const { mode, channel, count } = subscription;
    this.#refresh.touch(key);
    this.#emit('sub', { mode, channel, subscribers: count, ttl: Math.round(this.#ttlMs / 1000) });
  }
}
