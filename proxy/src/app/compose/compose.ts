/** The composition of a data plane: its parts, made of the configuration and joined, but for those of the request path. */
import {
  type Backplane,
  type Containment,
  type EventSink,
  historyOf,
  type OccupancyCounts,
  type Revocation,
  Revocations,
  type StatsSink,
  type Tracing,
} from '@holdfast/control-api';
import { AgeLimit } from '../../channels/age-limit.js';
import { Expiries } from '../../channels/expiries.js';
import { ChannelPresence } from '../../channels/presence.js';
import { ChannelRegistry } from '../../channels/registry.js';
import type { SubscriberEvents } from '../../channels/subscriber-deps.js';
import { AddressGate } from '../../clients/connection-gate.js';
import { type Config, processesFor } from '../../config/config.js';
import { ChannelInterest, ItemDelivery } from '../../delivery/item-delivery.js';
import { RateLimiter } from '../../delivery/rate-limiter.js';
import { type EdgeListener, Edges } from '../../edge/edges.js';
import type { EdgeHandler } from '../../edge/port.js';
import { TicketKeyFile } from '../../edge/ticket-key-file.js';
import type { TicketKeys } from '../../edge/ticket-keys.js';
import { TlsCertificates } from '../../edge/tls-certificates.js';
import { makeReplay } from '../../history/replay.js';
import { OriginClient } from '../../origin/client.js';
import type { CallbackOffice } from '../../request/callback-order.js';
import type { RequestDeps } from '../../request/request-deps.js';
import { RequestHandler } from '../../request/request-handler.js';
import { pollFile } from '../../routes/file-watch.js';
import { RoutesSource } from '../../routes/routes-source.js';
import { type Clock, guardedClock } from '../../runtime/clock.js';
import { Descriptors } from '../../runtime/descriptors.js';
import { FastPaths } from '../../runtime/node-internals/fast-paths.js';
import type { SockJs } from '../../sockjs/sockjs.js';
import { EdgeReports } from '../../telemetry/edge-reports.js';
import type { RootLog } from '../../telemetry/log.js';
import type { Metrics } from '../../telemetry/metrics.js';
import { makeTelemetry, type Telemetry } from '../../telemetry/telemetry.js';
import { deliverySpans } from '../../tracing/item-traces.js';
import type { XmppTransport } from '../../xmpp/transport.js';
import { clientPolicy } from '../tls/client-tls.js';
import { composeRequests, composeSockJs } from './requests.js';
import { composeXmpp } from './xmpp.js';

/**
 * Response heads of origins may be longer than what clients may send us.
 *
 * @limit {} bytes of response head, and of its trailers
 * @over 502; broken off
 */
const ORIGIN_HEADER_BYTES = 65_536;

/** What an embedding, such as a test, may put in place of a part of the product. */
export interface Overrides {
  /** What all that serves clients goes by; left out: the machine's clock. */
  readonly clock?: Clock;
  /** A number in [0, 1); left out: `Math.random`. */
  readonly random?: () => number;
  /** What answers for targets over HTTP; left out: connections to them. */
  readonly origins?: Origins;
  /** Counts what happens in the process; left out: metrics of its own. */
  readonly metrics?: Metrics;
  /** Gives what the data plane has in the place of its share of the node's backplane. */
  readonly backplane?: (share: Backplane) => Backplane;
  /** Gets the parts when they are made, before anything listens. */
  readonly assembled?: (parts: Assembly) => void;
}

/** Origins by their targets. */
export type Origins = Pick<OriginClient, 'origin' | 'close'>;

/** What a data plane is given by the process that it serves clients in. */
export interface DataPlaneDeps extends Pick<Overrides, 'clock' | 'random' | 'origins' | 'assembled'> {
  /** For this data plane alone; not yet started. */
  readonly backplane: Backplane;
  readonly metrics: Metrics;
  readonly faults: Containment;
  /** What the ids of its requests begin with: of no other process of this node. */
  readonly instance: string;
  /** Whether other processes have the same client listeners. */
  readonly isShared: boolean;
  /** From which session tickets get their keys, where no file is configured; left out: a random one. */
  readonly ticketSecret?: Buffer | undefined;
  /** Tokens of clients that are revoked already; left out: none. */
  readonly revocations?: readonly Revocation[] | undefined;
  /** Where statistics packets go. */
  readonly statsSink: StatsSink;
  /** Counts who joins and leaves channels, for routes that have it published. Left out: nobody is announced. */
  readonly presence?: OccupancyCounts | undefined;
  /** Where events for the customer go. Undefined: there are none. */
  readonly events?: EventSink | undefined;
  /** Left out: traces are not followed. */
  readonly tracing?: Tracing | undefined;
  /** Makes and ends callbacks. Left out: there are none. */
  readonly callbacks?: CallbackOffice | undefined;
}

