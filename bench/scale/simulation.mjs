// The simulated system, and what happens to it: clients come, items are published, a Redis fails.
import { parseItem, RedisKeys, slotOf } from './code.mjs';
import { NODE_DELIVERY_US, NODE_PUBLISH_US } from './costs.mjs';
import { Ledger } from './ledger.mjs';
import { NetworkCounts, NodeCpu, NodeNetwork } from './network.mjs';
import { LightNode, nameOf, PREFIX } from './node.mjs';
import { Population } from './population.mjs';
import { SimulatedRedis } from './server.mjs';
import { randomOf, SimulatedTime } from './time.mjs';

const SLOTS = 16_384;
const CONTENT = 'x'.repeat(100);

/**
 * @typedef {object} Plan
 * @property {number} nodes
 * @property {number} channels
 * @property {number} holds
 * @property {number} shards       masters of Redis; one is no cluster
 * @property {'uniform' | 'zipf'} spread
 * @property {number} openUs       CPU of a node to open a hold
 * @property {number} rate         items a second
 * @property {number} publishSeconds
 * @property {number} quietSeconds  in which only the checks of positions go on
 * @property {number} failoverMs   from the crash of a master to its replica's taking over
 * @property {number} lagMs        by which that replica is behind
 * @property {boolean} isOld          every channel has had an item, long ago: that is what a check costs most for
 * @property {number} [slowness]     how many times slower Redis is
 * @property {number} seed
 */

/** A moment's counts, to be taken from later ones. @param {Simulation} simulation */
function mark({ time, servers, network, nodes, cpus, ledger }) {
  const sum = (/** @type {(server: SimulatedRedis) => number} */ of) => servers.reduce((all, one) => all + of(one), 0);
  return {
    at: time.now,
    commands: sum(({ counts }) => counts.commands),
    pushes: sum(({ counts }) => counts.pushes),
    topics: sum(({ counts }) => counts.topics),
    redisMs: sum(({ counts }) => counts.busyMs),
    bytesOut: sum(({ counts }) => counts.bytesOut),
    bytesIn: sum(({ counts }) => counts.bytesIn),
    nodeMs: cpus.reduce((all, { busyMs }) => all + busyMs, 0),
    reads: nodes.reduce((all, node) => all + node.reads, 0),
    timeouts: network.timeouts,
    lost: network.lost,
    items: ledger.items.length,
  };
}

export class Simulation {
  time = new SimulatedTime();
  ledger = new Ledger(this.time);
  network = new NetworkCounts();
  population;
  servers;
  cpus;
  nodes;
  #plan;
  #random;

  /** @param {Plan} plan */
  constructor(plan) {
    this.#plan = plan;
    this.#random = randomOf(plan.seed + 1_000_003);
    this.population = new Population(plan);
    const slots = () => this.servers.map(({ range, port }) => [...range, ['redis', port]]);
    this.servers = Array.from({ length: plan.shards }, (_, i) => {
      const edge = (/** @type {number} */ n) => Math.floor((n * SLOTS) / plan.shards);
      const range = /** @type {[number, number]} */ ([edge(i), edge(i + 1) - 1]);
      const { lagMs, slowness } = plan;
      return new SimulatedRedis(this.time, { port: 6_379 + i, lagMs, range, slots, slowness });
    });
    const { time, servers, network: counts, ledger } = this;
    this.cpus = Array.from({ length: plan.nodes }, () => new NodeCpu(time));
    const redisUrl = servers.length === 1 ? 'redis://redis' : 'redis+cluster://redis:6379';
    this.nodes = this.cpus.map((cpu, index) => {
      const random = randomOf(plan.seed + index);
      const network = new NodeNetwork({ time, cpu, servers, counts, random });
      const delivers = (/** @type {number} */ holds) => cpu.spend((holds - 1) * NODE_DELIVERY_US);
      return new LightNode({ redisUrl, clock: time.clock(), random, network, ledger, delivers });
    });
    if (plan.isOld) this.#presetChannels();
  }

  /** All nodes connect. */
  async start() {
    const started = waiter(this.nodes.map((node) => node.start()));
    await this.time.run(60_000, started.isDone);
    started.check();
  }

