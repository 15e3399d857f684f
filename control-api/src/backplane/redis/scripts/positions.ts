/**
 * Tells where channels stand.
 *
 * Owns: the script and its reply. Does not own: what follows from it (cursor.ts).
 */
import { script } from './script.js';

/** Where a channel stood at a moment. */
export interface Standing {
  /** Empty if the channel has had no item, or not for so long that it was forgotten. */
  readonly epoch: string;
  /** The offset of the last item. */
  readonly top: number;
  /** The id of the last item. */
  readonly lastId: string;
  /** When the last item was accepted, in ms since the Unix epoch by the clock of Redis. */
  readonly time: number;
  /** What that clock showed when this was told. */
  readonly now: number;
  /** Why it cannot be told: the key holds something else. All but `now` is then as of a channel that has had no item. */
  readonly fault?: string;
}

/** Keys: metas. Argument: meta ttl in ms, by which the meta of a channel somebody listens to is kept. Reply, per key: epoch, offset, id and time of the last item, and why these cannot be read; then the time. */
export const positionsScript = script(`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = {}
for i = 1, #KEYS do
  local m = redis.pcall('HMGET', KEYS[i], 'e', 's', 'l', 't')
  if m[1] and redis.call('PTTL', KEYS[i]) < ARGV[1] / 2 then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
  reply[#reply + 1] = m[1] or ''
  reply[#reply + 1] = m[2] or '0'
  reply[#reply + 1] = m[3] or ''
  reply[#reply + 1] = m[4] or '0'
  reply[#reply + 1] = m.err or ''
end
reply[#reply + 1] = tostring(now)
return reply
`);

/** Reads the reply of {@link positionsScript}: one standing per key, in order. */
export function parseStandings(reply: unknown): Standing[] {
  const fields = reply as readonly string[];
  const now = Number(fields.at(-1));
  const standings: Standing[] = [];
  for (let i = 0; i + 5 <= fields.length; i += 5) {
    const [epoch = '', top, lastId = '', time, fault] = fields.slice(i, i + 5);
    standings.push({ epoch, top: Number(top), lastId, time: Number(time), now, ...(fault && { fault }) });
  }
  return standings;
}
