/** The rate of delivery on one node: which deliveries (one item to one connection) go out now, wait, or are dropped. */
import { type Containment, type Log, uncontained } from '@holdfast/control-api';
import { ITEM_OVERHEAD } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber, SubscriberKind } from '../channels/subscriber.js';
import type { SubscriberEvents } from '../channels/subscriber-deps.js';
import type { Options } from '../config/table.js';
import type { Clock, Timer } from '../runtime/clock.js';

/**
 * Bytes that the items which wait may take in memory, on all routes, each item once however many connections it is for.
 * What comes beyond is dropped as over `message_hwm`.
 *
 * @limit {MiB} of items that wait for their pace, each once
 * @over the same
 */
export const MAX_WAITING_BYTES = 64 * 2 ** 20;

/** Shortest time between two ticks, in ms. */
const MIN_TICK_MS = 25;

/** What a {@link RateLimiter} is made of. */
export interface RateLimiterOptions {
  readonly clock: Clock;
  /** Weight per second, over all routes: above 0 and finite. Without a rate there is no limiter. */
  readonly messageRate: Options['messageRate'];
  /** Weight that may wait on one route; may be Infinity. */
  readonly messageHwm: Options['messageHwm'];
  /** A delivery weighs 1 for each so many bytes begun; Infinity: 1, whatever its size. */
  readonly messageBlockSize: Options['messageBlockSize'];
  readonly events: Pick<SubscriberEvents, 'itemDropped'>;
  readonly log: Log;
  /** Left out: nothing is contained. */
  readonly faults?: Containment;
}

/** An item that waits. */
interface Load {
  readonly delivery: Delivery;
  /** Connections for which it still waits. */
  waiting: number;
}

interface Waiting {
  readonly subscriber: Subscriber;
  readonly load: Load;
  readonly weight: number;
}

/** What waits on one route, in order of arrival. */
interface RouteQueue {
  entries: (Waiting | undefined)[];
  /** Those before this index have gone: their places are empty. */
  next: number;
  weight: number;
}

/**
 * Paces deliveries as Pushpin does: `ceil(messageRate × 25 / 1000)` each 25 ms, below 40 a second one each `1000 / messageRate` ms,
 * in turn between routes: an explicit route id has a queue of its own, all routes without one share a queue.
 *
 * - The order of a connection's items is kept: a connection has one route as long as it lives.
 * - What exceeds `hwm` is dropped: counted as `rate-limit` and logged, with its connection.
 * - A subscriber that has gone, or has no use for the item, costs nothing.
 *
 * Where it differs from Pushpin:
 * - Without a rate nothing ever waits, so `messageHwm` alone drops nothing; Pushpin drops what exceeds it in a single item.
 * - A tick's share that is not used up serves what comes before the next tick: an idle node delivers at once.
 * - A delivery heavier than what is left goes out, and the excess is taken from the ticks after it: Pushpin forgets it,
 *   and so lets large items pass at any rate.
 * - Where nothing waits an item is taken even if it alone weighs more than `messageHwm`: else it could never go.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #messageHwm: number;
  readonly #messageBlockSize: number;
  readonly #events: RateLimiterOptions['events'];
  readonly #report: DropReport;
  readonly #faults: Containment;
  readonly #tick: number;
  readonly #share: number;
  /** By route key; the first is next in turn. */
  readonly #queues = new Map<string, RouteQueue>();
  /** Weight that may still go in this tick; below 0 when a heavy delivery took from later ones. */
  #left = 0;
  #bytes = 0;
  #serving = false;
  /** Ends the present tick; undefined when the node is idle. */
  #timer: Timer | undefined;

  constructor(options: RateLimiterOptions) {
    const { clock, messageRate, messageHwm, messageBlockSize, events, log, faults = uncontained } = options;
    this.#faults = faults;
    this.#clock = clock;
    this.#messageHwm = messageHwm;
    this.#messageBlockSize = messageBlockSize;
    this.#events = events;
    this.#report = new DropReport(clock, log, messageHwm);
    const perTick = (messageRate * MIN_TICK_MS) / 1_000;
    this.#tick = perTick < 1 ? Math.round(1_000 / messageRate) : MIN_TICK_MS;
    this.#share = Math.ceil(perTick);
  }

  /**
   * Gives an item to its subscribers, now or later. All of them queue before the first is served, so none may leave the
   * given collection meanwhile. The result is how many were not dropped.
   */
  offer(delivery: Delivery, subscribers: Iterable<Subscriber>): number {
    let taken = 0;
    const load: Load = { delivery, waiting: 0 };
    for (const subscriber of subscribers) if (this.#queue(subscriber, load)) taken++;
    if (this.#queues.size === 0) return taken;
    if (this.#timer === undefined) this.#begin();
    this.#serve();
    return taken;
  }

  /** The node goes down: all that waits is delivered at once, and what was dropped is logged. */
  finish(): void {
    this.#clock.clear(this.#timer);
    this.#timer = undefined;
    this.#left = Number.POSITIVE_INFINITY;
    this.#serve();
    this.#left = 0;
    this.#report.finish();
  }

  /** Weight that waits, on all routes. */
  get waiting(): number {
    let waiting = 0;
    for (const { weight } of this.#queues.values()) waiting += weight;
    return waiting;
  }

  #queue(subscriber: Subscriber, load: Load): boolean {
    const { routeKey, kind } = subscriber;
    const { delivery } = load;
    const weight = this.#weigh(delivery, kind);
    if (weight === undefined) return false;
    const queue = this.#queues.get(routeKey);
    if (this.#queues.size === 0 || (queue === undefined && this.#admits(load))) {
      this.#queues.set(routeKey, { entries: [{ subscriber, load, weight }], next: 0, weight });
    } else if (queue === undefined || queue.weight + weight > this.#messageHwm || !this.#admits(load)) {
      this.#events.itemDropped(kind, 'rate-limit', delivery.item.channel);
      this.#report.dropped(routeKey, subscriber.id, delivery.item.channel);
      return false;
    } else {
      queue.entries.push({ subscriber, load, weight });
      queue.weight += weight;
    }
    if (load.waiting++ === 0) this.#bytes += bytesOf(load);
    return true;
  }

  /** Whether an item may wait beside those that do: one that waits already may wait for others too. */
  #admits(load: Load): boolean {
    return load.waiting > 0 || this.#bytes + bytesOf(load) <= MAX_WAITING_BYTES;
  }

  /** What an item weighs for this kind of subscriber; undefined when it has no form for it. */
  #weigh(delivery: Delivery, kind: SubscriberKind): number | undefined {
    const bytes = delivery.bytesFor(kind);
    if (bytes === undefined) return undefined;
    return Math.max(1, Math.ceil(bytes / this.#messageBlockSize));
  }

  /** Begins a tick, less what was taken from it before. */
  #begin(): void {
    this.#left = Math.min(this.#left, 0) + this.#share;
    this.#timer = this.#clock.after(this.#tick, () => {
      this.#timer = undefined;
      if (this.#queues.size === 0 && this.#left >= 0) return;
      this.#begin();
      this.#serve();
    });
  }

  /** Serves one delivery of each route in turn, until the tick's share is used up or nothing waits. */
  #serve(): void {
    // What a subscriber publishes while it is served joins the walk under way.
    if (this.#serving) return;
    this.#serving = true;
    try {
      // A route that is put back comes last, and is met again by the same walk.
      for (const [route, queue] of this.#queues) {
        if (this.#left <= 0) break;
        this.#serveNext(queue);
        this.#queues.delete(route);
        if (queue.next < queue.entries.length) this.#queues.set(route, queue);
      }
    } finally {
      this.#serving = false;
    }
  }

  #deliver(subscriber: Subscriber, delivery: Delivery): boolean {
    try {
      return subscriber.deliver(delivery);
    } catch (error) {
      this.#faults.caught('delivery', error, subscriber);
      return false;
    }
  }

  /** Serves the first of a route that is still there, if there is one. */
  #serveNext(queue: RouteQueue): void {
    while (queue.next < queue.entries.length) {
      const { subscriber, load, weight } = queue.entries[queue.next] as Waiting;
      // The item goes at once, its place with many others.
      queue.entries[queue.next++] = undefined;
      queue.weight -= weight;
      if (--load.waiting === 0) this.#bytes -= bytesOf(load);
      if (!this.#deliver(subscriber, load.delivery)) continue;
      this.#left -= weight;
      break;
    }
    compact(queue);
  }
}

