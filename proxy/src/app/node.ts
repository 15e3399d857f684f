/** A whole node: one control plane, and what serves clients, in the order in which they start and go down. */
import { randomBytes } from 'node:crypto';
import { type Connections, Faults, type PublishReceipt, type Question, type Tracing } from '@holdfast/control-api';
import type { Item } from '@holdfast/grip';
import type { Exposition, Readiness } from '../admin/server.js';
import { exposuresOf } from '../config/checks/exposure.js';
import { type Config, processesFor } from '../config/config.js';
import { readKeys } from '../config/files/keys-file.js';
import { version } from '../package-files.js';
import { assertKeys, readRoutes } from '../routes/routes-source.js';
import { guardedClock } from '../runtime/clock.js';
import { Descriptors } from '../runtime/descriptors.js';
import type { RootLog } from '../telemetry/log.js';
import { Metrics } from '../telemetry/metrics.js';
import { makeTracing } from '../tracing/make-tracing.js';
import type { DataPlaneDeps, Overrides } from './compose/compose.js';
import { ControlPlane } from './control-plane.js';
import { DataPlane, type DataPlaneLoad } from './data-plane.js';
import { NodeDrain } from './drain/node-drain.js';
import { openFilesNotice } from './open-files.js';
import type { Serving } from './serving.js';
import { CertificateExpiry } from './tls/certificate-expiry.js';
import { checkCertificates } from './tls/certificates.js';
import { WorkerPool } from './workers/worker-pool.js';

/** A whole Holdfast. */
export class HoldfastNode {
  /** Takes what is thrown anywhere in this process. */
  readonly faults: Faults;
  readonly #log: RootLog;
  readonly #drain: NodeDrain;
  readonly #control: ControlPlane;
  readonly #serving: Serving;
  readonly #tracing: Tracing | undefined;
  /** URLs of the listeners of clients. */
  #clients: readonly string[] = [];

