/** What every exchange is given, and what it reports. */
import type { Log } from '@holdfast/control-api';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import type { BodyLimits } from '../clients/body-limits.js';
import type { ClientLimits } from '../clients/client-limits.js';
import type { RequestIds } from '../clients/request-ids.js';
import type { TrustedProxies } from '../clients/trusted-proxies.js';
import type { Compression } from '../compression/compression.js';
import type { Options } from '../config/table.js';
import type { AllowedOrigins } from '../config/types/allowed-origins.js';
import type { ClientRequest } from '../edge/port.js';
import type { ResumeGrants } from '../history/grants.js';
import type { HoldDeps } from '../holds/hold.js';
import type { Forwarder } from '../origin/forwarder.js';
import type { ForwardRules } from '../origin/headers.js';
import type { Origin } from '../origin/port.js';
import type { OriginWarnings } from '../origin/warnings.js';
import type { Route } from '../routes/route.js';
import type { RouteTable } from '../routes/route-table.js';
import type { Target } from '../routes/target.js';
import type { Clock } from '../runtime/clock.js';
import type { SessionDeps } from '../sessions/session-deps.js';
import type { OriginTraces } from '../tracing/origin-traces.js';
import type { RequestTraces } from '../tracing/request-traces.js';
import type { Admission } from './admission.js';
import type { CallbackOffice } from './callback-order.js';

/** The options of the request path. */
export interface RequestSettings
  extends Pick<
    Options,
    | 'debug'
    | 'autoCrossOrigin'
    | 'acceptPushpinRoute'
    | 'upstreamKey'
    | 'requestBodyMax'
    | 'instructBodyMax'
    | 'connectionSubscriptionMax'
  > {
  /** Whose scripts `aco` lets in where a route does not say so itself. */
  readonly acoOrigins: AllowedOrigins;
  readonly forward: ForwardRules;
}

/** One request that is over, as far as its first answer goes: a hold reports its end apart. */
export interface RequestEnd {
  readonly request: ClientRequest;
  readonly secure: boolean;
  readonly route: Route | undefined;
  readonly target: string | undefined;
  /** Status sent to the client; 0 when it went away before. */
  readonly status: number;
  /** Code of the error behind the answer, if any. */
  readonly error: string | undefined;
  /** The kind of hold that the request has become. */
  readonly hold: 'response' | 'stream' | undefined;
  /** What it is then, at the moment; left out where there is none. */
  readonly held?: Pick<Subscriber, 'view'> | undefined;
  readonly bytes: number;
  /** In ms, since the head of the request was complete. */
  readonly duration: number;
  /** The origin was asked again on behalf of a held client. */
  readonly retry: boolean;
}

/** The access log and the metrics of requests. Must not throw. */
export interface RequestEvents {
  requestEnded(end: RequestEnd): void;
  holdEnded(request: ClientRequest, route: Route | undefined, end: SubscriberEnd, bytes: number): void;
}

/** Given to every exchange; the same for all. */
export interface RequestDeps {
  readonly settings: RequestSettings;
  /** The table in force now: it is replaced as a whole when routes are reloaded. */
  readonly routes: () => RouteTable;
  /** What answers for a target, for requests with this Host. */
  readonly originOf: (target: Target, route: Route, host: string) => Origin;
  /** Undefined where no proxy in front is trusted: then a client is who connects. */
  readonly trustedProxies?: TrustedProxies | undefined;
  /** Undefined where requests have no ids but those of this node. */
  readonly requestIds?: RequestIds | undefined;
  /** Undefined where traces are not followed. */
  readonly traces?: RequestTraces | undefined;
  /** Undefined where no spans are recorded. */
  readonly originTraces?: OriginTraces | undefined;
  readonly bodyLimits: BodyLimits;
  /** Undefined where nothing limits clients. */
  readonly limits?: ClientLimits | undefined;
  readonly admission: Admission;
  /** Undefined where no history is kept: then no stream comes back without its origin. */
  readonly grants?: ResumeGrants | undefined;
  /** Undefined where nothing is compressed. */
  readonly compression?: Compression | undefined;
  readonly forwarder: Forwarder;
  readonly holds: HoldDeps;
  readonly sessions: SessionDeps;
  /** Undefined where there are no callbacks. */
  readonly callbacks?: CallbackOffice | undefined;
  readonly clock: Clock;
  readonly events: RequestEvents;
  /** An origin has answered a request of this route with a head, after so many ms. Left out: it is not measured. */
  readonly originAnswered?: (route: Route, ms: number) => void;
  readonly log: Log;
  /** Left out: failures are in the access log alone. */
  readonly warnings?: OriginWarnings | undefined;
}
