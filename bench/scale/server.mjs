// A simulated Redis: commands in the order of arrival on one core, each with its cost, over one network interface.
import { createHash } from 'node:crypto';
import {
  LATENCY_MS,
  NIC_BYTES_PER_MS,
  NODE_ITEM_US,
  PART_BYTES,
  REDIS_COMMAND_US,
  REDIS_PUSH_US,
  REDIS_READ_US,
  REDIS_TOPIC_US,
  REDIS_WRITE_US,
  writes,
} from './costs.mjs';
import { LuaScripts, ReplyError } from './lua.mjs';
import { Store } from './store.mjs';

/** The script that reads where channels stand: run for millions of channels, it has a twin in JavaScript. A test compares the two. */
export const POSITIONS_SHA = '8fdcf8abd6c525afa202b375084943505584e238';

/**
 * A connection as the server sees it.
 * @typedef {object} Session
 * @property {boolean} alive
 * @property {(bytes: number, at: number, costUs: number, run: () => void) => void} deliver
 * @property {(topic: string, frame: string) => void} onMessage
 * @property {() => void} end
 */

/** @typedef {{ session: Session, name: string, args: readonly (string | number)[], replyUs: number, answer: (reply: unknown) => void }} Command */

/** Counts of a server; they only grow. */
export class ServerCounts {
  commands = 0;
  topics = 0;
  pushes = 0;
  bytesIn = 0;
  bytesOut = 0;
  busyMs = 0;
  /** The longest that a command waited for its turn. */
  longestWaitMs = 0;
}

export class SimulatedRedis {
  /** Where it is; a failover moves it. */
  port;
  isUp = true;
  counts = new ServerCounts();
  store;
  #time;
  #lua;
  /** @type {Map<string, string>} */
  #scripts = new Map();
  /** @type {Map<string, Session[]>} */
  #topics = new Map();
  /** @type {Array<Command & { at: number }>} */
  #queue = [];
  #next = 0;
  #isBusy = false;
  #nicFreeAt = 0;
  /** Changes with a crash, after which nothing of before leaves. */
  #lives = 0;
  /** Of the command under way. */
  #costUs = 0;
  /** @type {Array<() => void>} what leaves when it is done */
  #leaving = [];
  /** @type {Set<Session>} */
  #sessions = new Set();
  /** @type {Set<Session>} */
  #subscribed = new Set();
  #slots;
  #slowness;
  /** Of a cluster: the first and the last of its own. */
  range;

  /**
   * `slots`: the reply of CLUSTER SLOTS. `slowness`: how many times slower it is than the constants say.
   *
   * @param {import('./time.mjs').SimulatedTime} time
   * @param {{ port: number, lagMs: number, range: readonly [number, number], slots: () => unknown, slowness?: number }} options
   */
  constructor(time, { port, lagMs, range, slots, slowness = 1 }) {
    this.#slowness = slowness;
    this.#time = time;
    this.port = port;
    this.range = range;
    this.#slots = slots;
    this.store = new Store(time, lagMs);
    this.#lua = new LuaScripts((args) => this.#callFromScript(args));
  }