  /**
   * Builds the parts; nothing listens yet. Warns of what the configuration leaves open to others. Workers, being processes of
   * their own, know nothing of `overrides`. `showConfig` is as of `ControlPlaneParts`.
   * @throws RoutesError when the routes file or a key in it cannot be read; ConfigError when a key of the control API cannot be
   * used; EdgeError when the edge cannot be had
   */
  constructor(config: Config, log: RootLog, overrides: Overrides = {}, showConfig?: () => string) {
    this.#log = log;
    const routes = readRoutes(config);
    assertKeys(routes, config);
    const signing = [...routes.keyFiles.signing, ...readKeys(config).files];
    for (const { fields, message } of exposuresOf(config, { ...routes.keyFiles, signing })) log.warn(fields, message);
    const { problems, warnings } = checkCertificates(config, routes.table.routes);
    for (const message of [...problems, ...warnings]) log.child('tls').warn({}, message);
    const files = openFilesNotice(config, processesFor(config), Descriptors.ofProcess().limit);
    if (files !== undefined) log[files.level](files.fields, files.message);
    const metrics = overrides.metrics ?? new Metrics(config.prometheusPrefix);
    metrics.observeBuild({ version, edge: config.edge, node: process.versions.node });
    const isTls = config.httpsPorts.length > 0 || config.pushInHttpsPort !== -1;
    const expiry = isTls ? new CertificateExpiry(config.tlsCertsDir) : undefined;
    metrics.observeCertificates(async () => (await expiry?.rows()) ?? []);
    this.faults = new Faults(log.child('fault'), metrics);
    const { faults } = this;
    this.#tracing = makeTracing(config, log.child('trace'), overrides.random ?? Math.random);
    const serving = () => this.#serving;
    this.#drain = new NodeDrain({ delays: config, serving, clock: guardedClock(faults), faults, log });
    const announces = routes.table.routes.some(({ presence }) => presence === 'events');
    const clients = () => this.#clients;
    const parts = { serving, drain: this.#drain, announces, tracing: this.#tracing, clients, showConfig };
    this.#control = new ControlPlane(config, log, metrics, faults, parts);
    this.#serving = this.#makeServing(config, metrics, overrides);
  }

  /**
   * Starts the control plane, then what serves clients: nobody is served before items can reach them. On failure everything
   * that had started is closed again. Announces every listener.
   */
  async start(): Promise<void> {
    try {
      await this.#control.start();
      this.#clients = await this.#serving.start();
      for (const url of this.#clients) {
        this.#log.announce(`listening on ${url} (clients)`, { listener: 'clients', address: url });
      }
    } catch (error) {
      await this.#close();
      throw error;
    }
  }

  /** Publishes items as the control API does; resolves and rejects as `Publisher.publish`. The node must have started. */
  publish(items: readonly Item[]): Promise<PublishReceipt[]> {
    return this.#control.publish(items);
  }

  /** Reads the routes and the keys of the control API again, and opens the log file anew: what SIGHUP asks for. */
  reload(): void {
    this.#log.reopen();
    this.#log.info({}, 'reloading');
    this.faults.run('watch', () => this.#control.reload());
    this.faults.run('watch', () => this.#serving.reload());
  }

  /** Lets clients go over `shutdown_delay` and `shutdown_window`, but goes on; resolves when these are over, or `resume` was called. */
  drain(): Promise<void> {
    return this.#drain.begin();
  }

  /** Takes `drain` back; without effect where the node is stopping. */
  resume(): void {
    this.#drain.takeBack();
  }

  /**
   * Goes down: readiness; over `shutdown_delay` and `shutdown_window` what is held, unless it has gone already, or `isUrgent`; what could
   * still be published to nobody; then what serves clients (see `DataPlane.stop`), then the control plane.
   */
  async stop({ isUrgent = false } = {}): Promise<void> {
    this.#control.goDown();
    if (!isUrgent) await this.#drain.finish();
    await this.#close();
  }

  async #close(): Promise<void> {
    this.#control.goDown();
    this.#drain.close();
    this.#control.stopPublishing();
    await this.#serving.stop();
    await this.#control.stop();
    await this.#tracing?.flush();
  }

  #makeServing(config: Config, metrics: Metrics, overrides: Overrides): Serving {
    const { hub, events, presence, callbackOffice: callbacks, zeromq: statsSink } = this.#control;
    const count = processesFor(config);
    if (count > 1) {
      return new WorkerPool({
        config,
        count,
        hub,
        metrics,
        faults: this.faults,
        statsSink,
        presence,
        events,
        callbacks,
        revocations: () => this.#control.revocations.list(),
        log: this.#log.child('workers'),
      });
    }
    const instance = randomBytes(3).toString('hex');
    const share = hub.share();
    return new OneProcess(config, this.#log, {
      ...overrides,
      backplane: overrides.backplane?.(share) ?? share,
      metrics,
      tracing: this.#tracing,
      faults: this.faults,
      statsSink,
      presence: presence.share(),
      events,
      callbacks,
      instance,
      isShared: false,
    });
  }
}

/** Serves clients in the process of the control plane itself: `workers: 1`. */
class OneProcess implements Serving {
  readonly exposition: Exposition;
  readonly workers = 1;
  readonly #data: DataPlane;
  #ready = false;

  /** Throws as the constructor of `DataPlane` does. */
  constructor(config: Config, log: RootLog, deps: DataPlaneDeps) {
    this.exposition = deps.metrics;
    this.#data = new DataPlane(config, log, deps);
  }

  async start(): Promise<readonly string[]> {
    const urls = await this.#data.start();
    this.#ready = true;
    return urls;
  }

  reload(): void {
    this.#data.reload();
  }

  closeAfterAnswers(closes: boolean): void {
    this.#data.closeAfterAnswers(closes);
  }

  stopListening(): void {
    this.#data.stopListening();
  }

  spread(window: number): Promise<void> {
    return this.#data.spread(window, 1);
  }

  rest(): void {
    this.#data.rest();
  }

  get holds(): number {
    return this.#data.holds;
  }

  stop(): Promise<void> {
    this.#ready = false;
    return this.#data.stop();
  }

  countSubscribers(channel: string): number {
    return this.#data.countSubscribers(channel);
  }

  mayTake(item: Item): boolean {
    return this.#data.mayTake(item);
  }

  behindInterest<Done>(publish: () => Promise<Done>): Promise<Done> {
    return publish();
  }

  get connections(): Connections {
    return this.#data.connections;
  }

  get readiness(): Readiness {
    return this.#ready ? { ready: true } : { ready: false, reason: 'not accepting clients' };
  }

  get load(): DataPlaneLoad {
    return this.#data.load;
  }

  /** The data plane asks the socket itself. */
  wantsChanged(): void {}

  async answers(question: Question): Promise<readonly unknown[]> {
    return [await this.#data.answer(question)];
  }
}
