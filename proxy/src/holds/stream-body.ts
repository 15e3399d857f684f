/** What an origin answers on its way into a stream: the head, and bodies through the response filters of the channels. */
import { type InstructResponse, type ResponseFilter, type ResponseHead, responseFilter } from '@holdfast/grip';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse } from '../edge/port.js';
import { ofAnotherBody } from '../http/fields.js';
import type { StreamReplay } from './stream-replay.js';

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
