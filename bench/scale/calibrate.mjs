// Measures what the simulation's constants say: the CPU of a real redis-server for what the backplane asks of it, and of the backplane itself.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RedisServer } from '../redis.mjs';
import { parseItem, positionsScript, RedisKeys } from './code.mjs';
import { reads, writes } from './costs.mjs';
import { Ledger } from './ledger.mjs';
import { LightNode, nameOf, PREFIX } from './node.mjs';

/** As many as one node has of 1,000,000 with 5 clients each at 50 nodes, nearly. */
const CHANNELS = 50_000;
const PER_COMMAND = 512;
const ITEMS = 3_000;
const COMMANDS = 20_000;
const ROUNDS = 3;
/** Publishes that come together: Redis is not woken for each. */
const AT_ONCE = 20;

setFlagsFromString('--expose-gc');
const collect = /** @type {() => void} */ (runInNewContext('gc'));

const realClock = {
  monotonic: () => Math.trunc(performance.now()),
  wall: Date.now,
  after: (/** @type {number} */ ms, /** @type {() => void} */ run) => setTimeout(run, ms),
  clear: (/** @type {NodeJS.Timeout | undefined} */ timer) => clearTimeout(timer),
};

/** A connection that sends commands and waits until so many answers have come, which it counts by what each of them begins with. */
class RawClient {
  #socket;
  #left = 0;
  #mark = '';
  #rest = '';
  /** @type {() => void} */
  #done = () => {};

  /** @param {number} port */
  constructor(port) {
    this.#socket = connect(port, '127.0.0.1');
    this.#socket.setEncoding('latin1').on('data', (text) => {
      const parts = (this.#rest + text).split(this.#mark);
      this.#left -= parts.length - 1;
      // The beginning of a mark may be the end of what has come.
      this.#rest = this.#mark.length > 1 ? String(parts.at(-1)).slice(1 - this.#mark.length) : '';
      if (this.#left <= 0) this.#done();
    });
  }

  /** @param {readonly (readonly (string | number)[])[]} commands @param {string} mark @param {number} answers */
  send(commands, mark, answers) {
    this.#mark = mark;
    this.#rest = '';
    this.#left = answers;
    const done = new Promise((resolve) => {
      this.#done = () => resolve(undefined);
    });
    for (const command of commands) this.#socket.write(encode(command));
    return done;
  }

  close() {
    this.#socket.destroy();
  }
}

/** @param {readonly (string | number)[]} command */
function encode(command) {
  return `*${command.length}\r\n${command.map((part) => `$${Buffer.byteLength(String(part))}\r\n${part}\r\n`).join('')}`;
}

/** CPU of a process so far, in µs. @param {number} pid */
function cpuOf(pid) {
  return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1_000;
}

/** @param {RedisServer} redis */
async function memoryOf(redis) {
  return Number(/used_memory:(\d+)/.exec(await redis.command('INFO memory'))?.[1]);
}

/** How many commands scripts and clients have called that read, and that write. @param {RedisServer} redis */
async function callsOf(redis) {
  const found = [...(await redis.command('INFO commandstats')).matchAll(/cmdstat_(\w+):calls=(\d+)/g)];
  const sum = (/** @type {ReadonlySet<string>} */ names) =>
    found.reduce((all, [, name, calls]) => all + (names.has(name.toUpperCase()) ? Number(calls) : 0), 0);
  return { reads: sum(reads), writes: sum(writes) };
}

