import fc from 'fast-check';
import t from 'tap';
import { parseGripExtension, readOriginMessage } from '../../dist/index.js';

t.test('the extension is found alone, among others and in a repeated header', async (t) => {
  for (const values of [['grip'], [' grip '], ['a, grip'], ['a; b=1', 'grip, c'], ['a; b="grip, x", grip']]) {
    t.same(parseGripExtension(values), { messagePrefix: 'm:' }, values.join(' | '));
  }
});

t.test('without it there is no GRIP mode', async (t) => {
  for (const values of [[], [''], ['permessage-deflate'], ['gripped'], ['Grip'], ['a; grip'], ['a; b="x, grip"']]) {
    t.equal(parseGripExtension(values), undefined, values.join(' | '));
  }
});

t.test('message-prefix is quoted or not', async (t) => {
  const table: [string, string][] = [
    ['grip; message-prefix="X"', 'X'],
    ['grip;message-prefix=X', 'X'],
    ['grip ; foo=1; Message-Prefix=msg:', 'msg:'],
    ['grip; message-prefix="a, b; \\"c\\""', 'a, b; "c"'],
    ['grip; message-prefix="\xc5\xbe"', '\xc5\xbe'],
    ['grip; foo=1', 'm:'],
    ['grip; message-prefix=A, grip; message-prefix=B', 'A'],
  ];
  for (const [value, messagePrefix] of table) t.same(parseGripExtension([value]), { messagePrefix }, value);
});

t.test('an empty message-prefix is one', async (t) => {
  for (const value of [
    'grip; message-prefix=""',
    'grip; message-prefix=',
    'grip; message-prefix',
    'grip;message-prefix=;a',
  ]) {
    t.same(parseGripExtension([value]), { messagePrefix: '' }, value);
  }
});

t.test('parameters that cannot be parsed turn GRIP mode off', async (t) => {
  t.equal(parseGripExtension(['grip; message-prefix="x']), undefined);
});

t.test('no header makes it fail, and only one that names it turns GRIP mode on', async (t) => {
  const parts = fc.array(fc.constantFrom('grip', 'a', ';', ',', '=', '"', '\\', ' ', 'message-prefix'));
  fc.assert(
    fc.property(fc.array(parts.map((list) => list.join(''))), (values) => {
      if (!values.some((value) => value.includes('grip'))) t.equal(parseGripExtension(values), undefined);
      else parseGripExtension(values);
    }),
  );
});

t.test('a text that begins with c: is a control message, whatever the prefix', async (t) => {
  for (const prefix of ['m:', '', 'c:', 'c']) {
    t.same(readOriginMessage('text', Buffer.from('c:{"type":"ž"}'), prefix), { kind: 'control', text: '{"type":"ž"}' });
  }
  t.same(readOriginMessage('text', Buffer.from('c:'), 'm:'), { kind: 'control', text: '' });
});

t.test('a binary is never a control message', async (t) => {
  t.same(readOriginMessage('binary', Buffer.from('c:x'), 'm:'), { kind: 'dropped' });
  t.same(readOriginMessage('binary', Buffer.from('c:x'), ''), { kind: 'message', content: Buffer.from('c:x') });
});

t.test('the prefix is removed from texts and binaries, once', async (t) => {
  t.same(readOriginMessage('text', Buffer.from('m:m:hi'), 'm:'), { kind: 'message', content: Buffer.from('m:hi') });
  t.same(readOriginMessage('binary', Buffer.from('m:\xff', 'latin1'), 'm:'), {
    kind: 'message',
    content: Buffer.from([0xff]),
  });
  t.same(readOriginMessage('text', Buffer.from('m:'), 'm:'), { kind: 'message', content: Buffer.alloc(0) });
});

t.test('a message without the prefix is dropped', async (t) => {
  for (const text of ['', 'm', 'M:hi', ' m:hi', 'hi']) {
    t.same(readOriginMessage('text', Buffer.from(text), 'm:'), { kind: 'dropped' }, text);
  }
});

t.test('with an empty prefix everything but control messages is for the client', async (t) => {
  for (const text of ['', 'c', 'm:hi']) {
    t.same(readOriginMessage('text', Buffer.from(text), ''), { kind: 'message', content: Buffer.from(text) }, text);
  }
});

t.test('the prefix is compared as the bytes of the header', async (t) => {
  t.same(readOriginMessage('text', Buffer.from('žhi'), '\xc5\xbe'), { kind: 'message', content: Buffer.from('hi') });
  t.same(readOriginMessage('text', Buffer.from('žhi'), 'ž'), { kind: 'dropped' }, 'it is Latin-1, not Unicode');
});

t.test('any bytes behind any prefix arrive unchanged', async (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4 }), fc.uint8Array(), (prefix, content) => {
      const message = Buffer.concat([prefix, content]);
      const latin1 = Buffer.from(prefix).toString('latin1');
      t.same(readOriginMessage('binary', message, latin1), { kind: 'message', content: Buffer.from(content) });
    }),
  );
});
