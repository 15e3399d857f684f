/**
 * Owns: sessions made of real parts for a test: an edge, a route to raw origins, channels and a backplane, with a clock
 * that stands still and everything that is reported written down. Does not own: what clients and origins say.
 */
import { LocalBackplane, LocalHistory, type Log, silentLog, uncontained } from '@holdfast/control-api';
import { parseItem } from '@holdfast/grip';
import type { Test } from 'tap';
import { OverChannelsReport } from '../../dist/channels/over-channels.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import type { SubscriberEnd } from '../../dist/channels/subscriber-parts.js';
import { ItemDelivery } from '../../dist/delivery/item-delivery.js';
import { NodeEdge } from '../../dist/edge/node/edge.js';
import { TlsCertificates } from '../../dist/edge/tls-certificates.js';
import { HistoryReader } from '../../dist/history/reader.js';
import { ResumeTokens } from '../../dist/history/tokens.js';
import { HttpFilters } from '../../dist/links/http-filter.js';
import { LinkClient } from '../../dist/links/link-client.js';
import { Forwarder } from '../../dist/origin/forwarder.js';
import type { ForwardRules } from '../../dist/origin/headers.js';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { Descriptors } from '../../dist/runtime/descriptors.js';
import { SessionDialer } from '../../dist/sessions/dialer.js';
import { Handshake } from '../../dist/sessions/handshake.js';
import { RequestKeeper } from '../../dist/sessions/over-http/request-interner.js';
import type { SessionOpening, SessionParts } from '../../dist/sessions/session-parts.js';
import { WsAcceptor } from '../../dist/websocket/ws-acceptor.js';
import { type Answered, RawSocket } from '../kit/clients/raw-socket.js';
import { ManualClock } from '../kit/manual-clock.js';
import type { Turn } from '../kit/turn.js';
import { type RawHandshake, RawOrigin } from '../websocket/raw-origin.js';

/** What a scene is made with. */
export interface SceneOptions {
  /** Properties of the route, such as `debug,prefix=p-`. */
  readonly route?: string;
  /** Properties of the target, such as `sub=news`. */
  readonly target?: string;
  /** Targets that come before it, such as `127.0.0.1:1`. */
  readonly before?: string;
  readonly debug?: boolean;
  readonly trusted?: boolean;
  readonly allowCompression?: boolean;
  readonly websocketMessageMax?: number;
  readonly connectionSubscriptionMax?: number;
  readonly clientQueueSize?: number;
  readonly slowClientPolicy?: 'close' | 'drop';
  readonly gapPolicy?: 'close' | 'continue';
  /** When subscriptions are live; at once if left out. */
  readonly live?: Turn;
}

/** A line of the log. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: object;
}

/** Both ends of one session. */
export interface Joined {
  readonly client: RawSocket;
  readonly origin: RawSocket;
  readonly handshake: RawHandshake;
}

/** The extension as an origin in GRIP mode answers it. */
export const GRIP = ['Sec-WebSocket-Extensions: grip'];

const RULES: ForwardRules = {
  ownsClientCert: false,
  cdnLoop: '',
  acceptXForwardedProtocol: false,
  setXForwardedProtocol: 'true',
  xForwardedFor: { append: true },
  xForwardedForTrusted: { append: true },
  origHeadersNeedMark: new Set<string>(),
  acceptPushpinRoute: false,
};

/** One node's worth of sessions. */
export class SessionScene {
  readonly clock = new ManualClock();
  /** Under a clock of its own: tests count the timers of sessions. */
  readonly history = new LocalHistory({ clock: new ManualClock(), epoch: 'e', historySize: 10, historyTtl: 60_000 });
  readonly backplane = new LocalBackplane(silentLog, undefined, this.history);
  readonly delivery = new ItemDelivery(() => this.registry, {
    clock: this.clock,
    messageWait: 5_000,
    events: {
      itemDelivered: (receivers) => {
        this.counts.delivered += receivers;
      },
      itemHeld: () => {},
      itemReleased: () => {},
      itemsAbandoned: () => {},
      itemsLost: () => {},
    },
    log: silentLog,
  });
  readonly registry: ChannelRegistry;
  readonly opened: SessionOpening[] = [];
  readonly ends: SubscriberEnd[] = [];
  readonly lines: LogLine[] = [];
  /** Subscribers opened and ended, items sent and dropped, as counted. */
  readonly counts = { opened: 0, ended: 0, sent: 0, dropped: 0, delivered: 0 };
  /** Items told from the history, and how often it knew, and did not. */
  readonly replays = { items: 0, complete: 0, incomplete: 0 };
  readonly tokens = new ResumeTokens(Buffer.from('key'));
  /** Sessions that were asked for. */
  openings = 0;
  /** Every handshake, and the client's header fields as they came: as long as somebody has them. */
  readonly handshakes: WeakRef<object>[] = [];
  readonly edge: NodeEdge;
  readonly origin: RawOrigin;
  port = 0;
  readonly #t: Test;
  readonly #route: Route;
  readonly #parts: SessionParts;
  #wakers: (() => void)[] = [];