/** The parts of a data plane: those that it starts and stops, and what its edges and requests are given. */
export interface Assembly {
  readonly backplane: Backplane;
  readonly registry: ChannelRegistry;
  readonly presence: ChannelPresence;
  /** Undefined where nothing ends by its age. */
  readonly ages: AgeLimit | undefined;
  readonly delivery: ItemDelivery;
  readonly routes: RoutesSource;
  readonly tickets: TicketKeyFile;
  readonly origins: Origins;
  readonly handler: EdgeHandler;
  readonly requests: RequestDeps;
  readonly revocations: Revocations;
  readonly sockjs: SockJs;
  /** Undefined where there is no component. */
  readonly xmpp: XmppTransport | undefined;
  readonly telemetry: Telemetry;
  readonly edge: Edges;
}

/**
 * Makes the parts; nothing listens yet.
 * @throws RoutesError when the routes file cannot be read; EdgeError when the edge cannot be had
 */
export function assemble(config: Config, log: RootLog, deps: DataPlaneDeps): Assembly {
  const { backplane, metrics, faults, statsSink, tracing, random = Math.random } = deps;
  const clock = deps.clock ?? guardedClock(faults);
  const telemetry = makeTelemetry(config, log, {
    metrics,
    subscribersOf: (channel) => registry.of(channel),
    sink: statsSink,
    events: deps.events,
    clock,
  });
  const { messageWait, updateOnFirstSubscription, subscriptionLinger, presenceDelay } = config;
  const delivery = new ItemDelivery(() => registry, {
    clock,
    messageWait,
    limiter: makeLimiter(config, log, telemetry.subscribers, faults, clock),
    events: metrics,
    arrived: telemetry.itemArrived,
    delivered: (receivers, since) => metrics.items.delivered(receivers, since),
    beginSpan: deliverySpans(tracing),
    log: log.child('delivery'),
    faults,
  });
  const interest = new ChannelInterest({
    backplane,
    sequencer: {
      forget: (channel) => {
        delivery.forget(channel);
        replay?.initial.forget(channel);
      },
    },
    clock,
    updateOnFirstSubscription,
    subscribersOf: (channel) => registry.of(channel),
    faults,
  });
  const ages = AgeLimit.of(config, { clock, faults, random });
  const expiries = new Expiries({ clock, faults });
  const presence = new ChannelPresence({ clock, presenceDelay, counts: deps.presence });
  const followers = { subscriptions: telemetry.subscriptions, ages, expiries, presence, users: telemetry.users };
  const registry = new ChannelRegistry(interest, clock, subscriptionLinger, followers, config.patternSeparator);
  const routes = makeRoutes(config, log, metrics, faults);
  const descriptors = Descriptors.ofProcess();
  const admits = () => descriptors.admits('origin');
  const { originConnectTimeout, originTimeout, originKeepAliveTimeout, originConnectionMaxAge } = config;
  const originConnectionsMax = config.originConnectionsMax || descriptors.origins;
  const parserFound = reportFastPaths(log, metrics);
  const origins =
    deps.origins ??
    new OriginClient({
      originConnectTimeout,
      originTimeout,
      originKeepAliveTimeout,
      originConnectionMaxAge,
      originConnectionsMax,
      maxHeaderBytes: ORIGIN_HEADER_BYTES,
      admits,
      parserFound,
      faults,
    });
  const history = historyOf(backplane);
  const { positions, sequencer } = delivery;
  const replay =
    history && makeReplay(config, { history, positions, clock, events: metrics, log: log.child('history') });
  const revocations = new Revocations(clock);
  for (const revocation of deps.revocations ?? []) revocations.add(revocation);
  const requests = composeRequests(config, log, {
    revocations,
    telemetry,
    registry,
    sequencer,
    routes: () => routes.table,
    origins,
    replay,
    admits,
    faults,
    clock,
    random,
    limited: (limit) => metrics.limited(limit),
    traffic: metrics.traffic,
    originTimes: metrics.origins,
    tracing,
    callbacks: deps.callbacks,
  });
  const sockjs = composeSockJs(config, requests, deps.isShared);
  const xmpp = composeXmpp(config, log, requests, { telemetry, metrics, instance: deps.instance });
  const handler = new RequestHandler(requests, sockjs);
  const { ticketSecret } = deps;
  const tickets = new TicketKeyFile({ config, log: log.child('tls'), faults, watch: pollFile, ticketSecret });
  const edge = makeEdges(config, log, deps, handler, descriptors, clock, tickets.keys);
  metrics.observe({
    connections: () => edge.connections,
    channels: () => registry.size,
    clients: () => registry.all(),
  });
  const parts = {
    backplane,
    registry,
    presence,
    ages,
    delivery,
    routes,
    tickets,
    origins,
    handler,
    requests,
    revocations,
    sockjs,
    xmpp,
    telemetry,
    edge,
  };
  deps.assembled?.(parts);
  return parts;
}

