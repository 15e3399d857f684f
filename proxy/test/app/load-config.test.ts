import { join } from 'node:path';
import t from 'tap';
import { type LoadedConfig, loadConfig } from '../../dist/app/load-config.js';
import { proxyErrors } from '../../dist/error-table.js';
import { conf, failure, load, shipped, yaml } from '../config/fixture.js';

t.test('without file, flags and environment the defaults apply and the test handler answers', async (t) => {
  const { config, warnings, source } = load(t, {});
  t.equal(source, undefined);
  t.match(config, {
    workers: 1,
    edge: 'node',
    httpPort: [{ host: '0.0.0.0', port: 7999 }],
    clientBufferSize: 16_384,
    clientHalfCloseGrace: 2000,
    pushInHttpAddr: '127.0.0.1',
    pushInHttpPort: 5561,
    routes: ['* test'],
    clientQueueSize: 1_048_576,
    slowClientPolicy: 'close',
    connectionSubscriptionMax: 20,
    adminPort: undefined,
  });
  t.match(warnings, ['no routes configured: every request goes to the built-in test handler']);
});

t.test('a route flag is all that is needed', async (t) => {
  const { config, warnings, dir } = load(t, { argv: ['--route', '* a:1'] });
  t.match(config, { routes: ['* a:1'], routesDir: dir, prefixSeparator: '' });
  t.strictSame(warnings, []);
});

t.test('the configuration is deeply frozen', async (t) => {
  const { config } = load(t, {});
  t.throws(() => Object.assign(config.httpPort[0] as object, { port: 1 }), TypeError);
  t.throws(() => Object.assign(config.logLevel, { level: 'debug' }), TypeError);
});

t.test('a flag wins over the environment, the environment over the file, the file over the default', async (t) => {
  const file = { files: { 'c.yaml': 'sig_iss: file\nroutes: ["* a:1"]\n' } };
  const argv = ['--config', 'c.yaml'];
  const env = { HOLDFAST_SIG_ISS: 'environment' };
  t.equal(load(t, {}).config.sigIss, 'pushpin');
  t.equal(load(t, { ...file, argv }).config.sigIss, 'file');
  t.equal(load(t, { ...file, argv, env }).config.sigIss, 'environment');
  t.equal(load(t, { ...file, argv: [...argv, '--sig-iss=flag'], env }).config.sigIss, 'flag');
});

t.test('an empty environment variable counts as not set, HOLDFAST_CONFIG names the file', async (t) => {
  const { config } = load(t, {
    files: { 'c.yaml': 'sig_iss: file\n' },
    env: { HOLDFAST_CONFIG: 'c.yaml', HOLDFAST_SIG_ISS: '' },
  });
  t.equal(config.sigIss, 'file');
});

t.test('the environment: unknown variables are warnings, those of Kubernetes services are nothing', async (t) => {
  const { warnings, config } = load(t, {
    env: {
      HOLDFAST_HTTP_PROT: '1',
      HOLDFAST_ROUTES: '* a:1\nb.test c:1,over_http',
      HOLDFAST_SERVICE_HOST: '10.0.0.1',
      HOLDFAST_PORT: 'tcp://10.0.0.1:7999',
      HOLDFAST_PORT_7999_TCP_ADDR: '10.0.0.1',
      HOLDFAST_ADMIN_PORT: 'tcp://10.0.0.1:9090',
      OTHER: 'x',
    },
  });
  t.strictSame(warnings, ['HOLDFAST_HTTP_PROT: unknown variable, ignored; did you mean HOLDFAST_HTTP_PORT?']);
  t.strictSame([config.adminPort, config.prometheusPort], [undefined, undefined]);
  t.strictSame(config.routes, ['* a:1', 'b.test c:1,over_http']);
});

t.test('the first file of the search that exists is used', async (t) => {
  const search = ['./a.yaml', './b.conf', './c.yaml'];
  const files = { 'b.conf': '[proxy]\nsig_iss=b\n', 'c.yaml': 'sig_iss: c\n' };
  const { config, source, dir } = load(t, { search, files });
  t.equal(config.sigIss, 'b');
  t.strictSame(source, { file: join(dir, 'b.conf'), format: 'pushpin' });
});

