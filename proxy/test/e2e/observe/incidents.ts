/**
 * What goes wrong in operation, each really caused, so that what counts it moves. Each resolves when it has happened, and can
 * happen again.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Test } from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { type Holdfast, streamItem } from '../../kit/holdfast.js';
import { until } from '../../kit/until.js';
import type { Prometheus } from './prometheus.js';
import type { System } from './system.js';

/** What an incident is given. */
export interface Scene {
  readonly t: Test;
  readonly system: System;
  readonly prometheus: Prometheus;
}

/** Sends bytes and waits for the end of the connection. */
function send(address: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(`http://${address}`);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    socket.resume().on('error', () => {});
    socket.once('close', () => resolve());
  });
}

/** Clients that a listener turns away, requests that are none, and one above a limit. */
export async function refuseClients({ t, system }: Scene): Promise<void> {
  await send(system.refusing, 'GET / HTTP/1.1\r\n\r\n');
  await send(new URL(system.first.clients).host, 'no request\r\n\r\n');
  // Each worker counts for itself.
  await until('a refusal', async () => (await ask(t, `${system.first.clients}/limited`)).status === 429);
}

/** An origin that cannot be reached, and one that breaks off. */
export async function failOrigins({ t, system }: Scene): Promise<void> {
  for (const path of ['/reports/today', '/break'])
    for (const { clients } of system.nodes) {
      const { status } = await ask(t, `${clients}${path}`);
      if (status !== 502) throw new Error(`${path}: ${status}`);
    }
}

/** Publishes that nobody can take, and an item for whose filter no server is there. */
export async function failPublishes({ t, system }: Scene): Promise<void> {
  await ask(t, `${system.first.control}/publish/`, { method: 'POST', body: '{}' });
  const held = await open(t, `${system.first.clients}/checked/checked`);
  await held.until('open\n');
  const dropped = 'holdfast_items_dropped_total{kind="stream",reason="filter-failed"}';
  const before = await system.first.metric(dropped);
  await system.first.publish(streamItem('checked', 'unchecked\n'));
  await until('the filter', async () => (await system.first.metric(dropped)) > before);
  held.drop();
}

/** An item of 900 kB: a dozen fills the buffers of a connection that nobody reads. */
const LARGE = `${'.'.repeat(900_000)}\n`;

/** Clients that stop reading: one node cuts them, the other leaves items out for them. */
export async function stopReading({ t, system, prometheus }: Scene): Promise<void> {
  const stalled = await Promise.all(system.nodes.map(({ clients }) => open(t, `${clients}/raw/large`)));
  await Promise.all(stalled.map((one) => one.until('open\n')));
  for (const one of stalled) one.stall();
  const counts = async (node: Holdfast) =>
    node.metric('holdfast_items_dropped_total{kind="stream",reason="slow-client"}');
  const before = await Promise.all(system.nodes.map(counts));
  await until('items that are left out', async () => {
    await system.any.publish(streamItem('large', LARGE));
    const now = await Promise.all(system.nodes.map(counts));
    return now.every((count, n) => count > (before[n] as number));
  });
  await prometheus.until('holdfast_queue_bytes > 0');
  for (const one of stalled) one.drop();
}

/** Items that come before the one they name: one whose predecessor follows, one whose never does. */
export async function swapItems({ t, system }: Scene): Promise<void> {
  const stream = await open(t, `${system.first.clients}/raw/ordered`);
  await stream.until('open\n');
  const now = Date.now();
  const item = (id: number, before: number, text: string) => ({
    ...streamItem('ordered', text),
    id: `${now}-${id}`,
    'prev-id': `${now}-${before}`,
  });
  await system.first.publish({ ...streamItem('ordered', 'one\n'), id: `${now}-1` });
  await system.first.publish(item(3, 2, 'three\n'));
  await system.first.publish(item(2, 1, 'two\n'));
  await stream.until('three\n');
  await system.first.publish(item(9, 8, 'nine\n'));
  await stream.until('nine\n');
  stream.drop();
}

/** Connections to Redis that are cut while items are published: those for items, and those for commands. */
export async function cutRedis({ system, prometheus }: Scene): Promise<void> {
  const total = (name: string) => async () => {
    const values = await Promise.all(system.nodes.map((node) => node.metric(name)));
    return values.reduce((sum, value) => sum + value, 0);
  };
  for (const [type, series] of [
    ['pubsub', 'holdfast_redis_items_recovered_total'],
    ['normal', 'holdfast_redis_publishes_retried_total'],
  ] as const) {
    const read = total(series);
    const before = await read();
    await until(series, async () => {
      const published = Array.from({ length: 20 }, (_, n) => system.any.publish(streamItem(`news-${n % 3}`, ': \n\n')));
      await system.redis.call('CLIENT', 'KILL', 'TYPE', type);
      await Promise.allSettled(published);
      return (await read()) > before;
    });
  }
  await prometheus.until('holdfast_redis_reconnects_total > 0');
}

/** Acts, and waits until Prometheus has seen a sum of counters grow. */
async function grows(prometheus: Prometheus, series: string, act: () => Promise<unknown>): Promise<void> {
  const [before] = await prometheus.query(`sum(${series})`);
  await act();
  await prometheus.until(`sum(${series}) > ${before?.values[0]?.[1] ?? 0}`);
}

/** A message in Redis that no node has written. */
export function garbleRedis({ system, prometheus }: Scene): Promise<void> {
  return grows(prometheus, 'holdfast_redis_unreadable_total', async () => {
    const [channel = ''] = (await system.redis.call('PUBSUB', 'CHANNELS', '*news-*')) as string[];
    await system.redis.call('PUBLISH', channel, 'nonsense');
  });
}

/** A Redis that has forgotten everything. */
export function emptyRedis({ system, prometheus }: Scene): Promise<void> {
  return grows(prometheus, 'holdfast_gaps_total{reason="epoch"}', async () => {
    await system.redis.call('FLUSHALL');
    await system.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  });
}

/** A Redis that goes away, and comes back when that has been seen. */
export async function stopRedis({ t, system, prometheus }: Scene): Promise<void> {
  await system.redis.kill();
  const body = JSON.stringify({ items: [streamItem('news-0', ': \n\n')] });
  const { status } = await ask(t, `${system.first.control}/publish/`, { method: 'POST', body });
  if (status !== 503) throw new Error(`a publish without Redis: ${status}`);
  await prometheus.until('holdfast_redis_away == 1');
  await system.redis.start();
  await prometheus.until('sum(holdfast_redis_away) == 0');
}

/** A worker that is killed; another takes its place. */
export async function killWorker({ system, prometheus }: Scene): Promise<void> {
  const { pid } = system.first.child;
  const [worker] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  await grows(prometheus, 'holdfast_workers_ended_total', async () => process.kill(Number(worker), 'SIGKILL'));
  await until('its successor', async () => (await system.first.metric('holdfast_workers')) === 2);
}

/** Routes that cannot be loaded, until they are mended. */
export async function spoilRoutes({ system, prometheus }: Scene): Promise<void> {
  system.writeRoutes(0, false);
  await prometheus.until('holdfast_config_reload_success == 0');
  system.writeRoutes(0, true);
  await prometheus.until('min(holdfast_config_reload_success) == 1');
}

/** A node that is stopped; resolves when it has gone. */
export async function drainSecond({ system, prometheus }: Scene): Promise<void> {
  system.second.child.signal('SIGTERM');
  await prometheus.until('holdfast_draining == 1');
  await system.second.child.exited;
}
