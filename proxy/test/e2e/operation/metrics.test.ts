/** What docs/metrics.md has is what nodes expose, and no less; with workers, series are put together as it says. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { makeCertificate } from '../../kit/certificates.js';
import { root } from '../../kit/child.js';
import { open } from '../../kit/clients/http-client.js';
import { openWs, wsUrl } from '../../kit/clients/ws-client.js';
import { type Holdfast, startHoldfast } from '../../kit/holdfast.js';
import { deadPort } from '../../kit/ports.js';
import { until } from '../../kit/until.js';

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

/** What a node exposes that has workers, and XMPP. */
async function isDocumented(t: Test, holdfast: Holdfast): Promise<void> {
  const text = await holdfast.metrics();
  const exposed = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? '');
  const own = exposed.filter((name) => !/^holdfast_(process|nodejs)_/.test(name));
  t.ok(own.length > 40);
  for (const name of own) t.ok(documented.has(name), `${name} is documented`);
  for (const name of documented.keys()) t.ok(own.includes(name ?? ''), `${name} is exposed`);
}

/** What a few requests add to the series of a node that has just started. */
async function sumsAreRight(t: Test, holdfast: Holdfast, edge: string): Promise<void> {
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
}

/** What items, messages and closes add. */
async function itemsAreMeasured(t: Test, holdfast: Holdfast): Promise<void> {
  const url = holdfast.url('clients');
  const stream = await open(t, `${url}/stream`);
  const client = await openWs(t, wsUrl(url, '/ws'));
  await holdfast.holds('stream', 1);
  await holdfast.holds('ws', 1);
  const before = await holdfast.metric('holdfast_bytes_sent_total{kind="stream"}');
  const formats = { 'http-stream': { content: 'twelve bytes' }, 'ws-message': { content: 'five5' } };
  await holdfast.publish({ channel: 'test', formats });
  await until('the item', async () => (await holdfast.metric('holdfast_items_sent_total{kind="stream"}')) === 1);
  t.equal((await holdfast.metric('holdfast_bytes_sent_total{kind="stream"}')) - before, 12);
  t.ok((await holdfast.metric('holdfast_delivery_seconds_count')) >= 1);
  t.equal(await holdfast.metric('holdfast_publish_seconds_count{result="ok"}'), 1);
  const bad = await fetch(`${holdfast.url('control')}/publish/`, { method: 'POST', body: '{}' });
  t.equal(bad.status, 400);
  t.equal(await holdfast.metric('holdfast_publish_seconds_count{result="refused"}'), 1);
  const received = await holdfast.metric('holdfast_bytes_received_total');
  client.send('hello');
  await until('it', async () => (await holdfast.metric('holdfast_messages_received_total{kind="ws"}')) === 1);
  t.equal((await holdfast.metric('holdfast_bytes_received_total')) - received, 5);
  await client.close(4001, 'enough');
  await until('the close', async () => (await holdfast.metric('holdfast_holds{kind="ws"}')) === 0);
  t.equal(await holdfast.metric('holdfast_closes_sent_total{code="4xxx"}'), 1, 'the answer to its close');
  stream.drop();
}

// Nobody listens there: what is counted of XMPP is there all the same.
const xmpp = { xmpp_component: `push.example@127.0.0.1:${await deadPort()}`, xmpp_secret: 'x' };

// Each edge, and each number of workers: what workers count is put together outside of them.
for (const [edge, workers, more] of [
  ['node', 1, {}],
  ['uws', 2, xmpp],
] as const) {
  t.test(`edge ${edge}, workers ${workers}`, async (t) => {
    const holdfast = await startHoldfast(t, { routes: ['*,id=a test'], settings: { workers, edge, ...more } });
    if (more === xmpp)
      await t.test('every metric is documented, and every documented one exposed', (t) => isDocumented(t, holdfast));
    await t.test('series have the sums of what happened', (t) => sumsAreRight(t, holdfast, edge));
    await t.test('items, messages, closes and publishes are measured', (t) => itemsAreMeasured(t, holdfast));
  });
}

t.test('routes that cannot be loaded, and how long certificates are valid', async (t) => {
  const directory = t.testdir({ routes: '* test\n', certs: {} });
  const certs = join(directory, 'certs');
  const made = makeCertificate({ directory: certs, base: 'default_0' });
  const holdfast = await startHoldfast(t, {
    settings: { routesfile: join(directory, 'routes'), https_ports: '127.0.0.1:0', tls_certs_dir: certs, workers: 2 },
  });
  const notAfter = Date.parse(new X509Certificate(readFileSync(made.certFile)).validTo) / 1_000;
  t.equal(await holdfast.metric('holdfast_tls_certificate_not_after_seconds{name="default_0"}'), notAfter);
  t.equal(await holdfast.metric('holdfast_config_reload_success'), 1);
  const since = await holdfast.metric('holdfast_config_reload_timestamp_seconds');
  const is = (success: number) =>
    until(`success ${success}`, async () => (await holdfast.metric('holdfast_config_reload_success')) === success);
  writeFileSync(join(directory, 'routes'), '* test,channels\n');
  await is(0);
  t.equal(await holdfast.metric('holdfast_config_reload_timestamp_seconds'), since);
  writeFileSync(join(directory, 'routes'), '* test\n# good again\n');
  await is(1);
  t.ok((await holdfast.metric('holdfast_config_reload_timestamp_seconds')) > since);
});
