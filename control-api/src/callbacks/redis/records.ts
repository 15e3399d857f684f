/** Callbacks in Redis as they are kept, whichever node sees to them: made, read, changed and ended. */
import { readJson } from '@holdfast/grip';
import type { RedisCommands, Script } from '../../backplane/redis/connection/commands.js';
import { CALLBACK_SHARDS, type CallbackKeys } from '../../backplane/redis/keys.js';
import { callbacksFull, unavailable } from '../../errors.js';
import { type Callback, type CallbackRecord, type CallbackStatus, freshStatus, renewedStatus } from '../callback.js';
import type { CallbackPage } from '../store.js';
import { changedScript, countScript, idsScript, noteScript, putScript, readScript, removeScript } from './scripts.js';

/**
 * Callbacks of one of the 16 shards; of all together it is some 16 times as many.
 *
 * @limit {} callbacks of each of 16 parts, in Redis
 * @over one more is refused, 503
 */
export const SHARD_CALLBACKS_MAX = 10_000;

/** How often a callback is tried to be made, where others make it at the same time. */
const PUT_ATTEMPTS = 5;

/** Knows nothing of queues. Rejects with the errors of Redis as they are, but for those that it says. */
export class CallbackRecords {
  readonly #commands: Pick<RedisCommands, 'run'>;
  readonly #keys: readonly CallbackKeys[];

  constructor(commands: Pick<RedisCommands, 'run'>, keys: readonly CallbackKeys[]) {
    this.#commands = commands;
    this.#keys = keys;
  }

  /**
   * Makes a callback, or makes it anew; resolves with it and the one that there was.
   * @throws ControlError ERR_CALLBACKS_FULL
   */
  async put(
    shard: number,
    callback: Callback,
  ): Promise<{ readonly made: CallbackRecord; readonly known: CallbackRecord | undefined }> {
    const keys = this.#of(shard);
    for (let attempt = 0; attempt < PUT_ATTEMPTS; attempt++) {
      const known = await this.read(shard, callback.id);
      const status = renewedStatus(known, callback);
      const args = [
        callback.id,
        known?.version ?? 0,
        JSON.stringify(callback),
        JSON.stringify(status),
        SHARD_CALLBACKS_MAX,
      ];
      const version = (await this.#run(putScript, [keys.ids, keys.version, keys.record(callback.id)], args)) as number;
      if (version < 0) throw callbacksFull();
      if (version > 0) return { made: { callback, status, version }, known };
    }
    throw unavailable('The callback is being made by others at the same time.');
  }

  /** @throws ControlError ERR_CALLBACKS_FULL where there is no room for one more */
  async assertRoom(shard: number): Promise<void> {
    const count = (await this.#run(countScript, [this.#of(shard).ids], [])) as number;
    if (count >= SHARD_CALLBACKS_MAX) throw callbacksFull();
  }

  /** Whether there was one, of this version if one is given. */
  async remove(shard: number, id: string, version?: number): Promise<boolean> {
    const keys = this.#of(shard);
    return (await this.#run(removeScript, [keys.ids, keys.version, keys.record(id)], [id, version ?? ''])) === 1;
  }

  async read(shard: number, id: string): Promise<CallbackRecord | undefined> {
    const reply = (await this.#run(readScript, [this.#of(shard).record(id)], [])) as readonly (string | null)[];
    return readRecord(reply[0] ?? '', reply[1] ?? '', reply[2] ?? '');
  }

  /** Without effect where the callback was made anew since. */
  async note(shard: number, id: string, version: number, status: CallbackStatus): Promise<void> {
    await this.#run(noteScript, [this.#of(shard).record(id)], [version, JSON.stringify(status)]);
  }

  /**
   * At most `limit` callbacks of a shard that have changed since a version, in the order of their changes; and the version after which
   * there may be more.
   */
  async changed(
    shard: number,
    after: number,
    limit: number,
  ): Promise<{ readonly records: readonly CallbackRecord[]; readonly last: number | undefined }> {
    const keys = this.#of(shard);
    const reply = (await this.#run(changedScript, [keys.ids], [keys.records, after, limit])) as readonly string[];
    const records: CallbackRecord[] = [];
    let last: number | undefined;
    for (let i = 0; i + 3 <= reply.length; i += 3) {
      const record = readRecord(reply[i + 1] ?? '', reply[i + 2] ?? '', reply[i] ?? '');
      if (record !== undefined) records.push(record);
      last = Number(reply[i]);
    }
    return { records, last: reply.length === 3 * limit ? last : undefined };
  }

  async ids(shard: number): Promise<ReadonlySet<string>> {
    return new Set((await this.#run(idsScript, [this.#of(shard).ids], [])) as readonly string[]);
  }

  /** A part of all; see `CallbackStore.list`. A callback that is made anew meanwhile may come twice, and none is left out. */
  async list(after: string | undefined, limit: number): Promise<CallbackPage> {
    let [shard = 0, version = 0] = (after ?? '0.0').split('.').map(Number);
    const records: CallbackRecord[] = [];
    while (shard < CALLBACK_SHARDS) {
      if (records.length === limit) return { records, next: `${shard}.${version}` };
      const { records: more, last } = await this.changed(shard, version, limit - records.length);
      records.push(...more);
      version = last ?? 0;
      if (last === undefined) shard++;
    }
    return { records, next: undefined };
  }

  #of(shard: number): CallbackKeys {
    return this.#keys[shard] as CallbackKeys;
  }

  #run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    return this.#commands.run(script, keys, args);
  }
}

/** Never throws: Redis is shared, and nodes may run different versions. */
function readRecord(about: string, fares: string, version: string): CallbackRecord | undefined {
  const { value: callback } = readJson(about);
  const { value: status } = readJson(fares);
  if (!isCallback(callback) || !isObject(status)) return undefined;
  const meta = Object.assign(Object.create(null), callback.meta);
  return { callback: { ...callback, meta }, status: { ...freshStatus, ...status }, version: Number(version) };
}

function isCallback(value: unknown): value is Callback {
  if (!isObject(value)) return false;
  const { id, url, secret, prefix, channels, expires } = value;
  const areTexts = [id, url, secret, prefix].every((text) => typeof text === 'string');
  const isChannel = (one: unknown) => isObject(one) && typeof one.name === 'string' && Array.isArray(one.filters);
  return areTexts && Array.isArray(channels) && channels.every(isChannel) && Number.isFinite(expires);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
