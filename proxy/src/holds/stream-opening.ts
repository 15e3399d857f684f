/** What a stream begins with: its subscription and what its head waits for, the head, and the bodies that flow before it is held. */
import {
  type Instruct,
  type InstructResponse,
  type KeepAlive,
  type ResponseFilter,
  type ResponseHead,
  responseFilter,
} from '@holdfast/grip';
import { memberOf } from '../channels/presence.js';
import type { Subscriber } from '../channels/subscriber.js';
import { type SubscriberDeps, waitForLive } from '../channels/subscriber-deps.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse } from '../edge/port.js';
import { ofAnotherBody } from '../http/fields.js';
import type { LinkScope } from '../links/link-scope.js';
import type { CatchUp, CatchUpStart } from './catch-up.js';
import type { StreamReplay } from './hold-replay.js';
import { reportLate } from './stream-reports.js';
import type { StreamReceiver } from './stream-writer.js';

/** What a stream goes by: of its initial instruct, or that of its last link. */
export interface StreamTerms {
  readonly isHold: boolean;
  readonly hasNext: boolean;
  readonly keepAlive: KeepAlive | undefined;
}

/** The terms of an instruct. */
export function termsOf({ hold, links }: Instruct): StreamTerms {
  return { isHold: hold !== undefined, hasNext: links.next !== undefined, keepAlive: hold?.keepAlive };
}

/**
 * Subscribes a stream, as `ChannelRegistry.add` does; but the result never rejects: `failed` is called, for the stream to end, so that
 * its client comes back.
 */
export function subscribeStream(
  stream: Subscriber,
  { channels, patterns, meta }: SubscriptionList,
  { route }: Pick<LinkScope, 'route'>,
  { registry, log }: SubscriberDeps,
  failed: (error: Error) => void,
): Promise<void> | undefined {
  return registry.add(stream, channels, patterns, memberOf(route, meta))?.catch((error: Error) => {
    log.warn({ id: stream.id, err: error }, 'subscription failed: closing the stream, so that its client comes back');
    failed(error);
  });
}

/**
 * What a link answers takes the place of what was before: the stream leaves the channels that only `before` has, is another member of the
 * others where its meta says so, and expires anew.
 */
export function relistStream(
  stream: Subscriber,
  { instruct: { hold }, scope, list }: CatchUpStart,
  before: SubscriptionList,
  { registry }: Pick<SubscriberDeps, 'registry'>,
): void {
  registry.setExpiry(stream, hold?.expires);
  for (const channel of before.channels) if (!list.has(channel)) registry.remove(stream, [channel]);
  for (const pattern of before.patterns) if (!list.hasPattern(pattern)) registry.remove(stream, [], [pattern]);
  if (scope.route.presence !== undefined)
    registry.memberChanged(stream, list.channels, memberOf(scope.route, list.meta));
}

/** What its client has missed, where that is known. What cannot be replayed may be behind the next link: the origin did not know of it. */
export function missedBefore(
  stream: Subscriber,
  replay: StreamReplay | undefined,
  catchUp: CatchUp | undefined,
  deps: SubscriberDeps,
): StreamReplay['missedByClient'] {
  const missed = replay?.missedByClient;
  if (missed?.complete !== false) return missed;
  if (catchUp === undefined) reportLate(stream, deps);
  else catchUp.outdate();
  return missed;
}

/**
 * Whether the head of a stream must wait: for the history, of which `resumed` is, or for subscriptions that are not `live`. Then `go` is
 * called when they are there, even if the stream has ended meanwhile.
 */
export function headWaits(
  stream: Subscriber,
  { resumed, live }: { readonly resumed: Promise<void> | undefined; readonly live: Promise<void> | undefined },
  subscriber: SubscriberDeps,
  go: () => void,
): boolean {
  if (resumed !== undefined) subscriber.faults.watch('history', resumed.then(go), stream);
  else if (live === undefined) return false;
  else waitForLive(live, subscriber, go, stream);
  return true;
}

/** `Last-Event-ID` is registered for requests only: what a proxy or a client library drops of it is in a field of our name too. */
const LAST_IDS: ReadonlySet<string> = new Set(['last-event-id', 'holdfast-last-event-id']);

/**
 * The instruct's own, without what describes the initial body alone: the stream's goes on. `lastEventId`, where the history has
 * replayed something, takes the place of the origin's.
 */
export function headOf(
  { code: status, reason, headers: all }: InstructResponse,
  lastEventId: string | undefined,
): ResponseHead {
  const headers = ofAnotherBody(all);
  if (lastEventId === undefined) return { status, reason, headers };
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (!LAST_IDS.has((headers[i] as string).toLowerCase())) kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return { status, reason, headers: [...kept, 'Last-Event-ID', lastEventId, 'Holdfast-Last-Event-ID', lastEventId] };
}

/** The initial body, or a link's; there is one only while it flows. */
export class StreamBody {
  /** When it began, of the monotonic clock. */
  readonly since: number;
  readonly #response: ClientResponse;
  /** Undefined without filters, which is how it almost always is. */
  readonly #filter: ResponseFilter | undefined;
  readonly #replay: StreamReplay | undefined;
  readonly #stream: Pick<StreamReceiver, 'filterFailed'>;

  /** Goes through the filters that `list` has now. `replay` notes what was written; `stream` ends where they fail. */
  constructor(
    response: ClientResponse,
    list: SubscriptionList,
    replay: StreamReplay | undefined,
    stream: Pick<StreamReceiver, 'filterFailed'>,
    since: number,
  ) {
    this.since = since;
    this.#stream = stream;
    this.#response = response;
    this.#replay = replay;
    const filters: string[] = [];
    for (const subscription of list.all) filters.push(...subscription.filters);
    for (const subscription of list.allPatterns) filters.push(...subscription.filters);
    this.#filter = filters.length === 0 ? undefined : responseFilter(filters, list.meta);
  }

  /** As `ClientResponse.write`. */
  write(chunk: Buffer): boolean {
    const filtered = this.#filter === undefined ? chunk : this.#tried(() => this.#filter?.update(chunk));
    if (filtered === undefined) return true;
    this.#replay?.wrote(filtered);
    return (this.#filter !== undefined && filtered.length === 0) || this.#response.write(filtered);
  }

  /** The body is whole. False when a filter says that it is not. */
  finish(): boolean {
    return this.#filter === undefined || this.#tried(() => this.#filter?.finish() ?? true) === true;
  }

  /** Undefined when a filter cannot be run. */
  #tried<Result>(run: () => Result): Result | undefined {
    try {
      return run();
    } catch (error) {
      this.#stream.filterFailed(`filter error: ${(error as Error).message}`);
      return undefined;
    }
  }
}
