/** The operator's listener: health and metrics. */
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { ask, open } from '../../kit/clients/http-client.js';
import { responseItem, startHoldfast, streamItem } from '../../kit/holdfast.js';
import { responseHold, startOrigin, streamHold } from '../../kit/origins/origin.js';
import { ScriptedOrigin } from '../../kit/origins/scripted-origin.js';
import { until } from '../../kit/until.js';

t.test('without a port there is no admin listener', async (t) => {
  const config = 'http_port: 127.0.0.1:0\npush_in_http_port: 0\n';
  const { child } = await startHoldfast(t, { config, routes: ['* test'] });
  t.notMatch(child.stdout, /\(admin\)/);
});

t.test('it has several listeners when asked to: Pushpin’s prometheus_port is one of them', async (t) => {
  const settings = { admin_port: '127.0.0.1:0', prometheus_port: '127.0.0.1:0', prometheus_prefix: 'edge_' };
  const { child } = await startHoldfast(t, { routes: ['* test'], settings });
  const urls = [...child.stdout.matchAll(/listening on (\S+) \(admin\)/g)].map(([, url]) => String(url));
  t.equal(urls.length, 2);
  for (const url of urls) t.match(await ask(t, `${url}/metrics`), { status: 200, text: /^edge_connections \d+$/m });
});

t.test('/livez and /readyz say ok once clients are served; other paths and methods are refused', async (t) => {
  const holdfast = await startHoldfast(t, { routes: ['* test'] });
  const admin = holdfast.url('admin');
  for (const path of ['/livez', '/readyz', '/readyz?verbose']) {
    t.match(await ask(t, `${admin}${path}`), { status: 200, text: 'ok\n', headers: { 'content-type': 'text/plain' } });
  }
  t.match(await ask(t, `${admin}/livez`, { method: 'HEAD' }), { status: 200, text: '' });
  t.match(await ask(t, `${admin}/`), { status: 404 });
  t.match(await ask(t, `${admin}/metrics`, { method: 'POST' }), { status: 405, headers: { allow: 'GET' } });
  t.match(
    await ask(t, `${admin}/nothing`, { method: 'POST' }),
    { status: 405 },
    'before it is looked at what is there',
  );
});

t.test('web pages of other sites, and names that were moved here, get nothing', async (t) => {
  const settings = { control_hosts: 'probe.internal' };
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings });
  const admin = holdfast.url('admin');
  const get = (headers: Readonly<Record<string, string>>, path = '/metrics') => ask(t, `${admin}${path}`, { headers });
  for (const path of ['/metrics', '/livez', '/readyz', '/']) {
    const origin = await get({ Origin: 'http://evil.test' }, path);
    t.match(origin, { status: 403, text: /^Forbidden: Origin/ });
    t.notMatch(Object.keys(origin.headers).join(), /access-control/);
    t.match(await get({ 'Sec-Fetch-Site': 'cross-site' }, path), { status: 403 });
    t.match(await get({ Host: 'evil.test:9090' }, path), { status: 403, text: /control_hosts/ });
  }
  for (const headers of [{}, { Host: 'localhost:9090' }, { Host: 'probe.internal' }, { 'Sec-Fetch-Site': 'none' }])
    t.match(await get(headers), { status: 200 });
});

t.test('probes with an address or any name for Host reach a listener that is not on loopback', async (t) => {
  const holdfast = await startHoldfast(t, { routes: ['* test'], settings: { admin_port: '0.0.0.0:0' } });
  const admin = holdfast.url('admin').replace('0.0.0.0', '127.0.0.1');
  for (const Host of ['10.1.2.3:9090', 'holdfast-admin:9090', '[fd00::1]:9090'])
    t.match(await ask(t, `${admin}/livez`, { headers: { Host } }), { status: 200 });
  t.match(await ask(t, `${admin}/livez`, { headers: { Origin: 'null' } }), { status: 403 });
});

