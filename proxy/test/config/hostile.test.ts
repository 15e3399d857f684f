/** Configurations that nobody means: each is taken, or refused in lines that say where and why; never with a stack. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../dist/app/load-config.js';
import { CONFIG_FILE_MAX } from '../../dist/config/files/read-file.js';
import { parseOption } from '../../dist/config/parse-option.js';
import { optionByKey, options } from '../../dist/config/table.js';
import { ConfigError, RoutesError } from '../../dist/errors.js';
import { readRoutes } from '../../dist/routes/routes-source.js';
import { failure, yaml } from './fixture.js';

t.setTimeout(540_000);

/** What loading came to: undefined if it was taken, else the lines. Any other error fails the test. */
function tryLoading(cwd: string, input: { argv?: readonly string[]; env?: Readonly<Record<string, string>> }) {
  try {
    const loaded = loadConfig({ argv: [], env: {}, cwd, version: '0', search: [], ...input });
    if (!('config' in loaded)) return undefined;
    readRoutes(loaded.config);
    loaded.print();
    // As it goes to workers.
    structuredClone(loaded.config);
    return undefined;
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof RoutesError)) throw error;
    return error.message;
  }
}

const legible = (lines: string) =>
  !/(?!\n)[\p{Cc}\p{Cs}]/u.test(lines) && lines.split('\n').every((line) => line.length < 1_010);

const values = [
  ...[
    '.nan',
    '.inf',
    '-.inf',
    '-1',
    '0',
    '1e999',
    '1e15',
    '9007199254740993',
    '123456789012345678901234567890',
    '-0',
    '0.5',
  ],
  ...[
    'true',
    'null',
    '""',
    '" "',
    '"\\0"',
    '"\\u001b[31m"',
    '"a\\nb"',
    '[]',
    '[[]]',
    '[1, 2]',
    '[null]',
    '[{a: b}]',
    '{a: b}',
    '{}',
  ],
  ...[
    '!!binary "AAAA"',
    '!!set {a}',
    '!!js/function "x"',
    '2001-01-01',
    '&a [*a]',
    '&a {x: *a}',
    '*nobody',
    '"\\ud800"',
  ],
  ...[
    `"${'x'.repeat(10_000)}"`,
    '0x10',
    '"99999999999999999999s"',
    '"1e3s"',
    '"-5s"',
    '"file:"',
    '"base64:"',
    '"tcp://a:99999"',
  ],
  ...[
    '"[::1]:80"',
    '"../../../x"',
    '"/dev/null"',
    '"/dev/zero"',
    '"５"',
    '__proto__',
    'constructor',
    '"3,proxy:9"',
    '"truncate:-1"',
  ],
];

for (const [index, { key }] of options.entries()) {
  t.test(`${key} with values of all kinds, in a file, in the environment and as a flag`, async (t) => {
    const cwd = t.testdir({ 'c.yaml': '' });
    const illegible: unknown[] = [];
    // Not each with each, which would take minutes.
    for (const value of values.filter((_, i) => (i + index) % 10 === 0)) {
      writeFileSync(join(cwd, 'c.yaml'), `${key}: ${value}\n`);
      const text = value.replace(/^"|"$/g, '');
      const env = { [`HOLDFAST_${key.toUpperCase()}`]: text };
      const flag = `--${key.replaceAll('_', '-')}=${text}`;
      for (const input of [{ argv: ['--config', 'c.yaml'] }, { env }, { argv: [flag] }]) {
        const lines = tryLoading(cwd, input);
        if (lines !== undefined && !legible(lines)) illegible.push([value, input, lines]);
      }
    }
    t.strictSame(illegible, []);
  });
}

const many = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i));
const group = (name: string, of: string, count = 300) =>
  `${name}: &${name} {${many(count, (i) => `${name}${i}: ${of}`).join(', ')}}\n`;

