/** The composition of the request path: from a client's request to its origin, and to what is held for it. */
import { type Containment, Pace, type Revocations, type Tracing } from '@holdfast/control-api';
import type { ChannelRegistry } from '../../channels/registry.js';
import { OverChannelsReport, type SubscriberDeps } from '../../channels/subscriber-deps.js';
import { BodyLimits } from '../../clients/body-limits.js';
import { ClientLimits } from '../../clients/client-limits.js';
import { RequestIds } from '../../clients/request-ids.js';
import { TrustedProxies } from '../../clients/trusted-proxies.js';
import { Compression } from '../../compression/compression.js';
import { type Config, processesFor } from '../../config/config.js';
import { AllowedOrigins } from '../../config/types/allowed-origins.js';
import type { Sequencer } from '../../delivery/sequencer.js';
import type { SubscribePlace } from '../../direct/admission.js';
import { SubscribeOrigin } from '../../direct/subscribe-origin.js';
import { TokenVerifier } from '../../direct/token-verifier.js';
import { ResumeGrants } from '../../history/grants.js';
import type { ReplayDeps } from '../../history/replay.js';
import { resumeKey } from '../../history/tokens.js';
import type { HoldDeps } from '../../holds/hold.js';
import { HttpFilters } from '../../links/http-filter.js';
import { LinkClient } from '../../links/link-client.js';
import { SharedFetches } from '../../links/shared-fetch.js';
import { UpdateLimiter } from '../../links/update-limiter.js';
import type { OriginClient } from '../../origin/client.js';
import { Forwarder } from '../../origin/forwarder.js';
import { forwardRules } from '../../origin/headers.js';
import type { Origin } from '../../origin/port.js';
import { TestOrigin } from '../../origin/test-target.js';
import { OriginWarnings } from '../../origin/warnings.js';
import { Admission } from '../../request/admission.js';
import type { CallbackOffice } from '../../request/callback-order.js';
import type { RequestDeps } from '../../request/request-deps.js';
import type { Route } from '../../routes/route.js';
import type { RouteTable } from '../../routes/route-table.js';
import type { SubscribeTarget } from '../../routes/subscribe-target.js';
import type { Target, TestTarget } from '../../routes/target.js';
import type { Clock } from '../../runtime/clock.js';
import { Memory } from '../../runtime/memory.js';
import { RequestInterner } from '../../sessions/client-request.js';
import { SessionDialer } from '../../sessions/dialer.js';
import { Handshake } from '../../sessions/handshake.js';
import type { SessionDeps } from '../../sessions/session-deps.js';
import { SockJs } from '../../sockjs/sockjs.js';
import type { RootLog } from '../../telemetry/log.js';
import type { OriginTimes } from '../../telemetry/series/origin-times.js';
import type { Traffic } from '../../telemetry/series/traffic.js';
import type { Telemetry } from '../../telemetry/telemetry.js';
import { OriginTraces } from '../../tracing/origin-traces.js';
import { RequestTraces } from '../../tracing/request-traces.js';

/** What the request path is given. */
export interface RequestPathDeps {
  readonly telemetry: Telemetry;
  readonly registry: ChannelRegistry;
  readonly sequencer: Sequencer;
  readonly routes: () => RouteTable;
  readonly origins: Pick<OriginClient, 'origin'>;
  /** Undefined where no history is kept. */
  readonly replay: ReplayDeps | undefined;
  /** Tokens of clients that count no more. */
  readonly revocations: Revocations;
  /** Whether another connection to an origin may be opened. */
  readonly admits: () => boolean;
  readonly faults: Containment;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  /** Something was refused because of the limit of this name. */
  readonly limited: (limit: string) => void;
  readonly traffic: Traffic;
  readonly originTimes: OriginTimes;
  /** Undefined where traces are not followed. */
  readonly tracing: Tracing | undefined;
  /** Undefined where there are no callbacks. */
  readonly callbacks: CallbackOffice | undefined;
}

