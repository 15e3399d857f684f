/** An XMPP client that an origin has subscribed, or keeps meta for: its channels, its items, and its end. */
import type { ConnectionView } from '@holdfast/control-api';
import { type Channel, type Expires, GripError, type RawHeaders } from '@holdfast/grip';
import type { CloseReason } from '../channels/close-reasons.js';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import { endIncomplete } from '../channels/subscriber-deps.js';
import { metaOf } from '../channels/subscription-list.js';
import { USER_META } from '../channels/users.js';
import { channelOf, refusedChannel } from '../routes/channel-name.js';
import { patternOf } from '../routes/channel-pattern.js';
import { stampOf } from '../runtime/clock.js';
import { HttpMeta, setsMeta } from '../sessions/over-http/events.js';
import { Subscriptions } from '../sessions/subscriptions.js';
import { requestOf, type XmppClient, type XmppSubscriberDeps } from './client.js';
import { unavailable } from './errors.js';
import { StanzaWriter } from './stanza-writer.js';

/** What the origin's answer makes of a client. */
export interface XmppWishes {
  /** Undefined: as they are. */
  readonly channels: readonly Channel[] | undefined;
  /** For filters; undefined: as it is. */
  readonly meta: Readonly<Record<string, string>> | undefined;
  /** When the subscription ends by itself; undefined: as it was. */
  readonly expires: Expires | undefined;
  /** Fields of the answer, of which `Set-Meta-*` count. */
  readonly headers: RawHeaders;
}

/** One client at one address of ours. */
export class XmppSubscriber implements Subscriber {
  readonly client: XmppClient;
  readonly subscriptions: Subscriptions;
  readonly #deps: XmppSubscriberDeps;
  readonly #writer: StanzaWriter;
  readonly #since: number;
  /** Undefined until the origin sets some. */
  #meta: HttpMeta | undefined;
  #isOver = false;

  constructor(client: XmppClient, deps: XmppSubscriberDeps) {
    const { registry, clock } = deps.subscriber;
    this.client = client;
    this.#deps = deps;
    this.#since = clock.monotonic();
    this.subscriptions = new Subscriptions(this, registry, client.route, [], deps.connectionSubscriptionMax);
    this.#writer = new StanzaWriter(this, deps);
  }

  /** Is known from here on: to operators, and to what ends it. */
  start(): void {
    const { registry, events } = this.#deps.subscriber;
    events.subscriberOpened('xmpp');
    registry.enter(this);
  }

  get id(): string {
    return this.client.id;
  }

  get kind(): 'xmpp' {
    return 'xmpp';
  }

  get session(): string {
    return this.client.connectionId;
  }

  get routeKey(): string {
    return this.client.route.id ?? '';
  }