/** How many topics all clients are subscribed to. @param {RedisServer} redis */
async function subscriptionsOf(redis) {
  const list = await redis.command('CLIENT LIST TYPE pubsub');
  return [...list.matchAll(/ sub=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}

const names = Array.from({ length: CHANNELS }, (_, i) => nameOf(i));
const keys = new RedisKeys(PREFIX);
const topicsAndMetas = names.map((name) => keys.channel(name));

/** @param {number} from */
const slice = (from) => topicsAndMetas.slice(from, from + PER_COMMAND);
const starts = Array.from({ length: Math.ceil(CHANNELS / PER_COMMAND) }, (_, i) => i * PER_COMMAND);

/** @returns {Promise<Record<string, number>>} by the name of the constant, or of what is beside it */
export async function calibrate() {
  const redis = await RedisServer.start();
  const pid = Number(/process_id:(\d+)/.exec(await redis.command('INFO server'))?.[1]);
  /** @type {Record<string, number>} */
  const found = {};
  /** @param {() => Promise<unknown>} run */
  const redisUs = async (run) => {
    const before = cpuOf(pid);
    await run();
    return cpuOf(pid) - before;
  };
  try {
    const raw = new RawClient(redis.port);
    for (let i = 0; i < 100; i++) await raw.send([['TIME']], '*2', 1);
    const times = Array.from({ length: COMMANDS / 10 }, () => 0);
    found.REDIS_COMMAND_US =
      (await redisUs(async () => {
        for (const _ of times)
          await raw.send(
            Array.from({ length: 10 }, () => ['TIME']),
            '*2',
            10,
          );
      })) / COMMANDS;

    const metas = topicsAndMetas.map(({ meta }) => [
      'HSET',
      meta,
      'e',
      'abcdefghijkl0123',
      's',
      '12',
      'l',
      '0123456789abcdef',
      't',
      '1700000000000',
    ]);
    const memoryBefore = await memoryOf(redis);
    await raw.send(metas, ':', metas.length);
    found.redisBytesPerMeta = ((await memoryOf(redis)) - memoryBefore) / CHANNELS;
    await raw.send(
      topicsAndMetas.map(({ meta }) => ['PEXPIRE', meta, 7 * 86_400_000]),
      ':',
      metas.length,
    );
    const asking = starts.map((from) => [
      'EVAL',
      positionsScript.lua,
      slice(from).length,
      ...slice(from).map(({ meta }) => meta),
      7 * 86_400_000,
    ]);
    const readUs = await redisUs(async () => {
      for (const command of asking) await raw.send([command], `*${5 * Number(command[2]) + 1}\r`, 1);
    });
    found.redisUsPerPosition = readUs / CHANNELS;
    found.REDIS_READ_US = readUs / CHANNELS / 2;

    const beforeTopics = await memoryOf(redis);
    const subscriber = new RawClient(redis.port);
    const topics = starts.map((from) => ['SUBSCRIBE', ...slice(from).map(({ topic }) => topic)]);
    found.REDIS_TOPIC_US = (await redisUs(() => subscriber.send(topics, 'subscribe\r', CHANNELS))) / CHANNELS;
    found.redisBytesPerSubscription = ((await memoryOf(redis)) - beforeTopics) / CHANNELS;
    subscriber.close();
    raw.close();

    Object.assign(found, await calibrateNodes(redis, redisUs));
    const { redisUsPerItem0, readsPerItem, writesPerItem, REDIS_COMMAND_US, REDIS_READ_US } = found;
    found.REDIS_WRITE_US = (redisUsPerItem0 - REDIS_COMMAND_US - readsPerItem * REDIS_READ_US) / writesPerItem;
    return found;
  } finally {
    await redis.stop();
  }
}

/** @param {RedisServer} redis @param {(run: () => Promise<unknown>) => Promise<number>} redisUs */
async function calibrateNodes(redis, redisUs) {
  /** @type {Record<string, number>} */
  const found = {};
  const ledger = new Ledger({ now: 0 });
  const make = () => new LightNode({ redisUrl: redis.url, clock: realClock, random: Math.random, ledger });
  const nodes = Array.from({ length: 6 }, make);
  const [publisher, big, ...others] = nodes;
  await Promise.all(nodes.map((node) => node.start()));

  collect();
  const heapBefore = process.memoryUsage().heapUsed;
  await Promise.all(names.map((_, i) => big.hold(i)));
  collect();
  found.nodeBytesPerChannel = (process.memoryUsage().heapUsed - heapBefore) / CHANNELS;

  /** @param {number} count @param {(i: number) => string} channelOf */
  const publish = async (count, channelOf) => {
    for (let i = 0; i < count; i += AT_ONCE) {
      const group = Array.from({ length: Math.min(AT_ONCE, count - i) }, (_, j) => channelOf(i + j));
      await Promise.all(group.map(publishOne));
    }
  };
  const publishOne = (/** @type {string} */ channel) => {
    ledger.publish(0);
    const id = String(ledger.items.length - 1);
    const item = parseItem({ channel, id, formats: { 'http-stream': { content: 'x'.repeat(100) } } });
    return publisher.publish({ type: 'item', id, item });
  };
  await publish(500, (i) => `warm-${i}`);
  const one = 500;
  for (const node of others) await Promise.all(names.slice(0, one).map((_, i) => node.hold(i)));
  const callsBefore = await callsOf(redis);
  await publish(ITEMS, (i) => `none-${i % one}`);
  const calls = await callsOf(redis);
  found.readsPerItem = (calls.reads - callsBefore.reads) / ITEMS;
  found.writesPerItem = (calls.writes - callsBefore.writes) / ITEMS;
  // By turns, for they differ by little.
  let [to0, to5] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    to0 += await redisUs(() => publish(ITEMS, (i) => `none-${i % one}`));
    to5 += await redisUs(() => publish(ITEMS, (i) => names[i % one]));
  }
  found.redisUsPerItem0 = to0 / ROUNDS / ITEMS;
  found.redisUsPerItem5 = to5 / ROUNDS / ITEMS;
  found.REDIS_PUSH_US = (found.redisUsPerItem5 - found.redisUsPerItem0) / 5;

  let cutUs = 0;
  let redisCutUs = 0;
  const all = await subscriptionsOf(redis);
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    redisCutUs += await redisUs(async () => {
      await redis.command('CLIENT KILL TYPE pubsub');
      while ((await subscriptionsOf(redis)) < all) await new Promise((resolve) => setTimeout(resolve, 10));
      // The last answers are on their way.
      await new Promise((resolve) => setTimeout(resolve, 100));
    });
    const { user, system } = process.cpuUsage(before);
    cutUs += user + system;
  }
  found.NODE_CHANNEL_US = cutUs / ROUNDS / all;
  found.redisUsPerChannelAgain = redisCutUs / ROUNDS / all;
  await Promise.all(nodes.map((node) => node.close()));
  return found;
}
