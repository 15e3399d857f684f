/** A node of the product's own composition, with a raw WebSocket origin behind it, whose clock stands still and whose sessions are counted. */
import { type Backplane, CAUSE_MS, type Faulty, type History } from '@holdfast/control-api';
import { parseItem, signGripSig } from '@holdfast/grip';
import type { Test } from 'tap';
import type { Assembly } from '../../dist/app/compose/compose.js';
import type { ChannelRegistry } from '../../dist/channels/registry.js';
import type { SubscriberEnd } from '../../dist/channels/subscriber-deps.js';
import type { DeliveryEvents } from '../../dist/delivery/item-delivery.js';
import type { Timer } from '../../dist/runtime/clock.js';
import type { SessionOpening } from '../../dist/sessions/session-deps.js';
import { Metrics } from '../../dist/telemetry/metrics.js';
import { type App, noteCalls, startApp } from '../kit/app.js';
import { type Answered, RawSocket } from '../kit/clients/raw-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
import type { Turn } from '../kit/turn.js';
import { type RawHandshake, RawOrigin } from '../websocket/raw-origin.js';

/** How a fixture differs from the usual. */
export interface SessionFixtureOptions {
  /** Properties of the route, such as `debug,prefix=p-`. */
  readonly route?: string;
  /** Properties of the target, such as `sub=news`. */
  readonly target?: string;
  /** Targets that come before it, such as `127.0.0.1:1`. */
  readonly before?: string;
  /** Options by their names in a configuration file. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** When subscriptions are live; at once if left out. */
  readonly live?: Turn;
  /** Called when the history has been read, before what it has is used. */
  readonly afterRead?: () => Promise<void>;
}

/** Both ends of one session. */
export interface Joined {
  readonly client: RawSocket;
  readonly origin: RawSocket;
  readonly handshake: RawHandshake;
}

/** The extension as an origin in GRIP mode answers it. */
export const GRIP = ['Sec-WebSocket-Extensions: grip'];

/** Signs what the proxy says to origins. */
export const PROXY_KEY = 'proxy';

/** Lets what is said by clients with {@link gripSig} be trusted. */
export const UPSTREAM = { upstream_key: 'upstream' };

/** The signature of a GRIP proxy in front, good at the time of a clock. */
export function gripSig(clock: ManualClock): string {
  const secret = Buffer.from(UPSTREAM.upstream_key);
  return signGripSig('front', { kind: 'secret', secret }, clock.wall() / 1_000);
}

/** A clock that stands still. Its timers are those of clients and sessions: not those by which the log sums warnings up. */
class SessionClock extends ManualClock {
  readonly #ofLog = new Set<Timer>();

  override after(ms: number, run: () => void, what?: Faulty): Timer {
    if (ms !== CAUSE_MS || what !== undefined) return super.after(ms, run);
    const timer = super.after(ms, () => {
      this.#ofLog.delete(timer);
      run();
    });
    this.#ofLog.add(timer);
    return timer;
  }

  override get pending(): number {
    return super.pending - this.#ofLog.size;
  }
}

/** Options with which no session waits for anything but what a test does. */
const SETTINGS = { sig_key: PROXY_KEY, subscription_linger: 0, client_queue_size: 1_000_000, history_size: 10 };

/** One node's worth of sessions. */
export class SessionFixture {
  readonly clock: ManualClock;
  readonly origin: RawOrigin;
  /** Subscribers opened and ended, items sent and dropped, and how many connections items were delivered to. */
  readonly counts = { opened: 0, ended: 0, sent: 0, dropped: 0, delivered: 0 };
  /** Items replayed from the history, and how often it knew, and did not. */
  readonly replays = { items: 0, complete: 0, incomplete: 0 };
  /** Handshakes that were answered, and sessions that have ended, as the product reports them. */
  readonly opened: SessionOpening[] = [];
  readonly ends: SubscriberEnd[] = [];
  /** Names of limits that refused something. */
  readonly limited: string[] = [];
  /** Every handshake, and the client's header fields as they came: as long as somebody has them. */
  readonly handshakes: WeakRef<object>[] = [];
  readonly #app: App;
  readonly #t: Test;
  #wakers: (() => void)[] = [];

