/** What a configuration leaves open to others, one warning of each kind. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { exposuresOf } from '../../../dist/config/checks/exposure.js';
import { readRoutes } from '../../../dist/routes/routes-source.js';
import { load, type Setup, yaml } from '../fixture.js';

const none = { signing: [], tls: [] };
const QUIET = 'sig_key: secret\n';

function warningsOf(t: Parameters<typeof load>[0], setup: Setup, before: (dir: string) => void = () => {}) {
  const { config, dir } = load(t, setup);
  before(dir);
  const { keyFiles } = readRoutes(config);
  return exposuresOf(config, keyFiles).map(({ message, fields }) =>
    `${message} ${JSON.stringify(fields)}`.replaceAll(dir, '.'),
  );
}

t.test('a configuration of its own key on loopback is quiet', async (t) => {
  t.strictSame(warningsOf(t, yaml(QUIET)), []);
  t.strictSame(warningsOf(t, yaml('sig_key: ""\n')), [], 'no signing at all');
});

t.test('the default of sig_key, given or not', async (t) => {
  for (const setup of [yaml('sig_iss: a\n'), yaml('sig_key: changeme\n'), yaml('sig_key: base64:Y2hhbmdlbWU=\n')])
    t.match(warningsOf(t, setup), [/^sig_key is changeme, .* \{"option":"sig_key"\}$/]);
});

t.test('a public control port, allowed or not listening', async (t) => {
  const open = `${QUIET}push_in_http_addr: 0.0.0.0\npush_in_http_allow_public: true\n`;
  t.match(warningsOf(t, yaml(open)), [/^the control API is on a public address.*"host":"0\.0\.0\.0","port":5561/]);
  t.strictSame(warningsOf(t, yaml(`${open}push_in_http_port: -1\n`)), []);
  const secure = `${open}push_in_http_port: -1\npush_in_https_port: 5562\n`;
  t.match(warningsOf(t, yaml(secure)), [/"port":5562/], 'TLS alone asks nobody who he is');
  t.strictSame(warningsOf(t, yaml(`${secure}push_in_client_ca: ca.pem\n`)), []);
  t.strictSame(warningsOf(t, yaml(`${open}control_key: a-key-of-the-test-0123\n`)), [], 'with keys');
  for (const host of ['127.0.0.1', '127.0.0.9', '"[::1]"', 'localhost'])
    t.strictSame(warningsOf(t, yaml(`${QUIET}push_in_http_addr: ${host}\n`)), [], host);
});

t.test('the live page on a public address, without keys', async (t) => {
  const open = `${QUIET}admin_ui: true\nadmin_port: 0.0.0.0:5580\npush_in_http_allow_public: true\n`;
  t.match(warningsOf(t, yaml(open)), [/^the live page is on a public address.*"host":"0\.0\.0\.0"/]);
  t.strictSame(warningsOf(t, yaml(`${open}control_key: a-key-of-the-test-0123\n`)), []);
  t.strictSame(warningsOf(t, yaml(`${QUIET}admin_ui: true\nadmin_port: 127.0.0.1:5580\n`)), []);
});

t.test('ZeroMQ sockets that are bound to public addresses, in one warning', async (t) => {
  const specs =
    'push_in_spec: tcp://*:5560\npush_in_sub_specs: tcp://0.0.0.0:5562\ncommand_spec: tcp://[::]:5563\nstats_spec: tcp://eth0:5564\n';
  const [warning, ...others] = warningsOf(t, yaml(QUIET + specs));
  t.strictSame(others, []);
  for (const key of ['push_in_spec', 'push_in_sub_specs', 'command_spec', 'stats_spec']) t.match(warning, key);
  const own = 'push_in_spec: tcp://127.0.0.1:5560\ncommand_spec: ipc:///run/x\nstats_spec: tcp://[::1]:1\n';
  t.strictSame(warningsOf(t, yaml(QUIET + own)), []);
  const connects = `${QUIET}push_in_sub_specs: tcp://10.0.0.1:5562\npush_in_sub_connect: true\n`;
  t.match(warningsOf(t, yaml(connects)), [/^a ZeroMQ socket connects to another machine without CURVE.*10\.0\.0\.1/]);
  const key = 'JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6';
  const curve = `zmq_curve_secret_key: '${key}'\nzmq_curve_client_keys: '${key}'\n`;
  t.strictSame(warningsOf(t, yaml(QUIET + specs + curve)), []);
  t.match(
    warningsOf(t, yaml(connects + curve)),
    [/connects to another machine without CURVE/],
    'in its role it has none',
  );
  t.strictSame(warningsOf(t, yaml(`${connects}${curve}zmq_curve_publisher_key: '${key}'\n`)), []);
  const loop = 'push_in_sub_specs: tcp://127.0.0.1:5562\npush_in_sub_connect: true\n';
  t.strictSame(warningsOf(t, yaml(QUIET + loop)), []);
  t.strictSame(warningsOf(t, yaml(`${QUIET}push_in_spec: tcp://lo:5560\n`)), []);
});

t.test('key files of options and routes that others can read or write', async (t) => {
  const files = {
    'c.yaml': 'sig_key: file:a.hex\nupstream_key_file: b\nroutes: ["*,sig_key=file:c.hex h:1"]\n',
    'a.hex': '00',
    b: 'secret',
    'c.hex': '01',
  };
  const setup = { files, argv: ['--config', 'c.yaml'] };
  const mode = (bits: number) => (dir: string) => {
    for (const name of ['a.hex', 'b', 'c.hex']) chmodSync(join(dir, name), bits);
  };
  t.strictSame(warningsOf(t, setup, mode(0o600)), []);
  t.strictSame(warningsOf(t, setup, mode(0o640)), [], 'a group is how a service is let read it');
  for (const bits of [0o644, 0o602]) {
    const [warning, ...others] = warningsOf(t, setup, mode(bits));
    t.match(warning, /^a file with a key or password .*"\.\/b","\.\/a\.hex","\.\/c\.hex"/);
    t.strictSame(others, []);
  }
});

t.test('TLS key files that others can read: those of the directory, of Redis and of targets', async (t) => {
  const config = `${QUIET}https_ports: 443\ntls_certs_dir: certs\nredis_url: redis://h\nredis_tls_cert: r.crt\nredis_tls_key: r.key\n`;
  const setup = { files: { 'c.yaml': config, 'r.crt': '', 'r.key': '' }, argv: ['--config', 'c.yaml'] };
  const put = (bits: number) => (dir: string) => {
    mkdirSync(join(dir, 'certs'));
    for (let i = 0; i < 12; i += 1) writeFileSync(join(dir, 'certs', `h${i}.key`), '');
    for (let i = 0; i < 12; i += 1) chmodSync(join(dir, 'certs', `h${i}.key`), bits);
    writeFileSync(join(dir, 'certs', 'h.crt'), '');
    chmodSync(join(dir, 'r.key'), bits);
  };
  t.strictSame(warningsOf(t, setup, put(0o600)), []);
  const [warning, ...others] = warningsOf(t, setup, put(0o644));
  t.match(warning, /^a TLS key file .*"\.\/r\.key".*"more":3/);
  t.strictSame(others, []);
  const own = load(t, { files: { 'c.yaml': QUIET, 'client.key': '' }, argv: ['--config', 'c.yaml'] });
  const tls = [join(own.dir, 'client.key')];
  chmodSync(join(own.dir, 'client.key'), 0o644);
  t.match(exposuresOf(own.config, { ...none, tls }), [{ fields: { files: tls } }]);
});

t.test('files and directories that are not there are not its business', async (t) => {
  t.strictSame(warningsOf(t, yaml(`${QUIET}https_ports: 443\ntls_certs_dir: none\n`)), []);
});

t.test('files that say who may connect: others may read them, but not write', async (t) => {
  const key = 'JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6';
  const text = `${QUIET}zmq_curve_secret_key_file: secret.key\nzmq_curve_client_keys_file: clients\ntls_client_ca: ca.pem\n`;
  const files = { 'c.yaml': text, 'secret.key': key, clients: '', 'ca.pem': '' };
  const open = (mode: number, secret = 0o600) =>
    warningsOf(t, { files, argv: ['--config', 'c.yaml'] }, (dir) => {
      for (const name of ['clients', 'ca.pem']) chmodSync(join(dir, name), mode);
      chmodSync(join(dir, 'secret.key'), secret);
    });
  t.strictSame(open(0o644), []);
  t.match(open(0o646), [/^a file that says who may connect can be written by other users.*clients.*ca\.pem/]);
  t.match(open(0o644, 0o644), [/^a file with a key or password can be read or written by other users.*secret\.key/]);
});
