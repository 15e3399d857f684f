/** What operators are told to watch exists: the metrics of deploy/prometheus-rules.yaml, of the Grafana board and of the pages on both. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { routeProps, targetProps } from '../../../dist/routes/property-table.js';
import { fastPaths } from '../../../dist/runtime/node-internals/fast-paths.js';
import { root } from '../../kit/child.js';
import { startHoldfast } from '../../kit/holdfast.js';
import { deadPort } from '../../kit/ports.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly summary: string };
}

const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const { groups } = parse(text('deploy', 'prometheus-rules.yaml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

/** The pages on what to watch. */
const pages = ['operations.md', 'alerts.md'];

/** Names of metrics in a text; what a histogram adds to its name is left out. */
const namesIn = (what: string) =>
  [...what.matchAll(/\bholdfast_[a-z0-9_]+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));

t.test('every metric that is watched is exposed', async (t) => {
  // Workers, and a component with its server away, have series only where they are.
  const component = { xmpp_component: `push.localhost@127.0.0.1:${await deadPort()}`, xmpp_secret: 'of-the-test' };
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings: { workers: 2, ...component } });
  const exposed = new Set([...(await holdfast.metrics()).matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
  for (const { alert, expr } of rules) for (const name of namesIn(expr)) t.ok(exposed.has(name), `${alert}: ${name}`);
  const board = namesIn(text('deploy', 'grafana', 'holdfast.json'));
  t.ok(board.length > 20);
  for (const name of new Set(board)) t.ok(exposed.has(name), `deploy/grafana/holdfast.json: ${name}`);
  for (const page of pages) {
    const names = namesIn(text('docs', page));
    t.ok(names.length > 2);
    for (const name of new Set(names)) t.ok(exposed.has(name), `docs/${page}: ${name}`);
  }
});

t.test('labels have the values that are watched', async (t) => {
  const errors = text('docs', 'errors.md');
  for (const { alert, expr } of rules)
    for (const [, code] of expr.matchAll(/code!?="(\w+)"/g)) t.ok(errors.includes(`\`${code}\``), `${alert}: ${code}`);
  t.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
});

t.test('every option and fast path that these pages name is one', async (t) => {
  const keys = (page: string, row: RegExp) => [...text('docs', page).matchAll(row)].map(([, key]) => key);
  const options = new Set<string | undefined>([
    ...keys('config.md', /^\| `(\w+)` \|/gm),
    ...routeProps,
    ...targetProps,
    ...fastPaths,
  ]);
  const named = [
    ...pages
      .map((page) => text('docs', page))
      .join('')
      .matchAll(/`([a-z]+(?:_[a-z0-9]+)+)`/g),
  ];
  const watched = new Set(named.flatMap(([, key]) => (key === undefined || key.startsWith('holdfast_') ? [] : [key])));
  t.ok(watched.size > 10);
  for (const key of watched) t.ok(options.has(key), key);
});
