/** The revocations of a system that shares a Redis: kept there until they end, and read by every node. */
import { script } from '../backplane/redis/connection/commands.js';
import type { RedisConnections } from '../backplane/redis/connection/connections.js';
import { unavailable } from '../errors.js';
import type { Clock } from '../runtime/clock.js';
import { MAX_REVOCATIONS, type Revocation, type RevocationStore, readRevocations } from './revocations.js';

/**
 * Key: a hash of `before:until` by user. Arguments: user, before, until, now, most users. The times are those of the asking node, which
 * all have nearly the same. Reply: 0 where there are too many.
 */
const keepScript = script(`
local function times(text) return string.match(text, '^([^:]+):([^:]+)$') end
local before, ending = tonumber(ARGV[2]), tonumber(ARGV[3])
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then
  local oldBefore, oldEnding = times(old)
  before = math.max(before, tonumber(oldBefore) or 0)
  ending = math.max(ending, tonumber(oldEnding) or 0)
elseif redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local _, its = times(all[i + 1])
    if (tonumber(its) or 0) <= tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], all[i]) end
  end
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 0 end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f:%.0f', before, ending))
local ttl = math.max(ending - tonumber(ARGV[4]), 1)
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl)) end
return 1
`);

/** Key: as above. */
const allScript = script(`return redis.call('HGETALL', KEYS[1])`);

/** See the head of the file. */
export class RedisRevocations implements RevocationStore {
  readonly #connections: RedisConnections;
  readonly #key: string;
  readonly #clock: Clock;

  /** `connections` are of a backplane that was started. */
  constructor(connections: RedisConnections, clock: Clock) {
    this.#connections = connections;
    this.#key = connections.keys.nodes().revoked;
    this.#clock = clock;
  }

  async keep({ sub, before, until }: Revocation): Promise<boolean> {
    const args = [sub, Math.ceil(before), Math.ceil(until), this.#clock.wall(), MAX_REVOCATIONS];
    return (await this.#run(keepScript, args)) === 1;
  }

  async kept(): Promise<readonly Revocation[]> {
    const reply = (await this.#run(allScript, [])) as readonly string[];
    const now = this.#clock.wall();
    const found: Revocation[] = [];
    for (let i = 0; i < reply.length; i += 2) {
      const [before, until] = (reply[i + 1] as string).split(':').map(Number);
      found.push({ sub: reply[i] as string, before: before ?? Number.NaN, until: until ?? Number.NaN });
    }
    return readRevocations(found).filter(({ until }) => now < until);
  }

  #run(what: ReturnType<typeof script>, args: readonly (string | number)[]): Promise<unknown> {
    return this.#connections.commands.run(what, [this.#key], args).catch((error: unknown) => {
      const why = this.#connections.unavailableReason ?? (error instanceof Error ? error.message : String(error));
      throw unavailable(`Revocations cannot be reached: ${why}`, error);
    });
  }
}
