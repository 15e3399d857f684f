/**
 * Who gets the events of a node: the metrics and the access log always, the directory of connections and the statistics only where
 * a ZeroMQ socket needs them.
 */
import { type Connections, type EventSink, noStats, StatsFeed, type StatsSink } from '@holdfast/control-api';
import type { SubscriptionWatch, UserWatch } from '../channels/registry.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEvents } from '../channels/subscriber-deps.js';
import type { Config } from '../config/config.js';
import type { OriginError } from '../errors.js';
import type { FailureContext } from '../origin/warnings.js';
import type { RequestEvents } from '../request/request-deps.js';
import { type Clock, realClock } from '../runtime/clock.js';
import type { SessionEvents } from '../sessions/session-deps.js';
import { outcomeOf } from '../tracing/request-traces.js';
import { AccessLog } from './access-log.js';
import { OpenConnections } from './connections.js';
import { ConnectionEvents } from './events/connection-events.js';
import { DropEvents } from './events/drop-events.js';
import { TargetEvents } from './events/target-events.js';
import { bothWatch, UserEvents } from './events/user-events.js';
import type { RootLog } from './log.js';
import type { Metrics } from './metrics.js';
import { Redaction } from './redaction.js';
import { Statistics } from './statistics.js';

/** The events of a node's parts, each passed to all that need it. */
export interface Telemetry {
  readonly requests: RequestEvents;
  readonly sessions: SessionEvents;
  readonly subscribers: SubscriberEvents;
  /** Undefined without a statistics socket. */
  readonly subscriptions: SubscriptionWatch | undefined;
  /** Undefined where nobody asks for users. */
  readonly users: UserWatch | undefined;
  readonly itemArrived: Statistics['itemArrived'] | undefined;
  /** Undefined where nobody is to know of it. */
  readonly targetFailed: ((context: FailureContext, error: OriginError) => void) | undefined;
  /** For the command socket; empty unless there is one. */
  readonly connections: Connections;
  /** The node closes all client connections next: requests that end because theirs is gone count as cut by it. */
  cutting(): void;
  /** Sends no more statistics. */
  close(): void;
}

/** What the node lends: who is subscribed, and where packets go. Both are used only once the node runs. */
export interface TelemetryDeps {
  readonly metrics: Metrics;
  readonly subscribersOf: (channel: string) => Iterable<Subscriber>;
  readonly sink: StatsSink;
  /** Where events for the customer go. Undefined: there are none. */
  readonly events?: EventSink | undefined;
  readonly clock: Clock;
}

/** Joins them. */
export function makeTelemetry(
  config: Config,
  log: RootLog,
  { metrics, subscribersOf, sink, events, clock }: TelemetryDeps,
): Telemetry {
  const access = makeAccessLog(config, log);
  const feed = makeFeed(config, sink);
  const statistics = feed && new Statistics(feed, config.messageBlockSize);
  const connections = new OpenConnections(subscribersOf, feed ?? noStats);
  const isAsked = feed !== undefined || config.commandSpec !== undefined;
  const wantsConnections = events?.wants('connection_opened') || events?.wants('connection_closed');
  const connectionEvents = wantsConnections ? new ConnectionEvents(events as EventSink, clock) : undefined;
  const users = events?.users && new UserEvents(events.users, clock, config.subscriptionLinger);
  const others = [
    ...(isAsked ? [connections] : []),
    ...(statistics === undefined ? [] : [statistics]),
    ...(connectionEvents === undefined ? [] : [connectionEvents]),
  ];
  const targets = events?.wants('target_down') ? new TargetEvents(events, clock) : undefined;
  const drops = events?.wants('item_dropped') ? new DropEvents(events, clock) : undefined;
  const counted = statistics?.over(metrics) ?? metrics;
  let isCutting = false;
  /** Only the node, which closes connections, knows whether a client has gone by itself. */
  const attributed = <End extends { readonly error: string | undefined }>(end: End): End =>
    isCutting && end.error === 'ERR_REQUEST_CLIENT_GONE' ? { ...end, error: 'ERR_REQUEST_SHUTDOWN' } : end;
  return {
    cutting: () => {
      isCutting = true;
    },
    requests: {
      requestEnded: (ended) => {
        const end = attributed(ended);
        end.request.trace?.end(...outcomeOf(end.status, end.error, end.hold));
        metrics.requestEnded(end);
        if (end.hold === undefined) metrics.traffic.relayed(end.bytes);
        access.request(end);
        for (const other of others) other.requestEnded(end);
      },
      holdEnded: (request, route, end, bytes) => {
        access.end(request, route, end, bytes);
        for (const other of others) other.holdEnded(request, route, end, bytes);
      },
    },
    sessions: {
      sessionOpened: (opened) => {
        const opening = attributed(opened);
        opening.request.trace?.end(...outcomeOf(opening.status, opening.error));
        metrics.requestEnded(opening);
        access.session(opening);
        for (const other of others) other.sessionOpened(opening);
      },
      sessionEnded: (request, route, end, connectionId) => {
        access.end(request, route, end);
        for (const other of others) other.sessionEnded(request, route, end, connectionId);
      },
    },
    subscribers: drops?.over(counted) ?? counted,
    subscriptions: statistics,
    users: bothWatch(users, connectionEvents),
    itemArrived: statistics && ((delivery) => statistics.itemArrived(delivery)),
    targetFailed: targets && ((context, error) => targets.failed(context, error)),
    connections,
    close: () => feed?.close(),
  };
}

function makeAccessLog(config: Config, log: RootLog): AccessLog {
  const { logLevel, logFrom, logUserAgent, logAccess, logSample, logFields, logRedact } = config;
  const effective = logLevel.parts.proxy ?? logLevel.level;
  const usual = log.child('proxy');
  const output = {
    info: (fields: object, message: string) => usual.info(fields, message),
    record: (fields: object) => log.record('proxy', fields),
    raw: (line: string) => log.raw(line),
  };
  return new AccessLog(output, {
    enabled: logAccess !== 'off' && (effective === 'info' || effective === 'debug'),
    namesChannels: effective === 'debug',
    form: logAccess === 'off' ? 'pushpin' : logAccess,
    logFrom,
    logUserAgent,
    sample: logSample,
    fields: logFields,
    redaction: new Redaction(logRedact),
  });
}

/** `from` is unique: one monitor may receive from several nodes of a host. */
function makeFeed(config: Config, sink: StatsSink): StatsFeed | undefined {
  if (config.statsSpec === undefined) return undefined;
  return new StatsFeed({ ...config, sink, clock: realClock, from: `holdfast_${process.pid}` });
}
