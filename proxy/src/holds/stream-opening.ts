/** What a stream begins with: its subscription and what its head waits for, the head, and the bodies that flow before it is held. */
import {
  type Instruct,
  type InstructResponse,
  type KeepAlive,
  type ResponseFilter,
  type ResponseHead,
  responseFilter,
} from '@holdfast/grip';
import type { Subscriber } from '../channels/subscriber.js';
import { type SubscriberDeps, waitForLive } from '../channels/subscriber-deps.js';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse } from '../edge/port.js';
import { ofAnotherBody } from '../http/fields.js';
import type { StreamReplay } from './hold-replay.js';

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
  channels: readonly string[],
  { registry, log }: SubscriberDeps,
  failed: (error: Error) => void,
): Promise<void> | undefined {
  return registry.add(stream, channels)?.catch((error: Error) => {
    log.warn({ id: stream.id, err: error }, 'subscription failed: closing the stream, so that its client comes back');
    failed(error);
  });
}

/** What a link answers takes the place of what was before: the stream leaves the channels that only `before` has, and expires anew. */
export function relistStream(
  stream: Subscriber,
  { hold }: Instruct,
  list: SubscriptionList,
  before: SubscriptionList,
  { registry }: Pick<SubscriberDeps, 'registry'>,
): void {
  registry.setExpiry(stream, hold?.expires);
  for (const channel of before.channels) if (!list.has(channel)) registry.remove(stream, [channel]);
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
    if (headers[i]?.toLowerCase() !== 'last-event-id') kept.push(headers[i] as string, headers[i + 1] as string);
  }
  return { status, reason, headers: [...kept, 'Last-Event-ID', lastEventId] };
}

/** The initial body, or a link's; there is one only while it flows. */
export class StreamBody {
  readonly #response: ClientResponse;
  /** Undefined without filters, which is how it almost always is. */
  readonly #filter: ResponseFilter | undefined;
  readonly #replay: StreamReplay | undefined;
  readonly #failed: (text: string) => void;

  /** Goes through the filters that `list` has now. `replay` notes what was written; `failed` ends the stream. */
  constructor(
    response: ClientResponse,
    list: SubscriptionList,
    replay: StreamReplay | undefined,
    failed: (text: string) => void,
  ) {
    this.#failed = failed;
    this.#response = response;
    this.#replay = replay;
    const filters: string[] = [];
    for (const subscription of list.all) filters.push(...subscription.filters);
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
      this.#failed(`filter error: ${(error as Error).message}`);
      return undefined;
    }
  }
}
