/** What receipts say that a publisher who reads text, or a person at a terminal, should know: lines after `Published`. */
import { subscriberKinds } from '@holdfast/grip';
import type { PublishReceipt } from '../publisher.js';

/** Reach is that of connections. */
const reachedKinds = subscriberKinds.filter((kind) => kind !== 'callback');

/** Items that a line names one by one; the receipts in JSON name all. */
const MAX_NAMED = 10;

/**
 * A line for what reached nobody, for duplicates, for what is stale, and for the reach of a single item, if there is any such; none of them ends in a
 * line feed. `silent` are the nodes that did not answer when the reach was counted.
 */
export function receiptNotes(items: readonly PublishReceipt[], silent: readonly string[] = []): readonly string[] {
  const notes: string[] = [];
  const unreceived = namesOf(items, (receipt) => receipt.unreceived === true && !hasSubscribers(receipt));
  if (unreceived !== undefined) notes.push(`Note: ${unreceived} reached nobody.`);
  const passedOver = namesOf(items, (receipt) => receipt.unreceived === true && hasSubscribers(receipt));
  if (passedOver !== undefined)
    notes.push(`Note: ${passedOver} reached nobody: no subscriber of the channel takes a format of it.`);
  const duplicates = namesOf(items, (receipt) => receipt.duplicate === true);
  if (duplicates !== undefined)
    notes.push(`Note: not sent again, as the id was published on the channel a moment ago: ${duplicates}.`);
  const stale = namesOf(items, (receipt) => receipt.stale === true);
  if (stale !== undefined) notes.push(`Note: not sent, as the channel has had this version or a later one: ${stale}.`);
  const reach = items.length === 1 ? items[0]?.reach : undefined;
  if (reach !== undefined) notes.push(`Reach: ${reachedKinds.map((kind) => `${reach[kind]} ${kind}`).join(', ')}.`);
  if (silent.length > 0) notes.push(`Note: nodes that did not answer: ${silent.length}.`);
  return notes;
}

/** `the item`, or their places in the publish; undefined where there are none. */
function namesOf(items: readonly PublishReceipt[], fits: (receipt: PublishReceipt) => boolean): string | undefined {
  const places: number[] = [];
  for (const [at, receipt] of items.entries()) if (fits(receipt)) places.push(at);
  if (places.length === 0) return undefined;
  if (items.length === 1) return 'the item';
  const named = places.slice(0, MAX_NAMED).map((at) => `items[${at}]`);
  const rest = places.length - named.length;
  return `${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function hasSubscribers({ subscribers = 0 }: PublishReceipt): boolean {
  return subscribers > 0;
}
