/** The files for the CloudWatch agent name metrics, labels and reasons that Holdfast has. The agent itself is not run. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse } from 'yaml';
import { closeReasons } from '../../../dist/channels/close-reasons.js';
import { root } from '../../kit/child.js';
import { prometheusProgram } from './prometheus.js';

const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');
const scraping = join('deploy', 'observe', 'cloudwatch-prometheus.yaml');

interface Declaration {
  readonly source_labels: readonly string[];
  readonly label_matcher: string;
  readonly dimensions: readonly (readonly string[])[];
  readonly metric_selectors: readonly string[];
}
const agent = JSON.parse(text('deploy', 'observe', 'cloudwatch-agent.json'));
const { emf_processor: emf } = agent.logs.metrics_collected.prometheus;
const declarations = emf.metric_declaration as readonly Declaration[];
const selected = declarations.flatMap(({ metric_selectors }) => metric_selectors.map((one) => one.slice(1, -1)));

t.test('every metric is one of Holdfast, with these labels, and no histogram: the agent drops those', async (t) => {
  const rows = [...text('docs', 'metrics.md').matchAll(/^\| `(holdfast_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|/gm)];
  const documented = new Map(
    rows.map(([, name = '', labels = '', type]) => [name, { labels: labels.split(','), type }]),
  );
  for (const { source_labels, dimensions, metric_selectors } of declarations)
    for (const selector of metric_selectors) {
      const metric = documented.get(selector.slice(1, -1));
      t.ok(metric, selector);
      t.not(metric?.type, 'histogram', selector);
      for (const label of [...source_labels, ...dimensions.flat()])
        t.ok(['job', 'instance', ...(metric?.labels ?? [])].includes(label), `${selector}: ${label}`);
    }
  t.strictSame(Object.keys(emf.metric_unit), selected);
});

t.test('what is selected is what is scraped, of the job that is scraped', async (t) => {
  const check = spawnSync(prometheusProgram('promtool'), ['check', 'config', join(root, scraping)], {
    encoding: 'utf8',
  });
  t.equal(check.status, 0, check.stdout + check.stderr);
  const [job] = parse(text(scraping)).scrape_configs;
  t.strictSame(job.metric_relabel_configs[0].regex.split('|'), selected);
  for (const { source_labels, label_matcher } of declarations) {
    t.equal(source_labels[0], 'job');
    t.ok(new RegExp(label_matcher).test([job.job_name, 'slow-client'].slice(0, source_labels.length).join(';')));
    const [, reasons = ''] = /;\((.*)\)/.exec(label_matcher) ?? [];
    for (const reason of reasons.split('|').filter(Boolean)) t.ok(reason in closeReasons, reason);
  }
});