/** Files, and what has to be said of them; undefined where it does not matter. */
const files: Readonly<Record<string, readonly [content: string | Buffer, why: RegExp | undefined]>> = {
  'a bomb of lists': [
    many(
      9,
      (i) =>
        `k${i}: &k${i} [${
          i === 0
            ? 'l'
            : Array(9)
                .fill(`*k${i - 1}`)
                .join(', ')
        }]`,
    ).join('\n'),
    /alias/,
  ],
  'a bomb of groups': [group('a', '1') + group('b', '*a') + group('c', '*b'), /:\d+: more than 2000 keys/],
  'a group in itself': ['a: &a {b: *a}\n', /nested too deeply/],
  'a list in itself': ['debug: &a [*a]\n', /:1: debug: expected true or false/],
  'a key in itself': ['? &a [*a]\n: 1\n', undefined],
  'brackets without end': ['debug: '.concat('['.repeat(20_000)), /:1: nested too deeply: more than 64/],
  'nested lists': [`debug: ${'['.repeat(20_000)}${']'.repeat(20_000)}`, /:1: nested too deeply: more than 64/],
  'nested groups': [`${'{debug: '.repeat(20_000)}`, /:1: nested too deeply: more than 64/],
  'nested dashes': [`${'- '.repeat(20_000)}a`, /:1: nested too deeply: more than 64/],
  'nested keys': [`\n${'? '.repeat(20_000)}a`, /:2: nested too deeply: more than 64/],
  'as many levels as a stack would take': [
    `debug: ${'['.repeat(65)}${']'.repeat(65)}`,
    /:1: nested too deeply: more than 64/,
  ],
  'as many levels as there may be': [`debug: ${'['.repeat(50)}${']'.repeat(50)}`, /:1: debug: expected true or false/],
  'very many keys': [many(20_000, (i) => `key_${i}: x`).join('\n'), /more than 2000 keys/],
  'a key again and again': ['debug: true\n'.repeat(20_000), /:2: debug is given twice/],
  'very many unknown keys of Pushpin': [`[x]\n${many(20_000, (i) => `k${i}=v`).join('\n')}`, undefined],
  'a long line of spaces': [`[x]\na${' '.repeat(500_000)}\n`, undefined],
  'a long key': [`${'x'.repeat(1_000)}: 1\n`, /unknown key/],
  'a key that is too long': [`${'x'.repeat(500_000)}: 1\n`, undefined],
  'a key with an escape code': ['"\\u001b[31mred": 1\n', /\\u001b\[31mred: unknown key/],
  'two documents': ['debug: true\n---\ndebug: false\n', /document/],
  __proto__: ['"__proto__": {debug: true}\n', /unknown key/],
  '__proto__ and others as sections': [
    '[__proto__]\nhttp_port=1\n[constructor]\nprototype=1\n[runner]\n__proto__=1\ntoString=2\n',
    undefined,
  ],
  'random bytes': [Buffer.from(many(5_000, (i) => String((i * 7919) % 256)).map(Number)), undefined],
  zeros: [Buffer.alloc(100_000), undefined],
  'another encoding': [Buffer.from('\ufeffdebug: true\n', 'utf16le'), undefined],
  'a file that includes itself': ['[global]\ninclude=file\n', undefined],
  'a file that includes a directory': ['[global]\ninclude=.\n', /:2: cannot include .*: EISDIR/],
  'a file that includes a device without end': [
    '[global]\ninclude=/dev/zero\n',
    /:2: cannot include \/dev\/zero: .*larger than/,
  ],
  'substitutions of each other': [
    '[global]\nrundir={libdir}{rundir}\nlibdir={rundir}{libdir}\n[runner]\nlogdir={rundir}\n',
    undefined,
  ],
  'a megabyte and more': [`debug: true\n#${'x'.repeat(CONFIG_FILE_MAX)}`, /larger than 1048576 bytes/],
};

for (const [what, [content, why]] of Object.entries(files)) {
  t.test(`a file of ${what}`, async (t) => {
    const cwd = t.testdir({ file: content });
    const lines = tryLoading(cwd, { argv: ['--config', 'file'] });
    t.ok(lines === undefined || legible(lines), String(lines).slice(0, 300));
    if (why !== undefined) t.match(lines, why);
  });
}

const badLines: readonly (readonly [line: string, why: RegExp])[] = [
  ['*,as_host="a b" h:1', /column 3: as_host must be visible ASCII/],
  ['*,as_host=\u00e9 h:1', /column 3: as_host must be visible ASCII/],
  ['* h:1,host="a\u0001b"', /column 3: host must be visible ASCII/],
  ['*,replace_beg="/a b" h:1', /column 3: replace_beg must be visible ASCII/],
  ['*,replace_beg="/a\r\nX: y" h:1', /column 3: replace_beg must be visible ASCII/],
  ['*,sockjs=/s,sockjs_as_path="/\u20ac" h:1', /sockjs_as_path must be visible ASCII/],
  ['*,path_rem=99999999999999 h:1', /path_rem must be a whole number/],
  ['*,sig_key=file:a\u0000b h:1', /sig_key: cannot read key file 'a\\u0000b': ERR_INVALID_ARG_VALUE/],
  ['"\u001b[31m', /unterminated/],
  ['* h:99999', /invalid port/],
  ['* [x]:1', /bad format/],
  [`* ${'h:0 '.repeat(1_000)}`, /invalid port/],
];

t.test('routes lines with odd bytes: each error has its column, in one legible line', async (t) => {
  for (const [line, why] of badLines) {
    const { errors } = readRoutes({ routes: [line], routesDir: '/' });
    t.match(errors, [{ line: 1, message: why }], JSON.stringify(line).slice(0, 80));
    t.ok(errors.every(({ message }) => legible(message)));
  }
});

t.test('durations end where timers do', async (t) => {
  for (const [key, over] of [
    ['origin_timeout', 2_147_484],
    ['history_ttl', 315_360_001],
    ['message_wait', 2_147_483_648],
  ] as const) {
    const option = optionByKey(key);
    if (option === undefined) throw new Error(key);
    t.match(parseOption(option, over), { ok: false, why: /at most|from .* to/ }, key);
    t.match(parseOption(option, over - 1), { ok: true }, key);
    t.match(parseOption(option, '9'.repeat(400)), { ok: false }, key);
    t.match(
      parseOption(option, over, { clamp: true }),
      { ok: true, value: (over - 1) * (option.unit === 's' ? 1000 : 1) },
      'a file for Pushpin goes on working',
    );
  }
});

t.test('a prefix of metrics that is none is refused with its place', async (t) => {
  t.match(
    failure(t, yaml('debug: true\nprometheus_prefix: "a-b "\n')).message,
    /c\.yaml:2: prometheus_prefix: expected the beginning/,
  );
  t.match(failure(t, yaml('cdn_loop: "a\\r\\nb"\n')).message, /c\.yaml:1: cdn_loop: expected a text without control/);
  t.match(failure(t, yaml('tls_certs_dir: "a\\0b"\n')).message, /c\.yaml:1: tls_certs_dir: expected a path/);
});
