/** A data plane: all that serves clients in one process, in the order in which it starts and goes down, and what it says of itself. */
import type { ChannelView, Connections, Question, Revocations, SubscriberCounts } from '@holdfast/control-api';
import { type Item, zeroCounts } from '@holdfast/grip';
import type { ChannelPresence } from '../channels/presence.js';
import type { ChannelRegistry } from '../channels/registry.js';
import type { Config } from '../config/config.js';
import type { ChannelPositions } from '../delivery/item-delivery.js';
import { revoke } from '../direct/revoke.js';
import type { EdgeListener } from '../edge/edges.js';
import { type RouteView, viewOfRoute } from '../routes/route-view.js';
import { guardedClock, realClock } from '../runtime/clock.js';
import type { RootLog } from '../telemetry/log.js';
import { type Assembly, assemble, type DataPlaneDeps, listenersOf } from './compose/compose.js';
import { HoldDrain } from './drain/hold-drain.js';
import { Orders, type OrdersDeps } from './questions/orders.js';
import { Pages, viewOfConnection } from './questions/pages.js';

/** How often requests under way are looked at while the data plane goes down, in ms: at first, and later. */
const FIRST_LOOK_MS = 20;
const LATER_LOOK_MS = 100;

/** What a data plane has to do at present. */
export interface DataPlaneLoad {
  /** Client connections, held or not. */
  readonly connections: number;
  /** Channels that somebody is subscribed to, or was a moment ago. */
  readonly channels: number;
}

/** Clients, and what is held for them, in one process. Knows nothing of the control plane. */
export class DataPlane {
  readonly #listeners: readonly EdgeListener[];
  readonly #readsRoutes: boolean;
  readonly #shutdownRequests: number;
  readonly #parts: Assembly;
  readonly #inspection: Inspection;
  readonly #drain: HoldDrain;

