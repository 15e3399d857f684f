/** What is counted: `report`, `activity` and `counts`, for each route. */
import type { Clock } from '../runtime/clock.js';
import type { Emit } from './packet.js';
import { Batch } from './schedule.js';

/** What is counted by the callers of the feed; the names are those in the packet. */
export const reportCounts = [
  'received',
  'sent',
  'http-response-sent',
  'client-header-bytes-received',
  'client-header-bytes-sent',
  'server-header-bytes-received',
  'server-header-bytes-sent',
  'client-content-bytes-received',
  'client-content-bytes-sent',
  'server-content-bytes-received',
  'server-content-bytes-sent',
  'client-messages-received',
  'client-messages-sent',
  'server-messages-received',
  'server-messages-sent',
  'blocks-received',
  'blocks-sent',
] as const;

/** One of {@link reportCounts}. */
export type ReportCount = (typeof reportCounts)[number];

/** Counted only where blocks are configured; absent otherwise. */
const optional: ReadonlySet<ReportCount> = new Set(['blocks-received', 'blocks-sent']);

interface RouteReport {
  /** When the counts began, in ms. */
  since: number;
  readonly counts: Map<ReportCount, number>;
  minutes: number;
  connections: number;
  connectionsMax: number;
  /** Nothing had happened when it was last sent. */
  idle: boolean;
}

/** Sends a report per route and interval, and a last one of zeros when a route falls silent. */
export class RouteReports {
  readonly #clock: Clock;
  readonly #interval: number;
  readonly #emit: Emit;
  readonly #routes = new Map<string, RouteReport>();
  #timer: unknown;

  constructor(clock: Clock, interval: number, emit: Emit) {
    this.#clock = clock;
    this.#interval = interval;
    this.#emit = emit;
    this.#arm();
  }

  /** Adds to counts of a route; the empty name is all that belongs to no route, such as items received. */
  add(route: string, counts: Partial<Record<ReportCount, number>>): void {
    const report = this.#route(route);
    for (const [name, count] of Object.entries(counts) as [ReportCount, number][]) {
      if (count > 0) report.counts.set(name, (report.counts.get(name) ?? 0) + count);
    }
  }

  /** A connection came (1) or went (-1). */
  connections(route: string, change: 1 | -1): void {
    const report = this.#route(route);
    report.connections += change;
    report.connectionsMax = Math.max(report.connectionsMax, report.connections);
  }

  /** A connection has begun another minute. */
  minute(route: string): void {
    this.#route(route).minutes++;
  }

  /** Sends nothing more. */
  close(): void {
    this.#clock.clear(this.#timer);
    this.#routes.clear();
  }

  #route(name: string): RouteReport {
    let report = this.#routes.get(name);
    if (report === undefined) {
      const since = this.#clock.monotonic();
      report = { since, counts: new Map(), minutes: 0, connections: 0, connectionsMax: 0, idle: false };
      this.#routes.set(name, report);
    }
    return report;
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#interval, () => {
      this.#arm();
      for (const [route, report] of this.#routes) this.#send(route, report);
    });
  }

  #send(route: string, report: RouteReport): void {
    const idle = report.counts.size === 0 && report.minutes === 0 && report.connectionsMax === 0;
    if (idle && report.idle) {
      this.#routes.delete(route);
      return;
    }
    const now = this.#clock.monotonic();
    const { counts, minutes, connectionsMax: connections, since } = report;
    const all = reportCounts.map((name) => [name, counts.get(name) ?? (optional.has(name) ? undefined : 0)]);
    this.#emit('report', { ...Object.fromEntries(all), route, connections, minutes, duration: now - since });
    counts.clear();
    Object.assign(report, { since: now, minutes: 0, connectionsMax: report.connections, idle });
  }
}

/** Sums activity per route, and requests over all. */
export class ActivityStats {
  readonly #emit: Emit;
  readonly #routes = new Map<string, number>();
  readonly #batch: Batch;
  #requests = 0;

  constructor(clock: Clock, emit: Emit) {
    this.#emit = emit;
    this.#batch = new Batch(clock, () => this.#send());
  }

  /** Activity on a route, the empty one included. */
  add(route: string, count: number): void {
    this.#routes.set(route, (this.#routes.get(route) ?? 0) + count);
    this.#batch.arm();
  }

  /** A client's request. */
  request(): void {
    this.#requests++;
    this.#batch.arm();
  }

  /** Sends nothing more. */
  close(): void {
    this.#batch.close();
  }

  #send(): void {
    for (const [route, count] of this.#routes) this.#emit('activity', { route, count });
    this.#routes.clear();
    if (this.#requests > 0) this.#emit('counts', { 'requests-received': this.#requests });
    this.#requests = 0;
  }
}
