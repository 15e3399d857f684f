// What a simulated Redis holds, with the commands that the backplane's scripts call. A replica that lags is the same store, less its
// last moments: each write leaves behind how it is taken back.
import { ReplyError } from './lua.mjs';

/** @typedef {{ id: number, fields: string[] }} Entry  of a stream; ids of the backplane are `<offset>-0` */
/** @typedef {{ type: 'string', value: string, until?: number } | { type: 'hash', value: Record<string, string>, until?: number } | { type: 'stream', value: Entry[], until?: number }} Slot */

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value';

export class Store {
  /** @type {Map<string, Slot>} */
  #keys = new Map();
  /** @type {Array<{ at: number, undo: () => void }>} */
  #journal = [];
  #time;
  #lagMs;
  /** How often each command was called. @type {Map<string, number>} */
  calls = new Map();

  /** `lagMs`: how far a replica is behind at most. @param {import('./time.mjs').SimulatedTime} time @param {number} lagMs */
  constructor(time, lagMs) {
    this.#time = time;
    this.#lagMs = lagMs;
  }

  /** Keys that it holds, among them some whose time is over. */
  get size() {
    return this.#keys.size;
  }

  /** Takes back what was written in the last `ms`, at most the lag. @param {number} ms */
  rewind(ms) {
    const since = this.#time.now - ms;
    while (this.#journal.length > 0 && this.#journal[this.#journal.length - 1].at > since) this.#journal.pop()?.undo();
    this.#journal = [];
  }

  /** Puts a hash in place, as if it had been there long. @param {string} key @param {Record<string, string>} value */
  preset(key, value) {
    this.#keys.set(key, { type: 'hash', value });
  }

  /** Carries out a command. @param {readonly string[]} command @returns {unknown} */
  call(command) {
    const name = command[0].toUpperCase();
    this.calls.set(name, (this.calls.get(name) ?? 0) + 1);
    const [, key = '', ...rest] = command;
    switch (name) {
      case 'GET':
        return this.#find(key, 'string')?.value ?? null;
      case 'MGET':
        return [key, ...rest].map((name) => this.#find(name, 'string')?.value ?? null);
      case 'SET':
        return this.#set(key, rest);
      case 'EXISTS':
        return this.#live(key) === undefined ? 0 : 1;
      case 'DEL':
        return this.#delete(key);
      case 'PEXPIRE':
        return this.#expire(key, Number(rest[0]));
      case 'PTTL':
        return this.#ttl(key);
      case 'HGET':
        return this.#find(key, 'hash')?.value[rest[0]] ?? null;
      case 'HMGET': {
        const hash = this.#find(key, 'hash')?.value;
        return rest.map((field) => hash?.[field] ?? null);
      }
      case 'HSET':
        return this.#setFields(key, rest);
      case 'XADD':
        return this.#add(key, rest);
      case 'XRANGE':
        return this.#range(key, rest[0], rest[1], Number(rest[3]), false);
      case 'XREVRANGE':
        return this.#range(key, rest[1], rest[0], Number(rest[3]), true);
      default:
        throw new ReplyError(`ERR the simulated Redis has no command ${name} (bench/scale/store.mjs)`);
    }
  }

  /** @param {string} key */
  #live(key) {
    const slot = this.#keys.get(key);
    if (slot?.until === undefined || slot.until > this.#time.now) return slot;
    this.#keys.delete(key);
    return undefined;
  }

  /** @template {Slot['type']} T @param {string} key @param {T} type @returns {Extract<Slot, { type: T }> | undefined} */
  #find(key, type) {
    const slot = this.#live(key);
    if (slot !== undefined && slot.type !== type) throw new ReplyError(WRONG_TYPE);
    return /** @type {any} */ (slot);
  }

  /** @param {() => void} undo */
  #note(undo) {
    if (this.#lagMs === 0) return;
    const at = this.#time.now;
    this.#journal.push({ at, undo });
    if (this.#journal.length < 50_000) return;
    this.#journal = this.#journal.filter((entry) => entry.at > at - this.#lagMs);
  }

  /** @param {string} key @param {Slot} slot */
  #put(key, slot) {
    const before = this.#keys.get(key);
    this.#keys.set(key, slot);
    this.#note(() => (before === undefined ? this.#keys.delete(key) : this.#keys.set(key, before)));
  }

  /** @param {string} key @param {string[]} rest */
  #set(key, [value, px, ms]) {
    const until = px?.toUpperCase() === 'PX' ? this.#time.now + Number(ms) : undefined;
    this.#put(key, { type: 'string', value, ...(until !== undefined && { until }) });
    return { ok: 'OK' };
  }

