import t from 'tap';
import { parseCommandLine, parsePublishLine } from '../../dist/config/command-line.js';
import { ConfigError } from '../../dist/errors.js';

const parse = (...argv: string[]) => parsePublishLine(argv, { name: 'holdfast publish', version: '1.2.3' });

const refusal = (...argv: string[]): string => {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing was refused');
};

t.test('channel and content, and every flag before, between or after them', async (t) => {
  t.same(parse('c'), { channel: 'c', content: undefined, flags: { seq: true, eol: true } });
  t.same(parse('c', ''), { channel: 'c', content: '', flags: { seq: true, eol: true } });
  t.same(parse('', 'x'), { channel: '', content: 'x', flags: { seq: true, eol: true } });
  const flags = {
    id: '2',
    prevId: '1',
    sender: 'me',
    code: '404',
    header: ['A: b', 'C: d'],
    meta: ['a=b', 'c=d=e'],
    hint: true,
    close: true,
    patch: true,
    seq: false,
    eol: false,
    spec: 'http://h:1',
    user: 'u:p',
    bearer: 't',
  };
  const argv = ['--id', '2', '--prev-id=1', '--sender', 'me', '--code=404', '-H', 'A: b', '--header', 'C: d'];
  const more = ['-M', 'a=b', '--meta=c=d=e', '--hint', '--close', '--patch', '--no-seq', '--no-eol'];
  const last = ['--spec', 'http://h:1', '-u', 'u:p', '-B', 't'];
  t.same(parse(...argv, ...more, ...last, 'c', 'x'), { channel: 'c', content: 'x', flags });
  t.same(parse('c', 'x', ...argv, ...more, ...last), { channel: 'c', content: 'x', flags });
  t.same(parse(...argv, 'c', ...more, 'x', ...last), { channel: 'c', content: 'x', flags });
});

t.test('content that looks like a flag stands behind --', async (t) => {
  t.match(parse('c', '--', '--debug'), { content: '--debug' });
  t.match(parse('c', '-'), { content: '-' });
});

t.test('a line that cannot be used is told in one line', async (t) => {
  t.equal(refusal(), "missing required argument 'channel'");
  t.match(refusal('--bogus', 'c'), "unknown option '--bogus'");
  t.match(refusal('c', 'x', '--id'), "option '--id <id>' argument missing");
  t.match(refusal('a', 'b', 'c'), /too many arguments/);
});

t.test('--help tells every flag, and --version the version', async (t) => {
  const help = parse('--help');
  t.match(help, { text: /^Usage: holdfast publish \[options\] <channel> \[content\]\n/ });
  for (const flag of [
    'id',
    'prev-id',
    'sender',
    'code',
    'header',
    'meta',
    'hint',
    'close',
    'patch',
    'no-seq',
    'no-eol',
  ])
    t.match(help, { text: new RegExp(`--${flag}\\b`) });
  t.match(parse('-V'), { text: 'holdfast 1.2.3\n' });
  t.match(parsePublishLine(['-h'], { name: 'pushpin-publish', version: '1' }), { text: /^Usage: pushpin-publish / });
});

t.test('the help of the node names publish', async (t) => {
  const node = (...argv: string[]) => parseCommandLine(argv, { cwd: '/work', version: '1.2.3' });
  t.match(node('--help'), { command: 'help', text: /^ {2}publish .*publish an item$/m });
});

t.test('options of a node before publish are refused: they would not be obeyed', async (t) => {
  t.throws(() => parseCommandLine(['--debug', 'publish', 'c', 'x'], { cwd: '/work', version: '1' }), {
    message: 'publish takes no options of a node: write it first',
  });
});
