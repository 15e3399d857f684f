/**
 * Everything that is counted, as named events, and its exposition for Prometheus. Labels are drawn from bounded sets: never a
 * channel name, a path or a client. The only importer of prom-client.
 */
import {
  type ControlResult,
  type FaultEvents,
  type FaultPlace,
  faultPlaces,
  type GapReason,
  type IdCacheEvents,
  type PublishEvents,
  type RedisEvents,
} from '@holdfast/control-api';
import { zeroCounts } from '@holdfast/grip';
import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { CloseReason } from '../channels/close-reasons.js';
import type { SubscriberKind } from '../channels/subscriber.js';
import type { DropReason, SubscriberEvents } from '../channels/subscriber-deps.js';
import type { DeliveryEvents } from '../delivery/item-delivery.js';
import type { ReleaseCause } from '../delivery/sequencer.js';
import type { EdgeEvents } from '../edge/port.js';
import type { ReplayEvents } from '../history/replay.js';
import { ControlRequestCounts } from './control-requests.js';
import { redisCounts } from './redis-counts.js';

/** The series of one process, or of several together, at one moment: plain data. */
export type MetricsSnapshot = readonly { readonly name: string; readonly type: string }[];

/** Adds series of the same name and labels up, each as is right for it. */
export function addSnapshots(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  return AggregatorRegistry.aggregate(
    snapshots as object[],
  ).getMetricsAsJSON() as Promise<unknown> as Promise<MetricsSnapshot>;
}

/** The sum of snapshots in Prometheus's text format. */
export function exposeSnapshots(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate(snapshots as object[]).metrics();
}

/** Numbers that are asked for when they are scraped. */
export interface MetricSources {
  connections(): number;
  channels(): number;
}

/** One request that is over, in the terms that are counted. */
export interface CountedRequest {
  readonly status: number;
  /** An error's stable code, or undefined. */
  readonly error: string | undefined;
  /** In ms. */
  readonly duration: number;
}

