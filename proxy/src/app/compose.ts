/**
 * Owns: making the parts of a data plane out of its configuration, and joining them. Does not own: when they start or
 * stop (`data-plane`), the parts, or anything of the control plane.
 */
import { type Backplane, type Containment, historyOf, type StatsSink } from '@holdfast/control-api';
import { OverChannelsReport } from '../channels/over-channels.js';
import { ChannelRegistry } from '../channels/registry.js';
import type { SubscriberParts } from '../channels/subscriber-parts.js';
import { Compression } from '../compression/compression.js';
import type { ClientConfig, Config, ForwardConfig } from '../config/config.js';
import { AllowedOrigins } from '../config/values/allowed-origins.js';
import { ChannelInterest } from '../delivery/channel-interest.js';
import { ItemDelivery } from '../delivery/item-delivery.js';
import { RateLimiter } from '../delivery/rate-limiter.js';
import type { Sequencer } from '../delivery/sequencer.js';
import { type EdgeListener, Edges } from '../edge/edges.js';
import type { EdgeHandler } from '../edge/port.js';
import { TlsCertificates } from '../edge/tls-certificates.js';
import { makeReplay } from '../history/make-replay.js';
import type { ReplayParts } from '../history/replay-parts.js';
import type { HoldParts } from '../holds/hold.js';
import { HttpFilters } from '../links/http-filter.js';
import { LinkClient } from '../links/link-client.js';
import { SharedFetches } from '../links/shared-fetch.js';
import { UpdateLimiter } from '../links/update-limiter.js';
import type { OriginPatience } from '../origin/advice.js';
import { OriginClient } from '../origin/client.js';
import { Forwarder } from '../origin/forwarder.js';
import { GripHeaders } from '../origin/grip-headers.js';
import type { ForwardRules } from '../origin/headers.js';
import type { Origin } from '../origin/port.js';
import { TestOrigin } from '../origin/test-target/origin.js';
import { Troubles } from '../origin/warnings.js';
import { Admission } from '../request/admission.js';
import { RequestHandler } from '../request/request-handler.js';
import type { RequestParts } from '../request/request-parts.js';
import type { Route } from '../routes/route.js';
import { RoutesSource } from '../routes/routes-source.js';
import type { Target } from '../routes/target.js';
import { type Clock, guardedClock } from '../runtime/clock.js';
import { Descriptors } from '../runtime/descriptors.js';
import { FastPaths } from '../runtime/node-internals/fast-paths.js';
import { SessionDialer } from '../sessions/dialer.js';
import { Handshake } from '../sessions/handshake.js';
import { RequestKeeper } from '../sessions/over-http/request-interner.js';
import type { SessionParts } from '../sessions/session-parts.js';
import { SockJs } from '../sockjs/sockjs.js';
import { DescriptorShortage } from '../telemetry/descriptor-shortage.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import { Refusals } from '../telemetry/refusals.js';
import { makeTelemetry, type Telemetry } from '../telemetry/telemetry.js';

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
}

/** What a data plane is given by whoever runs it. */
export interface Surroundings extends Overrides {
  /** For this data plane alone; not yet started. */
  readonly backplane: Backplane;
  readonly metrics: Metrics;
  readonly faults: Containment;
  /** Where statistics packets go. */
  readonly statsSink: StatsSink;
  /** What the ids of its requests begin with: of no other process of this node. */
  readonly instance: string;
  /** Whether other processes have the same client listeners. */
  readonly isShared: boolean;
}

/** The parts that a data plane starts and stops. */
export interface Assembly {
  readonly backplane: Backplane;
  readonly registry: ChannelRegistry;
  readonly delivery: ItemDelivery;
  readonly routes: RoutesSource;
  readonly origins: OriginClient;
  readonly telemetry: Telemetry;
  readonly edge: Edges;
}

/**
 * Makes the parts; nothing listens yet.
 * @throws RoutesError when the routes file cannot be read; EdgeError when the edge cannot be had
 */
