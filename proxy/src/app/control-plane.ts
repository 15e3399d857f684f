/**
 * What publishers, operators and other nodes reach of a node, with the backplane behind it: made, started and closed in order.
 * One for each node, however many processes serve its clients.
 */
import { randomUUID } from 'node:crypto';
import {
  BackplaneHub,
  type Callbacks,
  CauseLog,
  ChannelHistory,
  ChannelTaps,
  ClusterViews,
  CONTROL_CONNECTIONS,
  type Containment,
  ControlServer,
  type ControlServerOptions,
  type CurveKeys,
  type CustomerEvents,
  PacedLog,
  Presence,
  Publisher,
  type PublishReceipt,
  Revocations,
  TokenRevocations,
  type Tracing,
  ZeroMqSockets,
} from '@holdfast/control-api';
import type { Item } from '@holdfast/grip';
import { LivePage } from '../admin/live-page.js';
import { type AdminAccess, AdminServer, type Readiness } from '../admin/server.js';
import type { Config } from '../config/config.js';
import { CurveClients } from '../config/files/curve-clients.js';
import { hasKeys } from '../config/files/keys-file.js';
import { AllowedOrigins } from '../config/types/allowed-origins.js';
import type { CallbackOffice } from '../request/callback-order.js';
import { type Clock, guardedClock, type Timer } from '../runtime/clock.js';
import { Descriptors } from '../runtime/descriptors.js';
import type { RootLog } from '../telemetry/log.js';
import type { Metrics } from '../telemetry/metrics.js';
import { type ClusterAccess, makeBackplane } from './backplane.js';
import { callbackOffice, makeCallbacks } from './callbacks.js';
import { ControlKeys } from './control-keys.js';
import { makeCustomerEvents } from './customer-events.js';
import type { NodeDrain } from './drain/node-drain.js';
import { LocalNode } from './local-node.js';
import type { Serving } from './serving.js';
import { controlTls } from './tls/control-tls.js';

/** What a {@link ControlPlane} is joined with. */
export interface ControlPlaneParts {
  /** Asked for only once it serves: the two know each other. */
  readonly serving: () => Serving;
  readonly drain: NodeDrain;
  /** Whether a route has joins and leaves published. */
  readonly announces: boolean;
  /** Undefined where nothing is traced. */
  readonly tracing: Tracing | undefined;
  /** URLs of the listeners of clients, once they listen. */
  readonly clients: () => readonly string[];
  /** The configuration as YAML, without what may hold secrets; left out where it was made by a program. */
  readonly showConfig?: (() => string) | undefined;
}

/**
 * Milliseconds after which what other nodes have revoked is read again.
 *
 * @limit {s} until a node that was not there when it was asked knows of a revocation
 * @over –
 */
const REVOCATIONS_MS = 30_000;

/** The control side of a node. */
export class ControlPlane {
  /** What serves clients takes shares of it. */
  readonly hub: BackplaneHub;
  /** Undefined where the customer's own system is sent none. */
  readonly events: CustomerEvents | undefined;
  /** What carries out what origins ask for; undefined where there are no callbacks. */
  readonly callbackOffice: CallbackOffice | undefined;
  readonly zeromq: ZeroMqSockets;
  /** What serves clients takes shares of it. */
  readonly presence: Presence;
  /** As the other nodes know this one. */
  readonly #id = randomUUID();
  readonly #config: Config;
  readonly #log: RootLog;
  readonly #metrics: Metrics;
  readonly #faults: Containment;
  readonly #clock: Clock;
  readonly #serving: () => Serving;
  readonly #drain: NodeDrain;
  readonly #publisher: Publisher;
  /** Undefined where callers need none. */
  readonly #keys: ControlKeys | undefined;
  readonly #clusterAccess: ClusterAccess;
  readonly #callbacks: Callbacks | undefined;
  readonly #announces: boolean;
  readonly #showConfig: (() => string) | undefined;
  readonly #clients: () => readonly string[];
  /** Tokens of clients that count no more, as far as this node knows. */
  readonly revocations: Revocations;
  #syncing: Timer | undefined;
  readonly #descriptors = Descriptors.ofProcess();
  /** The web pages that may use the listeners for publishers and operators. */
  readonly #pages: AllowedOrigins;
  readonly #controls: ControlServer[] = [];
  #isGoingDown = false;
  readonly #admins: AdminServer[] = [];
  readonly #views: ClusterViews;
  readonly #tokens: TokenRevocations;
  #isStopped = false;