t.test('idle connections shut no probe out', async (t) => {
  const holdfast = await startHoldfast(t, { routes: ['* test'] });
  const { port } = new URL(holdfast.url('admin'));
  const idle = await Promise.all(
    Array.from({ length: 300 }, async () => {
      const socket = connect({ host: '127.0.0.1', port: Number(port) })
        .on('error', () => {})
        .resume();
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    }),
  );
  t.match(await ask(t, `${holdfast.url('admin')}/livez`), { status: 200 });
  // Those beyond what is kept, and one for the probe.
  await until(
    'the oldest to go',
    () => idle.filter(({ readableEnded, destroyed }) => readableEnded || destroyed).length > 300 - 256,
  );
});

t.test('/readyz says no while the node goes down, and the port is closed with it', async (t) => {
  const origin = await startOrigin(t, () => {});
  const holdfast = await startHoldfast(t, { routes: [`* ${origin.target}`], settings: { shutdown_requests: 1 } });
  const admin = holdfast.url('admin');
  // A request that is never answered keeps the node for the moment that such are given.
  open(t, `${holdfast.clients}/`).catch(() => {});
  await origin.requests(1);
  holdfast.child.signal('SIGTERM');
  await holdfast.record('of the stop', ({ msg }) => String(msg).includes('stopping'));
  t.match(await ask(t, `${admin}/readyz`), { status: 503, text: 'not accepting clients\n' });
  t.match(await ask(t, `${admin}/livez`), { status: 200 });
  await holdfast.child.exited;
  await t.rejects(ask(t, `${admin}/livez`));
});

t.test('/metrics counts requests, holds, items and refusals, without a label that grows', async (t) => {
  const origin = await ScriptedOrigin.start(t);
  const settings = { client_half_close_grace: 0 };
  const routes = [`127.0.0.1 ${origin.target}`, 'dead 127.0.0.1:1'];
  const holdfast = await startHoldfast(t, { settings, routes });
  const { clients, control } = holdfast;
  await ask(t, `${clients}${origin.script({ status: 204 })}`);
  await ask(t, `${clients}/none`);
  await ask(t, `${clients}/`, { headers: { Host: 'dead' } });
  const stream = await open(t, `${clients}${origin.script({ headers: streamHold('secret-channel') })}`);
  const polling = ask(t, `${clients}${origin.script({ headers: responseHold('secret-channel') })}`);
  await holdfast.holds('response', 1);
  const expected = (values: Readonly<Record<string, number>>) =>
    Promise.all(
      Object.entries(values).map(async ([name, value]) =>
        t.equal(await holdfast.metric(`holdfast_${name}`), value, name),
      ),
    );
  await expected({ 'holds{kind="stream"}': 1, 'holds{kind="response"}': 1, channels: 1 });

  await holdfast.publish(streamItem('secret-channel', 'x'), responseItem('secret-channel', 'x'));
  await polling;
  await fetch(`${control}/publish/`, { method: 'POST', body: '{}' });
  await fetch(`${control}/recover/`, { method: 'POST' });
  stream.drop();
  await holdfast.holds('stream', 0);
  await expected({
    'requests_total{status="2xx"}': 3,
    'requests_total{status="4xx"}': 1,
    'requests_total{status="5xx"}': 1,
    'request_errors_total{code="ERR_ORIGIN_CONNECT"}': 1,
    request_duration_seconds_count: 5,
    'holds_opened_total{kind="stream"}': 1,
    'holds_opened_total{kind="response"}': 1,
    'holds_ended_total{kind="stream",reason="client-gone"}': 1,
    'holds_ended_total{kind="response",reason="answered"}': 1,
    items_published_total: 2,
    items_received_total: 2,
    'items_sent_total{kind="stream"}': 1,
    'items_sent_total{kind="response"}': 1,
    recovers_total: 1,
    channels: 0,
  });
  const text = await holdfast.metrics();
  t.match(text, /^holdfast_publish_rejected_total\{code="ERR_[A-Z_]+"\} 1$/m);
  t.match(text, /^holdfast_process_resident_memory_bytes \d+$/m);
  t.notMatch(text, /secret-channel|script-|127\.0\.0\.1/, 'no channel, path or client in a label');
});