export function assemble(config: Config, log: RootLog, surroundings: Surroundings): Assembly {
  const { backplane, metrics, faults, statsSink } = surroundings;
  const clock = surroundings.clock ?? guardedClock(faults);
  const telemetry = makeTelemetry(config, log, {
    metrics,
    subscribersOf: (channel) => registry.of(channel),
    sink: statsSink,
  });
  const delivery = new ItemDelivery(() => registry, {
    clock,
    wait: config.channels.messageWaitMs,
    limiter: makeLimiter(config, log, metrics, faults, clock),
    events: metrics,
    arrived: telemetry.itemArrived,
    log: log.child('delivery'),
    faults,
  });
  const interest = new ChannelInterest({
    backplane,
    sequencer: delivery,
    clock,
    updatesFirst: config.holds.updateOnFirstSubscription,
    subscribersOf: (channel) => registry.of(channel),
    faults,
  });
  const linger = config.channels.subscriptionLingerMs;
  const registry = new ChannelRegistry(interest, clock, linger, telemetry.subscriptions);
  const routes = makeRoutes(config, log, faults);
  const descriptors = Descriptors.ofProcess();
  const admitsOrigin = () => descriptors.admits('origin');
  const origins = new OriginClient({
    connectTimeout: config.origin.connectTimeoutMs,
    inactivityTimeout: config.origin.timeoutMs,
    keepAliveTimeout: config.origin.keepAliveTimeoutMs,
    maxAge: config.origin.connectionMaxAgeMs,
    maxHeaderBytes: ORIGIN_HEADER_BYTES,
    admits: admitsOrigin,
    parserFound: reportFastPaths(log, metrics),
    faults,
  });
  const history = historyOf(backplane);
  const replay =
    history &&
    makeReplay(config, {
      history,
      positions: delivery.positions,
      clock,
      events: metrics,
      log: log.child('history'),
    });
  const parts = requestParts(
    config,
    log,
    telemetry,
    registry,
    delivery.sequencer,
    routes,
    origins,
    replay,
    admitsOrigin,
    faults,
    clock,
  );
  const handler = new RequestHandler(parts, makeSockJs(config, parts, surroundings.isShared));
  const edge = makeEdges(config, log, surroundings, handler, descriptors, clock);
  metrics.observe({ connections: () => edge.connections, channels: () => registry.size });
  return { backplane, registry, delivery, routes, origins, telemetry, edge };
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
  { channels }: Config,
  log: RootLog,
  events: Metrics,
  faults: Containment,
  clock: Clock,
): RateLimiter | undefined {
  const { messageRate: rate, messageHwm: hwm, messageBlockSize: blockSize } = channels;
  if (rate === Number.POSITIVE_INFINITY) return undefined;
  return new RateLimiter({ clock, rate, hwm, blockSize, events, log: log.child('delivery'), faults });
}

function makeRoutes(config: Config, log: RootLog, faults: Containment): RoutesSource {
  const routesLog = log.child('routes');
  return new RoutesSource(config.routes, {
    log: {
      info: (message) => routesLog.info({}, message),
      warn: (message) => routesLog.warn({}, message),
      error: (message) => routesLog.error({}, message),
    },
    faults,
  });
}

function makeEdges(
  { client }: Config,
  log: RootLog,
  { metrics, faults, instance, isShared }: Surroundings,
  handler: EdgeHandler,
  descriptors: Descriptors,
  clock: Clock,
): Edges {
  const tlsLog = log.child('tls');
  const edgeLog = log.child('edge');
  const shortage = new DescriptorShortage(descriptors, edgeLog, clock);
  const refusals = new Refusals(edgeLog, clock);
  let requests = 0;
  const parts = {
    clock,
    faults,
    nextId: () => `${instance}-${(++requests).toString(36)}`,
    descriptors,
    probesFailed: (why: string) =>
      edgeLog.warn(
        { why },
        'edge uws: clients that vanish without a word are not noticed, for the kernel is not asked to probe',
      ),
    events: {
      descriptorsShort: () => {
        metrics.descriptorsShort();
        shortage.turnedAway();
      },
      connectionRefused: () => {
        metrics.connectionRefused();
        edgeLog.warn({}, `client_maxconn (${client.connectionsMax}) reached: connection closed`);
      },
      requestRefused: (reason: string, status: number, client: string) => {
        metrics.requestRefused();
        refusals.refused(reason, status, client);
      },
    },
  };
  const certificates = new TlsCertificates(
    client.tlsCertsDir,
    (error) => tlsLog.error({ err: error }, error.message),
    (name, port) => refusals.unnamed(name, port, client.tlsCertsDir),
  );
  const settings = {
    clientBufferSize: client.headMax,
    clientMaxconn: client.connectionsMax,
    clientKeepAliveTimeout: client.keepAliveTimeoutMs,
    clientHeaderTimeout: client.headerTimeoutMs,
    clientHalfCloseGrace: client.halfCloseGraceMs,
    websocketMessageMax: client.messageMax,
    allowCompression: client.compression,
    certificates,
    isShared,
  };
  return new Edges(listenersOf(client), handler, settings, parts);
}

/** The listeners of clients, each with its edge: the option `edge` is one for all of them. */
export function listenersOf({ edge, http, https, sockets }: ClientConfig): EdgeListener[] {
  return [...http, ...https.map((listen) => ({ ...listen, tls: true })), ...sockets].map((listener) => ({
    ...listener,
    edge,
  }));
}

