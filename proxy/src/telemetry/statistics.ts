/** What the statistics feed gets of requests, subscriptions and items. Connections come from connections.ts. */
import { type ReportCount, reportCounts, type StatsEvents } from '@holdfast/control-api';
import { kindRows, subscriberKinds, zeroCounts } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { SubscriptionWatch } from '../channels/registry.js';
import type { SubscriberKind } from '../channels/subscriber.js';
import type { SubscriberEnd, SubscriberEvents } from '../channels/subscriber-deps.js';
import type { ClientRequest } from '../edge/port.js';
import type { RequestEnd, RequestEvents } from '../request/request-deps.js';
import type { Route } from '../routes/route.js';
import type { SessionEvents, SessionOpening } from '../sessions/session-deps.js';

/** Kinds of subscriber for which a channel lingers when the last one has left. */
const pollingKinds = subscriberKinds.filter((kind) => kindRows[kind].polls);

/**
 * Made only where there is a statistics socket. Counts of subscribers are kept here, as the registry has none by kind.
 */
export class Statistics implements RequestEvents, SessionEvents, SubscriptionWatch {
  readonly #stats: StatsEvents;
  readonly #messageBlockSize: number;
  readonly #channels = new Map<string, Record<SubscriberKind, number>>();

  /** `messageBlockSize` in bytes; Infinity: blocks are not counted. */
  constructor(stats: StatsEvents, messageBlockSize: number) {
    this.#stats = stats;
    this.#messageBlockSize = messageBlockSize;
  }

  /** Requests count when they are answered or held, like the lines of the access log. */
  requestEnded({ request, route, hold, retry, bytes }: RequestEnd): void {
    const id = route?.id ?? '';
    if (retry) this.#stats.active(id);
    else this.#requested(id, request);
    if (hold === undefined) this.#stats.counted(id, { 'client-content-bytes-sent': bytes });
  }

  holdEnded(_request: ClientRequest, route: Route | undefined, _end: SubscriberEnd, bytes: number): void {
    this.#stats.counted(route?.id ?? '', { 'client-content-bytes-sent': bytes });
  }

  sessionOpened({ request, route }: SessionOpening): void {
    this.#requested(route.id ?? '', request);
  }

  sessionEnded(): void {}

  joined(channel: string, kind: SubscriberKind): void {
    const counts = this.#channels.get(channel) ?? zeroCounts();
    this.#channels.set(channel, counts);
    this.#stats.subscribers(kind, channel, ++counts[kind]);
    // Polls that the channel lingered for are not waited for any more, now that it stays for others.
    for (const polling of pollingKinds) {
      if (kind !== polling && counts[polling] === 0) this.#stats.subscribers(polling, channel, 0);
    }
  }

  left(channel: string, kind: SubscriberKind, lingers: boolean): void {
    const counts = this.#channels.get(channel);
    if (counts === undefined) return;
    counts[kind]--;
    // While the channel lingers its subscription has not ended: those who come back find it as they left it.
    if (!lingers) this.#stats.subscribers(kind, channel, counts[kind]);
  }

  closed(channel: string): void {
    if (!this.#channels.delete(channel)) return;
    for (const kind of subscriberKinds) this.#stats.subscribers(kind, channel, 0);
  }

  /** Before the item goes to its subscribers: response holds have left the channel when they have had it. */
  itemArrived(delivery: Delivery): void {
    const { channel, id } = delivery.item;
    const counts = this.#channels.get(channel);
    let largest = 0;
    for (const kind of subscriberKinds) {
      const bytes = delivery.bytesFor(kind);
      if (bytes === undefined) continue;
      const blocks = Number.isFinite(this.#messageBlockSize)
        ? Math.max(1, Math.ceil(bytes / this.#messageBlockSize))
        : 0;
      largest = Math.max(largest, blocks);
      const receivers = counts?.[kind] ?? 0;
      const weight = blocks === 0 ? {} : { blocks: blocks * receivers };
      this.#stats.delivered({ channel, itemId: id, transport: kindRows[kind].name, receivers, ...weight });
    }
    this.#stats.counted('', { received: 1, 'blocks-received': largest });
  }

  /** The same events, counted here too. */
  over(events: SubscriberEvents): SubscriberEvents {
    return {
      subscriberOpened: (kind) => events.subscriberOpened(kind),
      subscriberEnded: (kind, reason) => events.subscriberEnded(kind, reason),
      itemDropped: (kind, reason, channel) => events.itemDropped(kind, reason, channel),
      limited: (limit) => events.limited(limit),
      itemSent: (kind, route) => {
        events.itemSent(kind, route);
        this.#stats.counted(route, sentCounts[kind]);
      },
    };
  }

  #requested(route: string, request: ClientRequest): void {
    this.#stats.requested(route);
    this.#stats.counted(route, { 'client-header-bytes-received': headBytes(request) });
  }
}

/** What one item that was sent adds to the report: formats that the report counts by name add to that count too. */
const sentCounts = Object.fromEntries(
  subscriberKinds.map((kind) => {
    const own = reportCounts.find((count) => count === `${kindRows[kind].name}-sent`);
    return [kind, { sent: 1, ...(own !== undefined && { [own]: 1 }) }];
  }),
) as Readonly<Record<SubscriberKind, Partial<Record<ReportCount, number>>>>;

/** Bytes of a request's head as HTTP/1.1 has it: a request line, and lines of `name: value`. */
function headBytes({ method, path, headers }: ClientRequest): number {
  let bytes = `${method} ${path} HTTP/1.1\r\n\r\n`.length;
  for (const text of headers) bytes += text.length + 2;
  return bytes;
}
