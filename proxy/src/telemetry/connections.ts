/** The open client connections by id, for the command socket and the statistics: holds and sessions, not those without one. */
import type { Connections, StatsEvents } from '@holdfast/control-api';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberEnd } from '../channels/subscriber-deps.js';
import type { ClientRequest } from '../edge/port.js';
import type { RequestEnd, RequestEvents } from '../request/request-deps.js';
import type { Route } from '../routes/route.js';
import { isRefreshable, type OriginSocket } from '../sessions/origin-socket.js';
import type { SessionEvents, SessionOpening } from '../sessions/session-deps.js';

/** A held request has no socket of an origin that could be asked for news. */
type Entry = OriginSocket | undefined;

/**
 * Held requests by request id, and sessions by Connection-Id. A request stays the same connection while it is asked of its
 * origin again, until that answers without a hold.
 */
export class OpenConnections implements Connections, RequestEvents, SessionEvents {
  readonly #subscribersOf: (channel: string) => Iterable<Subscriber>;
  readonly #stats: Pick<StatsEvents, 'connected' | 'disconnected'>;
  readonly #entries = new Map<string, Entry>();

  constructor(
    subscribersOf: (channel: string) => Iterable<Subscriber>,
    stats: Pick<StatsEvents, 'connected' | 'disconnected'>,
  ) {
    this.#subscribersOf = subscribersOf;
    this.#stats = stats;
  }

  connected(ids: readonly string[]): readonly string[] {
    return ids.filter((id) => this.#entries.has(id));
  }

  /** As in Pushpin a connection is a session here; one whose origin speaks WebSocket is there, and needs no asking. */
  refresh(whom: { readonly connection: string } | { readonly channel: string }): boolean {
    if ('channel' in whom) {
      for (const subscriber of this.#subscribersOf(whom.channel)) subscriber.refresh?.();
      return true;
    }
    const origin = this.#entries.get(whom.connection);
    if (origin !== undefined && isRefreshable(origin)) origin.refresh();
    return origin !== undefined;
  }

  requestEnded({ request, route, secure, hold, retry }: RequestEnd): void {
    if (hold !== undefined) this.#open('http', request.id, request, route, secure, undefined);
    else if (retry) this.#close(request.id);
  }

  holdEnded(request: ClientRequest, _route: Route | undefined, { reason }: SubscriberEnd): void {
    if (reason !== 'retried') this.#close(request.id);
  }

  sessionOpened({ status, connectionId, request, route, trust, origin }: SessionOpening): void {
    if (status === 101) this.#open('ws', connectionId, request, route, trust.secure, origin);
  }

  sessionEnded(_request: ClientRequest, _route: Route, _end: SubscriberEnd, connectionId: string): void {
    this.#close(connectionId);
  }

  #open(
    type: 'http' | 'ws',
    id: string,
    { clientAddress }: ClientRequest,
    route: Route | undefined,
    ssl: boolean,
    entry: Entry,
  ): void {
    this.#entries.set(id, entry);
    const from = clientAddress === '' ? {} : { peerAddress: clientAddress };
    this.#stats.connected({ id, type, route: route?.id ?? '', ssl, ...from });
  }

  #close(id: string): void {
    if (this.#entries.delete(id)) this.#stats.disconnected(id);
  }
}
