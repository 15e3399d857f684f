/** What docs/metrics.md has is what nodes expose, and no less; with workers, series are put together as it says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../../kit/child.js';
import { startHoldfast } from '../../kit/holdfast.js';

const page = readFileSync(join(root, 'docs', 'metrics.md'), 'utf8');
const documented = new Map(
  [...page.matchAll(/^\| `(holdfast_\w+)(?:\{([\w,]+)\})?` \|/gm)].map(([, name, labels]) => [name, labels ?? '']),
);

/** The samples of one metric: their labels and values. */
const samples = (text: string, name: string) =>
  [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))].map(([, labels = '', value]) => ({
    labels,
    value: Number(value),
  }));

t.test('every metric is documented, and every documented one exposed', async (t) => {
  // Certificates are there only with TLS listeners.
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings: { workers: 2 } });
  const text = await holdfast.metrics();
  const exposed = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? '');
  const own = exposed.filter((name) => !/^holdfast_(process|nodejs)_/.test(name));
  t.ok(own.length > 40);
  for (const name of own) t.ok(documented.has(name), `${name} is documented`);
  for (const name of documented.keys())
    if (name !== 'holdfast_tls_certificate_not_after_seconds') t.ok(own.includes(name ?? ''), `${name} is exposed`);
});

for (const edge of ['node', 'uws'] as const) {
  for (const workers of [1, 2]) {
    t.test(`series have the sums of what happened: edge ${edge}, workers ${workers}`, async (t) => {
      const holdfast = await startHoldfast(t, { routes: ['*,id=a test'], settings: { workers, edge } });
      for (let i = 0; i < 3; i++) {
        const answer = await fetch(`${holdfast.url('clients')}/`, {
          method: 'POST',
          body: 'four',
          headers: { connection: 'close' },
        });
        t.equal(answer.status, 200);
        await answer.text();
      }
      const text = await holdfast.metrics();
      const one = (name: string) => samples(text, `holdfast_${name}`);
      const build = one('build_info');
      t.equal(build.length, 1);
      t.equal(build[0]?.value, 1);
      t.match(build[0]?.labels, `edge="${edge}"`);
      t.match(build[0]?.labels, `node="${process.versions.node}"`);
      t.same(one('config_reload_success'), [{ labels: '', value: 1 }]);
      t.ok(Math.abs((one('config_reload_timestamp_seconds')[0]?.value ?? 0) - Date.now() / 1_000) < 600);
      t.same(one('bytes_received_total'), [{ labels: '', value: 12 }]);
      t.ok((one('bytes_sent_total').find(({ labels }) => labels === 'kind="relay"')?.value ?? 0) > 0);
      t.ok((one('connections_opened_total')[0]?.value ?? 0) >= 3);
      t.ok((one('connected_seconds_total')[0]?.value ?? 0) > 0);
      t.same(one('queue_bytes_max'), [{ labels: '', value: 0 }]);
      t.same(
        one('origin_request_seconds_count').find(({ labels }) => labels === 'route="a"')?.value,
        3,
        'requests of a route with an id',
      );
      const last = one('origin_request_seconds_bucket').find(({ labels }) => /le="\+Inf".*route="a"/.test(labels));
      t.equal(last?.value, 3, 'the last bucket has all');
    });
  }
}
