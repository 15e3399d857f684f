/**
 * Owns: one body of the origin's on its way into a stream, through the response filters of the stream's channels.
 * Does not own: where it comes from, or what follows it.
 */
import { type ResponseFilter, responseFilter } from '@holdfast/grip';
import type { SubscriptionList } from '../channels/subscription-list.js';
import type { ClientResponse } from '../edge/port.js';
import type { StreamReplay } from './stream-replay.js';

/** The initial body, or a link's; there is one only while it flows. */
export class StreamBody {
  readonly #response: ClientResponse;
  /** Undefined without filters, which is how it almost always is. */
  readonly #filter: ResponseFilter | undefined;
  readonly #replay: StreamReplay | undefined;

  /** Goes through the filters that `list` has now. `replay` is told what was written. */
  constructor(response: ClientResponse, list: SubscriptionList, replay: StreamReplay | undefined) {
    this.#response = response;
    this.#replay = replay;
    const filters: string[] = [];
    for (const subscription of list.all) filters.push(...subscription.filters);
    this.#filter = filters.length === 0 ? undefined : responseFilter(filters, list.meta);
  }

  /** As `ClientResponse.write`. Throws a `GripError` when a filter cannot be run. */
  write(chunk: Buffer): boolean {
    const filtered = this.#filter === undefined ? chunk : this.#filter.update(chunk);
    this.#replay?.wrote(filtered);
    return (this.#filter !== undefined && filtered.length === 0) || this.#response.write(filtered);
  }

  /** The body is whole. Throws as `write` does. */
  finish(): void {
    this.#filter?.finish();
  }
}