  /**
   * Builds the parts; nothing listens yet.
   * @throws ConfigError when a key of the control API cannot be read or used
   */
  constructor(
    config: Config,
    log: RootLog,
    metrics: Metrics,
    faults: Containment,
    { serving, drain, announces, tracing, showConfig, clients }: ControlPlaneParts,
  ) {
    this.#clients = clients;
    this.#showConfig = showConfig;
    this.#drain = drain;
    this.#announces = announces;
    this.#faults = faults;
    this.#clock = guardedClock(faults);
    this.#config = config;
    this.#pages = new AllowedOrigins(config.controlAllowedOrigins);
    this.#log = log;
    this.#metrics = metrics;
    this.#serving = serving;
    this.#clusterAccess = makeBackplane(config, log, metrics, faults);
    this.events = makeCustomerEvents(config, this.#id, this.#clusterAccess, log, metrics, faults);
    const { events } = this;
    this.revocations = new Revocations(this.#clock);
    this.#views = new ClusterViews(this.#clusterAccess.cluster, this.#clock);
    this.#tokens = new TokenRevocations({
      cluster: this.#views,
      store: this.#clusterAccess.revocations,
      clock: this.#clock,
      tokenLifetimeMax: config.tokenLifetimeMax,
    });
    this.hub = new BackplaneHub({
      inner: this.#clusterAccess.backplane,
      followers: [
        {
          subscribed: (channel) => this.zeromq.subscribed(channel),
          unsubscribed: (channel) => this.zeromq.unsubscribed(channel),
        },
      ],
      audience: events,
      onGap: events && ((gap) => events.gap(gap)),
      log: log.child('backplane'),
      faults,
    });
    this.#callbacks = makeCallbacks(config, {
      store: () => this.#clusterAccess.callbacks(this.hub.share({ watches: true })),
      events,
      log: log.child('callbacks'),
      metrics,
      faults,
      clock: this.#clock,
    });
    this.callbackOffice = this.#callbacks && callbackOffice(this.#callbacks);
    this.#keys = hasKeys(config)
      ? new ControlKeys({
          config,
          log: log.child('control'),
          clock: this.#clock,
          faults,
          onLoad: (isLoaded) => metrics.configLoads.loaded('keys', isLoaded),
        })
      : undefined;
    metrics.observeRedis(() => this.hub.unavailableReason !== undefined);
    metrics.observeDraining(() => this.#isGoingDown || drain.isUnderWay);
    this.#publisher = new Publisher({
      backplane: { publish: (messages) => serving().behindInterest(() => this.hub.publish(messages)) },
      countSubscribers: (channel) => serving().countSubscribers(channel),
      isTaken: (item) => serving().mayTake(item),
      events: metrics,
      log: log.child('publish'),
      causes: new CauseLog(log.child('publish'), this.#clock),
      limits: config,
      tracing,
    });
    this.presence = new Presence({
      occupancy: this.#clusterAccess.occupancy('presence', config.presenceDelay),
      publish: (items) => this.#publisher.publish(items),
      channelNameMax: config.channelNameMax,
      clock: this.#clock,
      log: log.child('presence'),
    });
    this.zeromq = new ZeroMqSockets({
      specs: { ...config, curve: curveOf(config, log) },
      publisher: this.#publisher,
      connections: {
        connected: (ids) => serving().connections.connected(ids),
        refresh: (whom) => serving().connections.refresh(whom),
      },
      wantsChanged: () => serving().wantsChanged(),
      events: metrics,
      log: log.child('zeromq'),
      clock: this.#clock,
      faults,
    });
  }

  /**
   * Starts in this order: backplane, control API, ZeroMQ sockets, admin; announces each listener. After a rejection it must
   * still be stopped.
   */
  async start(): Promise<void> {
    await this.hub.start();
    await this.#clusterAccess.cluster.join(
      new LocalNode(this.#id, this.#clock, this.#serving, this.revocations, this.#callbacks),
    );
    // Nobody is served before they are known.
    await this.#syncRevocations();
    if (this.#announces) this.presence.start();
    this.events?.start();
    await this.#callbacks?.start();
    await this.#startControl();
    for (const { what, uri, connects } of await this.zeromq.open())
      this.#log.announce(`${connects ? 'connecting to' : 'listening on'} ${uri} (${what})`, {
        listener: what,
        address: uri,
      });
    const { adminAuth, adminPort = [], prometheusPort = [], controlHosts, adminUi } = this.#config;
    const page = adminUi ? this.#makePage() : undefined;
    for (const { host, port } of [...adminPort, ...prometheusPort]) {
      const { exposition } = this.#serving();
      const admin = new AdminServer(
        exposition,
        () => this.#readiness,
        { hosts: controlHosts, origins: this.#pages },
        this.#descriptors.operators,
        this.#faults,
        adminAuth ? this.#adminAccess : undefined,
        page,
      );
      const url = await admin.listen(host, port);
      this.#admins.push(admin);
      this.#log.announce(`listening on ${url} (admin)`, { listener: 'admin', address: url });
    }
  }

  /** See `Publisher.publish`. */
  publish(items: readonly Item[]): Promise<PublishReceipt[]> {
    return this.#publisher.publish(items);
  }

  /**
   * The node is about to let its clients go: it is not ready from here on.
   */
  goDown(): void {
    this.#isGoingDown = true;
  }

  /**
   * The last clients go. A node that is alone takes no more items, for they would be acknowledged and reach nobody; with others
   * beside it they reach theirs, and are in the history.
   */
  stopPublishing(): void {
    if (this.#config.redisUrl === undefined) this.#publisher.stop();
  }

  /** Reads the keys of the control API again. */
  reload(): void {
    this.#keys?.reload();
  }

  /** Closes everything; publishes under way are given a moment. */
  async stop(): Promise<void> {
    this.#keys?.close();
    this.#isStopped = true;
    this.#clock.clear(this.#syncing);
    await Promise.all(this.#controls.map((control) => control.close()));
    this.zeromq.close();
    await this.#callbacks?.close();
    await Promise.all([this.presence.close(), this.events?.close()]);
    await this.#clusterAccess.cluster.leave();
    await Promise.all([this.hub.close(), ...this.#admins.map((admin) => admin.close())]);
    this.#clusterAccess.close();
  }

  /** What other nodes have kept: before clients are served, and from time to time, for a node may have been away when it was asked. */
  async #syncRevocations(): Promise<void> {
    try {
      const kept = await this.#clusterAccess.revocations.kept();
      const revocations = kept.filter((revocation) => this.revocations.add(revocation) === 'new');
      if (revocations.length > 0) await this.#serving().answers({ about: 'revoke', revocations });
    } catch (error) {
      this.#log.child('subscribe').debug({ err: error }, 'revocations cannot be read');
    }
    if (this.#config.redisUrl === undefined || this.#isStopped) return;
    this.#syncing = this.#clock.after(REVOCATIONS_MS, () => void this.#syncRevocations());
  }

  /** The control API is served below it even where it has no port. */
  #makePage(): LivePage {
    if (this.#controls.length === 0) this.#controls.push(this.#makeControl(0, 0, undefined));
    const [control] = this.#controls as [ControlServer];
    return new LivePage({ control: (request, response) => control.serve(request, response), clients: this.#clients });
  }

  get #adminAccess(): AdminAccess | undefined {
    const access = this.#keys?.access;
    return access && { access, events: this.#metrics, log: new PacedLog(this.#log.child('admin'), this.#clock) };
  }

  /** While the backplane is away, requests are still served and connections held; only publishing waits. */
  get #readiness(): Readiness {
    if (this.#isGoingDown) return { ready: false, reason: 'not accepting clients' };
    if (this.#drain.isUnderWay) return { ready: false, reason: 'draining' };
    const { readiness } = this.#serving();
    const { unavailableReason } = this.hub;
    if (!readiness.ready || unavailableReason === undefined) return readiness;
    if (this.#config.readyWithoutRedis) return { ready: true, degraded: unavailableReason };
    return { ready: false, reason: unavailableReason };
  }

  async #startControl(): Promise<void> {
    const { pushInHttpPort, pushInHttpsPort } = this.#config;
    const tls = controlTls(this.#config, this.#log.child('tls'), this.#faults, this.#clock);
    const ports = [
      { port: pushInHttpPort, scheme: 'http', tls: undefined },
      { port: pushInHttpsPort, scheme: 'https', tls },
    ].filter(({ port }) => port !== -1);
    for (const { port, scheme, tls } of ports) {
      const control = this.#makeControl(
        port,
        Math.floor(Math.min(CONTROL_CONNECTIONS, this.#descriptors.publishers) / ports.length),
        tls,
      );
      const where = await control.listen();
      this.#controls.push(control);
      const { address } = where;
      const url = `${scheme}://${address.includes(':') ? `[${address}]` : address}:${where.port}`;
      this.#log.announce(`listening on ${url} (control)`, { listener: 'control', address: url });
    }
  }

  #makeControl(port: number, maxConnections: number, tls: ControlServerOptions['tls']): ControlServer {
    const { history } = this.hub;
    const { pushInHttpAddr, pushInHttpMaxHeadersSize, pushInHttpMaxBodySize, controlHosts, channelNameMax } =
      this.#config;
    return new ControlServer({
      host: pushInHttpAddr,
      port,
      ...(tls !== undefined && { tls }),
      pushInHttpMaxHeadersSize,
      pushInHttpMaxBodySize,
      controlHosts,
      channelNameMax,
      allowedOrigins: this.#pages,
      maxConnections,
      publisher: this.#publisher,
      views: {
        cluster: this.#views,
        taps: new ChannelTaps(() => this.hub.share({ watches: true }), this.#clock),
        history: history && new ChannelHistory(history),
        node: {
          config: () => ({ yaml: this.#showConfig?.(), clients: this.#clients() }),
          routes: async () => ((await this.#serving().answers({ about: 'routes' }))[0] ?? []) as readonly unknown[],
        },
      },
      tokens: this.#tokens,
      drain: this.#drain,
      callbacks: this.#callbacks,
      access: this.#keys?.access,
      events: this.#metrics,
      log: this.#log.child('control'),
      clock: this.#clock,
      faults: this.#faults,
    });
  }
}

/** CURVE as it is configured; undefined without. @throws ConfigError when the file of clients cannot be used */
function curveOf(config: Config, log: RootLog): CurveKeys | undefined {
  const { zmqCurveSecretKey: secretKey, zmqCurvePublisherKey: publisherKey } = config;
  if (secretKey === undefined) return undefined;
  const clients = new CurveClients(config.zmqCurveClientKeys, config.zmqCurveClientKeysFile, (error) =>
    log.child('zeromq').error({ err: error }, error.message),
  );
  return { secretKey, publisherKey, clients: clients.nameOf };
}
