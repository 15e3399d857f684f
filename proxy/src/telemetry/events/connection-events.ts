/** Events about holds and sessions, for the customer: `connection_opened` and `connection_closed`. */
import type { EventSink, EventType } from '@holdfast/control-api';
import { closeCode } from '../../channels/close-reasons.js';
import type { UserWatch } from '../../channels/registry.js';
import type { Subscriber } from '../../channels/subscriber.js';
import type { SubscriberEnd } from '../../channels/subscriber-deps.js';
import type { ClientRequest } from '../../edge/port.js';
import type { RequestEnd, RequestEvents } from '../../request/request-deps.js';
import type { Route } from '../../routes/route.js';
import type { Clock } from '../../runtime/clock.js';
import type { SessionEvents, SessionOpening } from '../../sessions/session-deps.js';

/**
 * Channels of a connection that its event names.
 *
 * @limit {} channels that the event of a connection names
 * @over the event has `channels_omitted`, the number of the others
 */
export const EVENT_CHANNELS_MAX = 100;

/** What an open hold has until it ends. */
interface OpenHold {
  readonly kind: 'response' | 'stream';
  /** By the monotonic clock. */
  readonly since: number;
}

/**
 * A request that is asked of its origin again stays the same connection: its hold opens once, and closes once, when its client has its
 * answer or has gone.
 */
export class ConnectionEvents implements RequestEvents, SessionEvents, UserWatch {
  readonly #sink: EventSink;
  readonly #clock: Clock;
  readonly #holds = new Map<string, OpenHold>();
  /** Users of open connections, by the ids of these: the registry has forgotten them when a connection ends. */
  readonly #users = new Map<string, string>();

  constructor(sink: EventSink, clock: Clock) {
    this.#sink = sink;
    this.#clock = clock;
  }

  set({ id }: Subscriber, user: string | undefined): void {
    if (user === undefined) this.#users.delete(id);
    else this.#users.set(id, user);
  }

  /** The end of the connection is yet to be reported. */
  leave(): void {}

  requestEnded({ request, route, hold, retry }: RequestEnd): void {
    const { id } = request;
    if (hold !== undefined) {
      if (this.#holds.has(id)) return;
      this.#holds.set(id, { kind: hold, since: this.#clock.monotonic() });
      this.#report('connection_opened', id, undefined, hold, route, {});
    } else if (retry) {
      const open = this.#holds.get(id);
      if (open === undefined || !this.#holds.delete(id)) return;
      const duration = this.#clock.monotonic() - open.since;
      this.#report('connection_closed', id, undefined, open.kind, route, { reason: 'retried', duration });
    }
  }

  holdEnded(request: ClientRequest, route: Route | undefined, end: SubscriberEnd): void {
    if (end.reason === 'retried') return;
    const open = this.#holds.get(request.id);
    this.#holds.delete(request.id);
    const duration = open === undefined ? end.duration : this.#clock.monotonic() - open.since;
    this.#report('connection_closed', request.id, undefined, end.kind, route, { ...endOf(end), duration });
  }

  sessionOpened({ status, connectionId, request, route }: SessionOpening): void {
    if (status === 101) this.#report('connection_opened', request.id, connectionId, 'ws', route, {});
  }

  sessionEnded(request: ClientRequest, route: Route, end: SubscriberEnd, connectionId: string): void {
    const code = closeCode(end.reason);
    this.#report('connection_closed', request.id, connectionId, 'ws', route, { ...endOf(end), code });
  }

  #report(
    type: EventType,
    id: string,
    session: string | undefined,
    kind: SubscriberEnd['kind'],
    route: Route | undefined,
    rest: Readonly<Record<string, unknown>>,
  ): void {
    const user = this.#users.get(id);
    if (type === 'connection_closed') this.#users.delete(id);
    if (!this.#sink.wants(type)) return;
    const time = new Date(this.#clock.wall()).toISOString();
    this.#sink.report({ type, id, session, kind, route: route?.id, user, ...rest, time });
  }
}

function endOf({ reason, channels, items, dropped, duration }: SubscriberEnd): Readonly<Record<string, unknown>> {
  const omitted = channels.length - EVENT_CHANNELS_MAX;
  return {
    reason,
    channels: omitted > 0 ? channels.slice(0, EVENT_CHANNELS_MAX) : channels,
    channels_omitted: omitted > 0 ? omitted : undefined,
    items,
    dropped,
    duration,
  };
}
