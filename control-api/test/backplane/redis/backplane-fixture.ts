/** Nodes on a Redis. */
import type { Test } from 'tap';
import { type Clock, RedisBackplane, type RedisBackplaneOptions, type RedisEvents } from '../../../dist/index.js';
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
