/** Each alert fires on the series that it is for, with whole texts, and neither on the nearest others nor in a healthy system. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import { root } from '../../kit/child.js';
import { newDirectory } from '../../kit/holdfast.js';
import { type AlertCase, alertCases, healthy, INSTANCE, NODE } from './alert-cases.js';
import { type Rule, readRules, rulesFile, selectorsOf } from './board.js';
import { prometheusProgram } from './prometheus.js';

const rules = readRules();
const promtool = prometheusProgram('promtool');

/** One series as promtool reads it: of a node, where it has no instance. */
function ofNode(series: string, instance: string): string {
  const [, name = '', labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? [];
  const own = labels.includes('instance=') ? '' : `job="holdfast",instance="${instance}"`;
  return `${name}{${[labels, own].filter(Boolean).join(',')}}`;
}

type Values = Map<string, string>;

/** Series of a node: those of a healthy one that `wants` takes, and over them the changed ones. */
function seriesOf(instance: string, changed: Readonly<Record<string, string>>, wants = (_: string) => true): Values {
  const entries = [...Object.entries(healthy).filter(([series]) => wants(series)), ...Object.entries(changed)];
  return new Map(entries.map(([series, values]) => [ofNode(series, instance), values]));
}

/** A text with its labels and its value filled in. */
function fill(text: string, labels: Readonly<Record<string, string>>, value: string | undefined): string {
  return text
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, (whole, name: string) => labels[name] ?? whole)
    .replace(/\{\{ \$value[^}]*\}\}/g, (whole) => value ?? whole);
}

const test = (name: string, series: Values, tests: readonly object[]) => ({
  name,
  interval: '1m',
  input_series: [...series].map(([series, values]) => ({ series, values })),
  alert_rule_test: tests,
});
const expect = (alertname: string, minutes: number, ...exp_alerts: object[]) => ({
  eval_time: `${minutes}m`,
  alertname,
  exp_alerts,
});

/** How long an alert waits, in minutes. */
function waitOf({ for: wait = '0m' }: Rule): number {
  const [, count, unit] = /^(\d+)([mh])$/.exec(wait) ?? [];
  return Number(count) * (unit === 'h' ? 60 : 1);
}

/** A case of an alert, with a node on which it fires and one on which it does not: their series, and what is expected. */
function made(rule: Rule, one: AlertCase, at: number) {
  const { alert, expr, annotations } = rule;
  const { fires, spares, since = 0, minutes = 40, labels = NODE, value, apart = false } = one;
  const node = `${alert}-${at}`;
  const own = Object.entries(labels).map(([name, text]) => [name, text === INSTANCE ? node : text]);
  const all = Object.fromEntries(own) as Record<string, string>;
  const texts = Object.entries(annotations).map(([name, text]) => [name, fill(text, all, value)]);
  const names = new Set(selectorsOf(expr).map((selector) => selector.replace(/\{.*/, '')));
  const wants = (series: string) => names.has(series.replace(/\{.*/, ''));
  return {
    alert,
    apart,
    /** The last minute in which it waits; none where it does not. */
    waits: waitOf(rule) === 0 ? undefined : since + waitOf(rule) - 1,
    minutes,
    firing: seriesOf(node, fires, wants),
    spared: seriesOf(`${node}-spared`, spares, wants),
    expected: { exp_labels: { ...rule.labels, ...all }, exp_annotations: Object.fromEntries(texts) },
  };
}
type Made = ReturnType<typeof made>;

/** One test of several cases of one or more alerts, each with nodes of its own: none fires before its time, all do at theirs. */
function testOf(name: string, cases: readonly Made[]): object {
  const series = new Map(cases.flatMap(({ firing, spared }) => [...firing, ...spared]));
  const alerts = [...new Set(cases.map(({ alert }) => alert))];
  const expected = alerts.flatMap((alert) => {
    const all = cases.filter((one) => one.alert === alert);
    const { waits, minutes } = all[0] as Made;
    const firing = all.map(({ expected }) => expected);
    return [...(waits === undefined ? [] : [expect(alert, waits)]), expect(alert, minutes, ...firing)];
  });
  return test(name, series, expected);
}

t.test('promtool finds nothing wrong with the rules', async (t) => {
  const { status, stderr } = spawnSync(promtool, ['check', 'rules', rulesFile], { encoding: 'utf8' });
  t.equal(status, 0, stderr);
});

t.test('every alert fires when it should, and only then', async (t) => {
  t.strictSame(
    Object.keys(alertCases),
    rules.map(({ alert }) => alert),
  );
  const times = [1, 11, 30, 59];
  const quiet = rules.flatMap(({ alert }) => times.map((minutes) => expect(alert, minutes)));
  const cases = rules.flatMap((rule) => (alertCases[rule.alert] ?? []).map((one, at) => made(rule, one, at)));
  const tests = [
    test('a healthy node', seriesOf('node-1', {}), quiet),
    testOf(
      'nodes of which each is for one alert',
      cases.filter(({ apart }) => !apart),
    ),
    ...cases
      .filter(({ apart }) => apart)
      .flatMap((one) => [
        testOf(`${one.alert} fires`, [{ ...one, spared: new Map() }]),
        test(`${one.alert} is spared`, one.spared, [expect(one.alert, one.minutes)]),
      ]),
  ];
  const file = join(newDirectory(t), 'tests.yaml');
  writeFileSync(
    file,
    stringify({ rule_files: [rulesFile], evaluation_interval: '1m', tests }, { aliasDuplicateObjects: false }),
  );
  const { status, stdout, stderr } = spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
  t.equal(status, 0, stdout + stderr);
});

t.test('every alert says what it is about, and what to do is on the page that it names', async (t) => {
  const page = readFileSync(join(root, 'docs', 'alerts.md'), 'utf8');
  const headings = [...page.matchAll(/^#### (\w+)$/gm)].map(([, name]) => name);
  t.strictSame(
    headings,
    rules.map(({ alert }) => alert),
    'in the order of the rules',
  );
  for (const { alert, labels, annotations } of rules) {
    t.match(labels.severity, /^(?:page|ticket)$/, alert);
    t.strictSame(Object.keys(annotations), ['summary', 'description', 'runbook'], alert);
    t.equal(annotations.runbook, `docs/alerts.md#${alert.toLowerCase()}`);
  }
});
