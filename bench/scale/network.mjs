// The network between the nodes and Redis: what the backplane has in the place of ioredis. Time limits, attempts and pauses are those of
// the real connections (control-api/src/backplane/redis/connection/connection.ts).
import { slotOf } from './code.mjs';
import { CONNECT_ROUND_TRIPS, LATENCY_MS, NODE_CHANNEL_US, NODE_COMMAND_US } from './costs.mjs';
import { ReplyError } from './lua.mjs';

/** As in limits.ts of the backplane. */
const COMMAND_TIMEOUT_MS = 2_000;
const RECONNECT_MAX_MS = 1_000;

/** How long a command to a master of a cluster that is away is tried before it fails. */
const REDIRECTIONS_MS = 400;

/** @typedef {import('./time.mjs').SimulatedTime} SimulatedTime */
/** @typedef {import('./server.mjs').SimulatedRedis} SimulatedRedis */

/** The CPU of a node: what comes in is taken in order, when what came before has been dealt with. */
export class NodeCpu {
  #time;
  #freeAt = 0;
  busyMs = 0;

  /** @param {SimulatedTime} time */
  constructor(time) {
    this.#time = time;
  }

  /** Adds work. @param {number} us @returns {number} when it is done */
  spend(us) {
    this.busyMs += us / 1_000;
    this.#freeAt = Math.max(this.#freeAt, this.#time.now) + us / 1_000;
    return this.#freeAt;
  }
}

/** What happened on the connections of all nodes. */
export class NetworkCounts {
  /** Commands that had no answer in time. */
  timeouts = 0;
  /** Connections that were lost. */
  lost = 0;
  /** The most that one connection had on its way from Redis to its node, or waiting there, in bytes. */
  mostUnread = 0;
  /** @type {Heads | undefined} */
  #heads;

  /** Notes from now on when nodes learn where their channels stand. @param {number} since */
  watchHeads(since) {
    this.#heads = new Heads(since);
    return this.#heads;
  }

  /** A node has learned it of so many channels. @param {number} channels @param {number} now */
  headsCame(channels, now) {
    this.#heads?.came(channels, now);
  }
}

/** When channels were caught up with, or were found to be behind: by then their topics are subscribed to. */
class Heads {
  #since;
  /** @type {Array<{ sum: number, at: number }>} */
  #steps = [];
  sum = 0;

  /** @param {number} since */
  constructor(since) {
    this.#since = since;
  }

  /** @param {number} channels @param {number} now */
  came(channels, now) {
    this.sum += channels;
    this.#steps.push({ sum: this.sum, at: now - this.#since });
  }

  /** ms until there were so many; undefined if there never were. @param {number} sum @returns {number | undefined} */
  at(sum) {
    return this.#steps.find((step) => step.sum >= sum)?.at;
  }
}

/** The connections of one node; implements `RedisNetwork`. */
export class NodeNetwork {
  time;
  cpu;
  servers;
  counts;
  random;

  /** @param {{ time: SimulatedTime, cpu: NodeCpu, servers: readonly SimulatedRedis[], counts: NetworkCounts, random: () => number }} parts */
  constructor({ time, cpu, servers, counts, random }) {
    this.time = time;
    this.cpu = cpu;
    this.servers = servers;
    this.counts = counts;
    this.random = random;
  }

  /** Without a server: to the only one, wherever it is, as Sentinels name it. @param {unknown} _access @param {any} listener @param {{ port: number }} [server] */
  connect(_access, listener, server) {
    return new SimulatedConnection(this, listener, () => server?.port ?? this.servers[0].port);
  }

  /** @param {unknown} _access @param {unknown} _seeds @param {any} listener */
  connectCluster(_access, _seeds, listener) {
    return new SimulatedCluster(this, listener);
  }

  /** The server that listens on a port. @param {number} port */
  at(port) {
    return this.servers.find((server) => server.isUp && server.port === port);
  }
}

/** One connection as both of its ends see it, until it is lost. */
class Session {
  alive = true;
  server;
  onMessage;
  #connection;

  /** @param {SimulatedRedis} server @param {SimulatedConnection} connection @param {(topic: string, frame: string) => void} onMessage */
  constructor(server, connection, onMessage) {
    this.server = server;
    this.#connection = connection;
    this.onMessage = onMessage;
  }

  /** Something is on its way to the node, which it costs so much to take. @param {number} bytes @param {number} at @param {number} costUs @param {() => void} run */
  deliver(bytes, at, costUs, run) {
    this.#connection.deliver(this, bytes, at, costUs, run);
  }

  /** The node learns of it when the packet that ends the connection has come. */
  end() {
    if (!this.alive) return;
    this.alive = false;
    this.#connection.ended(this);
  }
}

/** Opens itself, and again after each loss. Implements `Connection`. */
class SimulatedConnection {
  #network;
  #listener;
  #port;
  /** @type {Session | undefined} */
  #session;
  #closed = false;
  #attempts = 0;
  /** Commands without an answer. @type {Set<{ reject: (error: Error) => void, timer: any }>} */
  #waiting = new Set();
  #unread = 0;