function makeSockJs({ client, forward }: Config, { sessions, events, clock }: RequestParts, isShared: boolean): SockJs {
  return new SockJs({
    clock,
    faults: sessions.subscriber.faults,
    random: Math.random,
    open: (request, handshake, route, standing) => new Handshake(request, handshake, route, standing, sessions).start(),
    ended: (end) => events.requestEnded({ ...end, target: undefined, hold: undefined, retry: false }),
    scriptUrl: forward.sockjsUrl,
    origins: new AllowedOrigins(forward.acoOrigins),
    overHttp: !isShared,
    maxSessions: client.connectionsMax,
  });
}

function requestParts(
  config: Config,
  log: RootLog,
  telemetry: Telemetry,
  registry: ChannelRegistry,
  sequencer: Sequencer,
  routes: RoutesSource,
  origins: OriginClient,
  replay: ReplayParts | undefined,
  admitsOrigin: () => boolean,
  faults: Containment,
  clock: Clock,
): RequestParts {
  const { forward, origin } = config;
  const rules = forwardRules(forward);
  const forwarder = new Forwarder({ rules, sigIss: forward.sigIss, sigKey: forward.sigKey }, new GripHeaders(clock));
  const originOf = originsOf(origins, faults);
  const holdLog = log.child('hold');
  const troubles = new Troubles(log.child('request'), clock, patienceOf(origin));
  const subscriber: SubscriberParts = {
    registry,
    clock,
    random: Math.random,
    events: telemetry.subscribers,
    log: holdLog,
    troubles,
    faults,
    queueLimit: config.holds.clientQueueMax,
    slowClientPolicy: config.holds.slowClientPolicy,
    gapPolicy: config.holds.gapPolicy,
    overChannels: new OverChannelsReport(clock, holdLog),
  };
  const client = new LinkClient({
    forwarder,
    originOf,
    routes: () => routes.table,
    clock,
    log: log.child('links'),
    faults,
    troubles,
  });
  const holds: HoldParts = {
    subscriber,
    sequencer,
    links: { client, fetches: new SharedFetches(faults), clock, random: Math.random },
    limiter: new UpdateLimiter(clock, faults),
    filters: new HttpFilters(client, clock),
    replay,
    debug: forward.debug,
  };
  const sessions: SessionParts = {
    subscriber: { ...subscriber, log: log.child('session') },
    dial: new SessionDialer(
      { clock, random: Math.random, faults, forwarder, originOf },
      { maxMessage: config.client.messageMax, compression: config.client.compression },
      { connectTimeout: origin.connectTimeoutMs, answerTimeout: origin.timeoutMs },
      admitsOrigin,
    ).dial,
    requests: new RequestKeeper(),
    debug: forward.debug,
    filters: holds.filters,
    replay,
    subscriptionMax: config.holds.subscriptionsMax,
    events: telemetry.sessions,
  };
  return {
    settings: {
      debug: forward.debug,
      autoCrossOrigin: forward.autoCrossOrigin,
      acoOrigins: new AllowedOrigins(forward.acoOrigins),
      acceptRouteHeader: forward.acceptPushpinRoute,
      forward: rules,
      upstreamKey: forward.upstreamKey,
      requestBodyMax: origin.requestBodyMax,
      instructBodyMax: origin.instructBodyMax,
      subscriptionMax: config.holds.subscriptionsMax,
    },
    routes: () => routes.table,
    originOf,
    compression: makeCompression(config, faults),
    admission: new Admission(origin.openRequestsMax),
    forwarder,
    holds,
    sessions,
    clock,
    events: telemetry.requests,
    log: log.child('request'),
    troubles,
  };
}

/** None where nothing is compressed: then requests cost nothing for it. */
function makeCompression({ compression }: Config, faults: Containment): Compression | undefined {
  if (compression.codings.length === 0 && !compression.streams) return undefined;
  return new Compression(compression, faults);
}

/** What answers for a target: a pool of connections, or the test target. */
function originsOf(origins: OriginClient, faults: Containment): (target: Target, route: Route, host: string) => Origin {
  return (target, route, host) =>
    target.kind === 'http' ? origins.origin(target, host) : new TestOrigin(route.pathBeg, target, faults);
}

/** How long origins are waited for, for those who tell of it. */
function patienceOf({ connectTimeoutMs: connectTimeout, timeoutMs: timeout }: Config['origin']): OriginPatience {
  return { connectTimeout, timeout };
}

function forwardRules(forward: ForwardConfig): ForwardRules {
  return {
    cdnLoop: forward.cdnLoop,
    acceptForwardedProtocol: forward.acceptXForwardedProtocol,
    setForwardedProtocol: forward.setXForwardedProtocol,
    forwardedFor: forward.xForwardedFor,
    forwardedForTrusted: forward.xForwardedForTrusted,
    origHeadersNeedMark: new Set(forward.origHeadersNeedMark),
    acceptRouteHeader: forward.acceptPushpinRoute,
  };
}
