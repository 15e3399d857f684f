/** The workers of a node: that there are as many as there should be, asking all of them, and the sum of their series. */
import cluster from 'node:cluster';
import { randomBytes } from 'node:crypto';
import {
  type BackplaneHub,
  type Connections,
  type Containment,
  type EventSink,
  type Log,
  MessageEncoder,
  type Question,
  type Revocation,
  type StatsSink,
  statsTypes,
  TurnEnd,
} from '@holdfast/control-api';
import type { Exposition, Readiness } from '../../admin/server.js';
import type { Config } from '../../config/config.js';
import type { Listen } from '../../config/types/listen.js';
import { edges } from '../../edge/edges.js';
import { freePorts, prepareSocketFile } from '../../edge/listening.js';
import { EdgeError } from '../../errors.js';
import { resumeKey } from '../../history/tokens.js';
import { packageFile } from '../../package-files.js';
import type { CallbackOffice } from '../../request/callback-order.js';
import { readRoutes } from '../../routes/routes-source.js';
import { realClock, type Timer } from '../../runtime/clock.js';
import type { Metrics } from '../../telemetry/metrics.js';
import { addSnapshots, exposeSnapshots, type MetricsSnapshot } from '../../telemetry/series/series.js';
import { workerStdio } from '../../telemetry/standard-output.js';
import type { ControlPlane } from '../control-plane.js';
import type { DataPlaneLoad } from '../data-plane.js';
import type { Serving } from '../serving.js';
import { RestartPause } from './restart-pause.js';
import { WorkerProcess } from './worker-process.js';

/** Grow only: what a process has counted stays true when it has gone. */
const CUMULATIVE: ReadonlySet<string> = new Set(['counter', 'histogram']);

/** What a {@link WorkerPool} is made of. */
export interface WorkerPoolOptions {
  /** Of the whole node. */
  readonly config: Config;
  /** How many; at least 1. */
  readonly count: number;
  readonly hub: BackplaneHub;
  readonly metrics: Metrics;
  readonly faults: Containment;
  readonly statsSink: StatsSink;
  readonly presence: ControlPlane['presence'];
  /** Undefined: nobody wants events. */
  readonly events: EventSink | undefined;
  /** Undefined: there are no callbacks. */
  readonly callbacks: CallbackOffice | undefined;
  /** Tokens of clients that are revoked now: each new worker begins with them. */
  readonly revocations: () => readonly Revocation[];
  readonly log: Log;
}

/** Where one worker runs after the other. */
interface Place {
  readonly pause: RestartPause;
  worker: WorkerProcess | undefined;
  timer: Timer | undefined;
}