/** Probes the fast paths, and says which are active; the result takes what the first connection to an origin shows. */
function reportFastPaths(log: RootLog, metrics: Metrics): (isFound: boolean) => void {
  const paths = FastPaths.probe();
  metrics.observeFastPaths(() => paths.known);
  const [active, inactive] = [paths.list(true), paths.list(false)];
  const missing = inactive.length === 0 ? '' : `; not on this version of node: ${inactive.join(', ')}`;
  log.info({ active, inactive }, `fast paths: ${active.join(', ')}${missing}`);
  return (isFound) => {
    if (paths.report('origin_parser', isFound) && !isFound) {
      log.warn({ inactive: ['origin_parser'] }, 'fast path not on this version of undici: origin_parser');
    }
  };
}

/** None without a rate: then nothing ever waits. */
function makeLimiter(
  { messageRate, messageHwm, messageBlockSize }: Config,
  log: RootLog,
  events: SubscriberEvents,
  faults: Containment,
  clock: Clock,
): RateLimiter | undefined {
  if (messageRate === Number.POSITIVE_INFINITY) return undefined;
  return new RateLimiter({
    clock,
    messageRate,
    messageHwm,
    messageBlockSize,
    events,
    log: log.child('delivery'),
    faults,
  });
}

function makeRoutes(config: Config, log: RootLog, metrics: Metrics, faults: Containment): RoutesSource {
  const routesLog = log.child('routes');
  return new RoutesSource(config, {
    log: {
      info: (message) => routesLog.info({}, message),
      warn: (message) => routesLog.warn({}, message),
      error: (message) => routesLog.error({}, message),
    },
    onLoad: (isLoaded) => metrics.configLoads.loaded('routes', isLoaded),
    faults,
  });
}

/**
 * The edges that the listeners name; nothing listens yet.
 * @throws EdgeError when one of them cannot be loaded on this machine
 */
function makeEdges(
  config: Config,
  log: RootLog,
  { metrics, faults, instance, isShared }: DataPlaneDeps,
  handler: EdgeHandler,
  descriptors: Descriptors,
  clock: Clock,
  tickets: TicketKeys,
): Edges {
  const { clientMaxconn, tlsCertsDir } = config;
  const [edgeLog, tlsLog] = [log.child('edge'), log.child('tls')];
  const events = new EdgeReports({ metrics, descriptors, log: edgeLog, clock, clientMaxconn });
  const certificates = new TlsCertificates(
    tlsCertsDir,
    (error) => tlsLog.error({ err: error }, error.message),
    (name, port) => events.unnamed(name, port, tlsCertsDir),
    clientPolicy(config, tlsLog, (client, reason) => events.uncertified(client, reason)),
  );
  let requests = 0;
  const deps = {
    clock,
    faults,
    nextId: () => `${instance}-${(++requests).toString(36)}`,
    descriptors,
    probesFailed: (why: string) =>
      edgeLog.warn(
        { why },
        'edge uws: clients that vanish without a word are not noticed, for the kernel is not asked to probe',
      ),
    events,
    gate: AddressGate.of(config, {
      clock,
      log: edgeLog,
      limited: (limit) => metrics.limited(limit),
      processes: processesFor(config),
    }),
  };
  return new Edges(listenersOf(config), handler, { ...config, certificates, tickets, isShared }, deps);
}

/** The listeners of clients, each with its edge: the option `edge` is one for all of them. */
export function listenersOf({ edge, httpPort, httpsPorts, localPorts }: Config): EdgeListener[] {
  return [...httpPort, ...httpsPorts.map((listen) => ({ ...listen, tls: true })), ...localPorts].map((listener) => ({
    ...listener,
    edge,
  }));
}
