import { join } from 'node:path';
import t from 'tap';
import { exposuresOf } from '../../dist/config/checks/exposure.js';
import { conf, failure, load, shipped } from './fixture.js';

t.test('a pushpin.conf with a public control listener works; that it is public is said at the start', async (t) => {
  const setup = conf('[handler]\npush_in_http_addr=*\npush_in_http_port=5561\n');
  const { config } = load(t, setup);
  t.match(config, { pushInHttpAddr: '0.0.0.0', pushInHttpPort: 5561 });
  const exposures = exposuresOf(config, { signing: [], tls: [] });
  t.match(exposures.at(-1), { message: /^the control API is on a public address/, fields: { host: '0.0.0.0' } });
  t.equal(failure(t, { ...setup, env: { HOLDFAST_PUSH_IN_HTTP_ADDR: '0.0.0.0' } }).code, 'ERR_CONFIG_PUBLIC_CONTROL');
});

t.test('a pushpin.conf: what a missing key means is what Pushpin makes of it', async (t) => {
  const { config, warnings, dir } = load(t, conf('[proxy]\n'));
  t.match(config, {
    clientBufferSize: 8192,
    tlsCertsDir: join(dir, 'etc/runner/certs'),
    pushInHttpPort: -1,
    idCacheTtl: 0,
    messageHwm: Number.POSITIVE_INFINITY,
    messageRate: Number.POSITIVE_INFINITY,
    routesfile: join(dir, 'etc/routes'),
  });
  t.strictSame(warnings, ['push_in_http_port is not set: the control API is disabled']);
});

t.test(
  'a pushpin.conf: unknown and obsolete keys are warnings, wiring is passed over, numbers are moved into range',
  async (t) => {
    const text = [
      '[global]',
      'include={libdir}/internal.conf',
      'libdir=/nowhere',
      '[runner]',
      'services=condure,zurl,pushpin-proxy,pushpin-handler',
      'condure_bin=condure',
      'client_buffer_size=1',
      '[proxy]',
      'rotesfile=routes',
      'updates_check=off',
      'connmgr_in_specs=ipc://{rundir}/x',
      'workers=2',
      '[handler]',
      'push_in_http_port=5561',
      'ipc_file_mode=777',
    ].join('\n');
    const { warnings, config } = load(t, conf(text));
    t.strictSame(
      warnings.map((line) => line.replace(/^.*\/p\.conf/, 'p.conf')),
      [
        'p.conf:6: runner.condure_bin: ignored: Holdfast has no helper programs',
        'p.conf:9: proxy.rotesfile: unknown key, ignored; did you mean proxy.routesfile?',
        'p.conf:10: proxy.updates_check: ignored: Holdfast never reports to anybody',
        'p.conf:7: runner.client_buffer_size: 1 is out of range, using 1024',
      ],
    );
    t.equal(config.clientBufferSize, 1024);
    t.equal(config.workers, 2);
  },
);

t.test('a pushpin.conf: old names, doubled names and a [holdfast] section', async (t) => {
  const text =
    '[handler]\npush_in_sub_spec=tcp://*:5562\nprometheus_port=9101\n[proxy]\nprometheus_port=127.0.0.1:9102\n[holdfast]\nedge=uws\n';
  const { config } = load(t, conf(text));
  t.strictSame(config.pushInSubSpecs, ['tcp://*:5562']);
  t.strictSame(config.prometheusPort, [
    { host: '0.0.0.0', port: 9101 },
    { host: '127.0.0.1', port: 9102 },
  ]);
  t.equal(config.edge, 'uws');
});

t.test('a pushpin.conf: an empty value means what the key missing would mean', async (t) => {
  const { config } = load(
    t,
    conf('[runner]\nhttps_ports=\nlog_level=\n[proxy]\nx_forwarded_for=\ncdn_loop=\nupstream_key=\n'),
  );
  t.match(config, { httpsPorts: [], logLevel: { level: 'info' }, cdnLoop: '', upstreamKey: undefined });
});

t.test('the pushpin.conf that packages install loads without a warning', async (t) => {
  const internal = [
    '[proxy]\ncondure_in_specs=ipc://{rundir}/{ipc_prefix}condure-out\nm2a_in_specs=ipc://a,ipc://b\nzurl_out_stream_specs=ipc://c',
    'handler_inspect_spec=ipc://d\nstats_spec=ipc://e\ncommand_spec=ipc://f\nintreq_in_specs=ipc://g',
    '[handler]\nproxy_accept_spec=ipc://h\nproxy_intreq_out_specs=ipc://i\nproxy_stats_spec=ipc://j\nproxy_ws_control_in_spec=ipc://k',
  ].join('\n');
  const files = { 'etc/p.conf': shipped, 'etc/lib/internal.conf': internal };
  const { config, warnings, dir } = load(t, { files, argv: ['--config', 'etc/p.conf'] });
  t.match(config, {
    rundir: '/var/run/pushpin',
    routesfile: join(dir, 'etc/routes'),
    httpPort: [{ host: '0.0.0.0', port: 7999 }],
    clientBufferSize: 8192,
    clientMaxconn: 50_000,
    setXForwardedProtocol: 'proto-only',
    sigIss: 'pushpin',
    pushInHttpAddr: '127.0.0.1',
    pushInHttpPort: 5561,
    pushInHttpMaxBodySize: 1_000_000,
    statsSpec: 'ipc:///var/run/pushpin/pushpin-stats',
    messageRate: 2500,
    messageHwm: 25_000,
    messageWait: 5000,
    idCacheTtl: 60_000,
    logLevel: { level: 'info' },
    logOutput: { file: '/var/log/pushpin/holdfast.log', format: 'text' },
  });
  t.strictSame(warnings, []);
});

t.test('a pushpin.conf as a test harness writes it: explicit addresses, absolute paths, old services', async (t) => {
  const { config, warnings } = load(
    t,
    conf(
      [
        '[global]\nrundir=/tmp/x/run\nipc_prefix=c-\nport_offset=0\n',
        '[runner]\nservices=condure,zurl,pushpin-proxy,pushpin-handler\nhttp_port=127.0.0.1:18999\nlogdir=/tmp/x/log\nlog_level=2\nclient_buffer_size=4096\nclient_maxconn=1000\n',
        '[proxy]\nroutesfile=/tmp/x/routes\nx_forwarded_for=truncate:1,append\nset_x_forwarded_protocol=false\nsig_key=secret;with#marks\nupdates_check=off\n',
        '[handler]\npush_in_http_addr=127.0.0.1\npush_in_http_port=18561\nmessage_wait=1000\nconnection_subscription_max=3\npush_in_http_max_body_size=2000\nid_cache_ttl=2\n',
      ].join('\n'),
    ),
  );
  t.match(config, {
    httpPort: [{ host: '127.0.0.1', port: 18_999 }],
    clientBufferSize: 4096,
    routesfile: '/tmp/x/routes',
    routesDir: '/tmp/x',
    xForwardedFor: { truncate: 1, append: true },
    setXForwardedProtocol: 'false',
    pushInHttpAddr: '127.0.0.1',
    pushInHttpPort: 18_561,
    pushInHttpMaxBodySize: 2000,
    messageWait: 1000,
    idCacheTtl: 2000,
    connectionSubscriptionMax: 3,
  });
  t.strictSame(config.sigKey, { kind: 'secret', secret: Buffer.from('secret;with#marks') });
  t.equal(warnings.length, 1);
});
