/**
 * Owns: the composition root: which parts a node is made of, the order in which they start and the order in which they
 * go down. Does not own: the parts, the command line, or signals.
 */
import { randomBytes } from 'node:crypto';
import { type Backplane, ControlServer, LocalBackplane, Publisher } from '@holdfast/control-api';
import { AccessLog } from './access-log.js';
import { AdminServer } from './admin.js';
import { ItemDelivery } from './channels/item-delivery.js';
import { ChannelRegistry } from './channels/registry.js';
import { realClock } from './clock.js';
import type { Config, ForwardConfig } from './config/config.js';
import type { Edge, EdgeHandler, Listener } from './edge/edge.js';
import { EdgeError } from './edge/errors.js';
import { NodeEdge } from './edge/node-edge.js';
import { TlsCertificates } from './edge/tls-certificates.js';
import type { HoldParts } from './holds/hold.js';
import type { RootLog } from './log.js';
import { Metrics } from './metrics.js';
import { OriginClient } from './origin/client.js';
import { GripHeaders } from './origin/grip-headers.js';
import type { ForwardRules } from './origin/headers.js';
import { TestOrigin } from './origin/test-origin.js';
import { Admission } from './request/admission.js';
import { RequestHandler } from './request/handle.js';
import type { RequestParts } from './request/request-parts.js';
import { RoutesSource } from './routes/routes-source.js';

/** Response heads of origins may be longer than what clients may send us. */
const ORIGIN_HEADER_BYTES = 65_536;

/** How long requests under way may go on once the node goes down, in ms. */
const DRAIN_MS = 1_000;

/** A whole Holdfast in one process. */
export class HoldfastNode {
  readonly #config: Config;
  readonly #log: RootLog;
  readonly #metrics: Metrics;
  readonly #backplane: Backplane;
  readonly #registry: ChannelRegistry;
  readonly #routes: RoutesSource;
  readonly #origins: OriginClient;
  readonly #edge: Edge;
  readonly #publisher: Publisher;
  #control: ControlServer | undefined;
  #admins: AdminServer[] = [];
  #ready = false;

