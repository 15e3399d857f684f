/**
 * Everything that is counted, as named events, and its exposition for Prometheus. Labels are drawn from bounded sets: never a
 * channel name, a path or a client. See series.ts for how they are exposed.
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
import type { CloseReason } from '../channels/close-reasons.js';
import type { Subscriber, SubscriberKind } from '../channels/subscriber.js';
import type { DropReason, SubscriberEvents } from '../channels/subscriber-deps.js';
import type { DeliveryEvents } from '../delivery/item-delivery.js';
import type { ReleaseCause } from '../delivery/sequencer.js';
import type { EdgeEvents } from '../edge/port.js';
import type { ReplayEvents } from '../history/replay.js';
import { ControlRequestCounts } from './control-requests.js';
import { redisCounts } from './redis-counts.js';
import { type CallbackCounts, callbackCounts } from './series/callback-counts.js';
import { ConfigLoads } from './series/config-loads.js';
import { eventCounts, type ObservedEventCounts } from './series/event-counts.js';
import { ItemTimes } from './series/item-times.js';
import { OriginTimes } from './series/origin-times.js';
import { QueueBytes } from './series/queue-bytes.js';
import { type MetricsSnapshot, type Rows, Series } from './series/series.js';
import { REQUEST_BUCKETS, Timings } from './series/timings.js';
import { Traffic } from './series/traffic.js';
import { XmppCounts } from './series/xmpp-counts.js';

/** Numbers that are asked for when they are scraped. */
export interface MetricSources {
  connections(): number;
  channels(): number;
  /** Holds and sessions open now, each once; they may change while they are walked over. */
  clients(): Iterable<Subscriber>;
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
  readonly #series: Series;
  readonly traffic: Traffic;
  readonly origins: OriginTimes;
  readonly items: ItemTimes;
  readonly configLoads: ConfigLoads;
  readonly events: ObservedEventCounts;
  readonly callbacks: CallbackCounts;
  readonly #requests = { gone: 0, '1xx': 0, '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, other: 0 };
  readonly #requestErrors;
  readonly #requestSeconds = new Timings(REQUEST_BUCKETS);
  readonly #holdsOpened = zeroCounts();
  readonly #holdsEnded = new Map<SubscriberKind, Map<CloseReason, number>>();
  readonly #holds = zeroCounts();
  readonly #itemsReceived = { all: 0 };
  readonly #itemsSent = zeroCounts();
  readonly #itemsDropped;
  readonly #published;
  readonly #unreceived;
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
    this.#series = new Series(prefix === '' ? 'holdfast_' : prefix);
    const series = this.#series;
    series.tally('requests_total', 'Client requests answered, by class of status.', 'status', this.#requests);
    this.#requestErrors = series.counter('request_errors_total', 'Client requests that failed, by error code.', 'code');
    series.histogram(
      'request_duration_seconds',
      'Time from a request head to the end of its answer, or to its hold.',
      undefined,
      () => [['', this.#requestSeconds]],
    );
    this.#countHolds();
    series.tally('items_received_total', 'Items that reached this node.', undefined, this.#itemsReceived);
    series.tally('items_sent_total', 'Items written to held clients.', 'kind', this.#itemsSent);
    this.#itemsDropped = series.counter(
      'items_dropped_total',
      'Items not written to a client, by reason.',
      'kind',
      'reason',
    );
    this.#itemsReplayed = series.counter(
      'items_replayed_total',
      'Items written to clients that had missed them.',
      'kind',
    );
    this.#replays = series.counter(
      'replays_total',
      'Clients that had missed items, or may have: by whether history knew.',
      'kind',
      'result',
    );
    this.#itemsHeld = series.counter('items_held_total', 'Items that came before the one they name, and waited.');
    this.#itemsReleased = series.counter('items_released_total', 'Items that waited and passed, by cause.', 'cause');
    this.#itemsAbandoned = series.counter('items_abandoned_total', 'Waiting items whose last subscriber left.');
    this.#gaps = series.counter(
      'gaps_total',
      'Gaps in channels: items that never reached this node, by reason.',
      'reason',
    );
    this.redis = redisCounts(series);
    this.#idsForgotten = series.counter('ids_forgotten_total', 'Item ids forgotten early, for want of room.');
    this.#published = series.counter('items_published_total', 'Items taken by the control API.');
    this.#unreceived = series.counter('items_unreceived_total', 'Items taken by the control API that reached nobody.');
    this.#publishRejected = series.counter('publish_rejected_total', 'Calls that the control API refused.', 'code');
    series.collected(
      'control_requests_total',
      'Requests of the control API and the admin listener that need a permission, by what, whose key and how they ended.',
      ['action', 'key', 'result'],
      () => this.#controlRequests.rows(),
    );
    this.#recovers = series.counter('recovers_total', 'Recover calls taken by the control API.');
    this.#connectionsRefused = series.counter(
      'connections_refused_total',
      'Client connections turned away: over client_maxconn, or for want of open files.',
    );
    this.#requestsRefused = series.counter('requests_malformed_total', 'Requests refused before routing.');
    this.#limited = series.counter(
      'limited_total',
      'Requests, messages and connections refused or cut by a limit, by the name of the limit.',
      'limit',
    );
    this.#workersEnded = series.counter('workers_ended_total', 'Workers that ended by themselves, by cause.', 'cause');
    series.tally(
      'faults_total',
      'Faults of Holdfast itself, each of which has ended one thing, by where.',
      'where',
      this.#faults,
    );
    this.traffic = new Traffic(series);
    this.origins = new OriginTimes(series);
    this.items = new ItemTimes(series);
    this.configLoads = new ConfigLoads(series);
    this.events = eventCounts(series);
    this.callbacks = callbackCounts(series);
    series.addDefaults();
  }

  /** Says where the gauges read; called once, when the parts exist. */
  observe(sources: MetricSources): void {
    this.#series.gauge('connections', 'Client connections open now.', sources.connections);
    this.#series.gauge('channels', 'Channels with subscribers on this node.', sources.channels);
    const queues = new QueueBytes(sources.clients);
    const sum = async () => (await queues.read()).sum;
    const max = async () => (await queues.read()).max;
    this.#series.gauge('queue_bytes', 'Bytes that wait for clients to take them.', sum);
    this.#series.gauge('queue_bytes_max', 'Bytes that wait for the client for whom most waits.', max, 'max');
  }

  /** Plain numbers, since thousands of holds begin at once after a start; a kind has series from its first hold on. */
  #countHolds(): void {
    const opened = () =>
      Object.entries(this.#holdsOpened).filter(([, count]) => count > 0) as [SubscriberKind, number][];
    this.#series.collected('holds_opened_total', 'Requests that became holds.', ['kind'], () =>
      opened().map(([kind, count]) => [{ kind }, count]),
    );
    this.#series.collected('holds_ended_total', 'Holds that ended, by reason.', ['kind', 'reason'], () =>
      [...this.#holdsEnded].flatMap(([kind, reasons]) =>
        [...reasons].map(([reason, count]) => [{ kind, reason }, count] as const),
      ),
    );
    this.#series.gauges('holds', 'Holds open now.', ['kind'], 'sum', () =>
      opened().map(([kind]) => [{ kind }, this.#holds[kind]]),
    );
  }

  requestEnded({ status, error, duration }: CountedRequest): void {
    this.#requests[CLASSES[Math.floor(status / 100)] ?? 'other']++;
    if (error !== undefined) this.#requestErrors.inc({ code: error });
    this.#requestSeconds.observe(duration);
  }

  subscriberOpened(kind: SubscriberKind): void {
    this.#holdsOpened[kind]++;
    this.#holds[kind]++;
  }

  subscriberEnded(kind: SubscriberKind, reason: CloseReason): void {
    this.#holds[kind]--;
    let reasons = this.#holdsEnded.get(kind);
    if (reasons === undefined) {
      reasons = new Map();
      this.#holdsEnded.set(kind, reasons);
    }
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
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

  publishEnded(result: ControlResult, ms: number): void {
    this.items.published(result, ms);
  }

  connectionOpened(): void {
    this.traffic.connectionOpened();
  }

  connectionClosed(): void {
    this.traffic.connectionClosed();
  }

  published(items: number): void {
    this.#published.inc(items);
  }

  unreceived(items: number): void {
    this.#unreceived.inc(items);
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
    this.#series.gauge('redis_away', '1 while Redis cannot be reached, or sends this node no messages; else 0.', () =>
      isAway() ? 1 : 0,
    );
  }

  /** Which paths past the interfaces of node and undici can be used; called once, by each process that serves clients. */
  observeFastPaths(known: () => ReadonlyMap<string, boolean>): void {
    // Of several processes: 0 if any of them falls back.
    this.#series.gauges(
      'fast_path',
      '1 where a path past the public interfaces of node or undici is in use, 0 where its slower fall-back is.',
      ['path'],
      'min',
      () => [...known()].map(([path, isActive]) => [{ path }, isActive ? 1 : 0] as const),
    );
  }

  /** What runs; called once, by the process that is the node's own. */
  observeBuild(labels: { readonly version: string; readonly edge: string; readonly node: string }): void {
    const help = '1, with the version of Holdfast, the edge of clients and the version of Node.js.';
    this.#series.gauges('build_info', help, ['version', 'edge', 'node'], 'max', () => [[labels, 1]]);
  }

  /** Until when certificates are valid, by name, in seconds since the epoch; called once, by the same. */
  observeCertificates(rows: () => Promise<Rows>): void {
    const help =
      'When the certificates of TLS listeners expire, in seconds since the epoch, by the name of their file.';
    this.#series.gauges('tls_certificate_not_after_seconds', help, ['name'], 'min', rows);
  }

  /** Counts XMPP stanzas; called at most once, by who has the component. */
  countXmpp(isOnline: () => boolean): XmppCounts {
    return new XmppCounts(this.#series, isOnline);
  }

  /** The number of workers that serve clients; called at most once, by who has any. */
  observeWorkers(read: () => number): void {
    this.#series.gauge('workers', 'Worker processes that serve clients now.', read);
  }

  /** Whether the node is draining; called at most once, by its control plane. */
  observeDraining(read: () => boolean): void {
    this.#series.gauge('draining', 'Whether the node lets its clients go: 1 from the signal, or POST /drain, on.', () =>
      Number(read()),
    );
  }

  /** All series as data, for another process. */
  snapshot(): Promise<MetricsSnapshot> {
    return this.#series.snapshot();
  }

  /** All series in Prometheus's text format. */
  expose(): Promise<string> {
    return this.#series.expose();
  }

  /** The media type of `expose`. */
  get contentType(): string {
    return this.#series.contentType;
  }
}