  /** @param {NodeNetwork} network @param {any} listener @param {() => number} port */
  constructor(network, listener, port) {
    this.#network = network;
    this.#listener = listener;
    this.#port = port;
    this.#connect();
  }

  get ready() {
    return this.#session?.alive === true;
  }

  /** @param {string} name @param {readonly (string | number)[]} args @param {(reply: unknown) => void} [onReply] @returns {Promise<unknown>} */
  send(name, args, onReply) {
    const session = this.#session;
    if (session?.alive !== true) return Promise.reject(new Error('Connection is closed.'));
    const { time, cpu, counts } = this.#network;
    const channels = name === 'eval' ? Number(args[1]) : 0;
    return new Promise((resolve, reject) => {
      const pending = { reject, timer: /** @type {any} */ (undefined) };
      pending.timer = time.at(time.now + COMMAND_TIMEOUT_MS, () => {
        counts.timeouts++;
        // The answer may still come; nobody waits for it.
        this.#waiting.delete(pending);
        reject(new Error('Command timed out'));
      });
      this.#waiting.add(pending);
      const answer = (/** @type {unknown} */ reply) => {
        if (!this.#waiting.delete(pending)) return;
        pending.timer.run = undefined;
        if (reply instanceof ReplyError) return reject(reply);
        if (channels > 0) counts.headsCame(channels, time.now);
        resolve(reply);
        onReply?.(reply);
      };
      const replyUs = NODE_COMMAND_US / 2 + channels * NODE_CHANNEL_US;
      const leavesAt = cpu.spend(NODE_COMMAND_US / 2);
      time.at(leavesAt + LATENCY_MS, () => session.server.arrive({ session, name, args, replyUs, answer }));
    });
  }

  restart() {
    this.#session?.end();
  }

  close() {
    this.#closed = true;
    if (this.#session !== undefined) this.#session.alive = false;
    this.#failAll();
  }

  /** @param {Session} session @param {number} bytes @param {number} at @param {number} costUs @param {() => void} run */
  deliver(session, bytes, at, costUs, run) {
    const { time, cpu, counts } = this.#network;
    this.#unread += bytes;
    counts.mostUnread = Math.max(counts.mostUnread, this.#unread);
    time.at(at, () => {
      time.at(cpu.spend(costUs), () => {
        this.#unread -= bytes;
        if (session.alive) run();
      });
    });
  }

  /** @param {Session} session */
  ended(session) {
    const { time, counts } = this.#network;
    time.at(time.now + LATENCY_MS, () => {
      if (this.#session !== session || this.#closed) return;
      counts.lost++;
      this.#session = undefined;
      this.#failAll();
      this.#listener.onDown(undefined);
      this.#again();
    });
  }

  #failAll() {
    for (const { reject, timer } of this.#waiting) {
      timer.run = undefined;
      reject(new Error('Connection is closed.'));
    }
    this.#waiting.clear();
  }

  #connect() {
    const { time } = this.#network;
    time.at(time.now + CONNECT_ROUND_TRIPS * 2 * LATENCY_MS, () => {
      if (this.#closed) return;
      const server = this.#network.at(this.#port());
      if (server === undefined) {
        this.#listener.onDown(new Error('connect ECONNREFUSED'));
        this.#again();
        return;
      }
      this.#attempts = 0;
      const session = new Session(server, this, (topic, frame) => this.#listener.onMessage?.(topic, frame));
      this.#session = session;
      server.accept(session);
      this.#listener.onReady();
    });
  }

  #again() {
    const { time, random } = this.#network;
    this.#attempts++;
    const pause = Math.min(RECONNECT_MAX_MS, 25 * 2 ** Math.min(this.#attempts, 10)) * (0.5 + random() / 2);
    time.at(time.now + pause, () => {
      if (!this.#closed) this.#connect();
    });
  }
}

/** Sends each command to the master of its keys. Implements `Connection`. */
class SimulatedCluster {
  #network;
  /** By the server. @type {Map<SimulatedRedis, SimulatedConnection>} */
  #connections = new Map();
  #wasReady = false;

  /** @param {NodeNetwork} network @param {any} listener */
  constructor(network, listener) {
    this.#network = network;
    const to = {
      onReady: () => {
        if (this.#wasReady) return;
        this.#wasReady = true;
        listener.onReady();
      },
      onDown: () => {},
    };
    for (const server of network.servers) {
      this.#connections.set(server, new SimulatedConnection(network, to, () => server.port));
    }
  }

  get ready() {
    return this.#wasReady;
  }

  /** @param {string} name @param {readonly (string | number)[]} args @param {(reply: unknown) => void} [onReply] */
  send(name, args, onReply) {
    const { time, servers } = this.#network;
    const server =
      name === 'cluster'
        ? servers.find((one) => this.#connections.get(one)?.ready)
        : servers.find((one) => one.owns(slotOf(String(args[2]))));
    const connection = server && this.#connections.get(server);
    if (connection?.ready) return connection.send(name, args, onReply);
    return new Promise((_, reject) => {
      time.at(time.now + REDIRECTIONS_MS, () => reject(new Error('Connection is closed.')));
    });
  }

  restart() {
    for (const connection of this.#connections.values()) connection.restart();
  }

  close() {
    for (const connection of this.#connections.values()) connection.close();
  }
}
