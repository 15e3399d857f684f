// The work in which one of two nodes behind balancers goes down with `shutdown_window`: how fast its clients come back, whether each of
// them has each item once, and how the node ends.
import { setTimeout as delay } from 'node:timers/promises';
import { Balancers } from './drain/balancers.mjs';
import { ClientProcesses } from './drain/client-processes.mjs';
import { channelsFor, now } from './drain/mix.mjs';
import { DrainNode, twoPlaces } from './drain/nodes.mjs';
import { DrainOrigin } from './drain/origin.mjs';
import { Publisher } from './drain/publisher.mjs';
import { RedisServer } from './redis.mjs';
import { isHoldfast } from './work.mjs';

/** Before the window: the balancers ask every second. */
const DELAY_S = 3;
/** Items are published for so long before the drain begins. */
const BEFORE_MS = 1_000;
/** A node that is gone so long after its window only has not ended by itself. */
const EXIT_LIMIT_S = 60;
/** How often a node's CPU is read. */
const CPU_LOOK_MS = 200;

/** Starts what one after the other says, and ends it in the opposite order. */
class Stack {
  /** @type {(() => Promise<void>)[]} */
  #stops = [];

  /** @template {{ stop: () => Promise<void> }} T @param {Promise<T> | T} started @returns {Promise<T>} */
  async add(started) {
    const it = await started;
    this.#stops.unshift(() => it.stop());
    return it;
  }

  async stop() {
    for (const one of this.#stops) await one();
  }
}

/** Reads the CPU of a node until it ends; resolves with its use of a core, in percent. @param {DrainNode} node */
async function cpuOf(node) {
  const [since, before] = [now(), node.cpuMs() ?? 0];
  let share = 0;
  for (let used = node.cpuMs(); used !== undefined; used = node.cpuMs()) {
    share = ((used - before) * 100) / Math.max(1, now() - since);
    await delay(CPU_LOOK_MS);
  }
  return share;
}

/** The most that happened within a second, wherever that begins. @param {readonly number[]} times  in ms, in order */
function most(times) {
  let peak = 0;
  let first = 0;
  for (const [index, time] of times.entries()) {
    while (time - /** @type {number} */ (times[first]) >= 1_000) first++;
    peak = Math.max(peak, index - first + 1);
  }
  return peak;
}

/**
 * @param {import('./work.mjs').Task} task
 * @param {import('./drain/balancers.mjs').BalancerName} balancer
 * @param {Stack} stack
 * @returns {Promise<import('./work.mjs').Outcome>}
 */
async function drain({ target, options: { drainHolds, drainWindow, isSmoke } }, balancer, stack) {
  const redis = await stack.add(RedisServer.start());
  const places = await twoPlaces();
  const publisher = new Publisher(places, channelsFor(drainHolds));
  const origin = await stack.add(DrainOrigin.start(publisher.published));
  const settings = {
    edge: target.name.replace('holdfast-', ''),
    routes: [`*,path_beg=/ws,resume ${origin.target},over_http`, `* ${origin.target}`],
    redis_url: redis.url,
    history_replay: true,
    sig_key: 'the same on both',
    shutdown_delay: DELAY_S,
    shutdown_window: drainWindow,
    // Up to 10 s more.
    shutdown_retry: !isSmoke,
    log_level: 1,
    message_hwm: -1,
  };
  const leaving = await stack.add(DrainNode.start(places[0], settings));
  await stack.add(DrainNode.start(places[1], settings));
  const addresses = places.map(({ address }) => address);
  const balancers = await stack.add(Balancers.start(balancer, { ...places[0], addresses }, drainHolds));
  const clients = await stack.add(new ClientProcesses(drainHolds));
  await clients.open(balancers.base);

  await publisher.everywhere();
  await clients.have(publisher.published);
  // Each channel gets an item within the window.
  publisher.start(channelsFor(drainHolds) / drainWindow);
  await delay(BEFORE_MS);
  const held = await leaving.holds();
  const began = now();
  const cpu = cpuOf(leaving);
  leaving.terminate();
  const exit = await leaving.exit((DELAY_S + drainWindow + EXIT_LIMIT_S) * 1_000);
  const away = await clients.areBack();
  await publisher.stop();
  await publisher.everywhere();
  await clients.have(publisher.published);
  const report = await clients.report(publisher.published);

  const even = held / drainWindow;
  const values = {
    held,
    ended: report.ends.length,
    even,
    endsPeak: most(report.ends),
    returnsPeak: most(report.returns),
    ratio: most(report.returns) / even,
    items: publisher.published.reduce((sum, count) => sum + count, 0),
    lost: report.lost,
    doubled: report.doubled,
    failed: report.failed,
    retried: publisher.retried,
    beyondS: (exit.at - began) / 1_000 - DELAY_S - drainWindow,
    cpuPercent: await cpu,
  };
  const early = report.ends.filter((at) => at < began).length;
  const problems = [
    ...(report.lost > 0 ? [`${report.lost} items were lost`] : []),
    ...(report.doubled > 0 ? [`${report.doubled} items came twice`] : []),
    ...(report.failed > 0 ? [`${report.failed} requests failed: ${report.failures.join('; ')}`] : []),
    ...(exit.code === 0 ? [] : [`the node ended with ${exit.code}, or had to be killed`]),
    ...(early > 0 ? [`${early} holds ended before the drain`] : []),
    ...(away > 0 ? [`${away} clients did not come back`] : []),
  ];
  return { values, problems };
}

/** @param {import('./drain/balancers.mjs').BalancerName} balancer @returns {import('./work.mjs').Work} */
export function drainWork(balancer) {
  return {
    name: `drain-${balancer}`,
    suits: isHoldfast,
    isLong: true,
    tables: [
      {
        title: `One of two nodes goes down over a window; its clients come back to the other, through ${balancer}`,
        primary: 'ratio',
        baselines: [],
        columns,
      },
    ],
    run: async (task) => {
      const stack = new Stack();
      try {
        return await drain(task, balancer, stack);
      } finally {
        await stack.stop();
      }
    },
  };
}

const columns = [
  { key: 'held', title: 'holds on it', digits: 0 },
  { key: 'ended', title: 'ended by it', digits: 0 },
  { key: 'even', title: 'even pace, per s', digits: 0 },
  { key: 'endsPeak', title: 'ends, most in 1 s', digits: 0 },
  { key: 'returnsPeak', title: 'reconnects, most in 1 s', digits: 0 },
  { key: 'ratio', title: '÷ even', digits: 2 },
  { key: 'items', title: 'items', digits: 0 },
  { key: 'lost', title: 'lost', digits: 0 },
  { key: 'doubled', title: 'twice', digits: 0 },
  { key: 'failed', title: 'failed requests', digits: 0 },
  { key: 'beyondS', title: 'exit, s after delay and window', digits: 1 },
  { key: 'cpuPercent', title: 'its CPU, % of a core', digits: 0 },
];