function bytesOf({ delivery }: Load): number {
  return delivery.bytes + ITEM_OVERHEAD;
}

/** Clears the places away of what has gone, seldom enough that it costs little. */
function compact(queue: RouteQueue): void {
  if (queue.next < 1_024 || queue.next * 2 < queue.entries.length) return;
  queue.entries = queue.entries.slice(queue.next);
  queue.next = 0;
}

/** Time between two lines about the same route, in ms. */
export const REPORT_MS = 10_000;

/** What was dropped on a route since its last line. */
interface Episode {
  dropped: number;
  /** Connection that missed an item last. */
  id: string;
}

/**
 * Logs the first drop of a route with its connection, then every {@link REPORT_MS} how many there were since; when
 * there were none the episode is over, and the next drop is a first one again. At level debug each drop has its line.
 * So the numbers of all lines of a route add up to its drops.
 */
class DropReport {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #hwm: number;
  readonly #episodes = new Map<string, Episode>();

  /** `hwm` is what the lines name as the limit. */
  constructor(clock: Clock, log: Log, hwm: number) {
    this.#clock = clock;
    this.#log = log;
    this.#hwm = hwm;
  }

  /** A delivery on this route (empty for those without an id) to this connection was dropped. */
  dropped(route: string, id: string, channel: string): void {
    const episode = this.#episodes.get(route);
    if (episode === undefined) {
      this.#log.warn({ id, ...labelled(route), channel, dropped: 1 }, `${this.#text(route)}, dropping message`);
      this.#begin(route, id);
      return;
    }
    episode.dropped++;
    episode.id = id;
    if (this.#log.isDebug())
      this.#log.debug({ id, ...labelled(route), channel }, 'message dropped: exceeded publish hwm');
  }

  /** Logs what has not been logged, and ends all episodes. */
  finish(): void {
    for (const [route, episode] of this.#episodes) this.#write(route, episode);
    this.#episodes.clear();
  }

  #begin(route: string, id: string): void {
    const episode = { dropped: 0, id };
    this.#episodes.set(route, episode);
    const later = () => {
      if (this.#episodes.get(route) !== episode) return;
      if (episode.dropped === 0) {
        this.#episodes.delete(route);
        return;
      }
      this.#write(route, episode);
      this.#clock.after(REPORT_MS, later);
    };
    this.#clock.after(REPORT_MS, later);
  }

  #write(route: string, episode: Episode): void {
    const { dropped, id } = episode;
    if (dropped === 0) return;
    episode.dropped = 0;
    this.#log.warn(
      { ...labelled(route), dropped, lastId: id },
      `${this.#text(route)}: ${dropped} more messages dropped`,
    );
  }

  /** Pushpin's text. */
  #text(route: string): string {
    return `exceeded publish hwm (${this.#hwm})${route === '' ? '' : ` for route ${route}`}`;
  }
}

function labelled(route: string): { readonly route?: string } {
  return route === '' ? {} : { route };
}
