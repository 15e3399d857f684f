import t from 'tap';
import { parseCommandLine, parseTapLine } from '../../dist/config/command-line.js';

const parse = (...argv: string[]) => parseTapLine(argv, '1.2.3');

t.test('a channel, and every flag before or after it', async (t) => {
  t.same(parse('c'), { channel: 'c', flags: {} });
  t.same(parse(''), { channel: '', flags: {} });
  const flags = { control: 'http://h:1', user: 'u:p', bearer: 't' };
  t.same(parse('--control', 'http://h:1', '-u', 'u:p', '-B', 't', 'c'), { channel: 'c', flags });
  t.same(parse('c', '--control=http://h:1', '--user=u:p', '--bearer=t'), { channel: 'c', flags });
  t.same(parse('--', '--debug'), { channel: '--debug', flags: {} });
});

t.test('a line that cannot be used is told in one line', async (t) => {
  t.throws(() => parse(), { message: "missing required argument 'channel'" });
  t.throws(() => parse('--bogus', 'c'), { message: /^unknown option '--bogus'/ });
  t.throws(() => parse('a', 'b'), { message: /^too many arguments/ });
});

t.test('--help tells every flag, --version the version, and the help of the node names tap', async (t) => {
  const help = parse('--help');
  t.match(help, { text: /^Usage: holdfast tap \[options\] <channel>\n/ });
  for (const flag of ['control', 'user', 'bearer']) t.match(help, { text: new RegExp(`--${flag}\\b`) });
  t.match(parse('-V'), { text: 'holdfast 1.2.3\n' });
  const node = (...argv: string[]) => parseCommandLine(argv, { cwd: '/work', version: '1' });
  t.match(node('--help'), { text: /^ {2}tap .*print the items of a channel/m });
  t.throws(() => node('--debug', 'tap', 'c'), { message: 'tap takes no options of a node: write it first' });
});