  /** @param {string} key */
  #delete(key) {
    const before = this.#live(key);
    if (before === undefined) return 0;
    this.#keys.delete(key);
    this.#note(() => this.#keys.set(key, before));
    return 1;
  }

  /** @param {string} key @param {number} ms */
  #expire(key, ms) {
    const slot = this.#live(key);
    if (slot === undefined) return 0;
    slot.until = this.#time.now + ms;
    return 1;
  }

  /** @param {string} key */
  #ttl(key) {
    const slot = this.#live(key);
    if (slot === undefined) return -2;
    return slot.until === undefined ? -1 : Math.ceil(slot.until - this.#time.now);
  }

  /** @param {string} key @param {string[]} pairs */
  #setFields(key, pairs) {
    let slot = this.#find(key, 'hash');
    if (slot === undefined) {
      slot = { type: 'hash', value: {} };
      this.#put(key, slot);
    }
    const { value } = slot;
    for (let i = 0; i < pairs.length; i += 2) {
      const field = pairs[i];
      const before = value[field];
      value[field] = pairs[i + 1];
      this.#note(() => {
        if (before === undefined) delete value[field];
        else value[field] = before;
      });
    }
    return pairs.length / 2;
  }

  /** @param {string} key @param {string[]} rest */
  #add(key, rest) {
    let [at, most] = [0, Number.POSITIVE_INFINITY];
    const makes = rest[at].toUpperCase() !== 'NOMKSTREAM';
    if (!makes) at++;
    if (rest[at].toUpperCase() === 'MAXLEN') {
      most = Number(rest[at + 1]);
      at += 2;
    }
    const [text, ...fields] = rest.slice(at);
    let slot = this.#find(key, 'stream');
    if (slot === undefined) {
      if (!makes) return null;
      slot = { type: 'stream', value: [] };
      this.#put(key, slot);
    }
    const entries = slot.value;
    const id = Number.parseInt(text, 10);
    if (entries.length > 0 && entries[entries.length - 1].id >= id) {
      throw new ReplyError('ERR The ID specified in XADD is equal or smaller than the target stream top item');
    }
    entries.push({ id, fields });
    const gone = entries.splice(0, Math.max(0, entries.length - most));
    this.#note(() => {
      entries.pop();
      entries.unshift(...gone);
    });
    return text;
  }

  /** @param {string} key @param {string} from @param {string} to @param {number} count @param {boolean} backwards */
  #range(key, from, to, count, backwards) {
    const entries = this.#find(key, 'stream')?.value ?? [];
    const [low, high] = [boundOf(from, 1), boundOf(to, -1)];
    const found = entries.filter(({ id }) => id >= low && id <= high);
    const taken = backwards ? found.reverse().slice(0, count) : found.slice(0, count);
    return taken.map(({ id, fields }) => [`${id}-0`, fields]);
  }
}

/** `(` excludes the id itself. @param {string} text @param {number} step */
function boundOf(text, step) {
  if (text === '-') return Number.NEGATIVE_INFINITY;
  if (text === '+') return Number.POSITIVE_INFINITY;
  return text.startsWith('(') ? Number.parseInt(text.slice(1), 10) + step : Number.parseInt(text, 10);
}
