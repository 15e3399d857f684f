/** What the live page makes of the text of `/metrics`. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { root } from '../kit/child.js';

interface Reading {
  readonly prefix: string;
  sum(name: string, labels?: Readonly<Record<string, string>>): number;
  by(name: string, label: string): Map<string, number>;
  rate(name: string, before?: Reading): number;
  quantile(name: string, quantile: number, before?: Reading): number;
}

/** The page has no build of its own: its modules are as the browser gets them. */
const { Reading } = (await import(pathToFileURL(join(root, 'proxy', 'ui', 'metrics.js')).href)) as {
  readonly Reading: new (text: string, at: number) => Reading;
};

const INFO = 'holdfast_build_info{version="0.1.0",edge="node",node="20"} 1\n';

function histogram(...counts: readonly number[]): string {
  const limits = ['0.1', '0.2', '0.4', '+Inf'];
  return INFO + limits.map((le, i) => `holdfast_delivery_seconds_bucket{le="${le}"} ${counts[i]}\n`).join('');
}

t.test('names are found whatever the prefix, and labels with what has to be escaped in them', async (t) => {
  const reading = new Reading(
    '# HELP edge_holds x\nedge_build_info{version="1"} 1\nedge_holds{kind="ws",x="a\\"b\\\\c\\n,}"} 3\nedge_holds{kind="stream"} 4 1700000000\n',
    0,
  );
  t.equal(reading.prefix, 'edge_');
  t.equal(reading.sum('holds'), 7);
  t.equal(reading.sum('holds', { kind: 'ws' }), 3);
  t.equal(reading.sum('holds', { kind: 'ws', x: 'a"b\\c\n,}' }), 3);
  t.strictSame(
    [...reading.by('holds', 'kind')],
    [
      ['ws', 3],
      ['stream', 4],
    ],
  );
  t.equal(new Reading('what is no metric at all', 0).sum('holds'), 0);
});

t.test('a rate is that between two readings, and never below 0', async (t) => {
  const at = (value: number, ms: number) => new Reading(`${INFO}holdfast_items_sent_total{kind="ws"} ${value}\n`, ms);
  t.equal(at(300, 4_000).rate('items_sent_total', at(100, 2_000)), 100);
  t.equal(at(3, 4_000).rate('items_sent_total', at(100, 2_000)), 0, 'the node has started anew');
  t.ok(Number.isNaN(at(3, 4_000).rate('items_sent_total')));
});

t.test('a quantile is that of what came in between, within its bucket', async (t) => {
  const before = new Reading(histogram(100, 100, 100, 100), 0);
  const now = new Reading(histogram(150, 190, 200, 200), 1_000);
  t.equal(now.quantile('delivery_seconds', 0.5, before), 0.1);
  t.equal(now.quantile('delivery_seconds', 0.25, before), 0.05);
  t.equal(now.quantile('delivery_seconds', 0.9, before), 0.2);
  t.equal(Math.round(now.quantile('delivery_seconds', 0.95, before) * 1_000), 300);
  t.equal(new Reading(histogram(0, 0, 0, 10), 0).quantile('delivery_seconds', 0.5), 0.4, 'beyond the last bucket');
  t.ok(Number.isNaN(before.quantile('delivery_seconds', 0.5, before)), 'nothing came');
  t.ok(Number.isNaN(new Reading(INFO, 0).quantile('delivery_seconds', 0.5)), 'there is no such histogram');
});