t.test('a named file that does not exist is an error', async (t) => {
  const error = failure(t, { argv: ['--config', 'none.yaml'] });
  t.equal(error.code, 'ERR_CONFIG_FILE');
  t.match(error.message, /^cannot read .*none\.yaml: ENOENT$/);
});

t.test('the format is told by content, not by name', async (t) => {
  const setup = { files: { 'pushpin.conf': 'sig_iss: y\n' }, argv: ['--config', 'pushpin.conf'] };
  t.equal(load(t, setup).source?.format, 'yaml');
});

t.test('all errors are reported together, with key, file and line', async (t) => {
  const error = failure(t, {
    files: { 'c.yaml': 'htp_port: 1\ndebug: maybe\nclient_maxconn: 0\n' },
    argv: ['--config', 'c.yaml', '--edge', 'fast'],
    env: { HOLDFAST_WORKERS: 'many' },
  });
  const lines = error.message.split('\n').map((line) => line.replace(/^.*\/c\.yaml/, 'c.yaml'));
  t.strictSame(lines, [
    'c.yaml:1: htp_port: unknown key; did you mean http_port?',
    '--edge: expected node or uws, got "fast"',
    'c.yaml:3: client_maxconn: expected a whole number, at least 1, got 0',
    'c.yaml:2: debug: expected true or false, got "maybe"',
    'HOLDFAST_WORKERS: expected a whole number or \'auto\' from 1 to 1024, got "many"',
  ]);
  t.match(error.problems[2], { code: 'ERR_CONFIG_VALUE', key: 'client_maxconn', line: 3 });
  t.equal(error.side, 'internal');
  t.ok(error.problems.every(({ code }) => code.startsWith('ERR_CONFIG_') && code in proxyErrors));
});

t.test('broken YAML is an error with its line', async (t) => {
  const error = failure(t, yaml('debug: true\ndebug: true\n'));
  t.equal(error.code, 'ERR_CONFIG_SYNTAX');
  t.match(error.message, /c\.yaml:2: \w+ is given twice/);
});

t.test(
  'relative paths: in a file relative to it, in flags to the working directory, run and log always so',
  async (t) => {
    const files = { 'etc/c.yaml': 'routesfile: routes\nrundir: run\nlogfile: x.log\n' };
    const { config, dir } = load(t, { files, argv: ['--config', 'etc/c.yaml', '--tls-certs-dir', 'tls'] });
    const { routes, routesfile, routesDir, prefixSeparator } = config;
    t.strictSame([routes, prefixSeparator], [undefined, '']);
    t.strictSame([routesfile, routesDir], [join(dir, 'etc/routes'), join(dir, 'etc')]);
    t.equal(config.tlsCertsDir, join(dir, 'tls'));
    t.equal(config.rundir, join(dir, 'run'));
    t.equal(config.logOutput.file, join(dir, 'x.log'));
    t.equal(load(t, yaml('sig_iss: x\n')).config.tlsCertsDir.endsWith('/certs'), true);
  },
);

t.test('routes and routesfile exclude each other on one surface; on two the stronger one decides', async (t) => {
  t.equal(failure(t, yaml('routes: ["* a:1"]\nroutesfile: r\n')).code, 'ERR_CONFIG_CONFLICT');
  const setup = yaml('routesfile: r\n');
  t.strictSame(load(t, { ...setup, argv: [...(setup.argv ?? []), '--route', '* b:1'] }).config.routes, ['* b:1']);
  const other = yaml('routes: ["* a:1"]\n');
  const byFile = load(t, { ...other, env: { HOLDFAST_ROUTESFILE: 'r' } });
  t.equal(byFile.config.routesfile, join(byFile.dir, 'r'));
});