/** Makes what every exchange, hold and session is given. */
export function composeRequests(config: Config, log: RootLog, around: RequestPathDeps): RequestDeps {
  const { telemetry, registry, sequencer, routes, origins, replay, admits, faults, clock, random, limited } = around;
  const { traffic, originTimes, tracing } = around;
  const originTraces = tracing?.records === true ? new OriginTraces(tracing) : undefined;
  const { debug, connectionSubscriptionMax, sigIss, sigKey } = config;
  const rules = forwardRules(config);
  const forwarder = new Forwarder({ rules, sigIss, sigKey }, clock);
  const { revocations } = around;
  const { tokenLifetimeMax } = config;
  const verifier = new TokenVerifier({
    ...{ clock, routes, revocations, tokenLifetimeMax },
    log: log.child('subscribe'),
  });
  const placeOf = (target: SubscribeTarget, route: Route): SubscribePlace => ({
    target,
    route,
    verifier,
    channelsMax: connectionSubscriptionMax,
  });
  const builtInOf = (target: TestTarget | SubscribeTarget, route: Route): Origin =>
    target.kind === 'test'
      ? new TestOrigin(route.pathBeg, target, faults)
      : new SubscribeOrigin(placeOf(target, route), faults);
  const originOf = originsOf(origins, builtInOf);
  const holdLog = log.child('hold');
  const warnings = new OriginWarnings(
    log.child('request'),
    clock,
    config,
    (route, code) => originTimes.failed(route?.id, code),
    telemetry.targetFailed,
  );
  const { clientQueueSize, slowClientPolicy, gapPolicy } = config;
  const subscriber: SubscriberDeps = {
    registry,
    clock,
    random,
    events: telemetry.subscribers,
    traffic,
    log: holdLog,
    warnings,
    faults,
    clientQueueSize,
    slowClientPolicy,
    gapPolicy,
    overChannels: new OverChannelsReport(clock, holdLog),
  };
  const client = new LinkClient({
    ...{ forwarder, originOf, routes, clock, faults, warnings, originTraces },
    log: log.child('links'),
  });
  const holds: HoldDeps = {
    subscriber,
    sequencer,
    links: { client, fetches: new SharedFetches(faults), clock, random, events: telemetry.subscribers },
    limiter: new UpdateLimiter(clock, faults),
    filters: new HttpFilters(client, clock),
    replay,
    debug,
    shutdownRetry: config.shutdownRetry,
  };
  const dialer = new SessionDialer(
    { clock, random, faults, forwarder, originOf, placeOf, originTraces },
    { websocketMessageMax: config.websocketMessageMax, allowCompression: config.allowCompression },
    config,
    admits,
  );
  const processes = processesFor(config);
  const limits = new ClientLimits(config, {
    clock,
    random,
    memory: Memory.ofProcess(config.shedMemory, clock, processes),
    log: log.child('limits'),
    limited,
    processes,
  });
  const sessions: SessionDeps = {
    subscriber: { ...subscriber, log: log.child('session') },
    dial: dialer.dial,
    requests: new RequestInterner(),
    limits,
    debug,
    filters: holds.filters,
    replay,
    connectionSubscriptionMax,
    events: telemetry.sessions,
    messagePace: messagePace(config),
  };
  const { autoCrossOrigin, acceptPushpinRoute, upstreamKey, requestBodyMax, instructBodyMax, requestIdHeader } = config;
  const trustedProxies = config.trustedProxies.length === 0 ? undefined : new TrustedProxies(config);
  return {
    settings: {
      debug,
      autoCrossOrigin,
      acoOrigins: new AllowedOrigins(config.acoOrigins),
      acceptPushpinRoute,
      forward: rules,
      upstreamKey,
      requestBodyMax,
      instructBodyMax,
      connectionSubscriptionMax,
    },
    routes,
    originOf,
    compression: makeCompression(config, faults),
    trustedProxies,
    originTraces,
    traces: tracing && new RequestTraces(tracing),
    requestIds: requestIdHeader === undefined ? undefined : new RequestIds(requestIdHeader, config, trustedProxies),
    bodyLimits: new BodyLimits(config, {
      clock,
      faults,
      limited,
      warnings,
      received: (bytes) => traffic.bodyReceived(bytes),
    }),
    limits,
    admission: new Admission(config.maxOpenRequests),
    grants:
      replay &&
      new ResumeGrants({
        ...{ replay, clock, revocations, tokenLifetimeMax },
        key: resumeKey(config.resumeKey, sigKey),
      }),
    forwarder,
    holds,
    sessions,
    callbacks: around.callbacks,
    clock,
    events: telemetry.requests,
    originAnswered: (route, ms) => originTimes.answered(route.id, ms),
    log: log.child('request'),
    warnings,
  };
}

/** Makes what serves SockJS; its sessions over HTTP need a process that has its listeners for itself. */
export function composeSockJs(
  { sockjsUrl, acoOrigins, clientMaxconn }: Config,
  { sessions, events, clock, bodyLimits }: RequestDeps,
  isShared: boolean,
): SockJs {
  return new SockJs({
    clock,
    bodyLimits,
    faults: sessions.subscriber.faults,
    random: sessions.subscriber.random,
    open: (request, handshake, route, trust) => new Handshake(request, handshake, route, trust, sessions).start(),
    ended: (end) => events.requestEnded({ ...end, target: undefined, hold: undefined, retry: false }),
    sockjsUrl,
    acoOrigins: new AllowedOrigins(acoOrigins),
    overHttp: !isShared,
    clientMaxconn,
  });
}

/** Twice as many messages at once as in a second; none without a rate. */
function messagePace({ wsMessageRate }: Config): Pace | undefined {
  if (wsMessageRate === Number.POSITIVE_INFINITY) return undefined;
  return new Pace({ perSecond: wsMessageRate, burst: 2 * wsMessageRate });
}

/** None where nothing is compressed: then requests cost nothing for it. */
function makeCompression(config: Config, faults: Containment): Compression | undefined {
  return config.compress.length === 0 && !config.compressStreams ? undefined : new Compression(config, faults);
}

/** What answers for a target: a pool of connections, or one that is built in. */
function originsOf(
  origins: RequestPathDeps['origins'],
  builtInOf: (target: TestTarget | SubscribeTarget, route: Route) => Origin,
): (target: Target, route: Route, host: string) => Origin {
  return (target, route, host) => (target.kind === 'http' ? origins.origin(target, host) : builtInOf(target, route));
}
