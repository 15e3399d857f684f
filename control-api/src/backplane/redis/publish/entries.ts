/** Messages as they go into Redis; those of one item to many channels share what is the same for all of them. */
import type { ItemMessage, Message } from '../../backplane.js';
import { encodePayload, payloadHead } from '../envelope.js';
import type { BatchEntry, Tail } from './batch.js';

/** The entries of a call, in order. `newId` makes the id of a message that has none: a recover. */
export function entriesOf(messages: readonly Message[], newId: () => string): BatchEntry[] {
  const entries: BatchEntry[] = [];
  let tail: Tail | undefined;
  for (const [i, message] of messages.entries()) {
    if (message.type === 'recover') {
      const id = newId();
      entries.push({ message, id, payload: encodePayload(message, id), shared: undefined, acceptance: undefined });
      continue;
    }
    const { id, item } = message;
    if (!isLike(message, messages[i - 1])) tail = undefined;
    if (tail === undefined && !isLike(message, messages[i + 1])) {
      entries.push({ message, id, payload: encodePayload(message, id), shared: undefined, acceptance: undefined });
      continue;
    }
    const head = payloadHead(id, item.channel);
    tail ??= { text: encodePayload(message, id).slice(head.length) };
    entries.push({ message, id, payload: head + tail.text, shared: { head, tail }, acceptance: undefined });
  }
  return entries;
}

/** Whether two messages have the same payload but for channel and id: what the items of one with `channels` are by their making. */
function isLike({ item, headers }: ItemMessage, other: Message | undefined): boolean {
  if (other?.type !== 'item') return false;
  const { item: its } = other;
  return (
    item.formats === its.formats &&
    item.meta === its.meta &&
    item.id === its.id &&
    item.prevId === its.prevId &&
    item.size === its.size &&
    item.noSeq === its.noSeq &&
    // Those for one subscriber have the id of each by which it is claimed.
    item.deliver !== 'one' &&
    item.version === its.version &&
    item.versionEpoch === its.versionEpoch &&
    headers === other.headers
  );
}
