/**
 * Owns: making the parts of a data plane out of its configuration, and joining them. Does not own: when they start or
 * stop (`data-plane`), the parts, or anything of the control plane.
 */
import { type Backplane, type Containment, historyOf, type StatsSink } from '@holdfast/control-api';
import { ChannelInterest } from '../channels/channel-interest.js';
import { ItemDelivery } from '../channels/item-delivery.js';
import { OverChannelsReport } from '../channels/over-channels.js';
import { RateLimiter } from '../channels/rate-limiter.js';
import { ChannelRegistry } from '../channels/registry.js';
import type { Sequencer } from '../channels/sequencer.js';
import type { SubscriberParts } from '../channels/subscriber-parts.js';
import { Compression } from '../compression/compression.js';
import type { Config } from '../config/config.js';
import { AllowedOrigins } from '../config/values/allowed-origins.js';
import { NodeEdge } from '../edge/node/edge.js';
import type { Edge, EdgeHandler } from '../edge/port.js';
import { TlsCertificates } from '../edge/tls-certificates.js';
import { UwsEdge } from '../edge/uws/edge.js';
import { loadUws } from '../edge/uws/library.js';
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
import { RequestHandler } from '../request/handle.js';
import type { RequestParts } from '../request/request-parts.js';
import type { Route } from '../routes/route.js';
import { RoutesSource } from '../routes/routes-source.js';
import type { Target } from '../routes/target.js';
import { type Clock, guardedClock } from '../runtime/clock.js';
import { Descriptors } from '../runtime/descriptors.js';
import { SessionDialer } from '../sessions/dialer.js';
import { Opening } from '../sessions/opening.js';
import { RequestKeeper } from '../sessions/over-http/request-interner.js';
import type { SessionParts } from '../sessions/session-parts.js';
import { SockJs } from '../sockjs/sockjs.js';
import { DescriptorShortage } from '../telemetry/descriptor-shortage.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import { Refusals } from '../telemetry/refusals.js';
import { makeTelemetry, type Telemetry } from '../telemetry/telemetry.js';
import { WsAcceptor } from '../websocket/ws-acceptor.js';

/** Response heads of origins may be longer than what clients may send us. */
const ORIGIN_HEADER_BYTES = 65_536;

/** What a data plane is given by whoever runs it. */
export interface Surroundings {
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
  readonly edge: Edge;
}

/**
 * Makes the parts; nothing listens yet.
 * @throws RoutesError when the routes file cannot be read; EdgeError when the edge cannot be had
 */