t.test('a secret may come from a file', async (t) => {
  const files = { 'etc/c.yaml': 'sig_key_file: key\nsig_iss: a\n', 'etc/key': 'from file\n', other: 'from other' };
  const argv = ['--config', 'etc/c.yaml'];
  const secret = (text: string) => ({ kind: 'secret', secret: Buffer.from(text) });
  t.strictSame(load(t, { files, argv }).config.sigKey, secret('from file'));
  t.strictSame(load(t, { files, argv, env: { HOLDFAST_SIG_KEY_FILE: 'other' } }).config.sigKey, secret('from other'));
  t.strictSame(load(t, { files, argv, env: { HOLDFAST_SIG_KEY: 'direct' } }).config.sigKey, secret('direct'));
  t.equal(
    load(t, { files, argv, env: { HOLDFAST_SIG_KEY: 'direct' } })
      .print()
      .includes('direct'),
    false,
  );
  t.match(failure(t, { env: { HOLDFAST_SIG_KEY_FILE: 'none' } }), { code: 'ERR_CONFIG_FILE' });
  const both = failure(t, { env: { HOLDFAST_SIG_KEY_FILE: 'none', HOLDFAST_SIG_KEY: 'x' } });
  t.equal(both.code, 'ERR_CONFIG_CONFLICT');
});

t.test('keys: base64, none, and a file: path relative to the configuration', async (t) => {
  const { config } = load(t, {
    files: { 'etc/c.yaml': 'sig_key: file:key.hex\nupstream_key: "base64:AAEC"\n', 'etc/key.hex': '0a0b\n' },
    argv: ['--config', 'etc/c.yaml'],
  });
  t.strictSame(config.sigKey, { kind: 'secret', secret: Buffer.from([10, 11]) });
  t.strictSame(config.upstreamKey, { kind: 'secret', secret: Buffer.from([0, 1, 2]) });
  t.equal(load(t, { env: { HOLDFAST_UPSTREAM_KEY: '' } }).config.upstreamKey, undefined);
  t.equal(load(t, { argv: ['--sig-key', ''] }).config.sigKey, undefined);
  t.match(failure(t, { argv: ['--sig-key', 'file:/none'] }).message, /^sig_key: cannot read key file/);
});

t.test('a control listener that others can reach is refused unless it is allowed', async (t) => {
  const error = failure(t, yaml('push_in_http_addr: 0.0.0.0\n'));
  t.equal(error.code, 'ERR_CONFIG_PUBLIC_CONTROL');
  t.match(error.message, /c\.yaml:1: push_in_http_addr: .*push_in_http_allow_public/);
  const allowed = load(t, yaml('push_in_http_addr: 0.0.0.0\npush_in_http_allow_public: true\n'));
  t.match(allowed.config, { pushInHttpAddr: '0.0.0.0', pushInHttpPort: 5561 });
  t.equal(load(t, yaml('push_in_http_addr: "[::1]"\n')).config.pushInHttpAddr, '::1');
  t.equal(load(t, yaml('push_in_http_addr: 0.0.0.0\npush_in_http_port: -1\n')).config.pushInHttpPort, -1);
});

t.test(
  'with TLS alone a control listener is as open as without; with certificates of publishers it is not',
  async (t) => {
    const secure = 'push_in_http_addr: 0.0.0.0\npush_in_http_port: -1\npush_in_https_port: 5562\n';
    t.equal(failure(t, yaml(secure)).code, 'ERR_CONFIG_PUBLIC_CONTROL');
    t.match(load(t, yaml(`${secure}push_in_client_ca: ca.pem\n`)).config, {
      pushInHttpsPort: 5562,
      pushInClientCa: /ca\.pem$/,
    });
    const plainToo = 'push_in_http_addr: 0.0.0.0\npush_in_https_port: 5562\npush_in_client_ca: ca.pem\n';
    t.equal(failure(t, yaml(plainToo)).code, 'ERR_CONFIG_PUBLIC_CONTROL', 'the plain port beside it asks nobody');
    t.match(failure(t, yaml('push_in_client_ca: ca.pem\n')), {
      code: 'ERR_CONFIG_CONFLICT',
      message: /set push_in_https_port/,
    });
    t.match(failure(t, yaml('push_in_https_port: 5561\n')), { message: /want the same port/ });
  },
);