/** Classes of status by its first digit; 0 is for clients that went away before an answer. */
const CLASSES = ['gone', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;

/** The counters of one process. */
export class Metrics
  implements SubscriberEvents, DeliveryEvents, IdCacheEvents, PublishEvents, EdgeEvents, ReplayEvents, FaultEvents
{
  readonly #registry = new Registry();
  readonly #prefix: string;
  readonly #requests = { gone: 0, '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, other: 0 };
  readonly #requestErrors;
  readonly #requestSeconds;
  readonly #holdsOpened;
  readonly #holdsEnded;
  readonly #holds;
  readonly #itemsReceived = { all: 0 };
  readonly #itemsSent = zeroCounts();
  readonly #itemsDropped;
  readonly #published;
  readonly #itemsReplayed;
  readonly #replays;
  readonly #itemsHeld;
  readonly #itemsReleased;
  readonly #itemsAbandoned;
  readonly #gaps;
  /** What the Redis backplane counts. */
  readonly redis: RedisEvents;
  readonly #idsForgotten;
  readonly #publishRejected;
  readonly #recovers;
  readonly #controlRequests = new ControlRequestCounts();
  readonly #connectionsRefused;
  readonly #requestsRefused;
  readonly #limited;
  readonly #workersEnded;
  readonly #faults = Object.fromEntries(faultPlaces.map((place) => [place, 0])) as Record<FaultPlace, number>;

  /** `prefix` goes before every name (`prometheus_prefix`). */
  constructor(prefix: string) {
    this.#prefix = prefix === '' ? 'holdfast_' : prefix;
    this.#tally('requests_total', 'Client requests answered, by class of status.', 'status', this.#requests);
    this.#requestErrors = this.#counter('request_errors_total', 'Client requests that failed, by error code.', 'code');
    this.#requestSeconds = new Histogram({
      name: `${this.#prefix}request_duration_seconds`,
      help: 'Time from a request head to the end of its answer, or to its hold.',
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers: [this.#registry],
    });
    this.#holdsOpened = this.#counter('holds_opened_total', 'Requests that became holds.', 'kind');
    this.#holdsEnded = this.#counter('holds_ended_total', 'Holds that ended, by reason.', 'kind', 'reason');
    this.#holds = new Gauge({
      name: `${this.#prefix}holds`,
      help: 'Holds open now.',
      labelNames: ['kind'],
      registers: [this.#registry],
    });
    this.#tally('items_received_total', 'Items that reached this node.', undefined, this.#itemsReceived);
    this.#tally('items_sent_total', 'Items written to held clients.', 'kind', this.#itemsSent);
    this.#itemsDropped = this.#counter(
      'items_dropped_total',
      'Items not written to a client, by reason.',
      'kind',
      'reason',
    );
    this.#itemsReplayed = this.#counter(
      'items_replayed_total',
      'Items written to clients that had missed them.',
      'kind',
    );
    this.#replays = this.#counter(
      'replays_total',
      'Clients that had missed items, or may have: by whether history knew.',
      'kind',
      'result',
    );
    this.#itemsHeld = this.#counter('items_held_total', 'Items that came before the one they name, and waited.');
    this.#itemsReleased = this.#counter('items_released_total', 'Items that waited and passed, by cause.', 'cause');
    this.#itemsAbandoned = this.#counter('items_abandoned_total', 'Waiting items whose last subscriber left.');
    this.#gaps = this.#counter(
      'gaps_total',
      'Gaps in channels: items that never reached this node, by reason.',
      'reason',
    );
    this.redis = redisCounts((name, help, ...labels) => this.#counter(name, help, ...labels));
    this.#idsForgotten = this.#counter('ids_forgotten_total', 'Item ids forgotten early, for want of room.');
    this.#published = this.#counter('items_published_total', 'Items taken by the control API.');
    this.#publishRejected = this.#counter('publish_rejected_total', 'Calls that the control API refused.', 'code');
    this.#collected(
      'control_requests_total',
      'Requests of the control API and the admin listener that need a permission, by what, whose key and how they ended.',
      ['action', 'key', 'result'],
      () => this.#controlRequests.rows(),
    );
    this.#recovers = this.#counter('recovers_total', 'Recover calls taken by the control API.');
    this.#connectionsRefused = this.#counter(
      'connections_refused_total',
      'Client connections turned away: over client_maxconn, or for want of open files.',
    );
    this.#requestsRefused = this.#counter('requests_malformed_total', 'Requests refused before routing.');
    this.#limited = this.#counter(
      'limited_total',
      'Requests, messages and connections refused or cut by a limit, by the name of the limit.',
      'limit',
    );
    this.#workersEnded = this.#counter('workers_ended_total', 'Workers that ended by themselves, by cause.', 'cause');
    this.#tally(
      'faults_total',
      'Faults of Holdfast itself, each of which has ended one thing, by where.',
      'where',
      this.#faults,
    );
    collectDefaultMetrics({ register: this.#registry, prefix: this.#prefix });
  }

  /** Says where the gauges read; called once, when the parts exist. */
  observe(sources: MetricSources): void {
    this.#gauge('connections', 'Client connections open now.', sources.connections);
    this.#gauge('channels', 'Channels with subscribers on this node.', sources.channels);
  }

  requestEnded({ status, error, duration }: CountedRequest): void {
    this.#requests[CLASSES[Math.floor(status / 100)] ?? 'other']++;
    if (error !== undefined) this.#requestErrors.inc({ code: error });
    this.#requestSeconds.observe(duration / 1_000);
  }

  subscriberOpened(kind: SubscriberKind): void {
    this.#holdsOpened.inc({ kind });
    this.#holds.inc({ kind });
  }

  subscriberEnded(kind: SubscriberKind, reason: CloseReason): void {
    this.#holdsEnded.inc({ kind, reason });
    this.#holds.dec({ kind });
  }

  itemSent(kind: SubscriberKind): void {
    this.#itemsSent[kind]++;
  }

  itemDropped(kind: SubscriberKind, reason: DropReason): void {
    this.#itemsDropped.inc({ kind, reason });
  }

  itemReplayed(kind: SubscriberKind): void {
    this.#itemsReplayed.inc({ kind });
  }

  replayEnded(kind: SubscriberKind, complete: boolean): void {
    this.#replays.inc({ kind, result: complete ? 'complete' : 'incomplete' });
  }

  itemHeld(): void {
    this.#itemsHeld.inc();
  }

  itemReleased(cause: ReleaseCause): void {
    this.#itemsReleased.inc({ cause });
  }

  itemsAbandoned(count: number): void {
    this.#itemsAbandoned.inc(count);
  }

  idsForgotten(count: number): void {
    this.#idsForgotten.inc(count);
  }

  itemsLost(reason: GapReason): void {
    this.#gaps.inc({ reason });
  }

  itemDelivered(): void {
    this.#itemsReceived.all++;
  }

  published(items: number): void {
    this.#published.inc(items);
  }

  recovered(): void {
    this.#recovers.inc();
  }

  rejected(code: string): void {
    this.#publishRejected.inc({ code });
  }

  requested(action: string, key: string, result: ControlResult): void {
    this.#controlRequests.add(action, key, result);
  }

  faultCaught(where: FaultPlace): void {
    this.#faults[where]++;
  }

  connectionRefused(): void {
    this.#connectionsRefused.inc();
    this.limited('client_maxconn');
  }

  descriptorsShort(): void {
    this.#connectionsRefused.inc();
    this.limited('open_files');
  }

  proxyRefused(): void {
    this.#connectionsRefused.inc();
  }

  requestRefused(): void {
    this.#requestsRefused.inc();
  }

  /** A limit has refused or cut something; `limit` is its name in the option table, or that of a limit of the system. */
  limited(limit: string): void {
    this.#limited.inc({ limit });
  }

  writeTimedOut(): void {
    this.limited('write_timeout');
  }

  /** A worker process ended by itself: the signal's name, or `exit`. */
  workerEnded(cause: string): void {
    this.#workersEnded.inc({ cause });
  }

  /** Whether Redis is away; never, where there is none. Called once, by the control plane. */
  observeRedis(isAway: () => boolean): void {
    this.#gauge('redis_away', '1 while Redis cannot be reached, or sends this node no messages; else 0.', () =>
      isAway() ? 1 : 0,
    );
  }

  /** Which paths past the interfaces of node and undici can be used; called once, by each process that serves clients. */
  observeFastPaths(known: () => ReadonlyMap<string, boolean>): void {
    new Gauge({
      name: `${this.#prefix}fast_path`,
      help: '1 where a path past the public interfaces of node or undici is in use, 0 where its slower fall-back is.',
      labelNames: ['path'],
      registers: [this.#registry],
      // Of several processes: 0 if any of them falls back.
      aggregator: 'min',
      collect() {
        for (const [path, isActive] of known()) this.set({ path }, isActive ? 1 : 0);
      },
    });
  }

  /** The number of workers that serve clients; called at most once, by who has any. */
  observeWorkers(read: () => number): void {
    this.#gauge('workers', 'Worker processes that serve clients now.', read);
  }

  /** Whether the node is draining; called at most once, by its control plane. */
  observeDraining(read: () => boolean): void {
    this.#gauge('draining', 'Whether the node lets its clients go: 1 from the signal to its end.', () =>
      Number(read()),
    );
  }

  /** All series as data, for another process. */
  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON() as Promise<unknown> as Promise<MetricsSnapshot>;
  }

  /** All series in Prometheus's text format. */
  expose(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The media type of `expose`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  #counter<L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> {
    return new Counter({ name: `${this.#prefix}${name}`, help, labelNames, registers: [this.#registry] });
  }

  /** A counter of a hot path: plain numbers, by label value, that prom-client is given only when it is scraped. */
  #tally(name: string, help: string, label: string | undefined, counts: Readonly<Record<string, number>>): void {
    const labelsOf = (value: string) => (label === undefined ? {} : { [label]: value });
    this.#collected(name, help, label === undefined ? [] : [label], () =>
      Object.entries(counts).map(([value, count]) => [labelsOf(value), count]),
    );
  }

  #collected(
    name: string,
    help: string,
    labelNames: string[],
    rows: () => Iterable<readonly [labels: Readonly<Record<string, string>>, count: number]>,
  ): void {
    new Counter({
      name: `${this.#prefix}${name}`,
      help,
      labelNames,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [labels, count] of rows()) this.inc(labels, count);
      },
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: `${this.#prefix}${name}`,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }
}
