/**
 * Owns: the life of a node: the order in which its parts start, and the order in which they go down.
 * Does not own: making the parts (`assembly`), the command line, or signals.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { ChannelTaps, ClusterViews, ControlServer, LoneNode, type NodeState, type Nodes } from '@holdfast/control-api';
import { AdminServer } from './admin.js';
import { type Assembly, assemble } from './assembly.js';
import { realClock } from './clock.js';
import type { Config } from './config/config.js';
import type { Listener } from './edge/edge.js';
import type { RootLog } from './log.js';
import { version } from './version.js';

/** How long requests under way may go on once the node goes down, in ms. */
const DRAIN_MS = 1_000;

/** A whole Holdfast in one process. */
export class HoldfastNode {
  readonly #config: Config;
  readonly #log: RootLog;
  readonly #parts: Assembly;
  readonly #nodes: Nodes = new LoneNode(realClock);
  readonly #id = randomUUID();
  readonly #startedAt = realClock.now();
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
    this.#parts = assemble(config, log);
  }

  /**
   * Starts in this order: backplane, control API, ZeroMQ sockets, admin, clients. So nobody is served before items can reach them. On
   * failure everything that had started is closed again. Announces every listener.
   */
  async start(): Promise<void> {
    try {
      await this.#parts.backplane.start(this.#parts.delivery);
      await this.#nodes.join({
        state: () => this.#state(),
        answer: async (question) => this.#parts.inspection.answer(question),
      });
      await this.#startControl();
      for (const { what, uri, connects } of await this.#parts.zeromq.open())
        this.#log.announce(`${connects ? 'connecting to' : 'listening on'} ${uri} (${what})`);
      for (const { host, port } of this.#config.admin.listen) {
        const admin = new AdminServer(this.#parts.metrics, () =>
          this.#ready ? { ready: true } : { ready: false, reason: 'not accepting clients' },
        );
        const url = await admin.listen(host, port);
        this.#admins.push(admin);
        this.#log.announce(`listening on ${url} (admin)`);
      }
      for (const listener of this.#listeners()) {
        const { url } = await this.#parts.edge.listen(listener);
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
    if (this.#config.routes.file !== undefined) this.#parts.routes.reload();
  }

  /**
   * Goes down: no new connections, held requests answered as at their time-out, streams ended, requests under way given a
   * moment to complete, then everything closed.
   */
  async stop(): Promise<void> {
    this.#ready = false;
    this.#parts.edge.stopAccepting();
    this.#parts.delivery.finish();
    const until = Date.now() + DRAIN_MS;
    do {
      // Again and again: a request that was on its way may have become a hold since.
      for (const subscriber of this.#parts.registry.all()) subscriber.shutDown();
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (this.#parts.edge.connections > 0 && Date.now() < until);
    await this.#parts.edge.close();
    await this.#control?.close();
    this.#parts.telemetry.close();
    this.#parts.zeromq.close();
    this.#parts.routes.close();
    await this.#nodes.leave();
    await Promise.all([
      this.#parts.hub.close(),
      this.#parts.origins.close(),
      ...this.#admins.map((admin) => admin.close()),
    ]);
  }

  async #startControl(): Promise<void> {
    const { listen, headMax, bodyMax } = this.#config.control;
    if (listen === undefined) return;
    this.#control = new ControlServer({
      host: listen.host,
      port: listen.port,
      maxHeaderBytes: headMax,
      maxBodyBytes: bodyMax,
      publisher: this.#parts.publisher,
      views: {
        cluster: new ClusterViews(this.#nodes, realClock),
        taps: new ChannelTaps(() => this.#parts.hub.share(), realClock),
      },
      events: this.#parts.metrics,
      log: this.#log.child('control'),
    });
    const { address, port } = await this.#control.listen();
    this.#log.announce(`listening on http://${address.includes(':') ? `[${address}]` : address}:${port} (control)`);
  }

  #state(): NodeState {
    return {
      id: this.#id,
      host: hostname(),
      pid: process.pid,
      version,
      startedAt: this.#startedAt,
      workers: 1,
      connections: this.#parts.edge.connections,
      channels: this.#parts.registry.size,
    };
  }

  #listeners(): Listener[] {
    const { http, https, sockets } = this.#config.client;
    return [...http, ...https.map((listen) => ({ ...listen, tls: true })), ...sockets];
  }
}
