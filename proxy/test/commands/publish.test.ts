import { decodeTnetstring, encodeTnetstring, parseItem } from '@holdfast/grip';
import t from 'tap';
import { buildItem, type Content } from '../../dist/commands/publish.js';
import type { PublishFlags } from '../../dist/config/command-flags.js';

const typed = (text: string): Content => ({ bytes: Buffer.from(text), verbatim: false });
const fromFile = (bytes: Buffer): Content => ({ bytes, verbatim: true });

function build(flags: Partial<PublishFlags>, content = typed('x'), encoding: 'json' | 'tnetstring' = 'json') {
  return buildItem('c', { seq: true, eol: true, ...flags }, content, encoding);
}

t.test('content goes to all three formats, with a newline for HTTP', async (t) => {
  t.same(build({}), {
    channel: 'c',
    formats: {
      'http-response': { code: 200, body: 'x\n' },
      'http-stream': { content: 'x\n' },
      'ws-message': { content: 'x' },
    },
  });
});

t.test('--no-eol, and content from a file: no newline is added', async (t) => {
  const formats = { 'http-response': { body: 'x' }, 'http-stream': { content: 'x' }, 'ws-message': { content: 'x' } };
  t.match(build({ eol: false }), { formats });
  t.match(build({}, fromFile(Buffer.from('x'))), { formats });
});

t.test('id, prev-id, meta, sender and no-seq', async (t) => {
  t.match(build({ id: '2', prevId: '1', seq: false, meta: ['a=b', 'c= d=e '], sender: 'me' }), {
    id: '2',
    'prev-id': '1',
    'no-seq': true,
    meta: { a: 'b', c: 'd=e', sender: 'me' },
  });
  t.match(build({ meta: ['sender=given'], sender: 'me' }), { meta: { sender: 'given' } }, '--meta goes first');
  t.throws(() => build({ meta: ['a'] }), { message: 'meta must be in the form "name=value"' });
});

t.test('--channel adds channels, each once, and --deliver says to whom', async (t) => {
  t.match(build({ channel: ['c'] }), { channel: 'c' }, 'the same channel again');
  const item = build({ channel: ['a', 'c', 'b'], deliver: 'one' });
  t.match(item, { channels: ['c', 'a', 'b'], deliver: 'one' });
  t.notOk('channel' in item);
  t.notOk('deliver' in build({}));
});

t.test('status and headers are those of the HTTP response', async (t) => {
  t.match(build({ code: '404', header: ['A: b', 'A:  c ', 'D:e:f'] }), {
    formats: {
      'http-response': {
        code: 404,
        headers: [
          ['A', 'b'],
          ['A', 'c'],
          ['D', 'e:f'],
        ],
      },
    },
  });
  t.throws(() => build({ header: ['a'] }), { message: 'header must be in the form "name: value"' });
  for (const code of ['x', '-1', '1000', '2e2', ''])
    t.throws(() => build({ code }), { message: /^--code: expected a number/ }, code);
});

t.test('--hint and --close need no content and ignore it', async (t) => {
  const action = (name: string) => ({ action: name });
  const hint = { 'http-response': action('hint'), 'http-stream': action('hint'), 'ws-message': action('hint') };
  t.same(build({ hint: true }).formats, hint);
  t.same(build({ hint: true, close: true }).formats, hint);
  t.same(build({ close: true }).formats, { 'http-stream': action('close'), 'ws-message': action('close') });
  t.throws(() => buildItem('c', { seq: true, eol: true }, undefined, 'json'), { message: 'must specify content' });
});

t.test('--patch: a JSON array, for HTTP responses only', async (t) => {
  const patch = [{ op: 'remove', path: '/a' }];
  t.same(build({ patch: true }, typed(JSON.stringify(patch))).formats, {
    'http-response': { code: 200, 'body-patch': patch },
  });
  t.throws(() => build({ patch: true }, typed('{}')), { message: 'patch content must be a JSON array' });
  t.throws(() => build({ patch: true }, typed('[')), { message: 'the patch is not valid JSON' });
});

t.test('bytes that are no text are base64 in JSON, bytes in a tnetstring; a message of them is binary', async (t) => {
  const bytes = Buffer.from([0xff, 0, 1]);
  const json = build({}, fromFile(bytes));
  t.match(json, { formats: { 'http-stream': { 'content-bin': '/wAB' }, 'ws-message': { 'content-bin': '/wAB' } } });
  const tnet = build({}, fromFile(bytes), 'tnetstring');
  const [one, other] = [parseItem(json), parseItem(decodeTnetstring(encodeTnetstring(tnet)))];
  t.same(one, other);
  t.match(one.formats, {
    httpResponse: { body: bytes },
    httpStream: { content: bytes },
    wsMessage: { type: 'binary', content: bytes },
  });
});