  /**
   * Builds the parts; nothing listens yet.
   * @throws RoutesError when the routes file cannot be read; EdgeError when the edge cannot be had
   */
  constructor(config: Config, log: RootLog) {
    this.#config = config;
    this.#log = log;
    this.#metrics = new Metrics(config.admin.prometheusPrefix);
    this.#backplane = new LocalBackplane(log.child('backplane'));
    this.#registry = new ChannelRegistry(this.#backplane);
    const routesLog = log.child('routes');
    this.#routes = new RoutesSource(config.routes, {
      log: {
        info: (message) => routesLog.info({}, message),
        warn: (message) => routesLog.warn({}, message),
        error: (message) => routesLog.error({}, message),
      },
    });
    this.#origins = new OriginClient({
      connectTimeout: config.origin.connectTimeoutMs,
      inactivityTimeout: config.origin.timeoutMs,
      keepAliveTimeout: config.origin.keepAliveTimeoutMs,
      maxHeaderBytes: ORIGIN_HEADER_BYTES,
    });
    this.#publisher = new Publisher({
      backplane: this.#backplane,
      countSubscribers: (channel) => this.#registry.count(channel),
      events: this.#metrics,
      log: log.child('publish'),
    });
    this.#edge = this.#makeEdge(new RequestHandler(this.#requestParts()));
    this.#metrics.observe({ connections: () => this.#edge.connections, channels: () => this.#registry.size });
  }

  /**
   * Starts in this order: backplane, control API, admin, clients. So nobody is served before items can reach them. On
   * failure everything that had started is closed again. Announces every listener.
   */
  async start(): Promise<void> {
    try {
      await this.#backplane.start(
        new ItemDelivery(this.#registry, realClock, this.#metrics, this.#log.child('delivery')),
      );
      await this.#startControl();
      for (const { host, port } of this.#config.admin.listen) {
        const admin = new AdminServer(this.#metrics, () =>
          this.#ready ? { ready: true } : { ready: false, reason: 'not accepting clients' },
        );
        const url = await admin.listen(host, port);
        this.#admins.push(admin);
        this.#log.announce(`listening on ${url} (admin)`);
      }
      for (const listener of this.#listeners()) {
        const { url } = await this.#edge.listen(listener);
        this.#log.announce(`listening on ${url} (clients)`);
      }
      this.#ready = true;
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Reads the routes again, and opens the log file anew: what SIGHUP asks for. */
  reload(): void {
    this.#log.reopen();
    this.#log.info({}, 'reloading');
    if (this.#config.routes.file !== undefined) this.#routes.reload();
  }

  /**
   * Goes down: no new connections, held requests answered as at their time-out, streams ended, requests under way given a
   * moment to complete, then everything closed.
   */
  async stop(): Promise<void> {
    this.#ready = false;
    this.#edge.stopAccepting();
    for (const subscriber of this.#registry.all()) subscriber.shutDown();
    const until = Date.now() + DRAIN_MS;
    while (this.#edge.connections > 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    await this.#edge.close();
    await this.#control?.close();
    this.#routes.close();
    await Promise.all([this.#backplane.close(), this.#origins.close(), ...this.#admins.map((admin) => admin.close())]);
  }

  async #startControl(): Promise<void> {
    const { listen, headMax, bodyMax } = this.#config.control;
    if (listen === undefined) return;
    this.#control = new ControlServer({
      host: listen.host,
      port: listen.port,
      maxHeaderBytes: headMax,
      maxBodyBytes: bodyMax,
      publisher: this.#publisher,
      events: this.#metrics,
      log: this.#log.child('control'),
    });
    const { address, port } = await this.#control.listen();
    this.#log.announce(`listening on http://${address.includes(':') ? `[${address}]` : address}:${port} (control)`);
  }

  #listeners(): Listener[] {
    const { http, https, sockets } = this.#config.client;
    return [...http, ...https.map((listen) => ({ ...listen, tls: true })), ...sockets];
  }

  #makeEdge(handler: EdgeHandler): Edge {
    const { client } = this.#config;
    if (client.edge === 'uws') {
      throw new EdgeError('ERR_EDGE_UNAVAILABLE', 'edge uws: this version has only the node edge; use edge: node');
    }
    const tlsLog = this.#log.child('tls');
    const certificates = new TlsCertificates(client.tlsCertsDir, (error) =>
      tlsLog.error({ err: error }, error.message),
    );
    const instance = randomBytes(3).toString('hex');
    let requests = 0;
    const edgeLog = this.#log.child('edge');
    return new NodeEdge(
      handler,
      {
        maxHeaderBytes: client.headMax,
        maxConnections: client.connectionsMax,
        keepAliveTimeout: client.keepAliveTimeoutMs,
        headerTimeout: client.headerTimeoutMs,
        halfCloseGrace: client.halfCloseGraceMs,
        certificates,
      },
      {
        clock: realClock,
        nextId: () => `${instance}-${(++requests).toString(36)}`,
        events: {
          connectionRefused: () => {
            this.#metrics.connectionRefused();
            edgeLog.warn({}, `client_maxconn (${client.connectionsMax}) reached: connection closed`);
          },
          requestRefused: (reason) => {
            this.#metrics.requestRefused();
            edgeLog.debug({ reason }, 'malformed request refused');
          },
        },
      },
    );
  }

  #requestParts(): RequestParts {
    const { forward, origin, holds, log } = this.#config;
    const level = log.parts.proxy ?? log.level;
    const access = new AccessLog(this.#log.child('proxy'), {
      enabled: level === 'info' || level === 'debug',
      from: log.from,
      userAgent: log.userAgent,
    });
    const testOrigins = new Map<string, TestOrigin>();
    return {
      settings: {
        debug: forward.debug,
        acceptRouteHeader: forward.acceptPushpinRoute,
        forward: forwardRules(forward),
        sigIss: forward.sigIss,
        sigKey: forward.sigKey,
        upstreamKey: forward.upstreamKey,
        requestBodyMax: origin.requestBodyMax,
        instructBodyMax: origin.instructBodyMax,
        subscriptionMax: holds.subscriptionsMax,
      },
      routes: () => this.#routes.table,
      originOf: (target, route, host) => {
        if (target.kind === 'http') return this.#origins.origin(target, host);
        const known = testOrigins.get(route.pathBeg) ?? new TestOrigin(route.pathBeg);
        testOrigins.set(route.pathBeg, known);
        return known;
      },
      admission: new Admission(origin.openRequestsMax),
      grip: new GripHeaders(realClock),
      holds: this.#holdParts(),
      clock: realClock,
      events: {
        requestEnded: (end) => {
          this.#metrics.requestEnded(end);
          access.request(end);
        },
        holdEnded: (request, route, end, bytes) => access.hold(request, route, end, bytes),
      },
      log: this.#log.child('request'),
    };
  }

  #holdParts(): HoldParts {
    return {
      registry: this.#registry,
      clock: realClock,
      random: Math.random,
      events: this.#metrics,
      log: this.#log.child('hold'),
      queueLimit: this.#config.holds.streamQueueMax,
      slowClientPolicy: this.#config.holds.slowClientPolicy,
    };
  }
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
