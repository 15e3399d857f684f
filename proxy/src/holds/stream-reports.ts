/** What the log has of a stream while it is held, and what operators are warned of. */
import type { Instruct } from '@holdfast/grip';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import { type ClientResponse, StreamPiece } from '../edge/port.js';
import type { LinkScope } from '../links/link-scope.js';
import type { StreamReceiver } from './stream-writer.js';

/** Logs that a stream breaks off, warns of its origin, and says so to the client of a debug route. */
export function reportFailure(
  { id, isDebug, isOver }: Pick<StreamReceiver, 'id' | 'isDebug'> & { readonly isOver: boolean },
  text: string,
  scope: LinkScope,
  response: ClientResponse,
  { log, warnings }: SubscriberDeps,
): void {
  const { route, target } = scope;
  log.debug({ id, text }, 'stream failed');
  warnings?.noticed({ id, route, target, marks: scope }, 'stream', `stream broken off: ${text}`);
  if (isDebug && !isOver) response.push(new StreamPiece(Buffer.from(`\n\n${text}\n`)));
}

/** Logs that not all that the client of a stream has missed can be replayed. */
export function reportLate({ id }: Subscriber, { log }: SubscriberDeps): void {
  log.info({ id }, 'a client came back too late: it did not get all that it missed');
}

/** Warns of filters in the answer of a link that are not known. */
export function warnOfFilters(
  { id }: Subscriber,
  { hold, channels = [] }: Instruct,
  scope: LinkScope,
  { warnings }: SubscriberDeps,
): void {
  const filters = (hold?.channels ?? channels).flatMap((channel) => channel.filters);
  const { route, target } = scope;
  warnings?.filtersNamed({ id, route, target, marks: scope }, filters);
}
