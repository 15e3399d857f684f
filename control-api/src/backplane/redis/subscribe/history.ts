/** Reads the history of a channel from a position or an id, without holes. */
import type { ItemMessage, Position } from '../../backplane.js';
import type { HistoryPage, HistoryStart } from '../../history.js';
import type { RedisCommands } from '../connection/commands.js';
import { findIdScript, parseFound, parseHeads, positionsScript } from '../history-scripts.js';
import type { ChannelKeys } from '../keys.js';
import { type Backfill, pageOf } from './backfill.js';

/** Reads the history of a channel; see `History.read`. Rejects with the error of Redis or of the connection. */
export async function readHistory(
  commands: RedisCommands,
  backfill: Backfill,
  keys: ChannelKeys,
  start: HistoryStart,
  limit: number,
): Promise<HistoryPage | undefined> {
  let after =
    'after' in start
      ? start.after
      : parseFound(await commands.run(findIdScript, [keys.meta, keys.stream], [start.afterId]));
  if (!after) return undefined;
  // One more for the start itself, which is read along.
  const page = pageOf(await backfill.range(keys, after, limit + 1));
  // Before its first item a channel has no epoch: whichever came then is the right one.
  if (after.epoch === '') after = { epoch: page.epoch, offset: 0 };
  if (page.epoch !== after.epoch || page.top < after.offset) return undefined;
  const messages: ItemMessage[] = [];
  let end = after;
  for (const { position, message } of page.arrivals) {
    if (position.offset <= after.offset) continue;
    // A limit that the start did not use up lets one too many through.
    if (messages.length >= limit) break;
    if (position.offset !== end.offset + 1 || message?.type !== 'item') return undefined;
    messages.push(message);
    end = position;
  }
  if (messages.length < limit && end.offset < page.top && !page.more) return undefined;
  return { messages, end, complete: end.offset >= page.top };
}

/** Where a channel stands in Redis. Rejects as {@link readHistory} does. */
export async function readHead(commands: RedisCommands, keys: ChannelKeys, metaTtlMs: number): Promise<Position> {
  const [head] = parseHeads(await commands.run(positionsScript, [keys.meta], [metaTtlMs]));
  if (head?.fault !== undefined) throw new Error(head.fault);
  return { epoch: head?.epoch ?? '', offset: head?.top ?? 0 };
}
