// What patterns cost exact channels: two systems on one Redis, each of a node that publishes and one that is subscribed to as many
// channels; the second one has patterns too, which match none of them. They take turns, so that they can be compared to a few per cent.
//
//   node bench/patterns.mjs [channels] [patterns] [items of a round] [rounds]
import { readFileSync } from 'node:fs';
import { stopAll } from './process.mjs';
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
  const making = { clock: realClock, random: Math.random, events: noRedisEvents, log: silentLog };
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

/** User and system, in µs. @param {number} pid */
function cpuOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** @param {number[]} figures */
const median = (figures) => figures.sort((one, other) => one - other)[Math.floor(figures.length / 2)] ?? 0;

const redis = await RedisServer.start();
const systems = [
  { name: 'channels alone', system: await new System().start(redis.url, 'without', 0) },
  { name: `beside ${patterns} patterns`, system: await new System().start(redis.url, 'with', patterns) },
].map((one) => ({ ...one, node: /** @type {number[]} */ ([]), redis: /** @type {number[]} */ ([]) }));
for (let round = 0; round < rounds; round++) {
  for (const one of round % 2 === 0 ? systems : [...systems].reverse()) {
    const own = process.cpuUsage();
    const its = cpuOf(redis.pid);
    await one.system.round(round);
    const { user, system } = process.cpuUsage(own);
    // The first is for the compiler.
    if (round === 0) continue;
    one.node.push((user + system) / items);
    one.redis.push((cpuOf(redis.pid) - its) / items);
  }
}
console.log(
  `${channels} channels, ${items} items a round, one a call; median of ${rounds - 1} rounds, CPU in µs an item`,
);
for (const { name, node, redis: its } of systems) {
  console.log(`${name}: both nodes ${median(node).toFixed(1)}, Redis ${median(its).toFixed(1)}`);
}
await stopAll();
process.exit();