  private constructor(t: Test, origin: RawOrigin, options: SceneOptions) {
    this.#t = t;
    this.origin = origin;
    const target = ['127.0.0.1:', origin.port, options.target === undefined ? '' : `,${options.target}`].join('');
    const line = ['*', options.route === undefined ? '' : `,${options.route}`, ' ', options.before ?? '', ' ', target];
    this.#route = toRoute(parseRouteLine(line.join(''), 1) as RouteLine, () => undefined);
    const interest = {
      subscribe: (channel: string) => {
        const live = this.backplane.subscribe(channel);
        return options.live === undefined ? live : options.live.promise;
      },
      unsubscribe: (channel: string) => this.backplane.unsubscribe(channel),
    };
    this.registry = new ChannelRegistry(interest, this.clock, 0);
    this.#parts = this.#makeParts(options);
    this.edge = this.#makeEdge(options);
  }

  static async open(t: Test, options: SceneOptions = {}): Promise<SessionScene> {
    const scene = new SessionScene(t, await RawOrigin.listen(t), options);
    await scene.backplane.start(scene.delivery);
    t.teardown(() => scene.edge.close());
    const bound = await scene.edge.listen({ host: '127.0.0.1', port: 0 });
    scene.port = bound.port as number;
    return scene;
  }

  /** A client's handshake, to be answered by the origin or by the proxy. */
  ask(lines: readonly string[] = [], path = '/'): Promise<Answered> {
    return RawSocket.ask(this.#t, this.port, lines, path);
  }

  /** A session whose origin answers with these lines: in GRIP mode unless told otherwise. */
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
    void this.backplane.publish([{ type: 'item', item: parseItem({ channel, formats, meta }), id: 'made' }]);
  }

  /** Waits for so many sessions to have ended, and gives the last end. */
  async ended(count = 1): Promise<SubscriberEnd> {
    while (this.ends.length < count) await new Promise<void>((resolve) => this.#wakers.push(resolve));
    return this.ends.at(-1) as SubscriberEnd;
  }

  /** Messages of the log at this level. */
  logged(level: string): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  #makeParts(options: SceneOptions): SessionParts {
    const { counts, clock } = this;
    const rules = { rules: RULES, sigIss: '', sigKey: undefined };
    const websocketMessageMax = options.websocketMessageMax ?? 16 * 2 ** 20;
    const dialer = new SessionDialer(
      {
        clock,
        random: () => 0,
        forwarder: new Forwarder(rules, clock),
        originOf: () => {
          throw new Error('no origin is asked over HTTP here');
        },
      },
      { websocketMessageMax, allowCompression: options.allowCompression ?? false },
      { originConnectTimeout: 10_000 },
    );
    return {
      subscriber: {
        registry: this.registry,
        clock,
        random: () => 0,
        events: {
          subscriberOpened: () => void counts.opened++,
          subscriberEnded: () => void counts.ended++,
          itemSent: () => void counts.sent++,
          itemDropped: () => void counts.dropped++,
        },
        log: this.#log(),
        faults: uncontained,
        clientQueueSize: options.clientQueueSize ?? 1_000_000,
        slowClientPolicy: options.slowClientPolicy ?? 'close',
        gapPolicy: options.gapPolicy ?? 'close',
        overChannels: new OverChannelsReport(clock, this.#log()),
      },
      dial: dialer.dial,
      requests: new RequestKeeper(),
      filters: new HttpFilters(
        new LinkClient({
          forwarder: new Forwarder(rules, clock),
          originOf: () => {
            throw new Error('no server is asked by filters here');
          },
          routes: () => {
            throw new Error('no link is followed here');
          },
          clock,
          log: silentLog,
        }),
        clock,
      ),
      events: {
        sessionOpened: (opening) => this.opened.push(opening),
        sessionEnded: (_request, _route, end) => this.#noteEnd(end),
      },
      replay: {
        reader: new HistoryReader({ history: this.backplane, clock, log: silentLog }),
        tokens: this.tokens,
        events: {
          itemReplayed: () => void this.replays.items++,
          replayEnded: (_kind, complete) => void this.replays[complete ? 'complete' : 'incomplete']++,
        },
        isOn: () => false,
        latest: (channel) => this.delivery.positions.latest(channel),
      },
      debug: options.debug ?? false,
      connectionSubscriptionMax: options.connectionSubscriptionMax ?? 20,
    };
  }

  #makeEdge({ trusted = false, allowCompression = false, websocketMessageMax = 16 * 2 ** 20 }: SceneOptions): NodeEdge {
    return new NodeEdge(
      {
        onRequest: (_request, response) => response.abort(),
        onWebSocket: (request, handshake) => {
          this.handshakes.push(new WeakRef(handshake), new WeakRef(request.headers));
          new Handshake(request, handshake, this.#route, { secure: false, trusted }, this.#parts).start();
        },
      },
      {
        clientBufferSize: 65_536,
        clientMaxconn: 1_000,
        clientKeepAliveTimeout: 60_000,
        clientHeaderTimeout: 60_000,
        clientHalfCloseGrace: 10_000,
        certificates: new TlsCertificates('/nonexistent', () => {}),
        sockets: new WsAcceptor({ websocketMessageMax, allowCompression }),
      },
      {
        clock: this.clock,
        nextId: () => `s${++this.openings}`,
        descriptors: new Descriptors(Number.POSITIVE_INFINITY, () => ({ open: 0, isSlow: false })),
        events: { connectionRefused: () => {}, descriptorsShort: () => {}, requestRefused: () => {} },
      },
    );
  }

  #noteEnd(end: SubscriberEnd): void {
    this.ends.push(end);
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const wake of wakers) wake();
  }

  #log(): Log {
    const write = (level: string) => (fields: object, message: string) => {
      this.lines.push({ level, message, fields });
    };
    const log: Log = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      isDebug: () => true,
      child: () => log,
    };
    return log;
  }
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
