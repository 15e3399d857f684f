/**
 * Reads items from the history of a channel, together with where the channel stands.
 *
 * Owns: the script and its reply. Does not own: whether anything is missing (cursor.ts, history.ts).
 */
import { script } from './script.js';

/** One kept item. */
export interface Entry {
  readonly offset: number;
  /** See envelope.ts. */
  readonly payload: string;
}

/** A part of a history, read at one moment. */
export interface Range {
  readonly epoch: string;
  readonly top: number;
  readonly lastId: string;
  /** In order; of the epoch above. */
  readonly entries: readonly Entry[];
  /** There may be more entries after these. */
  readonly more: boolean;
}

/**
 * Keys: meta, stream. Arguments: epoch, offset to begin with, count. Begins with the oldest entry if the channel has
 * another epoch. Reply: epoch, offset, id of the last item, entries as XRANGE gives them.
 */
export const rangeScript = script(`
local m = redis.call('HMGET', KEYS[1], 'e', 's', 'l')
if not m[1] then return {'', '0', '', {}} end
local from = '-'
if m[1] == ARGV[1] then from = ARGV[2] .. '-0' end
return {m[1], m[2] or '0', m[3] or '', redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', ARGV[3])}
`);

/** Reads the reply of {@link rangeScript}, asked for with this count. */
export function parseRange(reply: unknown, count: number): Range {
  const [epoch, top, lastId, list] = reply as [string, string, string, readonly [string, readonly string[]][]];
  const entries = list.map(parseEntry);
  return { epoch, top: Number(top), lastId, entries, more: entries.length >= count };
}

/** The fields are those that the publish script writes: `d` first. */
function parseEntry([id, fields]: readonly [string, readonly string[]]): Entry {
  return { offset: Number.parseInt(id, 10), payload: fields[1] ?? '' };
}