  /** All clients come, as fast as each node can open holds. */
  async open() {
    const before = mark(this);
    const { openUs } = this.#plan;
    const { channelOf, nodeOf } = this.population;
    const turns = 256;
    const each = (openUs / 1_000) * (channelOf.length / this.nodes.length / turns);
    let pending = 0;
    let opened = 0;
    let liveAt = this.time.now;
    const done = () => {
      pending--;
      liveAt = this.time.now;
    };
    for (let turn = 0; turn < turns; turn++) {
      this.time.at(before.at + turn * each, () => {
        const end = Math.floor(((turn + 1) * channelOf.length) / turns);
        for (let i = Math.floor((turn * channelOf.length) / turns); i < end; i++) {
          opened++;
          const live = this.nodes[nodeOf[i]].hold(channelOf[i]);
          if (live === undefined) continue;
          pending++;
          live.then(done);
        }
      });
    }
    await this.time.run(before.at + 600_000, () => opened === channelOf.length && pending === 0);
    const is = this.#since(before);
    return {
      ...is,
      ms: liveAt - before.at,
      live: pending === 0,
      longestWaitMs: this.#longestWait(),
      mostUnread: this.network.mostUnread,
    };
  }

  /** Items on channels at random, at a steady rate, each at a node at random. */
  async publish() {
    const { rate, publishSeconds } = this.#plan;
    const before = mark(this);
    const from = this.ledger.latencies.length;
    this.#publishFor(publishSeconds, rate);
    await this.time.run(before.at + publishSeconds * 1_000 + 2_000);
    const is = this.#since(before);
    const latencies = this.ledger.latencies.slice(from).sort((a, b) => a - b);
    const pairs = this.ledger.items
      .slice(before.items)
      .reduce((sum, { channel }) => sum + this.population.nodesOn(channel), 0);
    return {
      ...is,
      commandsPerItem: is.commands / is.items,
      pushesPerItem: is.pushes / is.items,
      nodesPerItem: pairs / is.items,
      redisUsPerItem: (is.redisMs * 1_000) / is.items,
      p50Ms: latencies[Math.floor(latencies.length / 2)],
      p99Ms: latencies[Math.floor(latencies.length * 0.99)],
    };
  }

