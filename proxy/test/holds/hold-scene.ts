/**
 * Owns: one node made of real parts for a test of holds: an edge, the request path, links, filters, channels and a
 * backplane, under a clock that stands still. Does not own: what clients, origins and publishers say.
 */
import { LocalBackplane, LocalHistory, type Log, silentLog, uncontained } from '@holdfast/control-api';
import { headerValue, parseItem, parseSigKey, type ResponseHead } from '@holdfast/grip';
import type { Test } from 'tap';
import { OverChannelsReport } from '../../dist/channels/over-channels.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import type { SubscriberEnd } from '../../dist/channels/subscriber-parts.js';
import { AllowedOrigins } from '../../dist/config/types/allowed-origins.js';
import { ChannelInterest } from '../../dist/delivery/channel-interest.js';
import { ItemDelivery } from '../../dist/delivery/item-delivery.js';
import type { EdgeHandler } from '../../dist/edge/port.js';
import { ResponseWrapper } from '../../dist/edge/response-wrapper.js';
import { HistoryReader } from '../../dist/history/reader.js';
import type { ReplayParts } from '../../dist/history/replay-parts.js';
import { ResumeTokens } from '../../dist/history/tokens.js';
import { HttpFilters } from '../../dist/links/http-filter.js';
import { LinkClient } from '../../dist/links/link-client.js';
import { SharedFetches } from '../../dist/links/shared-fetch.js';
import { UpdateLimiter } from '../../dist/links/update-limiter.js';
import { OriginClient } from '../../dist/origin/client.js';
import { Forwarder } from '../../dist/origin/forwarder.js';
import { TestOrigin } from '../../dist/origin/test-target.js';
import { Admission } from '../../dist/request/admission.js';
import type { RequestDeps, RequestEnd } from '../../dist/request/request-deps.js';
import { RequestHandler } from '../../dist/request/request-handler.js';
import { toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import type { SessionParts } from '../../dist/sessions/session-parts.js';
import { Scene } from '../edge/clause.js';
import { makeNodeEdge } from '../edge/node-edge-maker.js';
import { type Answer, type Asking, open } from '../kit/clients/http-client.js';
import { ManualClock } from '../kit/manual-clock.js';
import type { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { USUAL_RULES } from '../origin/forward-rules.js';
import { type Asked, PullOrigin } from './pull-origin.js';

/** What a scene is made with. */
export interface HoldSceneOptions {
  /** Properties of the route, such as `debug,prefix=p-`. */
  readonly route?: string;
  /** Properties of the target, such as `sub=news`. */
  readonly target?: string;
  /** Further routes lines; `ORIGIN` stands for the address of the origin. */
  readonly routes?: readonly string[];
  readonly debug?: boolean;
  readonly autoCrossOrigin?: boolean;
  readonly acoOrigins?: AllowedOrigins;
  /** Signs requests to origins. */
  readonly sigKey?: string;
  readonly linger?: number;
  readonly updateOnFirstSubscription?: boolean;
  readonly connectionSubscriptionMax?: number;
  readonly clientQueueSize?: number;
  readonly slowClientPolicy?: 'close' | 'drop';
  readonly gapPolicy?: 'close' | 'continue';
  /** When subscriptions are live; at once if left out. */
  readonly live?: Turn;
  readonly requestBodyMax?: number;
  /** Keeps so many items of each channel, for routes with `history`. */
  readonly historySize?: number;
  /** The number that stands for chance. */
  readonly random?: number;
  /** Answers with an `X-Spoiled` field get a reason phrase that cannot be sent, as if it had come so far unnoticed. */
  readonly spoils?: boolean;
}

/** Spoils heads on their last way. */
class Spoiling extends ResponseWrapper {
  override writeHead(head: ResponseHead, length: number | undefined, flush?: boolean): void {
    const isSpoiled = headerValue(head.headers, 'x-spoiled') !== undefined;
    super.writeHead(isSpoiled ? { ...head, reason: 'OK\u010d\u010aSet-Cookie: evil=1' } : head, length, flush);
  }
}

/** Ids of an item. */
export interface Ids {
  readonly id?: string;
  readonly 'prev-id'?: string;
  readonly meta?: Readonly<Record<string, string>>;
}

/** A request that is held, and the answer that will come. */
export interface Held {
  readonly answer: Promise<Answer>;
}

/** How long an item waits for the one before it, in ms. */
export const WAIT = 5_000;

/** One node, its origin and its clients. */
export class HoldScene {
  readonly clock = new ManualClock();
  /** What the log measures the times between its lines by: tests count the timers of holds. */
  readonly logClock = new ManualClock();
  readonly origin: PullOrigin;
  readonly delivery: ItemDelivery;
  readonly registry: ChannelRegistry;
  readonly fetches = new SharedFetches();
  /** Requests that are over as far as their first answer goes, in order. */
  readonly requests: RequestEnd[] = [];
  /** Holds that are over, in order. */
  readonly ends: SubscriberEnd[] = [];
  /** What was counted: `sent stream`, `dropped stream filter-failed`, `replayed stream`, `replay stream complete`. */
  readonly counts = new Map<string, number>();
  /** Warnings of the log. */
  readonly warnings: string[] = [];
  readonly tokens = new ResumeTokens(Buffer.from('key'));
  readonly backplane: LocalBackplane;
  table: RouteTable;
  readonly #t: Test;
  readonly #options: HoldSceneOptions;
  readonly #client = new OriginClient({
    originConnectTimeout: 10_000,
    originTimeout: 60_000,
    originKeepAliveTimeout: 60_000,
    maxHeaderBytes: 65_536,
  });
  #edge: Scene | undefined;

  private constructor(t: Test, origin: PullOrigin, options: HoldSceneOptions) {
    this.#t = t;
    this.#options = options;
    this.origin = origin;
    this.table = this.routes();
    const { clock } = this;
    const { historySize } = options;
    // A clock of its own: tests count the timers of holds.
    const timeless = { clock: new ManualClock(), epoch: 'e', historyTtl: 60_000 };
    const history = historySize === undefined ? undefined : new LocalHistory({ ...timeless, historySize });
    this.backplane = new LocalBackplane(silentLog, undefined, history);
    const { backplane } = this;
    this.delivery = new ItemDelivery(() => this.registry, {
      clock,
      messageWait: WAIT,
      events: { itemDelivered() {}, itemHeld() {}, itemReleased() {}, itemsAbandoned() {}, itemsLost() {} },
      log: silentLog,
    });
    const interest = new ChannelInterest({
      backplane: {
        subscribe: (channel) => {
          const live = backplane.subscribe(channel);
          return options.live === undefined ? live : options.live.promise;
        },
        unsubscribe: (channel) => backplane.unsubscribe(channel),
      },
      sequencer: this.delivery,
      clock,
      updateOnFirstSubscription: options.updateOnFirstSubscription ?? false,
      subscribersOf: (channel) => this.registry.of(channel),
    });
    this.registry = new ChannelRegistry(interest, clock, options.linger ?? 0);
  }

  /** Sets the scene; it is taken down at the end of the test. */
  static async open(t: Test, options: HoldSceneOptions = {}): Promise<HoldScene> {
    const scene = new HoldScene(t, await PullOrigin.open(t), options);
    await scene.backplane.start(scene.delivery);
    t.teardown(() => scene.#client.close());
    const inner = new RequestHandler(scene.#parts());
    const handler: EdgeHandler = {
      onRequest: (request, response) => inner.onRequest(request, options.spoils ? new Spoiling(response) : response),
      onWebSocket: (request, handshake) => inner.onWebSocket(request, handshake),
    };
    const limits = { clientMaxconn: 1_000 };
    scene.#edge = await Scene.open(t, (surroundings) => makeNodeEdge({ ...surroundings, handler }), limits);
    return scene;
  }

  /** The table of routes as the options say, with properties of the first route other than those. */
  routes(properties = this.#options.route): RouteTable {
    const { target, routes = [] } = this.#options;
    const first = `*${comma(properties)} ORIGIN${comma(target)}`;
    const lines = [first, ...routes].map((line) => line.replaceAll('ORIGIN', `127.0.0.1:${this.origin.port}`));
    return new RouteTable(lines.map((line, i) => toRoute(parseRouteLine(line, i + 1) as RouteLine, () => undefined)));
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://127.0.0.1:${this.#edge?.port}`;
  }

  /** The next request at the origin. */
  asked(): Promise<Asked> {
    return this.origin.next();
  }

  /** Sends a request; the answer resolves with its head. */
  ask(path = '/', asking: Asking = {}): Promise<Answer> {
    return open(this.#t, `${this.url}${path}`, asking);
  }

  /** A response hold on what the origin answers with: it is held when this resolves. */
  async poll(headers: Readonly<Record<string, string>>, body = 'origin', asking: Asking = {}): Promise<Held> {
    const answer = this.ask('/', asking);
    answer.catch(() => {});
    const before = this.requests.length;
    const asked = await this.asked();
    asked.answer({ headers: { 'Grip-Hold': 'response', ...headers }, body });
    await this.ended(before + 1);
    return { answer };
  }

  /**
   * A stream on what the origin answers with, open when this resolves, with `timers` of its own (a keep-alive, a link)
   * running.
   */
  async stream(
    headers: Readonly<Record<string, string | readonly string[]>>,
    { body = '', timers = 0, path = '/' }: { body?: string; timers?: number; path?: string } = {},
  ): Promise<Answer> {
    const pending = this.clock.pending;
    const answer = this.ask(path);
    (await this.asked()).answer({ headers: { 'Grip-Hold': 'stream', ...headers }, body });
    const stream = await answer;
    await stream.until(body);
    await this.timers(pending + timers);
    return stream;
  }

  /** Waits until exactly so many timers are pending: how a stream with a link or a keep-alive shows that it is open. */
  async timers(count: number): Promise<void> {
    const state = () => `${this.clock.pending} are`;
    await until(`${count} pending timers`, () => this.clock.pending === count, state);
  }

  /** Waits until so many requests have been answered, or become holds. */
  async ended(count: number): Promise<void> {
    await until(`${count} requests over`, () => this.requests.length >= count);
  }

  /** Waits until so many holds have ended; gives the last. */
  async holdsEnded(count = 1): Promise<SubscriberEnd> {
    await until(`${count} holds over`, () => this.ends.length >= count);
    return this.ends[count - 1] as SubscriberEnd;
  }

  /** A client goes away; resolves when its hold, the `count`-th to end, has noticed. */
  async drop(client: Answer, count = 1): Promise<SubscriberEnd> {
    client.drop();
    await until('end of the hold', () => {
      // A client that has closed counts as gone after a while.
      this.#edge?.clock.advance(10_000);
      return this.ends.length >= count;
    });
    return this.ends[count - 1] as SubscriberEnd;
  }

  /** Publishes an item; on return it has been delivered, or waits for the one before it. */
  publish(channel: string, formats: object, ids: Ids = {}): void {
    void this.backplane.publish([{ type: 'item', item: parseItem({ channel, formats, ...ids }), id: 'made' }]);
  }

  /** Publishes content for streams. */
  send(channel: string, content: string, ids: Ids = {}): void {
    this.publish(channel, { 'http-stream': { content } }, ids);
  }

  /** Publishes an action for streams. */
  act(channel: string, action: string, ids: Ids = {}): void {
    this.publish(channel, { 'http-stream': { action } }, ids);
  }

  /** Publishes a body for response holds. */
  respond(channel: string, body: string, ids: Ids = {}): void {
    this.publish(channel, { 'http-response': { body } }, ids);
  }

  /** Has everybody recover. */
  recover(): void {
    void this.backplane.publish([{ type: 'recover' }]);
  }

  /** The node goes down. */
  shutDown(): void {
    for (const subscriber of this.registry.all()) subscriber.drain();
  }

  /** How often something was counted. */
  count(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  #count(what: string): void {
    this.counts.set(what, this.count(what) + 1);
  }

  #parts(): RequestDeps {
    const { clock, registry } = this;
    const options = this.#options;
    const random = () => options.random ?? 0;
    const sigKey = options.sigKey === undefined ? undefined : parseSigKey(options.sigKey, () => Buffer.alloc(0));
    const forwarder = new Forwarder({ rules: USUAL_RULES, sigIss: 'holdfast', sigKey }, clock);
    const originOf: RequestDeps['originOf'] = (target, route, host) =>
      target.kind === 'http' ? this.#client.origin(target, host) : new TestOrigin(route.pathBeg, target);
    const routes = () => this.table;
    const client = new LinkClient({ forwarder, originOf, routes, clock: this.logClock, log: this.#log() });
    const subscriber = {
      registry,
      clock,
      random,
      events: {
        subscriberOpened: (kind: string) => this.#count(`opened ${kind}`),
        subscriberEnded: (kind: string, reason: string) => this.#count(`ended ${kind} ${reason}`),
        itemSent: (kind: string) => this.#count(`sent ${kind}`),
        itemDropped: (kind: string, reason: string) => this.#count(`dropped ${kind} ${reason}`),
      },
      log: this.#log(),
      faults: uncontained,
      clientQueueSize: options.clientQueueSize ?? 1_000_000,
      slowClientPolicy: options.slowClientPolicy ?? 'close',
      gapPolicy: options.gapPolicy ?? 'close',
      overChannels: new OverChannelsReport(clock, this.#log()),
    } as const;
    return {
      settings: {
        debug: options.debug ?? false,
        acceptPushpinRoute: false,
        autoCrossOrigin: options.autoCrossOrigin ?? false,
        acoOrigins: options.acoOrigins ?? AllowedOrigins.any,
        forward: USUAL_RULES,
        upstreamKey: undefined,
        requestBodyMax: options.requestBodyMax ?? 100_000,
        instructBodyMax: 100_000,
        connectionSubscriptionMax: options.connectionSubscriptionMax ?? 20,
      },
      routes,
      originOf,
      admission: new Admission(Number.POSITIVE_INFINITY),
      forwarder,
      holds: {
        subscriber,
        sequencer: this.delivery.sequencer,
        links: { client, fetches: this.fetches, clock, random },
        limiter: new UpdateLimiter(clock),
        filters: new HttpFilters(client, clock),
        replay: this.#replay(),
        debug: options.debug ?? false,
      },
      // No test here opens a WebSocket.
      sessions: {} as SessionParts,
      clock,
      events: {
        requestEnded: (end) => void this.requests.push(end),
        holdEnded: (_request, _route, end) => void this.ends.push(end),
      },
      log: silentLog,
    };
  }

  #replay(): ReplayParts | undefined {
    if (this.#options.historySize === undefined) return undefined;
    const { backplane, clock, tokens, delivery } = this;
    return {
      reader: new HistoryReader({ history: backplane, clock, log: silentLog }),
      tokens,
      events: {
        itemReplayed: (kind) => this.#count(`replayed ${kind}`),
        replayEnded: (kind, complete) => this.#count(`replay ${kind} ${complete ? 'complete' : 'incomplete'}`),
      },
      isOn: (route) => route.history ?? false,
      latest: (channel) => delivery.positions.latest(channel),
    };
  }

  #log(): Log {
    const warn = (_fields: object, message: string) => void this.warnings.push(message);
    const log: Log = { ...silentLog, warn, child: () => log };
    return log;
  }
}

function comma(properties = ''): string {
  return properties === '' ? '' : `,${properties}`;
}