  /**
   * Builds the parts; nothing listens yet.
   * @throws RoutesError when the routes file cannot be read; EdgeError when the edge cannot be had
   */
  constructor(config: Config, log: RootLog, deps: DataPlaneDeps) {
    this.#listeners = listenersOf(config);
    this.#shutdownRequests = config.shutdownRequests;
    this.#readsRoutes = config.routesfile !== undefined;
    this.#parts = assemble(config, log, deps);
    const { faults, random = Math.random } = deps;
    const { registry, delivery, presence, revocations } = this.#parts;
    const clock = guardedClock(faults);
    this.#drain = new HoldDrain({ registry, clock, faults, random });
    const { connectionSubscriptionMax } = config;
    const orders = { clock: deps.clock ?? clock, connectionSubscriptionMax, faults };
    this.#inspection = new Inspection({
      registry,
      positions: delivery.positions,
      presence,
      revocations,
      orders,
      routes: () => this.#parts.routes.table.routes.map(viewOfRoute),
    });
  }

  /**
   * Joins the backplane, then an XMPP server, for which it does not wait, then opens the client listeners: nobody is served before items can reach them. Resolves with the
   * URLs of the listeners, in the order of the configuration. After a rejection it must still be stopped.
   */
  async start(): Promise<readonly string[]> {
    await this.#parts.backplane.start(this.#parts.delivery);
    await this.#parts.xmpp?.start();
    const urls: string[] = [];
    for (const listener of this.#listeners) urls.push((await this.#parts.edge.listen(listener)).url);
    return urls;
  }

  /** Reads the routes file and that of session tickets again, where there are any. */
  reload(): void {
    if (this.#readsRoutes) this.#parts.routes.reload();
    this.#parts.tickets.reload();
  }

  /** Serves as before, but each answer is the last of its connection, or is not any more. */
  closeAfterAnswers(closes: boolean): void {
    this.#parts.edge.closeAfterAnswers(closes);
  }

  /** Nobody can connect from here on; who is connected is served as before. */
  stopListening(): void {
    this.#parts.edge.stopListening();
  }

  /** Ends what is held, as `HoldDrain.spread` does. Requests are served meanwhile. */
  spread(window: number, processes: number): Promise<void> {
    return this.#drain.spread(window, processes);
  }

  /** Ends no more of what is held. */
  rest(): void {
    this.#drain.rest();
  }

  /** Holds and sessions that have not ended yet. */
  get holds(): number {
    return this.#parts.registry.entered;
  }

  /**
   * Goes down: no new connections, held requests answered as at their time-out, streams ended, requests under way given
   * `shutdown_requests` to complete, then everything closed. What is cut then is logged as the doing of this node.
   */
  async stop(): Promise<void> {
    const { edge, ages, delivery, telemetry, routes, tickets, backplane, origins, xmpp } = this.#parts;
    edge.stopAccepting();
    delivery.finish();
    // A request that was on its way may become a hold at any time.
    this.#drain.endAll();
    await xmpp?.stop();
    const until = realClock.monotonic() + this.#shutdownRequests;
    for (let pause = FIRST_LOOK_MS; ; pause = Math.min(2 * pause, LATER_LOOK_MS)) {
      const left = until - realClock.monotonic();
      if (left <= 0) break;
      await new Promise((resolve) => setTimeout(resolve, Math.min(pause, left)));
      if (edge.connections === 0) break;
    }
    this.#drain.rest();
    ages?.close();
    telemetry.cutting();
    await edge.close();
    telemetry.close();
    routes.close();
    tickets.close();
    await Promise.all([backplane.close(), origins.close()]);
  }

  /** Subscribers of a channel on this data plane, by their patterns too. */
  countSubscribers(channel: string): number {
    return this.#parts.registry.countReached(channel);
  }

  /** Whether one of these takes the item; see `ChannelRegistry.mayTake`. */
  mayTake(item: Item): boolean {
    return this.#parts.registry.mayTake(item);
  }

  /** What lasts at present, for the command socket. */
  get connections(): Connections {
    return this.#parts.telemetry.connections;
  }

  /** This data plane's part of a node's state. */
  get load(): DataPlaneLoad {
    return { connections: this.#parts.edge.connections, channels: this.#parts.registry.size };
  }

  /** Answers a question that some node asked all nodes, as JSON, for the clients of this data plane alone. */
  async answer(question: Question): Promise<unknown> {
    return this.#inspection.answer(question);
  }
}

/** What an {@link Inspection} looks at. */
export interface InspectionDeps {
  readonly registry: ChannelRegistry;
  readonly positions: Pick<ChannelPositions, 'latest'>;
  readonly presence: Pick<ChannelPresence, 'view'>;
  readonly revocations: Revocations;
  /** The routes in force. */
  readonly routes: () => readonly RouteView[];
  /** What orders of operators need beside the registry. */
  readonly orders: Omit<OrdersDeps, 'registry'>;
}

/** Answers questions from what the registry knows: every hold and session of this process, from its opening to its end. */
export class Inspection {
  readonly #registry: ChannelRegistry;
  readonly #positions: Pick<ChannelPositions, 'latest'>;
  readonly #presence: Pick<ChannelPresence, 'view'>;
  readonly #revocations: Revocations;
  readonly #routes: () => readonly RouteView[];
  readonly #pages: Pages;
  readonly #orders: Orders;

  constructor({ registry, positions, presence, revocations, routes, orders }: InspectionDeps) {
    this.#routes = routes;
    this.#registry = registry;
    this.#positions = positions;
    this.#presence = presence;
    this.#revocations = revocations;
    this.#pages = new Pages(registry);
    this.#orders = new Orders({ registry, ...orders });
  }

  /**
   * The answer of this process alone, as JSON has it, or its promise. Connections are found by the id of their request and by their
   * Connection-Id. A request that is being asked of its origin again is no hold meanwhile, and not found.
   * @throws Error for a question that this version does not know
   */
  answer(question: Question): unknown {
    switch (question.about) {
      case 'channel':
        return this.#channel(question.name);
      case 'routes':
        return this.#routes();
      case 'members':
        return this.#presence.view(question.name);
      case 'connection': {
        const subscriber = this.#registry.find(question.id);
        return subscriber === undefined ? null : viewOfConnection(this.#registry, subscriber);
      }
      case 'disconnect': {
        const subscriber = this.#registry.find(question.id);
        subscriber?.disconnect(question.close);
        return subscriber !== undefined;
      }
      case 'connections':
        return this.#pages.connections(question);
      case 'channels':
        return this.#pages.channels(question);
      case 'disconnect-user':
        return this.#orders.disconnectUser(question.user, question.except, question.close);
      case 'deliver':
        return this.#orders.deliver(question.to, question.item);
      case 'subscribe':
        return this.#orders.subscribe(question.id, question.channels, question.isOn);
      case 'reach':
        return question.channels.map((name) => this.#count(name));
      case 'revoke':
        return revoke(question.revocations, this.#revocations, this.#registry);
      default:
        throw new Error(`a question that is not known: ${JSON.stringify(question satisfies never)}`);
    }
  }

  #count(name: string): SubscriberCounts {
    const subscribers = zeroCounts();
    for (const { kind } of this.#registry.reachedBy(name)) subscribers[kind]++;
    return subscribers;
  }

  #channel(name: string): ChannelView {
    const subscribers = this.#count(name);
    const position = this.#positions.latest(name);
    return { subscribers, ...(position !== undefined && { position }) };
  }
}