  private constructor(t: Test, app: App, origin: RawOrigin, clock: ManualClock, metrics: Metrics) {
    this.#t = t;
    this.#app = app;
    this.origin = origin;
    this.clock = clock;
    const { counts, replays } = this;
    noteCalls(metrics, 'subscriberOpened', () => counts.opened++);
    noteCalls(metrics, 'subscriberEnded', () => counts.ended++);
    noteCalls(metrics, 'itemSent', () => counts.sent++);
    noteCalls(metrics, 'itemDropped', () => counts.dropped++);
    noteCalls(metrics, 'limited', (limit) => this.limited.push(limit));
    noteCalls(metrics as DeliveryEvents, 'itemDelivered', (receivers) => {
      counts.delivered += receivers;
    });
    noteCalls(metrics, 'itemReplayed', () => replays.items++);
    noteCalls(metrics, 'replayEnded', (_, isComplete) => replays[isComplete ? 'complete' : 'incomplete']++);
    const { handler, telemetry } = app.parts;
    noteCalls(handler, 'onWebSocket', ({ headers }, handshake) => {
      this.handshakes.push(new WeakRef(handshake), new WeakRef(headers));
    });
    noteCalls(telemetry.sessions, 'sessionOpened', (opening) => this.opened.push(opening));
    noteCalls(telemetry.sessions, 'sessionEnded', (_request, _route, end) => this.#noteEnd(end));
  }

  static async open(t: Test, options: SessionFixtureOptions = {}): Promise<SessionFixture> {
    const origin = await RawOrigin.listen(t);
    const clock = new SessionClock();
    const metrics = new Metrics('');
    const route = options.route === undefined ? '' : `,${options.route}`;
    const target = options.target === undefined ? '' : `,${options.target}`;
    const app = await startApp(t, {
      routes: [`*${route} ${options.before ?? ''} 127.0.0.1:${origin.port}${target}`],
      settings: { ...SETTINGS, ...options.settings },
      overrides: { clock, metrics, random: () => 0, backplane: (share) => watched(share, options) },
    });
    return new SessionFixture(t, app, origin, clock, metrics);
  }

  get port(): number {
    return this.#app.port;
  }

  get registry(): ChannelRegistry {
    return this.#app.parts.registry;
  }

  get backplane(): Backplane {
    return this.#app.parts.backplane;
  }

  get delivery(): Assembly['delivery'] {
    return this.#app.parts.delivery;
  }

  /** Client connections. */
  get connections(): number {
    return this.#app.parts.edge.connections;
  }

  /** A client's handshake, to be answered by the origin or by the proxy. */
  ask(lines: readonly string[] = [], path = '/'): Promise<Answered> {
    return RawSocket.ask(this.#t, this.port, lines, path);
  }

  /** A session whose origin answers with these lines: in GRIP mode if they are left out. */
  async join(accept: readonly string[] = GRIP, lines: readonly string[] = [], path = '/'): Promise<Joined> {
    const asked = this.ask(lines, path);
    const handshake = await this.origin.next();
    const origin = handshake.accept(accept);
    const { socket: client, answer } = await asked;
    if (client === undefined) throw new Error(`refused: ${answer.status}`);
    return { client, origin, handshake };
  }

  /** Publishes an item with this ws-message format, and others beside it; it has been delivered on return. */
  publish(channel: string, wsMessage: object | undefined, others: object = {}, meta: object = {}): void {
    const formats = { ...(wsMessage === undefined ? {} : { 'ws-message': wsMessage }), ...others };
    const item = parseItem({ channel, formats, meta });
    void this.#app.parts.backplane.publish([{ type: 'item', item, id: 'made' }]);
  }

  /** Waits for so many sessions to have ended, and gives the last end. */
  async ended(count = 1): Promise<SubscriberEnd> {
    while (this.ends.length < count) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    return this.ends.at(-1) as SubscriberEnd;
  }

  /** Lines of the log about sessions. */
  get lines(): App['log']['lines'] {
    return this.#app.log.lines;
  }

  /** Messages of the log at this level. */
  logged(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  #noteEnd(end: SubscriberEnd): void {
    this.ends.push(end);
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }
}

/** The node's own share of its backplane, whose subscriptions and reads take as long as a test says. */
function watched(share: Backplane & Partial<History>, { live, afterRead }: SessionFixtureOptions): Backplane {
  const { subscribe, read } = share;
  if (live !== undefined) {
    share.subscribe = (channel) => {
      void subscribe.call(share, channel);
      return live.promise;
    };
  }
  if (afterRead === undefined || read === undefined) return share;
  const reading: History['read'] = async (...args) => {
    const page = await read.apply(share, args);
    await afterRead();
    return page;
  };
  return Object.assign(share, { read: reading });
}

/** Sends control messages, and waits until the session has carried them out. */
export async function control({ origin, client }: Joined, ...messages: readonly object[]): Promise<void> {
  for (const message of messages) void origin.text(`c:${JSON.stringify(message)}`);
  await reached({ origin, client });
}

/** Waits until everything that the origin has sent before has been taken; `prefix` is the session's. */
export async function reached({ origin, client }: Pick<Joined, 'origin' | 'client'>, prefix = 'm:'): Promise<void> {
  void origin.text(`${prefix}reached`);
  const [, text] = await client.brief();
  if (text !== 'reached') throw new Error(`the client got ${JSON.stringify(text)} first`);
}