export function assemble(config: Config, log: RootLog, surroundings: Surroundings): Assembly {
  const { backplane, metrics, faults, statsSink } = surroundings;
  const clock = guardedClock(faults);
  const telemetry = makeTelemetry(config, log, {
    metrics,
    subscribersOf: (channel) => registry.of(channel),
    sink: statsSink,
  });
  const delivery = new ItemDelivery(() => registry, {
    clock,
    wait: config.messageWait,
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
    updatesFirst: config.updateOnFirstSubscription,
    subscribersOf: (channel) => registry.of(channel),
    faults,
  });
  const linger = config.subscriptionLinger;
  const registry = new ChannelRegistry(interest, clock, linger, telemetry.subscriptions);
  const routes = makeRoutes(config, log, faults);
  const descriptors = Descriptors.ofProcess();
  const admitsOrigin = () => descriptors.admits('origin');
  const origins = new OriginClient({
    connectTimeout: config.originConnectTimeout,
    inactivityTimeout: config.originTimeout,
    keepAliveTimeout: config.originKeepAliveTimeout,
    maxAge: config.originConnectionMaxAge,
    maxHeaderBytes: ORIGIN_HEADER_BYTES,
    admits: admitsOrigin,
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
  const edge = makeEdge(config, log, surroundings, handler, descriptors, clock);
  metrics.observe({ connections: () => edge.connections, channels: () => registry.size });
  return { backplane, registry, delivery, routes, origins, telemetry, edge };
}

/** None without a rate: then nothing ever waits. */
function makeLimiter(
  { messageRate: rate, messageHwm: hwm, messageBlockSize: blockSize }: Config,
  log: RootLog,
  events: Metrics,
  faults: Containment,
  clock: Clock,
): RateLimiter | undefined {
  if (rate === Number.POSITIVE_INFINITY) return undefined;
  return new RateLimiter({ clock, rate, hwm, blockSize, events, log: log.child('delivery'), faults });
}

function makeRoutes(config: Config, log: RootLog, faults: Containment): RoutesSource {
  const routesLog = log.child('routes');
  return new RoutesSource(config, {
    log: {
      info: (message) => routesLog.info({}, message),
      warn: (message) => routesLog.warn({}, message),
      error: (message) => routesLog.error({}, message),
    },
    faults,
  });
}

function makeEdge(
  config: Config,
  log: RootLog,
  { metrics, faults, instance, isShared }: Surroundings,
  handler: EdgeHandler,
  descriptors: Descriptors,
  clock: Clock,
): Edge {
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
    events: {
      descriptorsShort: () => {
        metrics.descriptorsShort();
        shortage.turnedAway();
      },
      connectionRefused: () => {
        metrics.connectionRefused();
        edgeLog.warn({}, `client_maxconn (${config.clientMaxconn}) reached: connection closed`);
      },
      requestRefused: (reason: string, status: number, client: string) => {
        metrics.requestRefused();
        refusals.refused(reason, status, client);
      },
    },
  };
  const certificates = new TlsCertificates(
    config.tlsCertsDir,
    (error) => tlsLog.error({ err: error }, error.message),
    (name, port) => refusals.unnamed(name, port, config.tlsCertsDir),
  );
  const limits = { maxHeaderBytes: config.clientBufferSize, maxConnections: config.clientMaxconn, certificates };
  const sockets = { maxMessage: config.websocketMessageMax, compression: config.allowCompression };
  if (config.edge === 'uws') {
    const options = { ...limits, ...sockets, sharesPorts: isShared };
    const failed = (why: string) =>
      edgeLog.warn(
        { why },
        'edge uws: clients that vanish without a word are not noticed, for the kernel is not asked to probe',
      );
    return new UwsEdge(loadUws(2 * config.clientBufferSize), handler, options, { ...parts, probes: { failed } });
  }
  const times = {
    keepAliveTimeout: config.clientKeepAliveTimeout,
    headerTimeout: config.clientHeaderTimeout,
    halfCloseGrace: config.clientHalfCloseGrace,
  };
  return new NodeEdge(
    handler,
    { ...limits, ...times, isShared, sockets: new WsAcceptor(sockets, undefined, faults) },
    parts,
  );
}

function makeSockJs(config: Config, { sessions, events, clock }: RequestParts, isShared: boolean): SockJs {
  return new SockJs({
    clock,
    faults: sessions.subscriber.faults,
    random: Math.random,
    open: (request, handshake, route, standing) => new Opening(request, handshake, route, standing, sessions).start(),
    ended: (end) => events.requestEnded({ ...end, target: undefined, hold: undefined, retry: false }),
    scriptUrl: config.sockjsUrl,
    origins: new AllowedOrigins(config.acoOrigins),
    overHttp: !isShared,
    maxSessions: config.clientMaxconn,
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
  const rules = forwardRules(config);
  const forwarder = new Forwarder({ rules, sigIss: config.sigIss, sigKey: config.sigKey }, new GripHeaders(clock));
  const originOf = originsOf(origins, faults);
  const holdLog = log.child('hold');
  const troubles = new Troubles(log.child('request'), clock, patienceOf(config));
  const subscriber: SubscriberParts = {
    registry,
    clock,
    random: Math.random,
    events: telemetry.subscribers,
    log: holdLog,
    troubles,
    faults,
    queueLimit: config.clientQueueSize,
    slowClientPolicy: config.slowClientPolicy,
    gapPolicy: config.gapPolicy,
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
    debug: config.debug,
  };
  const sessions: SessionParts = {
    subscriber: { ...subscriber, log: log.child('session') },
    dial: new SessionDialer(
      { clock, random: Math.random, faults, forwarder, originOf },
      { maxMessage: config.websocketMessageMax, compression: config.allowCompression },
      { connectTimeout: config.originConnectTimeout, answerTimeout: config.originTimeout },
      admitsOrigin,
    ).dial,
    requests: new RequestKeeper(),
    debug: config.debug,
    filters: holds.filters,
    replay,
    subscriptionMax: config.connectionSubscriptionMax,
    events: telemetry.sessions,
  };
  return {
    settings: {
      debug: config.debug,
      autoCrossOrigin: config.autoCrossOrigin,
      acoOrigins: new AllowedOrigins(config.acoOrigins),
      acceptRouteHeader: config.acceptPushpinRoute,
      forward: rules,
      upstreamKey: config.upstreamKey,
      requestBodyMax: config.requestBodyMax,
      instructBodyMax: config.instructBodyMax,
      subscriptionMax: config.connectionSubscriptionMax,
    },
    routes: () => routes.table,
    originOf,
    compression: makeCompression(config, faults),
    admission: new Admission(config.maxOpenRequests),
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
function makeCompression(config: Config, faults: Containment): Compression | undefined {
  const { compress, compressMin, compressTypes, compressCookies, compressStreams } = config;
  if (compress.length === 0 && !compressStreams) return undefined;
  const types = compressTypes.map((type) => type.toLowerCase());
  const rules = { codings: compress, min: compressMin, types, cookies: compressCookies, streams: compressStreams };
  return new Compression(rules, faults);
}

/** What answers for a target: a pool of connections, or the test target. */
function originsOf(origins: OriginClient, faults: Containment): (target: Target, route: Route, host: string) => Origin {
  return (target, route, host) =>
    target.kind === 'http' ? origins.origin(target, host) : new TestOrigin(route.pathBeg, target, faults);
}

/** How long origins are waited for, for those who tell of it. */
function patienceOf({ originConnectTimeout: connectTimeout, originTimeout: timeout }: Config): OriginPatience {
  return { connectTimeout, timeout };
}

function forwardRules(config: Config): ForwardRules {
  return {
    cdnLoop: config.cdnLoop,
    acceptForwardedProtocol: config.acceptXForwardedProtocol,
    setForwardedProtocol: config.setXForwardedProtocol,
    forwardedFor: config.xForwardedFor,
    forwardedForTrusted: config.xForwardedForTrusted,
    origHeadersNeedMark: new Set(config.origHeadersNeedMark.map((name) => name.toLowerCase())),
    acceptRouteHeader: config.acceptPushpinRoute,
  };
}
