/**
 * A node of the product's own composition for a test of holds: its clock stands still, its origin answers by hand, and what it
 * reports and delivers can be looked at. What clients, origins and publishers say is the test's.
 */
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Backplane, type BackplaneListener, type History, historyOf, type Message } from '@holdfast/control-api';
import { headerValue, parseItem } from '@holdfast/grip';
import type { Test } from 'tap';
import type { ChannelRegistry } from '../../dist/channels/registry.js';
import type { SubscriberEnd } from '../../dist/channels/subscriber-deps.js';
import type { Options } from '../../dist/config/table.js';
import type { ItemDelivery } from '../../dist/delivery/item-delivery.js';
import { NodeResponse } from '../../dist/edge/node/response.js';
import { ResumeTokens } from '../../dist/history/tokens.js';
import type { SharedFetches } from '../../dist/links/shared-fetch.js';
import type { RequestEnd } from '../../dist/request/request-deps.js';
import type { Timer } from '../../dist/runtime/clock.js';
import type { Metrics } from '../../dist/telemetry/metrics.js';
import { type App, noteCalls, startApp } from '../kit/app.js';
import { type Answer, type Asking, open } from '../kit/clients/http-client.js';
import { ManualClock } from '../kit/manual-clock.js';
import type { Turn } from '../kit/turn.js';
import { until } from '../kit/until.js';
import { type Asked, PullOrigin } from './pull-origin.js';

/** What it is made with: options by their names in the code, as a configuration file has their values, and these. */
export interface HoldFixtureOptions extends Readonly<Partial<Record<keyof Options, string | number | boolean>>> {
  /** Properties of the route, such as `debug,prefix=p-`. */
  readonly route?: string;
  /** Properties of the target, such as `sub=news`. */
  readonly target?: string;
  /** Further routes lines; `ORIGIN` stands for the address of the origin. */
  readonly lines?: readonly string[];
  /** When subscriptions are live; at once if left out. */
  readonly live?: Turn;
  /** The number that stands for chance. */
  readonly random?: number;
  /** Answers with an `X-Spoiled` field get a reason phrase that cannot be sent, as if it had come so far unnoticed. */
  readonly spoils?: boolean;
}

/** Ids of an item. */
export interface Ids {
  readonly deliver?: 'one';
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

/** What differs from the defaults: nothing lingers, no item is a duplicate, and origins are shown what the client's is. */
const DEFAULTS: HoldFixtureOptions = {
  subscriptionLinger: 0,
  clientHalfCloseGrace: 0,
  originKeepAliveTimeout: 60,
  clientQueueSize: 1_000_000,
  historySize: 0,
  idCacheTtl: 0,
  resumeKey: 'key',
  sigIss: 'holdfast',
  setXForwardedProtocol: true,
  xForwardedFor: 'append',
  xForwardedForTrusted: 'append',
};

/** Who sets a timer that is none of a hold's or a link's: a connection, or the log. */
const ELSEWHERE = /\/(?:edge|runtime\/bounded-logs)\b/;

/** The clock of a whole node, which counts the timers of holds and links alone. */
class HoldClock extends ManualClock {
  readonly #counted = new Set<Timer>();

  override after(ms: number, run: () => void): Timer {
    const [, , caller = ''] = (new Error().stack ?? '').split('\n');
    if (ELSEWHERE.test(caller)) return super.after(ms, run);
    const timer = super.after(ms, () => {
      this.#counted.delete(timer);
      run();
    });
    this.#counted.add(timer);
    return timer;
  }

  override clear(timer: Timer | undefined): void {
    super.clear(timer);
    if (timer !== undefined) this.#counted.delete(timer);
  }

  override get pending(): number {
    return this.#counted.size;
  }
}

/** The node's share of its backplane, in the hands of the test: when subscriptions are live, and how reads are answered. */
export class HeldShare implements Backplane, History {
  /** Answers reads of the history. */
  reading: History['read'];
  readonly head: History['head'];
  readonly remove: History['remove'];
  readonly #share: Backplane;
  readonly #live: Promise<void> | undefined;

  constructor(share: Backplane, live?: Promise<void>) {
    this.#share = share;
    this.#live = live;
    const history = historyOf(share) as History;
    this.reading = history.read;
    this.head = history.head;
    this.remove = history.remove;
  }

  start(listener: BackplaneListener): Promise<void> {
    return this.#share.start(listener);
  }

  publish(messages: readonly Message[]): ReturnType<Backplane['publish']> {
    return this.#share.publish(messages);
  }

  subscribe(channel: string): Promise<void> | undefined {
    const live = this.#share.subscribe(channel);
    return this.#live ?? live;
  }

  unsubscribe(channel: string): void {
    this.#share.unsubscribe(channel);
  }

  close(): Promise<void> {
    return this.#share.close();
  }

  get unavailableReason(): string | undefined {
    return this.#share.unavailableReason;
  }

