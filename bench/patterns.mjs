// What patterns cost exact channels: two systems, each of a Redis, a node that publishes and one that is subscribed to as many channels;
// the second one has patterns too, which match none of them. They take turns, so that they can be compared to a few per cent. On a Redis
// that they share the second one would cost more, patterns or not.
//
//   node bench/patterns.mjs [channels] [patterns] [items of a round] [rounds]
import { median } from './median.mjs';
import { cpuUs, stopAll } from './process.mjs';
import { RedisServer } from './redis.mjs';
import {
  BackplaneHub,
  ChannelInterest,
  ChannelRegistry,
  ItemDelivery,
  noRedisEvents,
  patternOf,
  RedisBackplane,
  realClock,
  silentLog,
} from './scale/code.mjs';

const [channels = 100_000, patterns = 1_000, items = 20_000, rounds = 7] = process.argv.slice(2).map(Number);
/** Publishes under way at a time, as publishers over so many connections have. */
const UNDER_WAY = 16;
const NAMING = {
  prefix: '',
  reserved: '',
  channelNameMax: Number.POSITIVE_INFINITY,
  patternSeparator: '/',
  patternAll: false,
};

/** @param {number} n */
const nameOf = (n) => `users/${n}/orders`;

/** @param {string} url @param {string} redisPrefix */
function backplane(url, redisPrefix) {
  const history = { historySize: 1_000, historyTtl: 600_000, idCacheTtl: 60_000 };
  // Chance lengthens the time to the next check of all positions, which would fall into some rounds of one system: there is none.
  const making = { clock: realClock, random: () => 1_000, events: noRedisEvents, log: silentLog };
  return new RedisBackplane({ redisUrl: url, redisPrefix, ...history, ...making });
}

/** A system of two nodes. */
class System {
  received = 0;

  /** @param {string} url @param {string} prefix @param {number} count  of its patterns */
  async start(url, prefix, count) {
    this.publisher = backplane(url, prefix);
    await this.publisher.start({ onMessage() {}, onGap() {} });
    const hub = new BackplaneHub({ inner: backplane(url, prefix), log: silentLog });
    const share = hub.share();
    const none = () => {};
    const events = { itemDelivered: none, itemsLost: none, itemHeld: none, itemReleased: none, itemsAbandoned: none };
    const delivery = new ItemDelivery(() => registry, { clock: realClock, messageWait: 5_000, events, log: silentLog });
    const interest = new ChannelInterest({
      backplane: share,
      sequencer: delivery,
      clock: realClock,
      updateOnFirstSubscription: false,
      subscribersOf: (/** @type {string} */ channel) => registry.of(channel),
    });
    const registry = new ChannelRegistry(interest, realClock, 0, {}, '/');
    await share.start(delivery);
    const subscriber = {
      id: 'all',
      kind: 'stream',
      routeKey: '',
      deliver: () => {
        this.received++;
        return true;
      },
    };
    for (let at = 0; at < channels; at += 10_000) {
      const some = Array.from({ length: Math.min(10_000, channels - at) }, (_, n) => nameOf(at + n));
      await registry.add(/** @type {any} */ (subscriber), some);
    }
    const made = Array.from({ length: count }, (_, n) => patternOf(NAMING, `shop-${n}/*/orders`, { limited() {} }));
    await registry.add(/** @type {any} */ (subscriber), [], /** @type {any} */ (made));
    return this;
  }

  /** One item on as many channels, in the order of a step that visits all; resolves when the last has come. @param {number} round */
  async round(round) {
    const until = this.received + items;
    let next = 0;
    const publish = async () => {
      while (next < items) {
        const n = next++;
        const channel = nameOf((n * 7_919 + round) % channels);
        const formats = { httpStream: { action: 'send', content: Buffer.from('x'.repeat(200)) } };
        const item = { channel, id: `${round}-${n}`, formats, meta: {}, noSeq: false };
        await this.publisher?.publish([/** @type {any} */ ({ type: 'item', item, id: item.id })]);
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY }, publish));
    while (this.received < until) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What scripts have taken in Redis, in µs, and how many calls that were: finer than the time of its process, which comes in ticks. */
async function scriptsOf(/** @type {RedisServer} */ redis) {
  const { calls, usec } = /cmdstat_evalsha:calls=(?<calls>\d+),usec=(?<usec>\d+)/.exec(
    await redis.command('INFO commandstats'),
  )?.groups ?? { calls: 0, usec: 0 };
  return { calls: Number(calls), usec: Number(usec) };
}

/** @param {string} name @param {number} count  of patterns */
async function startSystem(name, count) {
  const figures = () => /** @type {number[]} */ ([]);
  const redis = await RedisServer.start();
  const system = await new System().start(redis.url, 'bench', count);
  return { name, redis, system, node: figures(), its: figures(), scripts: figures(), calls: figures() };
}

const systems = [await startSystem('channels alone', 0), await startSystem(`beside ${patterns} patterns`, patterns)];
for (let round = 0; round < rounds; round++) {
  for (const one of round % 2 === 0 ? systems : [...systems].reverse()) {
    const own = process.cpuUsage();
    const { redis } = one;
    const its = cpuUs([redis.pid]);
    const scripts = await scriptsOf(redis);
    await one.system.round(round);
    const { user, system } = process.cpuUsage(own);
    const { calls, usec } = await scriptsOf(redis);
    // The first is for the compiler.
    if (round === 0) continue;
    one.node.push((user + system) / items);
    one.its.push((cpuUs([redis.pid]) - its) / items);
    one.scripts.push((usec - scripts.usec) / items);
    one.calls.push((calls - scripts.calls) / items);
  }
}
console.log(
  `${channels} channels, ${items} items a round, one a call; median of ${rounds - 1} rounds, CPU in µs an item`,
);
for (const { name, node, its, scripts, calls } of systems) {
  const inScripts = `${median(scripts).toFixed(1)} of it in scripts, ${median(calls).toFixed(2)} calls an item`;
  console.log(`${name}: both nodes ${median(node).toFixed(1)}, Redis ${median(its).toFixed(1)} (${inScripts})`);
}
await stopAll();
process.exit();
