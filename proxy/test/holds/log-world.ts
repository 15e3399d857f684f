/**
 * Owns: a world without sockets in which streams follow a log: an origin that keeps the log and tells everything after
 * any of its ids, a publisher, and streams made of the real parts under a manual clock. Does not own: what is published,
 * lost or delayed.
 */
import { IdCache, LocalBackplane, noPublishEvents, Publisher, silentLog, uncontained } from '@holdfast/control-api';
import { parseInstructHeaders, parseItem, type ResponseHead } from '@holdfast/grip';
import { OverChannelsReport } from '../../dist/channels/over-channels.js';
import { ChannelRegistry } from '../../dist/channels/registry.js';
import type { SubscriberEnd } from '../../dist/channels/subscriber-parts.js';
import { ItemDelivery } from '../../dist/delivery/item-delivery.js';
import { OriginError } from '../../dist/errors.js';
import type { HoldParts } from '../../dist/holds/hold.js';
import { openHold } from '../../dist/holds/open.js';
import type { StreamHold } from '../../dist/holds/stream-hold.js';
import { HttpFilters } from '../../dist/links/http-filter.js';
import { LinkClient } from '../../dist/links/link-client.js';
import { SharedFetches } from '../../dist/links/shared-fetch.js';
import { UpdateLimiter } from '../../dist/links/update-limiter.js';
import { Forwarder } from '../../dist/origin/forwarder.js';
import type { AnswerSink, Origin, OriginCall, OriginHandler, OriginRequest } from '../../dist/origin/port.js';
import { toRoute } from '../../dist/routes/route.js';
import { RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';
import { ManualClock } from '../kit/manual-clock.js';
import { USUAL_RULES } from '../origin/forward-rules.js';
import { MemoryResponse } from './memory-response.js';

const CHANNEL = 'log';
const WAIT = 5_000;

/** Seconds of silence after which a link is due. */
const LINK_TIMEOUT = 30;

/** Longest delay of anything an origin says, in ms. */
export const MAX_DELAY = 400;

/** How an origin gives one answer. */
export interface Manner {
  /** Pauses before the head, before each half of the body, and before the end, in ms. */
  readonly pauses: readonly [number, number, number, number];
  /** It fails instead: before the head, or with a status. */
  readonly fails?: 'error' | 'status' | undefined;
}

/** One stream of the world. */
export interface Followed {
  readonly client: MemoryResponse;
  /** The number of the item after which its body begins. */
  readonly from: number;
}

/** The world. */
export class LogWorld implements Origin {
  readonly clock = new ManualClock(0);
  readonly streams: Followed[] = [];
  readonly ends: SubscriberEnd[] = [];
  /** How many requests the origin got. */
  asked = 0;
  /** How many items the log has: their ids are the numbers from 1 on. */
  length = 0;
  readonly #manners: Manner[];
  readonly #backplane = new LocalBackplane(
    silentLog,
    new IdCache({ clock: this.clock, idCacheTtl: 60_000, events: { idsForgotten() {} } }),
  );
  readonly #publisher: Publisher;
  readonly #registry: ChannelRegistry;
  readonly #parts: HoldParts;
  readonly #table: RouteTable;

  /** The origin answers in these manners, one after the other, and then at once. */
  constructor(manners: readonly Manner[]) {
    this.#manners = [...manners];
    const { clock } = this;
    const delivery = new ItemDelivery(() => this.#registry, {
      clock,
      messageWait: WAIT,
      events: { itemDelivered() {}, itemHeld() {}, itemReleased() {}, itemsAbandoned() {}, itemsLost() {} },
      log: silentLog,
    });
    void this.#backplane.start(delivery);
    const { sequencer } = delivery;
    const interest = {
      subscribe: (channel: string) => this.#backplane.subscribe(channel),
      unsubscribe: (channel: string) => {
        sequencer.forget(channel);
        this.#backplane.unsubscribe(channel);
      },
    };
    this.#registry = new ChannelRegistry(interest, clock, 0);
    this.#publisher = new Publisher({
      backplane: this.#backplane,
      countSubscribers: () => 0,
      events: noPublishEvents,
      log: silentLog,
    });
    this.#table = new RouteTable([toRoute(parseRouteLine('* 127.0.0.1:1', 1) as RouteLine, () => undefined)]);
    const random = () => 0;
    const client = new LinkClient({
      forwarder: new Forwarder({ rules: USUAL_RULES, sigIss: '', sigKey: undefined }, clock),
      originOf: () => this,
      routes: () => this.#table,
      clock,
      log: silentLog,
    });
    this.#parts = {
      subscriber: {
        registry: this.#registry,
        clock,
        random,
        events: { subscriberOpened() {}, subscriberEnded() {}, itemSent() {}, itemDropped() {} },
        log: silentLog,
        faults: uncontained,
        clientQueueSize: 1_000_000,
        slowClientPolicy: 'close',
        gapPolicy: 'close',
        overChannels: new OverChannelsReport(clock, silentLog),
      },
      sequencer,
      links: { client, fetches: new SharedFetches(), clock, random },
      limiter: new UpdateLimiter(clock),
      filters: new HttpFilters(client, clock),
      debug: false,
    };
  }

  /** The origin adds an item to its log; publishing it is another matter. */
  add(): number {
    return ++this.length;
  }

  /** Publishes an item of the log. */
  publish(n: number): void {
    const item = parseItem({
      channel: CHANNEL,
      id: `${n}`,
      'prev-id': `${n - 1}`,
      formats: { 'http-stream': { content: `${n},` } },
    });
    void this.#publisher.publish([item]);
  }

  /** Has all streams recover. */
  recover(): void {
    void this.#publisher.recover();
  }

  /** A client asks for the log from here on; its stream begins with what the origin tells it. */
  open(): void {
    const client = new MemoryResponse();
    const from = this.length;
    this.streams.push({ client, from });
    let hold: StreamHold | undefined;
    const handler: OriginHandler & AnswerSink = {
      onInformation() {},
      onHead: (head) => {
        hold = this.#hold(client, head);
        hold.open();
        return handler;
      },
      onData: (chunk) => hold?.write(chunk) ?? true,
      onEnd: () => hold?.opened(),
      onError() {},
    };
    this.#answer(from, handler);
  }

  /** What the body of a stream should be, as far as the log goes. */
  expected({ from }: Followed): string {
    return Array.from({ length: this.length - from }, (_, i) => `${from + i + 1},`).join('');
  }

  /**
   * Moves time on by steps that are no longer than any delay, so that what is asked within them is answered within them:
   * calls between the parts may be made in microtasks.
   */
  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(left, 100));
      await Promise.resolve();
      await Promise.resolve();
    }
  }

  dispatch(request: OriginRequest, handler: OriginHandler): OriginCall {
    const last = request.headers[request.headers.indexOf('Grip-Last') + 1] ?? '';
    const from = Number(/^log; last-id=(\d+)$/.exec(last)?.[1]);
    if (Number.isNaN(from)) throw new Error(`not told where to go on: ${JSON.stringify(request.headers)}`);
    return this.#answer(from, handler);
  }

  /** Tells all that is in the log now, whatever is added while it is being told. */
  #answer(from: number, handler: OriginHandler): OriginCall {
    this.asked++;
    const { pauses, fails } = this.#manners.shift() ?? { pauses: [0, 0, 0, 0] };
    const { length } = this;
    const told = Array.from({ length: length - from }, (_, i) => `${from + i + 1},`);
    const half = told.length >> 1;
    const headers = [
      ...['Grip-Hold', 'stream', 'Grip-Channel', `${CHANNEL}; prev-id=${length}`],
      ...['Grip-Link', `</next>; rel=next; timeout=${LINK_TIMEOUT}`],
    ];
    const head: ResponseHead = { status: fails === 'status' ? 503 : 200, reason: '', headers };
    let sink: AnswerSink | undefined;
    const steps = [
      () => {
        sink = handler.onHead(head, undefined);
      },
      () => sink?.onData(Buffer.from(told.slice(0, half).join(''))),
      () => sink?.onData(Buffer.from(told.slice(half).join(''))),
      () => sink?.onEnd(),
    ];
    if (fails === 'error') steps.splice(0, 4, () => handler.onError(new OriginError('ERR_ORIGIN_CLOSED', 'x', 'no')));
    let aborted = false;
    const step = (i: number) => {
      this.clock.after(pauses[i] ?? 0, () => {
        if (aborted) return;
        steps[i]?.();
        if (i + 1 < steps.length) step(i + 1);
      });
    };
    step(0);
    return {
      resume() {},
      abort: () => {
        aborted = true;
      },
    };
  }

  #hold(response: MemoryResponse, head: ResponseHead): StreamHold {
    const route = this.#table.routes[0] as RouteTable['routes'][number];
    const url = 'http://test/';
    const scope = {
      url,
      view: 'client' as const,
      clientUrl: url,
      route,
      asked: route,
      secure: false,
    };
    const instruct = parseInstructHeaders(head);
    const opening = {
      id: 'x',
      clientAddress: '',
      response,
      instruct,
      scope,
      implicit: [],
      connectionSubscriptionMax: 10,
    };
    const owner = { holdWritable() {}, holdEnded: (end: SubscriberEnd) => void this.ends.push(end), holdRetry() {} };
    return openHold(opening, owner, this.#parts) as StreamHold;
  }
}