  get isDebug(): boolean {
    return this.client.route.debug || this.#deps.debug;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** `Meta-*` fields of the next request. */
  get metaFields(): RawHeaders {
    return this.#meta?.headers ?? [];
  }

  /** The channels and patterns that it is on, as the origin names them. */
  get channels(): readonly Pick<Channel, 'name' | 'isPattern'>[] {
    const patterns = [...this.subscriptions.allPatterns].map(({ name }) => ({ name, isPattern: true as const }));
    return [...this.subscriptions.all.map(({ name }) => ({ name })), ...patterns];
  }

  get meta(): ReadonlyMap<string, string> {
    return this.subscriptions.meta;
  }

  /** Whether there is a reason to keep it. */
  get isIdle(): boolean {
    return this.subscriptions.size + this.subscriptions.patternCount === 0 && this.metaFields.length === 0;
  }

  /**
   * Does what the origin wants. The result is as of `ChannelRegistry.add`. Throws GripError ERR_GRIP_INSTRUCT for a channel that is
   * none of its route's, OriginError ERR_ORIGIN_MALFORMED for too much meta: the subscription is to end then.
   */
  obey({ channels, meta, expires, headers }: XmppWishes): Promise<void> | undefined {
    const wanted = channels && this.#checked(channels);
    if (setsMeta(headers)) {
      this.#meta ??= new HttpMeta();
      this.#meta.take(headers);
    }
    const { registry, events } = this.#deps.subscriber;
    if (meta !== undefined) {
      this.subscriptions.meta = metaOf(meta);
      registry.identify(this.id, this.meta.get(USER_META));
    }
    if (expires !== undefined) registry.setExpiry(this, expires);
    if (wanted === undefined) return undefined;
    const kept = new Set(wanted.map(keyOf));
    for (const channel of this.channels) {
      if (kept.has(keyOf(channel))) continue;
      if (channel.isPattern) this.subscriptions.removePattern(channel.name, events);
      else this.subscriptions.remove(channel.name);
    }
    const waits: Promise<void>[] = [];
    for (const { name, filters, isPattern } of wanted) {
      const added = isPattern
        ? this.subscriptions.addPattern(name, filters, events)
        : this.subscriptions.add(name, filters);
      if (typeof added !== 'string' && added.live !== undefined) waits.push(added.live);
    }
    return waits.length === 0 ? undefined : this.#watched(Promise.all(waits).then(() => undefined));
  }

  deliver(delivery: Delivery): boolean {
    const { xmpp: format } = delivery;
    if (this.#isOver || format === undefined || format.action === 'hint' || format.action === 'refresh') return false;
    const subscription = this.subscriptions.through(delivery);
    if (subscription === undefined) return false;
    this.#writer.take(delivery, format, subscription);
    return true;
  }

  takes(delivery: Delivery): boolean {
    return !this.#isOver && this.#writer.fits(delivery, delivery.xmpp);
  }

  /** Subscriptions of XMPP clients have no ids to be behind with. */
  recover(): void {}

  missed(): void {
    endIncomplete(this, this.subscriptions, this.#deps.subscriber, () => this.end('items-lost'));
  }

  drain(): void {
    this.end('shutdown');
  }

  expire(): void {
    this.#writer.finish(this, () => this.end('aged'));
  }

  /** What is published from now on does not reach it. */
  expiryDue(): void {
    const { channels, patterns } = this.subscriptions;
    this.#deps.subscriber.registry.remove(this, channels, patterns);
    this.#writer.finish(this, () => this.end('expired'));
  }

  disconnect(): void {
    this.end('kicked');
  }

  fault(): void {
    this.end('fault');
  }

  closedByItem(): void {
    this.end('closed');
  }

  overflowed(): void {
    this.end('slow-client');
  }

  /** The log has it; a client would take it for content. */
  filterFailed(): void {}

  /** Ends the subscription because Holdfast, or an item, wants it: the client is sent that the address has become unavailable. */
  end(reason: CloseReason): void {
    const { from, to } = this.client;
    if (this.leave(reason)) this.#deps.outlet.send(unavailable(to.full, from.full));
  }

  /** Ends the subscription without a word to the client, which knows; false when it was over already. */
  leave(reason: CloseReason): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#writer.stop();
    const channels = this.subscriptions.names;
    this.subscriptions.clear();
    const { registry, events, clock } = this.#deps.subscriber;
    registry.leave(this);
    events.subscriberEnded('xmpp', reason);
    const { items, dropped } = this.#writer;
    const duration = clock.monotonic() - this.#since;
    const end = { kind: 'xmpp', reason, items, dropped, duration, channels } as const;
    this.#deps.ended(requestOf(this.client), this.client.route, end, this.client.connectionId);
    this.#deps.left(this.client);
    return true;
  }

  view(): ConnectionView {
    const { id, connectionId, from, route } = this.client;
    return {
      id,
      session: connectionId,
      kind: 'xmpp',
      ...(route.id !== undefined && { route: route.id }),
      client: from.full,
      since: stampOf(this.#deps.subscriber.clock, this.#since),
      channels: this.subscriptions.names,
      items: this.#writer.items,
      waiting: this.#deps.outlet.waiting,
    };
  }

  /** A subscription that the backplane cannot make ends: its client would wait for nothing. */
  #watched(live: Promise<void>): Promise<void> {
    live.catch((error: Error) => {
      this.#deps.subscriber.log.warn(
        { id: this.id, err: error },
        'subscription failed: ending that of the XMPP client',
      );
      this.end('origin-failed');
    });
    return live;
  }

  /** The channels and patterns, as many as it may have. */
  #checked(channels: readonly Channel[]): readonly Channel[] {
    const { subscriber, connectionSubscriptionMax: limit } = this.#deps;
    const { id, route } = this.client;
    const wanted = new Map<string, Channel>();
    for (const channel of channels) {
      const { name } = channel;
      if (channel.isPattern) {
        const pattern = patternOf(route, name, subscriber.events);
        if (typeof pattern === 'string') throw new GripError('ERR_GRIP_INSTRUCT', pattern);
      } else if (channelOf(route, name) === undefined)
        throw new GripError('ERR_GRIP_INSTRUCT', refusedChannel(route, name, subscriber.events));
      wanted.set(keyOf(channel), channel);
    }
    if (wanted.size > limit) {
      const first = [...wanted.values()][limit] as Channel;
      subscriber.overChannels.report({ id, route, channels: wanted.size, limit, first: first.name });
    }
    return [...wanted.values()].slice(0, limit);
  }
}

/** What tells wishes apart: a channel may have the name of a pattern. */
function keyOf({ name, isPattern }: Pick<Channel, 'name' | 'isPattern'>): string {
  return `${isPattern ? '*' : '='}${name}`;
}