  /** Nothing is published: only the checks of positions go on. */
  async rest() {
    const before = mark(this);
    await this.time.run(before.at + this.#plan.quietSeconds * 1_000);
    const is = this.#since(before);
    const ms = this.time.now - before.at;
    return { ...is, redisShare: is.redisMs / ms / this.servers.length, longestWaitMs: this.#longestWait() };
  }

  /** The first master crashes while items are published; its replica takes over and lacks the last moments. */
  async failover() {
    const { rate, failoverMs, lagMs } = this.#plan;
    const [server] = this.servers;
    const crashAt = this.time.now + 1_000;
    const upAt = crashAt + failoverMs;
    const before = mark(this);
    this.#publishFor(1 + failoverMs / 1_000 + 3, rate);
    await this.time.run(crashAt);
    server.crash(lagMs);
    const concerned = this.#subscriptionsOf(server);
    await this.time.run(upAt);
    server.promote();
    const up = mark(this);
    this.#longestWait();
    this.network.mostUnread = 0;
    const caughtUp = this.network.watchHeads(this.time.now);
    const ended = () => this.time.now > upAt + 4_000 && caughtUp.sum >= concerned;
    await this.time.run(upAt + 120_000, ended);
    await this.time.run(this.time.now + 2_000);
    const items = this.ledger.items.slice(before.items);
    const again = items.find(({ at, acceptedAt }) => acceptedAt !== undefined && at > crashAt && acceptedAt > upAt);
    const is = this.#since(up);
    return {
      ...is,
      subscriptions: concerned,
      liveMs: { half: caughtUp.at(concerned / 2), most: caughtUp.at(concerned * 0.99), all: caughtUp.at(concerned) },
      lastReadMs: Math.max(0, this.ledger.lastReadAt - upAt),
      publishedAgainMs: again?.acceptedAt === undefined ? undefined : again.acceptedAt - upAt,
      refused: items.filter(({ refused }) => refused).length,
      accepted: items.filter(({ acceptedAt }) => acceptedAt !== undefined).length,
      longestWaitMs: this.#longestWait(),
      mostUnread: this.network.mostUnread,
      lostFrom: crashAt - lagMs,
      lostUntil: crashAt,
    };
  }

  /** The connections on which items come to all nodes are cut, while items are published. */
  async cut() {
    const before = mark(this);
    const concerned = this.servers.reduce((sum, server) => sum + this.#subscriptionsOf(server), 0);
    this.#publishFor(3, this.#plan.rate);
    await this.time.run(before.at + 1_000);
    const cutAt = this.time.now;
    const caughtUp = this.network.watchHeads(cutAt);
    for (const server of this.servers) server.cut();
    await this.time.run(cutAt + 120_000, () => this.time.now > cutAt + 4_000 && caughtUp.sum >= concerned);
    await this.time.run(this.time.now + 2_000);
    return {
      ...this.#since(before),
      liveMs: { half: caughtUp.at(concerned / 2), most: caughtUp.at(concerned * 0.99), all: caughtUp.at(concerned) },
      lastReadMs: Math.max(0, this.ledger.lastReadAt - cutAt),
      longestWaitMs: this.#longestWait(),
    };
  }

  /**
   * Every accepted item has reached each hold of its channel once and in order. Those accepted between two moments may be lost, and those
   * in place of which a node has reported a gap.
   *
   * @param {{ lostFrom: number, lostUntil: number }} [lost]
   * @returns {{ problems: string[], lostItems: number, gapItems: number }}
   */
  verify(lost = { lostFrom: 1, lostUntil: 0 }) {
    const problems = [];
    let [lostItems, gapItems] = [0, 0];
    for (const [i, item] of this.ledger.items.entries()) {
      const { channel, acceptedAt, nodes, holds } = item;
      const expected = this.population.holdsOn[channel];
      if (holds === expected && nodes === this.population.nodesOn(channel)) continue;
      if (acceptedAt === undefined && holds <= expected) continue;
      const isLost = acceptedAt !== undefined && acceptedAt >= lost.lostFrom && acceptedAt <= lost.lostUntil + 1;
      if (holds < expected && isLost) lostItems++;
      else if (holds < expected && this.ledger.isInGap(item)) gapItems++;
      else problems.push(`item ${i} on channel ${channel} reached ${holds} of ${expected} holds, at ${nodes} nodes`);
    }
    if (this.ledger.disorder > 0) problems.push(`${this.ledger.disorder} deliveries came again or out of order`);
    return { problems, lostItems, gapItems };
  }

  async close() {
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  /** @param {number} seconds @param {number} rate */
  #publishFor(seconds, rate) {
    const start = this.time.now;
    for (let i = 0; i < Math.floor(seconds * rate); i++)
      this.time.at(start + (i * 1_000) / rate, () => this.#publishOne());
  }

  #publishOne() {
    const channel = Math.floor(this.#random() * this.population.channels);
    const node = Math.floor(this.#random() * this.nodes.length);
    const item = this.ledger.publish(channel);
    const id = String(this.ledger.items.length - 1);
    const parsed = parseItem({ channel: nameOf(channel), id, formats: { 'http-stream': { content: CONTENT } } });
    this.time.at(this.cpus[node].spend(NODE_PUBLISH_US), () => {
      this.nodes[node].publish({ type: 'item', id, item: parsed }).then(
        () => {
          item.acceptedAt = this.time.now;
        },
        () => {
          item.refused = true;
        },
      );
    });
  }

  #presetChannels() {
    const keys = new RedisKeys(PREFIX);
    for (let channel = 0; channel < this.population.channels; channel++) {
      const { meta } = keys.channel(nameOf(channel));
      const server = this.servers.length === 1 ? this.servers[0] : this.servers.find((one) => one.owns(slotOf(meta)));
      server?.store.preset(meta, { e: 'e', s: '1', l: 'x', t: '1' });
    }
  }

  /** @param {SimulatedRedis} server */
  #subscriptionsOf(server) {
    if (this.servers.length === 1) return this.population.subscriptions;
    const keys = new RedisKeys(PREFIX);
    let sum = 0;
    for (let channel = 0; channel < this.population.channels; channel++) {
      if (server.owns(slotOf(keys.channel(nameOf(channel)).topic))) sum += this.population.nodesOn(channel);
    }
    return sum;
  }

  /** The longest wait of a command since this was asked for last. */
  #longestWait() {
    const longest = Math.max(...this.servers.map(({ counts }) => counts.longestWaitMs));
    for (const { counts } of this.servers) counts.longestWaitMs = 0;
    return longest;
  }

  /** @param {ReturnType<typeof mark>} before */
  #since(before) {
    const now = mark(this);
    return /** @type {Omit<typeof before, 'at'>} */ (
      Object.fromEntries(
        Object.entries(before).flatMap(([key, value]) =>
          key === 'at' ? [] : [[key, now[/** @type {keyof typeof before} */ (key)] - value]],
        ),
      )
    );
  }
}

/** Looks after promises that are kept in simulated time. @param {readonly Promise<unknown>[]} promises */
function waiter(promises) {
  let missing = promises.length;
  /** @type {unknown} */
  let error;
  for (const promise of promises) {
    promise.then(
      () => missing--,
      (reason) => {
        error = reason;
      },
    );
  }
  return {
    isDone: () => missing === 0 || error !== undefined,
    check: () => {
      if (error !== undefined) throw error;
      if (missing > 0) throw new Error(`${missing} nodes did not start`);
    },
  };
}
