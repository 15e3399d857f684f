/** Owns: a real edge, request handler and origin client in one process, with routes of the test's. */
import { silentLog } from '@holdfast/control-api';
import type { Test } from 'tap';
import type { SubscriberParts } from '../../dist/channels/subscriber-parts.js';
import { AllowedOrigins } from '../../dist/config/types/allowed-origins.js';
import type { EdgeHandler } from '../../dist/edge/port.js';
import type { HoldParts } from '../../dist/holds/hold.js';
import { OriginClient, type OriginClientOptions } from '../../dist/origin/client.js';
import { Forwarder } from '../../dist/origin/forwarder.js';
import { GripHeaders } from '../../dist/origin/grip-headers.js';
import { TestOrigin } from '../../dist/origin/test-target/origin.js';
import { Admission } from '../../dist/request/admission.js';
import { RequestHandler } from '../../dist/request/handle.js';
import type { RequestEnd, RequestParts, RequestSettings } from '../../dist/request/request-parts.js';
import { toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { realClock } from '../../dist/runtime/clock.js';
import type { SessionParts } from '../../dist/sessions/session-parts.js';
import { Scene } from '../edge/clause.js';
import { makeNodeEdge } from '../edge/node-edge-maker.js';
import { RawClient } from '../edge/raw-client.js';
import { until } from '../edge/wait.js';
import { NO_RULES } from '../origin/forward-rules.js';

const SETTINGS: RequestSettings = {
  debug: false,
  acceptPushpinRoute: false,
  autoCrossOrigin: false,
  acoOrigins: AllowedOrigins.any,
  forward: NO_RULES,
  upstreamKey: undefined,
  requestBodyMax: 100_000,
  instructBodyMax: 100_000,
  connectionSubscriptionMax: 100,
};

const ORIGIN: OriginClientOptions = {
  originConnectTimeout: 10_000,
  originTimeout: 60_000,
  originKeepAliveTimeout: 60_000,
  maxHeaderBytes: 65_536,
};

/** What a test may choose. */
export interface Choices {
  readonly settings?: Partial<RequestSettings>;
  readonly origin?: Partial<OriginClientOptions>;
  /** Requests at origins at once. */
  readonly admitted?: number;
}

/** A proxy on a port of its own, closed at the end of the test. */
export class RelayingProxy {
  /** Requests that are over, in order. */
  readonly ends: RequestEnd[];
  readonly port: number;
  readonly #t: Test;

  private constructor(t: Test, port: number, ends: RequestEnd[]) {
    this.#t = t;
    this.port = port;
    this.ends = ends;
  }

  /** `routes` are lines of a routes file. */
  static async open(t: Test, routes: readonly string[], choices: Choices = {}): Promise<RelayingProxy> {
    const ends: RequestEnd[] = [];
    const client = new OriginClient({ ...ORIGIN, ...choices.origin });
    t.teardown(() => client.close());
    const handler: EdgeHandler = new RequestHandler(parts(routes, choices, client, ends));
    const scene = await Scene.open(t, (surroundings) => makeNodeEdge({ ...surroundings, handler }));
    return new RelayingProxy(t, scene.port, ends);
  }

  /** A new client, connected. */
  connect(): Promise<RawClient> {
    return RawClient.to(this.#t, { port: this.port });
  }

  /** A client that has sent this. */
  async send(bytes: string): Promise<RawClient> {
    const client = await this.connect();
    void client.write(bytes);
    return client;
  }

  /** How the n-th request, counted from 1, ended: status, error and target. */
  async end(n: number): Promise<Pick<RequestEnd, 'status' | 'error' | 'target'>> {
    await until(() => this.ends.length >= n);
    const { status, error, target } = this.ends[n - 1] as RequestEnd;
    return { status, error, target };
  }
}

function parts(lines: readonly string[], choices: Choices, client: OriginClient, ends: RequestEnd[]): RequestParts {
  const settings = { ...SETTINGS, ...choices.settings };
  const routes = lines.map((text, at) => toRoute(parseRouteLine(text, at + 1) as RouteLine, () => undefined));
  const table = new RouteTable(routes);
  return {
    settings,
    routes: () => table,
    originOf: (target, route, host) =>
      target.kind === 'http' ? client.origin(target, host) : new TestOrigin(route.pathBeg, target),
    admission: new Admission(choices.admitted ?? Number.POSITIVE_INFINITY),
    forwarder: new Forwarder({ rules: settings.forward, sigIss: '', sigKey: undefined }, new GripHeaders(realClock)),
    holds: holdParts(),
    // No test here opens a WebSocket.
    sessions: {} as SessionParts,
    clock: realClock,
    events: { requestEnded: (end) => void ends.push(end), holdEnded: () => {} },
    log: silentLog,
  };
}

/** No test here opens a hold. */
function holdParts(): HoldParts {
  return { subscriber: {} as SubscriberParts, debug: false } as HoldParts;
}
