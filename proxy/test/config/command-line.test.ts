import t from 'tap';
import { type CommandLine, parseCommandLine } from '../../dist/config/command-line.js';
import { flagName } from '../../dist/config/option.js';
import { options } from '../../dist/config/table.js';
import { ConfigError } from '../../dist/errors.js';

function parse(...argv: string[]): CommandLine {
  return parseCommandLine(argv, { cwd: '/work', version: '1.2.3' });
}

function raws(...argv: string[]): Record<string, unknown> {
  const line = parse(...argv);
  return 'flags' in line ? Object.fromEntries([...line.flags].map(([key, { raw }]) => [key, raw])) : {};
}

const cases: readonly (readonly [argv: string[], flags: Record<string, unknown>])[] = [
  [['--port', '127.0.0.1:80'], { http_port: '127.0.0.1:80' }],
  [['--port=80'], { http_port: '80' }],
  [['--http-port=80'], { http_port: '80' }],
  [['--control-port', '-1'], { push_in_http_port: '-1' }],
  [['--edge', 'uws', '--workers=4'], { edge: 'uws', workers: '4' }],
  [['--log-level', '3'], { log_level: '3' }],
  [['--loglevel=3'], { log_level: '3' }],
  [['--verbose'], { log_level: 'debug' }],
  [['--logfile', 'a.log'], { logfile: 'a.log' }],
  [['-m'], { merge_output: 'true' }],
  [['--merge-output'], { merge_output: 'true' }],
  [['--id', '3'], { port_offset: '30', ipc_prefix: '3-' }],
  [['--id=0'], { port_offset: '0', ipc_prefix: '0-' }],
  [['--route', '* a:1', '--route=b.test c:2,x=y'], { routes: ['* a:1', 'b.test c:2,x=y'] }],
  [
    ['--debug', '--auto-cross-origin=false', '--log-from', '0'],
    { debug: 'true', auto_cross_origin: 'false', log_from: '0' },
  ],
  [['--port', '1', '--port', '2'], { http_port: '2' }],
];
for (const [argv, flags] of cases)
  t.test(`reads ${argv.join(' ')}`, async (t) => {
    t.strictSame(raws(...argv), flags);
  });

for (const { key, type } of options)
  t.test(`${key} has its flag, with = and with a space`, async (t) => {
    const flag = `--${key.replaceAll('_', '-')}`;
    const expected = type === 'lines' ? ['1'] : '1';
    t.strictSame(raws(flag, '1')[key], expected);
    t.strictSame(raws(`${flag}=1`)[key], expected);
  });

t.test('a flag is named in the errors about its value', async (t) => {
  const line = parse('--loglevel=x');
  t.match('flags' in line && line.flags.get('log_level')?.where, {
    source: 'flag',
    name: '--loglevel',
    baseDir: '/work',
  });
});

t.test('the file and the command are found wherever they stand', async (t) => {
  t.match(parse(), { command: 'run', config: undefined });
  for (const argv of [
    ['--config', 'f', 'check-config'],
    ['check-config', '--config=f'],
  ])
    t.match(parse(...argv), { command: 'check-config', config: 'f' });
  t.match(parse('--debug', 'print-config'), { command: 'print-config' });
});

t.test('--version is text to print', async (t) => {
  for (const flag of ['-v', '--version']) t.strictSame(parse(flag), { command: 'version', text: 'holdfast 1.2.3\n' });
});

t.test('--help lists every option that is not hidden', async (t) => {
  const help = parse('--help');
  const text = 'text' in help ? help.text : '';
  for (const option of options)
    t.equal(new RegExp(`${flagName(option)}[ ,]`).test(text), option.hidden !== true, option.key);
  for (const word of [
    '--config',
    '--route',
    '--port',
    '--control-port',
    '--verbose',
    '--id',
    '-m,',
    'check-config',
    'print-config',
  ])
    t.ok(text.includes(word), word);
  t.strictSame(parse('-h'), help);
});

for (const [argv, message] of [
  [['--bogus'], "unknown option '--bogus'"],
  [['--prt', '1'], "unknown option '--prt' (Did you mean --port?)"],
  [['serve'], "unknown command 'serve'"],
  [['--config'], "option '--config <file>' argument missing"],
  [['--id', 'x'], '--id: expected a whole number, got "x"'],
] as const)
  t.test(`answers ${argv.join(' ')} with one line`, async (t) => {
    t.throws(() => parse(...argv), new ConfigError([{ code: 'ERR_CONFIG_FLAG', message }]));
  });
