/**
 * Every query of the board and every alert, asked of a real Prometheus that scrapes two nodes to which everything happens that
 * they count: none is wrong, and none is empty.
 */
import t from 'tap';
import { readBoard, readRules, rulesFile, selectorsOf, substitute, withoutZero } from './board.js';
import { Crowd } from './crowd.js';
import * as incidents from './incidents.js';
import { Prometheus } from './prometheus.js';
import { System } from './system.js';

/** Between scrapes, in ms; and what rates look at, in seconds: Grafana's `$__rate_interval` for that. */
const INTERVAL = 1_000;
const RATE = 4;

const system = await System.start(t, { shutdown: 2 });
const prometheus = await Prometheus.start(t, { nodes: system.targets, rules: rulesFile, interval: INTERVAL });
const scene = { t, system, prometheus };
const size = { streams: 24, polls: 6, sessions: 12, channels: 3, publishes: 20, requests: 20 };
const crowd = await Crowd.start(t, system, size);

/** Waits until everything so far has been scraped from each node. */
const scraped = () => prometheus.until(`min(timestamp(up)) > ${Date.now() / 1_000}`);

/** Lets something happen, and says how long that has taken. */
async function cause(incident: (scene: incidents.Scene) => Promise<void>): Promise<void> {
  const since = Date.now();
  await incident(scene);
  t.comment(`${incident.name}: ${Date.now() - since} ms`);
}

// Twice: a series with labels appears with its first event, and a rate needs one more.
for (let round = 0; round < 2; round++) {
  for (const incident of [
    incidents.refuseClients,
    incidents.failOrigins,
    incidents.failPublishes,
    incidents.swapItems,
    incidents.stopReading,
    incidents.cutRedis,
    incidents.garbleRedis,
    incidents.emptyRedis,
  ])
    await cause(incident);
  crowd.cut(4);
  await cause(scraped);
}
for (const incident of [incidents.stopRedis, incidents.killWorker, incidents.spoilRoutes, incidents.drainSecond])
  await cause(incident);
await prometheus.until('up == 0');

const board = readBoard();

t.test('every query of the board has values, and each has been above zero', async (t) => {
  for (const { title, targets = [] } of board.panels)
    for (const { expr, legendFormat } of targets) {
      const what = `${title}: ${legendFormat}`;
      const matrix = await prometheus.range(withoutZero(substitute(expr, RATE)), 1);
      const values = matrix.flatMap(({ values }) => values.map(([, value]) => value));
      t.ok(values.length > 0, `${what} is there`);
      t.ok(
        values.some((value) => value > 0 && value < Infinity),
        `${what} has moved`,
      );
      for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
        t.ok(
          matrix.every(({ metric }) => label in metric),
          `${what} has the label ${label}`,
        );
      const one = substitute(expr, RATE, { job: 'holdfast', instance: 'node-1' });
      t.ok((await prometheus.range(one, 1)).length > 0, `${what}, of one node`);
    }
});

t.test('every variable of the board has values', async (t) => {
  const queries = board.templating.list.filter(({ type }) => type === 'query');
  t.strictSame(
    queries.map(({ name }) => name),
    ['job', 'instance'],
  );
  for (const { name, query } of queries) {
    const [, selector = '', label = ''] = /^label_values\((.+), (\w+)\)$/.exec(substitute(query, RATE)) ?? [];
    const expected = { job: ['holdfast'], instance: ['node-1', 'node-2'] }[name] ?? [];
    t.strictSame(await prometheus.labelValues(selector, label), expected, query);
  }
});

t.test('every alert can be evaluated, and everything that it looks at exists', async (t) => {
  const rules = readRules();
  const loaded = await prometheus.rules();
  t.strictSame(loaded.map(({ name }) => name).sort(), rules.map(({ alert }) => alert).sort());
  for (const { name, health, lastError } of loaded) t.equal(health, 'ok', `${name} ${lastError ?? 'is evaluated'}`);
  for (const { alert, expr } of rules)
    for (const selector of selectorsOf(expr))
      t.ok((await prometheus.range(selector, 1)).length > 0, `${alert}: ${selector}`);
});

t.test('what fired is an annotation of the board, and its texts are whole', async (t) => {
  for (const { expr } of board.annotations.list) {
    const fired = await prometheus.range(expr, 1);
    t.ok(fired.length > 3, `${fired.map(({ metric }) => metric.alertname)}`);
  }
  const active = await prometheus.alerts();
  t.ok(active.length > 3);
  for (const { labels, annotations } of active)
    for (const [name, text] of Object.entries(annotations))
      t.notMatch(text, /<no value>|<error|%!|\{\{/, `${labels.alertname}: ${name}`);
});