  read(...asked: Parameters<History['read']>): ReturnType<History['read']> {
    return this.reading(...asked);
  }
}

/** One node, its origin and its clients. */
export class HoldFixture {
  readonly clock: ManualClock;
  readonly origin: PullOrigin;
  readonly backplane: HeldShare;
  readonly delivery: ItemDelivery;
  readonly registry: ChannelRegistry;
  readonly fetches: SharedFetches;
  /** Requests that are over as far as their first answer goes, in order. */
  readonly requests: RequestEnd[] = [];
  /** Holds that are over, in order. */
  readonly ends: SubscriberEnd[] = [];
  /** What was counted: `sent stream`, `dropped stream filter-failed`, `replayed stream`, `replay stream complete`. */
  readonly counts = new Map<string, number>();
  readonly tokens = new ResumeTokens(Buffer.from('key'));
  readonly #t: Test;
  readonly #app: App;
  readonly #routesfile: string;
  /** Warnings of its start. */
  readonly #before: number;
  #published = 0;

  private constructor(
    t: Test,
    app: App,
    origin: PullOrigin,
    { clock, backplane, routesfile }: { clock: ManualClock; backplane: HeldShare; routesfile: string },
  ) {
    this.#t = t;
    this.#app = app;
    this.origin = origin;
    this.clock = clock;
    this.backplane = backplane;
    this.#routesfile = routesfile;
    this.#before = app.log.at('warn').length;
    const { delivery, registry, requests, telemetry } = app.parts;
    this.delivery = delivery;
    this.registry = registry;
    this.fetches = requests.holds.links.fetches;
    noteCalls(requests.events, 'requestEnded', (end) => void this.requests.push(end));
    noteCalls(requests.events, 'holdEnded', (_request, _route, end) => void this.ends.push(end));
    const metrics = telemetry.subscribers as Metrics;
    noteCalls(metrics, 'subscriberOpened', (kind) => this.#count(`opened ${kind}`));
    noteCalls(metrics, 'subscriberEnded', (kind, reason) => this.#count(`ended ${kind} ${reason}`));
    noteCalls(metrics, 'itemSent', (kind) => this.#count(`sent ${kind}`));
    noteCalls(metrics, 'itemDropped', (kind, reason) => this.#count(`dropped ${kind} ${reason}`));
    noteCalls(metrics, 'itemReplayed', (kind) => this.#count(`replayed ${kind}`));
    noteCalls(metrics, 'replayEnded', (kind, whole) =>
      this.#count(`replay ${kind} ${whole ? 'complete' : 'incomplete'}`),
    );
  }

  /** Starts the node; it goes down at the end of the test. */
  static async open(t: Test, options: HoldFixtureOptions = {}): Promise<HoldFixture> {
    const { route = '', target = '', lines = [], live, random = 0, spoils = false, ...set } = options;
    const origin = await PullOrigin.open(t);
    const directory = await mkdtemp(path.join(tmpdir(), 'holdfast-holds-'));
    t.teardown(() => rm(directory, { recursive: true, force: true }));
    const routesfile = path.join(directory, 'routes');
    writeRoutes(routesfile, origin, [`*${comma(route)} ORIGIN${comma(target)}`, ...lines]);
    const settings = Object.fromEntries(
      Object.entries({ ...DEFAULTS, ...set }).map(([name, value]) => [snake(name), value]),
    );
    const clock = new HoldClock();
    let backplane: HeldShare | undefined;
    if (spoils) spoilHeads(t);
    const app = await startApp(t, {
      settings: { ...settings, routesfile },
      overrides: {
        clock,
        random: () => random,
        backplane: (share) => {
          backplane = new HeldShare(share, live?.promise);
          return backplane;
        },
      },
    });
    return new HoldFixture(t, app, origin, { clock, backplane: backplane as unknown as HeldShare, routesfile });
  }

  /** From here on these are all routes. */
  reroute(...lines: readonly string[]): void {
    writeRoutes(this.#routesfile, this.origin, lines);
    if (!this.#app.parts.routes.reload()) throw new Error(`routes not loaded: ${lines.join('; ')}`);
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return this.#app.url();
  }

  /** Warnings of the log since it started. */
  get warnings(): string[] {
    return this.#app.log
      .at('warn')
      .slice(this.#before)
      .map(({ message }) => message);
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
      this.clock.advance(0);
      return this.ends.length >= count;
    });
    return this.ends[count - 1] as SubscriberEnd;
  }

  /** Publishes an item; on return it has been delivered, or waits for the one before it. */
  publish(channel: string, formats: object, ids: Ids = {}): void {
    const item = parseItem({ channel, formats, ...ids });
    void this.backplane.publish([{ type: 'item', item, id: `${++this.#published}` }]);
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
}

function comma(properties: string): string {
  return properties === '' ? '' : `,${properties}`;
}

/** The name of an option in a configuration file. */
function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function writeRoutes(file: string, { port }: PullOrigin, lines: readonly string[]): void {
  writeFileSync(file, lines.map((line) => `${line.replaceAll('ORIGIN', `127.0.0.1:${port}`)}\n`).join(''));
}

/** Spoils heads on their last way, until the end of the test. */
function spoilHeads(t: Test): void {
  const { writeHead } = NodeResponse.prototype;
  NodeResponse.prototype.writeHead = function spoiling(head, length, flush) {
    const isSpoiled = headerValue(head.headers, 'x-spoiled') !== undefined;
    writeHead.call(this, isSpoiled ? { ...head, reason: 'OK\u010d\u010aSet-Cookie: evil=1' } : head, length, flush);
  };
  t.teardown(() => {
    NodeResponse.prototype.writeHead = writeHead;
  });
}