/** Worker processes that share the client listeners. One that ends is replaced; the others do not notice. */
export class WorkerPool implements Serving {
  readonly exposition: WorkerMetrics;
  readonly connections: Connections = {
    connected: async (ids) => {
      const found = new Set((await this.#askAll<string[]>('connected', ids)).flat());
      return ids.filter((id) => found.has(id));
    },
    refresh: async (whom) => (await this.#askAll<boolean>('refresh', whom)).includes(true),
  };
  readonly #options: WorkerPoolOptions;
  #config: Config;
  readonly #places: readonly Place[];
  readonly #encoder = new MessageEncoder();
  readonly #turn = new TurnEnd();
  readonly #instance = randomBytes(3).toString('hex');
  readonly #ticketSecret = randomBytes(32);
  #started = 0;
  #closesAfterAnswers = false;
  #isListening = true;
  /** By the monotonic clock, while what is held ends. */
  #spreadsUntil: number | undefined;
  #isStarted = false;
  #isStopping = false;

  /** @throws RoutesError when the routes file cannot be read */
  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#config = workerConfig(options.config, options.count);
    this.#places = Array.from({ length: options.count }, () => ({
      pause: new RestartPause(),
      worker: undefined,
      timer: undefined,
    }));
    options.metrics.observeWorkers(() => this.#serving.length);
    this.exposition = new WorkerMetrics(options.metrics, () => this.#snapshots());
    if (readRoutes(options.config).table.routes.some(({ sockjs }) => sockjs !== undefined)) {
      const text =
        'sockjs: with workers only its WebSocket transport is served, as requests of a session over HTTP go to any worker';
      options.log.warn({}, text);
    }
  }

  /** Starts all; rejects with the first failure: what keeps one from serving, such as a port in use, keeps all. */
  async start(): Promise<readonly string[]> {
    this.#config = await this.#chosenListeners();
    cluster.setupPrimary({
      exec: packageFile('dist/app/workers/worker.js'),
      args: [],
      stdio: workerStdio(this.#config),
    });
    // For what the primary binds. Left to the system, most connections would go to a few workers.
    cluster.schedulingPolicy = cluster.SCHED_RR;
    const [urls = []] = await Promise.all(this.#places.map((place) => this.#fill(place).serving));
    this.#isStarted = true;
    for (const place of this.#places) {
      if (place.worker === undefined) this.#refill(place);
      else this.#joinOthers(place.worker);
    }
    return urls;
  }

  reload(): void {
    this.#notifyAll('reload');
  }

  /**
   * The listeners as all workers can have them. Where each worker binds a port itself, beside the others (SO_REUSEPORT), it is chosen
   * before if the system is to choose it, and must be free: nothing else keeps a second node off it.
   */
  async #chosenListeners(): Promise<Config> {
    const { edge, httpPort, httpsPorts, localPorts } = this.#config;
    const { portsBoundBy, sharesSocketFiles } = edges[edge];
    if (localPorts.length > 0 && !sharesSocketFiles) {
      throw new EdgeError(
        'ERR_EDGE_UNAVAILABLE',
        `edge ${edge}: workers cannot share local_ports; use edge: node, or workers: 1`,
      );
    }
    for (const { path } of localPorts) await prepareSocketFile(path);
    if (portsBoundBy === 'primary') return this.#config;
    const wanted = [...httpPort, ...httpsPorts];
    const ports = await freePorts(wanted);
    const chosen = wanted.map((listen, i): Listen => ({ ...listen, port: ports[i] as number }));
    return { ...this.#config, httpPort: chosen.slice(0, httpPort.length), httpsPorts: chosen.slice(httpPort.length) };
  }

  closeAfterAnswers(closes: boolean): void {
    this.#closesAfterAnswers = closes;
    this.#notifyAll('close-after-answers', closes);
  }

  stopListening(): void {
    this.#isListening = false;
    this.#notifyAll('stop-listening');
  }

  /** Each worker ends what it holds over the whole window: together they keep the pace of the node. One that starts meanwhile joins. */
  async spread(window: number): Promise<void> {
    const until = realClock.monotonic() + window;
    this.#spreadsUntil = until;
    const workers = this.#serving;
    await Promise.all(workers.map((worker) => worker.spread({ window, processes: workers.length })));
    if (this.#spreadsUntil === until) this.#spreadsUntil = undefined;
  }

  rest(): void {
    this.#spreadsUntil = undefined;
    this.#notifyAll('rest');
  }

  get holds(): number {
    return this.#workers.reduce((sum, { load }) => sum + load.holds, 0);
  }

  /** Clients may publish as soon as they are answered, when the interest of their worker is on its way. */
  behindInterest<Done>(publish: () => Promise<Done>): Promise<Done> {
    return new Promise((resolve) => this.#turn.publishLater(() => resolve(publish())));
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#turn.run();
    for (const { timer } of this.#places) realClock.clear(timer);
    await Promise.all(this.#workers.map((worker) => worker.stop(this.#config.shutdownRequests)));
  }

  /** Only the workers know. */
  countSubscribers(): undefined {
    return undefined;
  }

  mayTake(): boolean {
    return true;
  }

  get readiness(): Readiness {
    if (this.#isStopping) return { ready: false, reason: 'not accepting clients' };
    return this.#serving.length > 0 ? { ready: true } : { ready: false, reason: 'no worker serves clients' };
  }

  get workers(): number {
    return this.#serving.length;
  }

  get load(): DataPlaneLoad {
    const connections = this.#workers.reduce((sum, { load }) => sum + load.connections, 0);
    return { connections, channels: this.#options.hub.channels };
  }

  wantsChanged(): void {
    this.#notifyAll('wants', this.#wants);
  }

  answers(question: Question): Promise<readonly unknown[]> {
    return this.#askAll('question', question);
  }

  get #workers(): readonly WorkerProcess[] {
    return this.#places.map(({ worker }) => worker).filter((worker) => worker !== undefined);
  }

  get #serving(): readonly WorkerProcess[] {
    return this.#workers.filter(({ isServing }) => isServing);
  }

  get #wants(): readonly string[] {
    return statsTypes.filter((type) => this.#options.statsSink.wants(type));
  }

  #notifyAll(topic: string, body?: unknown): void {
    for (const { channel } of this.#workers) void channel.notify(topic, body);
  }

  /** The answers of those who answer. */
  async #askAll<Answer>(topic: string, body?: unknown): Promise<Answer[]> {
    const answers = await Promise.allSettled(this.#serving.map(({ channel }) => channel.ask(topic, body)));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value as Answer] : []));
  }

  async #snapshots(): Promise<ReadonlyMap<number, MetricsSnapshot>> {
    const snapshots = new Map<number, MetricsSnapshot>();
    const ask = async ({ number, channel }: WorkerProcess) =>
      snapshots.set(number, (await channel.ask('metrics')) as MetricsSnapshot);
    await Promise.allSettled(this.#serving.map(ask));
    return snapshots;
  }

  #fill(place: Place): WorkerProcess {
    const { hub, presence } = this.#options;
    const number = ++this.#started;
    const worker = new WorkerProcess({
      ...this.#options,
      number,
      init: () => ({
        // One has the component of an XMPP server, which takes it from one connection only.
        config: place === this.#places[0] ? this.#config : { ...this.#config, xmppComponent: undefined },
        number,
        instance: `${this.#instance}w${number.toString(36)}`,
        ticketSecret: this.#ticketSecret,
        history: hub.hasHistory,
        revocations: this.#options.revocations(),
        wants: this.#wants,
      }),
      encoder: this.#encoder,
      turn: this.#turn,
      presence: presence.share(),
      ended: (signal, status) => this.#ended(place, worker, signal, status),
    });
    place.worker = worker;
    return worker;
  }

  #ended(place: Place, worker: WorkerProcess, signal: string | undefined, status: number | undefined): void {
    place.worker = undefined;
    if (this.#isStopping || !this.#isStarted) return;
    const { log, metrics } = this.#options;
    const lasted = realClock.monotonic() - worker.startedAt;
    const pause = place.pause.next(lasted);
    const { number, pid } = worker;
    metrics.workerEnded(signal ?? 'exit');
    void this.exposition.retire(number);
    const how = signal === undefined ? `with status ${status}` : `by ${signal}`;
    const fields = { worker: number, pid, signal, status, lasted, pause };
    log.error(
      fields,
      `worker ended ${how}; its connections are lost, the next one starts ${pause === 0 ? 'now' : `in ${pause} ms`}`,
    );
    place.timer = realClock.after(pause, () => this.#refill(place));
  }

  #refill(place: Place): void {
    if (this.#isStopping) return;
    const worker = this.#fill(place);
    worker.serving.then(
      () => {
        this.#options.log.info({ worker: worker.number, pid: worker.pid }, 'worker serves clients');
        this.#joinOthers(worker);
      },
      (error: Error) => {
        if (!this.#isStopping)
          this.#options.log.error({ worker: worker.number, err: error }, 'worker cannot serve clients');
      },
    );
  }

  /** One that has taken the place of another does as the others do. What was revoked while it started, it was not asked. */
  #joinOthers(worker: WorkerProcess): void {
    const revocations = this.#options.revocations();
    if (revocations.length > 0) void worker.channel.ask('question', { about: 'revoke', revocations }).catch(() => {});
    if (this.#closesAfterAnswers) void worker.channel.notify('close-after-answers', true);
    if (!this.#isListening) void worker.channel.notify('stop-listening');
    if (this.#spreadsUntil === undefined) return;
    const window = Math.max(0, this.#spreadsUntil - realClock.monotonic());
    void worker.spread({ window, processes: this.#serving.length });
  }
}

/**
 * Adds the series of the primary and of all workers up. What a worker had counted when it was last asked stays in the sum
 * after its end, so that no counter falls; what it counted since is lost.
 */
export class WorkerMetrics implements Exposition {
  readonly #own: Metrics;
  readonly #ask: () => Promise<ReadonlyMap<number, MetricsSnapshot>>;
  readonly #last = new Map<number, MetricsSnapshot>();
  /** Numbers of workers that have ended, and whose last series are in the sum. */
  readonly #retired = new Set<number>();
  #ended: MetricsSnapshot = [];

  /** `ask` resolves with the series of those workers that answer, by their number. */
  constructor(own: Metrics, ask: () => Promise<ReadonlyMap<number, MetricsSnapshot>>) {
    this.#own = own;
    this.#ask = ask;
  }

  get contentType(): string {
    return this.#own.contentType;
  }

  async expose(): Promise<string> {
    const [own, answers] = await Promise.all([this.#own.snapshot(), this.#ask()]);
    for (const [worker, snapshot] of answers) if (!this.#retired.has(worker)) this.#last.set(worker, snapshot);
    return exposeSnapshots([own, this.#ended, ...this.#last.values()]);
  }

  /** A worker has ended. */
  async retire(worker: number): Promise<void> {
    this.#retired.add(worker);
    const last = this.#last.get(worker);
    this.#last.delete(worker);
    if (last !== undefined) {
      const counted = last.filter(({ type }) => CUMULATIVE.has(type));
      this.#ended = await addSnapshots([this.#ended, counted]);
    }
  }
}

/** The part of a limit of the node that each of so many workers gets; at least 1, and Infinity stays. */
const part = (limit: number, workers: number): number => Math.max(1, Math.ceil(limit / workers));

/** The configuration of each of so many workers: limits that count for the whole node are divided among them. */
function workerConfig(config: Config, workers: number): Config {
  return {
    ...config,
    // The control API is the primary's, and so is what sends events.
    controlKey: undefined,
    eventsKey: undefined,
    // A random one must be the same for all: clients come back to any of them.
    resumeKey: { kind: 'secret', secret: resumeKey(config.resumeKey, config.sigKey) },
    clientMaxconn: part(config.clientMaxconn, workers),
    maxOpenRequests: part(config.maxOpenRequests, workers),
    messageRate: config.messageRate / workers,
    messageHwm: part(config.messageHwm, workers),
  };
}
