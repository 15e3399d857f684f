/** Nodes on a Redis. */
import { Redis } from 'ioredis';
import type { Test } from 'tap';
import { RedisKeys } from '../../../dist/backplane/redis/keys.js';
import { type Clock, RedisBackplane, type RedisBackplaneOptions, type RedisEvents } from '../../../dist/index.js';
import { streamMessage } from '../../items.js';
import { RecordingListener, RecordingLog } from '../../recorder.js';

/** The machine's clock. */
export const realClock: Clock = {
  monotonic: () => Math.trunc(performance.now()),
  wall: Date.now,
  after: (ms, run) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** Counts events by name; gaps with their reason. */
export class CountingEvents implements RedisEvents {
  readonly counts: Record<string, number> = {};

  reconnected(kind: string): void {
    this.#count(`reconnected ${kind}`);
  }

  /** In ms, of each item. */
  readonly lags: number[] = [];

  itemCame(lagMs: number): void {
    this.lags.push(lagMs);
  }

  gap(reason: string): void {
    this.#count(`gap ${reason}`);
  }

  holeFilled(messages: number): void {
    this.#count('filled', messages);
  }

  historyRead(): void {
    this.#count('history');
  }

  publishRetried(): void {
    this.#count('retried');
  }

  unreadable(): void {
    this.#count('unreadable');
  }

  #count(name: string, by = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + by;
  }
}

/** A node, not yet started. */
export function makeNode(url: string, options: Partial<RedisBackplaneOptions> = {}) {
  const events = new CountingEvents();
  const log = new RecordingLog();
  const backplane = new RedisBackplane({
    redisUrl: url,
    redisPrefix: 'hf',
    historySize: 1000,
    historyTtl: 60_000,
    idCacheTtl: 60_000,
    clock: realClock,
    random: Math.random,
    events,
    log,
    ...options,
  });
  return { backplane, events, log, listener: new RecordingListener() };
}

/** A started node, which closes with the test. */
export async function startNode(t: Test, url: string, options: Partial<RedisBackplaneOptions> = {}) {
  const node = makeNode(url, options);
  t.teardown(() => node.backplane.close());
  await node.backplane.start(node.listener);
  return node;
}

let prefixes = 0;

/**
 * A node with interest in the channel `a`, which has had the item `first`, and the connection of another program, which puts what it
 * likes into the node's part of Redis.
 */
export async function startBesideOther(t: Test, { url, port }: { readonly url: string; readonly port: number }) {
  prefixes += 1;
  const prefix = `hf${prefixes}`;
  const node = await startNode(t, url, { redisPrefix: prefix });
  const redis = new Redis(port, '127.0.0.1');
  t.teardown(() => redis.disconnect());
  await node.backplane.subscribe('a');
  const [first] = await node.backplane.publish([streamMessage('a', 'first')]);
  await node.listener.saw('a/first');
  const keysOf = (channel: string) => new RedisKeys(prefix).channel(channel);
  return { ...node, redis, keysOf, keys: keysOf('a'), epoch: first?.position?.epoch ?? '' };
}
