import fc from 'fast-check';
import t from 'tap';
import { isPushpinConf, readPushpinConf } from '../../../dist/config/files/pushpin-conf.js';

const surroundings = {
  baseDir: '/etc/x',
  readFile: (path: string): string => {
    throw Object.assign(new Error(path), { code: 'ENOENT' });
  },
  defaults: { libdir: '/lib', rundir: 'run', ipc_prefix: 'pushpin-' },
  verbatim: new Set(['proxy.sig_key']),
};

function read(text: string, readFile = surroundings.readFile) {
  return readPushpinConf(text, '/etc/x/pushpin.conf', { ...surroundings, readFile });
}

function readValue(text: string, name: string): string | undefined {
  return read(text).entries.find((entry) => entry.name === name)?.value;
}

const literal = [
  'a;b#c',
  'base64:AA==',
  'a{b}c',
  'a\\b',
  'true',
  'null',
  "it's",
  '[x]',
  'ä€',
  '"',
  'a "b" c',
  '{libdir}',
];
for (const value of literal)
  t.test(`a value keeps every character of ${value}`, async (t) => {
    t.equal(readValue(`[proxy]\nsig_key=${value}\n`, 'proxy.sig_key'), value);
  });

t.test('property: a key keeps every character of its value but the spaces around it', async (t) => {
  fc.assert(
    fc.property(
      fc.string().filter((value) => !/[\r\n]/.test(value) && !/^".*"$/.test(value.trim())),
      (value) => {
        t.equal(readValue(`[proxy]\nsig_key=${value}\n`, 'proxy.sig_key'), value.trim());
      },
    ),
  );
});

t.test('quotes around a value are taken off, and spaces around names do not count', async (t) => {
  t.equal(readValue('[proxy]\n sig_iss = "a, b" \n', 'proxy.sig_iss'), 'a, b');
});

t.test('comments and blank lines are passed over, and line numbers are those of the file', async (t) => {
  const { entries } = read('# one\r\n; two\r\n\r\n[proxy]\r\ndebug=true\r\n');
  t.strictSame(entries, [{ name: 'proxy.debug', value: 'true', file: '/etc/x/pushpin.conf', line: 5 }]);
});

t.test('of a repeated key the last value counts, also over two sections of one name', async (t) => {
  t.equal(readValue('[proxy]\nsig_iss=a\nsig_iss=b\n', 'proxy.sig_iss'), 'b');
  t.equal(readValue('[proxy]\nsig_iss=a\n[runner]\nx=1\n[proxy]\nsig_iss=b\n', 'proxy.sig_iss'), 'b');
});

t.test('names that are special in JavaScript do no harm', async (t) => {
  t.doesNotThrow(() => read('[__proto__]\nx=1\n[constructor]\ny=1\n[a.b]\n__proto__=2\n'));
  t.equal(({} as Record<string, unknown>).x, undefined);
});

t.test('libdir, rundir and ipc_prefix are put in, other braces stay', async (t) => {
  const text = '[global]\nrundir=/r\n[handler]\ncommand_spec=ipc://{rundir}/{ipc_prefix}{libdir}{other}\n';
  t.equal(readValue(text, 'handler.command_spec'), 'ipc:///r/pushpin-/lib{other}');
});

t.test('an included file gives defaults', async (t) => {
  const conf = read('[global]\ninclude=more.conf\n[proxy]\nsig_iss=mine\n', (path) => {
    t.equal(path, '/etc/x/more.conf');
    return '[proxy]\nsig_iss=theirs\ndebug=true\n';
  });
  const byName = Object.fromEntries(conf.entries.map(({ name, value }) => [name, value]));
  t.match(byName, { 'proxy.sig_iss': 'mine', 'proxy.debug': 'true' });
});

t.test('a missing internal.conf is no problem, another missing include is one', async (t) => {
  t.strictSame(read('[global]\ninclude={libdir}/internal.conf\n').problems, []);
  t.match(read('\n[global]\ninclude=other.conf\n').problems, [
    { line: 3, reason: 'cannot include /etc/x/other.conf: ENOENT' },
  ]);
});

t.test('INI is told from YAML by content', async (t) => {
  for (const ini of ['[global]\n', '# c\n\n; c\n  [proxy]  \nx=1', 'key=value\n', '\uFEFF[a]\n'])
    t.ok(isPushpinConf(ini), JSON.stringify(ini));
  for (const yaml of ['', '# c\n', 'http_port: 7999\n', 'sig_key: a=b\n', '{"http_port": 1}', 'routes:\n  - "* a:1"\n'])
    t.notOk(isPushpinConf(yaml), JSON.stringify(yaml));
});

t.test('property: any text can be read', async () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(read(text).entries)));
});