  /** How many subscriptions there are. */
  get subscriptions() {
    let sum = 0;
    for (const list of this.#topics.values()) for (const session of list) if (session.alive) sum++;
    return sum;
  }

  /** @param {number} slot */
  owns(slot) {
    return this.range[0] <= slot && slot <= this.range[1];
  }

  /** @param {Session} session */
  accept(session) {
    this.#sessions.add(session);
  }

  /** Ends the connections on which something is subscribed to, as `CLIENT KILL TYPE pubsub` does. */
  cut() {
    for (const session of this.#subscribed) session.end();
    this.#subscribed.clear();
    this.#topics.clear();
  }

  /** Gone, with all that was under way; what its replica has is behind by `lagMs`. @param {number} lagMs */
  crash(lagMs) {
    this.isUp = false;
    this.store.rewind(lagMs);
    this.cut();
    for (const session of this.#sessions) session.end();
    this.#sessions.clear();
    this.#queue = [];
    this.#next = 0;
    this.#isBusy = false;
    this.#lives++;
  }

  /** The replica takes over, elsewhere. */
  promote() {
    this.#scripts.clear();
    this.isUp = true;
    this.port += 1_000;
  }

  /** A command arrives. @param {Command} command */
  arrive(command) {
    if (!this.isUp || !command.session.alive) return;
    this.counts.bytesIn += sizeOf(command.args);
    this.#queue.push({ ...command, at: this.#time.now });
    if (!this.#isBusy) this.#begin();
  }

  #begin() {
    // What a connection had sent before it was closed is left out; a real Redis may carry it out.
    while (this.#queue[this.#next]?.session.alive === false) this.#next++;
    const command = this.#queue[this.#next];
    if (command === undefined) {
      this.#queue = [];
      this.#next = 0;
      this.#isBusy = false;
      return;
    }
    this.#next++;
    if (this.#next > 4_096) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
    this.#isBusy = true;
    const { counts } = this;
    counts.commands++;
    counts.longestWaitMs = Math.max(counts.longestWaitMs, this.#time.now - command.at);
    this.#costUs = REDIS_COMMAND_US;
    this.#leaving = [];
    const reply = this.#execute(command);
    const leaving = this.#leaving;
    const ms = (this.#costUs * this.#slowness) / 1_000;
    const life = this.#lives;
    counts.busyMs += ms;
    this.#time.at(this.#time.now + ms, () => {
      if (life !== this.#lives) return;
      for (const leave of leaving) leave();
      this.#transmit(command.session, sizeOf(reply), command.replyUs, () => command.answer(reply));
      this.#begin();
    });
  }

  /** Sends something to a connection, behind all that is sent already. @param {Session} session @param {number} bytes @param {number} costUs @param {() => void} arrive */
  #transmit(session, bytes, costUs, arrive) {
    if (!session.alive) return;
    this.counts.bytesOut += bytes;
    this.#nicFreeAt = Math.max(this.#nicFreeAt, this.#time.now) + bytes / NIC_BYTES_PER_MS;
    session.deliver(bytes, this.#nicFreeAt + LATENCY_MS, costUs, arrive);
  }

  /** @param {Command} command @returns {unknown} */
  #execute({ session, name, args }) {
    try {
      switch (name) {
        case 'time':
          return this.#clock();
        case 'eval':
          return this.#run(String(args[0]), args);
        case 'evalsha': {
          const text = this.#scripts.get(String(args[0]));
          if (text === undefined) throw new ReplyError('NOSCRIPT No matching script.');
          return this.#run(text, args);
        }
        case 'subscribe':
        case 'ssubscribe':
          return this.#subscribe(session, args);
        case 'unsubscribe':
        case 'sunsubscribe':
          return this.#unsubscribe(session, args);
        case 'cluster':
          return this.#slots();
        default:
          throw new ReplyError(`ERR the simulated Redis has no command ${name} (bench/scale/server.mjs)`);
      }
    } catch (error) {
      if (error instanceof ReplyError) return error;
      throw error;
    }
  }

  #clock() {
    const { micros } = this.#time;
    return [String(Math.floor(micros / 1e6)), String(micros % 1e6)];
  }

  /** @param {string} text @param {readonly (string | number)[]} args */
  #run(text, args) {
    const count = Number(args[1]);
    const keys = args.slice(2, 2 + count).map(String);
    const rest = args.slice(2 + count).map(String);
    const sha = shaOf(text);
    this.#scripts.set(sha, text);
    return sha === POSITIONS_SHA ? this.#positions(keys, Number(rest[0])) : this.#lua.run(text, keys, rest);
  }

  /** The twin: what the script replies, at the cost of its calls. @param {readonly string[]} keys @param {number} ttl */
  #positions(keys, ttl) {
    const reply = [];
    for (const key of keys) {
      const found = /** @type {(string | null)[]} */ (this.#callFromScript(['HMGET', key, 'e', 's', 'l', 't']));
      if (ttl > 0 && found[0] !== null) this.#callFromScript(['PTTL', key]);
      reply.push(found[0] ?? '', found[1] ?? '0', found[2] ?? '', found[3] ?? '0', '');
    }
    reply.push(String(Math.floor(this.#time.micros / 1_000)));
    return reply;
  }

  /** @param {readonly string[]} args */
  #callFromScript(args) {
    const name = args[0].toUpperCase();
    this.#costUs += writes.has(name) ? REDIS_WRITE_US : REDIS_READ_US;
    if (name === 'PUBLISH' || name === 'SPUBLISH') return this.#publish(args[1], args[2]);
    if (name === 'TIME') return this.#clock();
    return this.store.call(args);
  }

  /** @param {string} topic @param {string} frame */
  #publish(topic, frame) {
    const receivers = (this.#topics.get(topic) ?? []).filter(({ alive }) => alive);
    this.#costUs += receivers.length * REDIS_PUSH_US;
    this.counts.pushes += receivers.length;
    const bytes = topic.length + frame.length + 4 * PART_BYTES;
    for (const session of receivers)
      this.#leaving.push(() => this.#transmit(session, bytes, NODE_ITEM_US, () => session.onMessage(topic, frame)));
    return receivers.length;
  }

  /** @param {Session} session @param {readonly (string | number)[]} topics */
  #subscribe(session, topics) {
    this.#costUs += topics.length * REDIS_TOPIC_US;
    this.counts.topics += topics.length;
    this.#subscribed.add(session);
    for (const topic of /** @type {readonly string[]} */ (topics)) {
      const list = this.#topics.get(topic);
      if (list === undefined) this.#topics.set(topic, [session]);
      else if (!list.includes(session)) list.push(session);
    }
    return topics;
  }

  /** @param {Session} session @param {readonly (string | number)[]} topics */
  #unsubscribe(session, topics) {
    this.#costUs += topics.length * REDIS_TOPIC_US;
    for (const topic of /** @type {readonly string[]} */ (topics)) {
      const list = (this.#topics.get(topic) ?? []).filter((other) => other !== session);
      if (list.length > 0) this.#topics.set(topic, list);
      else this.#topics.delete(topic);
    }
    return topics;
  }
}

/** @type {Map<string, string>} */
const shas = new Map();

/** @param {string} text */
function shaOf(text) {
  let sha = shas.get(text);
  if (sha === undefined) {
    sha = createHash('sha1').update(text).digest('hex');
    shas.set(text, sha);
  }
  return sha;
}

/** Bytes of a value on the wire, nearly. @param {unknown} value @returns {number} */
function sizeOf(value) {
  if (typeof value === 'string') return value.length + PART_BYTES;
  if (!Array.isArray(value)) return PART_BYTES;
  let sum = PART_BYTES;
  for (const one of value) sum += sizeOf(one);
  return sum;
}