t.test('with keys others may reach it', async (t) => {
  for (const keys of ['control_key: a-key-of-the-test-0123\n', 'control_keys_file: keys.yaml\n'])
    t.equal(load(t, yaml(`push_in_http_addr: 0.0.0.0\n${keys}`)).config.pushInHttpAddr, '0.0.0.0');
  t.match(failure(t, yaml('push_in_http_addr: 0.0.0.0\n')).message, /set keys \(control_keys_file or control_key\)/);
});

t.test('admin_auth needs keys, and an empty key is none', async (t) => {
  t.match(failure(t, yaml('admin_auth: true\n')), {
    code: 'ERR_CONFIG_CONFLICT',
    message: /there are no keys to ask for/,
  });
  t.equal(load(t, yaml('admin_auth: true\ncontrol_key: a-key-of-the-test-0123\n')).config.adminAuth, true);
  t.match(failure(t, yaml('control_key: ""\n')), { code: 'ERR_CONFIG_KEY', message: /control_key: it is empty/ });
  t.match(failure(t, { argv: ['--control-key', ''] }), { code: 'ERR_CONFIG_KEY' });
});

t.test('what operators are shown has no lines of routes, in which keys may be', async (t) => {
  const loaded = load(t, yaml('routes: "*,sig_key=of-the-route test"\n'));
  t.match(loaded.show(), /^# routes: <redacted>$/m);
  t.notMatch(loaded.show(), 'of-the-route');
});

t.test('a key of the control API is not printed', async (t) => {
  const { print } = load(t, yaml('control_key: a-key-of-the-test-0123\n'));
  t.match(print(), /^# control_key: <redacted>$/m);
  t.notMatch(print(), 'the-test-0123');
});

t.test('port_offset and --id move ports up, but not 0 and not those given as flags', async (t) => {
  const text =
    'http_port: [7999, "127.0.0.1:0"]\nadmin_port: 9090\nprometheus_port: 9100\npush_in_spec: tcp://*:5560\n';
  const { config } = load(t, { ...yaml(text), argv: ['--config', 'c.yaml', '--id', '2'] });
  t.strictSame(
    config.httpPort.map(({ port }) => port),
    [8019, 0],
  );
  t.equal(config.pushInHttpPort, 5581);
  t.strictSame(
    [config.adminPort, config.prometheusPort].map((listens) => listens?.map(({ port }) => port)),
    [[9110], [9100]],
  );
  t.equal(config.pushInSpec, 'tcp://*:5580');
  const flags = load(t, { argv: ['--port', '80', '--id', '1'] });
  t.strictSame(flags.config.httpPort, [{ host: '0.0.0.0', port: 80 }]);
  t.equal(load(t, { argv: ['--control-port=-1', '--port-offset=10'] }).config.pushInHttpPort, -1);
  t.match(failure(t, { argv: ['--port-offset', '60000'] }), { code: 'ERR_CONFIG_CONFLICT', message: /beyond 65535/ });
});

t.test('without any client listener there is nothing to do', async (t) => {
  t.equal(failure(t, yaml('http_port: []\n')).code, 'ERR_CONFIG_CONFLICT');
  t.strictSame(load(t, yaml('http_port: []\nlocal_ports: /run/a\n')).config.localPorts, [{ path: '/run/a' }]);
});

t.test('the statistics feed: Pushpin’s times, in ms', async (t) => {
  const text = 'stats_format: json\nstats_connection_send: false\nstats_report_interval: 5\nstats_connection_ttl: 2m\n';
  t.match(load(t, yaml(text)).config, {
    statsFormat: 'json',
    statsConnectionSend: false,
    statsConnectionTtl: 120_000,
    statsConnectionsMaxTtl: 60_000,
    statsSubscriptionTtl: 60_000,
    statsReportInterval: 5_000,
  });
});

t.test('the mode of ipc sockets is octal, and a text', async (t) => {
  t.equal(load(t, yaml("ipc_file_mode: '660'\n")).config.ipcFileMode, 0o660);
  t.equal(load(t, conf('[handler]\nipc_file_mode=0777\n')).config.ipcFileMode, 0o777);
  t.equal(load(t, {}).config.ipcFileMode, undefined);
  for (const bad of ['660', "'888'", "'77'", 'rw'])
    t.throws(() => load(t, yaml(`ipc_file_mode: ${bad}\n`)), /an octal file mode/);
});

t.test('the log: text on a terminal and with a pushpin.conf, in a file when there is a place for it', async (t) => {
  const cwd = t.testdir();
  const terminal = loadConfig({ argv: [], env: {}, cwd, version: '0', search: [], isTerminal: true });
  t.equal('config' in terminal && terminal.config.logOutput.format, 'text');
  t.equal(load(t, {}).config.logOutput.format, 'json');
  const { config, dir } = load(t, conf('[runner]\nlogdir=log\nlog_level=2,proxy:3\n'));
  t.match(config, {
    logOutput: { format: 'text', file: join(dir, 'log/holdfast.log') },
    logLevel: { level: 'info', parts: { proxy: 'debug' } },
  });
  const merged = conf('[runner]\nlogdir=log\n');
  t.equal(load(t, { ...merged, argv: [...(merged.argv ?? []), '-m'] }).config.logOutput.file, undefined);
});

for (const [what, setup] of [
  ['the defaults', {}],
  ['a shipped pushpin.conf', conf(shipped)],
  ['a public one', conf('[handler]\npush_in_http_addr=0.0.0.0\npush_in_http_port=1\n')],
  [
    'flags and an offset',
    { argv: ['--id', '3', '--port', '80', '--route', '*,header="A: b" a:1', '-m', '--loglevel=1,proxy:3'] },
  ],
  [
    'many options',
    yaml('local_ports: /a?mode=600\nx_forwarded_for: truncate:2\nworkers: auto\nadmin_port: "[::1]:1"\n'),
  ],
] as const)
  t.test(`print-config of ${what} loads again as the same configuration`, async (t) => {
    const first = load(t, setup);
    const second = load(t, { files: { 'again/p.yaml': first.print() }, argv: ['--config', 'again/p.yaml'] });
    const comparable = ({ config }: LoadedConfig) => ({ ...config, routesDir: '' });
    t.strictSame(comparable(second), comparable(first));
  });

t.test('an option that the uws edge ignores is a warning where it is set, and nothing where it is not', async (t) => {
  const file = yaml('routes: ["* a:1"]\nedge: uws\nclient_maxconn: 5\nclient_header_timeout: 60\n');
  const env = { HOLDFAST_CLIENT_KEEP_ALIVE_TIMEOUT: '30' };
  const argv = [...(file.argv ?? []), '--client-half-close-grace=1'];
  const lines = ({ warnings }: LoadedConfig) => warnings.map((line) => line.replace(/^.*\/c\.yaml/, 'c.yaml')).sort();
  t.strictSame(lines(load(t, { ...file, argv, env })), [
    '--client-half-close-grace: ignored with edge: uws, where a client that ends its sending side counts as gone at once',
    'HOLDFAST_CLIENT_KEEP_ALIVE_TIMEOUT: ignored with edge: uws, where the next request has to come within 8 to 12 s',
    'c.yaml:4: client_header_timeout: ignored with edge: uws, where a head has to be complete within 8 to 12 s',
  ]);
  t.strictSame(lines(load(t, { ...file, argv: [...argv, '--edge', 'node'], env })), [], 'the edge that wins decides');
  t.strictSame(lines(load(t, { argv: ['--route', '* a:1', '--edge', 'uws'] })), []);
  const old = conf('[proxy]\nroutesfile=r\n[holdfast]\nedge=uws\nclient_header_timeout=5\n');
  t.match(load(t, old).warnings.join('\n'), /p\.conf:5: holdfast\.client_header_timeout: ignored with edge: uws, /);
});

t.test('print-config shows what the edge ignores as comments, which give no warnings', async (t) => {
  const first = load(t, { argv: ['--route', '* a:1', '--edge', 'uws', '--client-header-timeout', '5'] });
  t.match(first.print(), /^# no effect with edge: uws: client_header_timeout: 5$/m);
  const again = load(t, { files: { 'p.yaml': first.print() }, argv: ['--config', 'p.yaml'] });
  t.strictSame(again.warnings, []);
  t.equal(again.config.edge, 'uws');
  t.match(load(t, {}).print(), /^client_header_timeout: 60$/m, 'the other edge does not');
});

t.test('print-config never shows a secret', async (t) => {
  const { print } = load(t, { env: { HOLDFAST_SIG_KEY: 'hush-hush', HOLDFAST_UPSTREAM_KEY: 'hush-hush' } });
  t.notMatch(print(), /hush/);
  t.match(print(), /^# sig_key: <redacted>$/m);
});

t.test('help and version come back as text', async (t) => {
  t.match(loadConfig({ argv: ['--version'], env: {}, cwd: '/', version: '1.2.3' }), {
    command: 'version',
    text: /1\.2\.3/,
  });
});

t.test('Redis: a URL that is never printed, a prefix without braces, certificate and key together', async (t) => {
  t.equal(load(t, {}).config.redisUrl, undefined);
  const url = 'redis://:hidden@127.0.0.1:6379/0';
  const file = yaml(`redis:\n  url: ${url}\n  tls: {ca: ca.pem}\n`);
  t.match(load(t, file).config, { redisUrl: url, redisPrefix: 'holdfast', redisTlsCa: /\/ca\.pem$/ });
  t.equal(load(t, file).config.redisTlsCert, undefined);
  t.equal(load(t, yaml('redis_url: ""\n')).config.redisUrl, undefined);
  t.notMatch(load(t, file).print(), /hidden/);
  t.equal(load(t, { env: { HOLDFAST_REDIS_URL: url } }).config.redisUrl, url);
  t.match(failure(t, yaml('redis_prefix: "a{b}"\n')), { code: 'ERR_CONFIG_VALUE', message: /braces/ });
  t.match(failure(t, yaml('redis_tls_key: k\n')), { code: 'ERR_CONFIG_CONFLICT', message: /together/ });
});

t.test(
  'compress: codings in their order; what this Node.js has not, and what is no media type, is refused',
  async (t) => {
    const { config } = load(t, yaml('compress: [br, gzip]\ncompress_min: 1KiB\ncompress_types: Text/*\n'));
    t.match(config, { compress: ['br', 'gzip'], compressMin: 1_024, compressCookies: false, compressStreams: false });
    t.strictSame([config.compressTypes, load(t, {}).config.compress], [['Text/*'], []]);
    t.match(failure(t, yaml('compress: gzip,deflate\n')), { code: 'ERR_CONFIG_VALUE', message: /gzip, br.*"deflate"/ });
    t.match(failure(t, yaml('compress_types: text\n')), { code: 'ERR_CONFIG_VALUE', message: /media types.*"text"/ });
  },
);

t.test('control_allowed_origins: none, or those of a list; not all', async (t) => {
  t.strictSame(load(t, {}).config.controlAllowedOrigins, []);
  const { config: listed } = load(t, yaml('control_allowed_origins: https://ops.example, https://*.b.example\n'));
  t.strictSame(listed.controlAllowedOrigins, ['https://ops.example', 'https://*.b.example']);
  for (const text of ["'*'", "'https://ops.example, *'"]) {
    const refused = failure(t, yaml(`control_allowed_origins: ${text}\n`));
    t.match(refused, { code: 'ERR_CONFIG_VALUE', message: /every web page .* name the origins/ });
  }
  t.match(failure(t, yaml('control_allowed_origins: ops.example\n')), { message: /"ops.example" is no origin/ });
});

t.test('aco_origins: all sites, or those of a list; what is no origin is refused by name', async (t) => {
  const origins = (file: Parameters<typeof load>[1]) => load(t, file).config.acoOrigins;
  t.strictSame(origins({}), ['*']);
  const list = ['https://a.test', 'https://*.b.test'];
  t.strictSame(origins(yaml(`aco_origins: ${JSON.stringify(list)}\n`)), list);
  t.strictSame(origins(yaml('aco_origins: []\n')), []);
  t.match(failure(t, yaml('aco_origins: a.test\n')), { code: 'ERR_CONFIG_VALUE', message: /"a.test" is no origin/ });
});
