/** What the log has of a stream while it is held, and what operators are warned of. */
import type { Instruct } from '@holdfast/grip';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import type { LinkScope } from '../links/link-scope.js';

/** Logs that a stream breaks off, and warns of its origin. */
export function reportFailure(
  { id }: Subscriber,
  text: string,
  scope: LinkScope,
  { log, warnings }: SubscriberDeps,
): void {
  const { route, target } = scope;
  log.debug({ id, text }, 'stream failed');
  warnings?.noticed({ id, route, target }, 'stream', `stream broken off: ${text}`);
}

/** Logs that not all that the client of a stream has missed can be replayed. */
export function reportLate({ id }: Subscriber, { log }: SubscriberDeps): void {
  log.info({ id }, 'a client came back too late: it did not get all that it missed');
}

/** Warns of filters in the answer of a link that are not known. */
export function warnOfFilters(
  { id }: Subscriber,
  { hold, channels = [] }: Instruct,
  { route, target }: LinkScope,
  { warnings }: SubscriberDeps,
): void {
  const filters = (hold?.channels ?? channels).flatMap((channel) => channel.filters);
  warnings?.filtersNamed({ id, route, target }, filters);
}
