/** What the log has of a stream while it is held, and what operators are warned of. */
import type { Instruct } from '@holdfast/grip';
import type { Delivery } from '../channels/delivery.js';
import type { Subscriber } from '../channels/subscriber.js';
import type { SubscriberDeps } from '../channels/subscriber-deps.js';
import type { ItemReceiver } from '../delivery/pipeline.js';
import { type ClientResponse, StreamPiece } from '../edge/port.js';
import type { LinkScope } from '../links/link-scope.js';

/** Logs that a stream breaks off, warns of its origin, and says so to the client of a debug route. */
export function reportFailure(
  { id, isDebug, isOver }: Pick<ItemReceiver, 'id' | 'isDebug'> & { readonly isOver: boolean },
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

/** Warns of an item that is no whole event, for which the client of an event stream waits. */
export function reportCutEvent(
  { id }: Pick<ItemReceiver, 'id'>,
  { item }: Delivery,
  scope: LinkScope,
  { warnings }: SubscriberDeps,
): void {
  const { route, target } = scope;
  warnings?.eventCut({ id, route, target, marks: scope }, item.channel);
}

/** Milliseconds that the origin's answer may take before items that wait for its end are spoken of. */
const BODY_PATIENCE_MS = 5_000;

/** Warns where items wait for the end of a body of the origin, which has flowed since then. */
export function reportWaiting(
  { id }: Pick<ItemReceiver, 'id'>,
  since: number,
  scope: LinkScope,
  { warnings, clock }: SubscriberDeps,
): void {
  if (clock.monotonic() - since < BODY_PATIENCE_MS) return;
  const { route, target } = scope;
  warnings?.endless({ id, route, target, marks: scope });
}
