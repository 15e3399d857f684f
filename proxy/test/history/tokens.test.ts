import { randomBytes } from 'node:crypto';
import { parseSigKey } from '@holdfast/grip';
import fc from 'fast-check';
import t from 'tap';
import {
  idEvent,
  isAtLeast,
  isWhole,
  MAX_TOKEN_CHANNELS,
  ResumeTokens,
  resumeKey,
  withId,
} from '../../dist/history/tokens.js';
import { at } from './history-fixture.js';

const tokens = new ResumeTokens(Buffer.from('key'));

t.test('property: what was written is read, by whoever has the key, and by nobody else', async () => {
  const position = fc.record({
    epoch: fc.string({ unit: 'binary', maxLength: 40 }),
    offset: fc.nat(2 ** 40),
  });
  const standings = fc.dictionary(fc.string(), position, { minKeys: 1, maxKeys: 5 });
  const other = new ResumeTokens(Buffer.from('other'));
  const same = new ResumeTokens(Buffer.from('key'));
  fc.assert(
    fc.property(standings, (channels) => {
      const standing = new Map(Object.entries(channels).map(([name, at]) => [tokens.tag(name), { ...at }]));
      const token = tokens.write(standing) as string;
      // Neither a header nor an event takes everything.
      if (!/^[\w-]+$/.test(token)) return false;
      const read = same.read(token);
      return (
        other.read(token) === undefined &&
        [...standing].every(([tag, at]) => {
          const found = read?.get(tag);
          return found?.offset === at.offset && found.epoch === Buffer.from(at.epoch).toString();
        })
      );
    }),
  );
});

t.test('a token of another key is told from what is no token of ours, such as an id of the origin', async (t) => {
  const standing = new Map([
    [tokens.tag('a'), { epoch: 'e1', offset: 7 }],
    [tokens.tag('b'), { epoch: 'epoch', offset: 2 ** 40 }],
  ]);
  const token = new ResumeTokens(Buffer.from('other')).write(standing) as string;
  t.equal(tokens.read(token), undefined);
  t.equal(tokens.isOfOtherKey(token), true);
  const ids = ['', '1', '550e8400-e29b-41d4-a716-446655440000', token.slice(0, -4), `${token}AAAA`, 'x y', 'é'];
  for (const id of [...ids, 'A'.repeat(40), 'A'.repeat(9_000)]) t.equal(tokens.isOfOtherKey(id), false, id);
});

t.test('a token that was changed, cut off or made up is no token', async (t) => {
  const token = tokens.write(new Map([[tokens.tag('a'), { epoch: 'e', offset: 7 }]])) as string;
  t.ok(tokens.read(token));
  for (let i = 0; i < token.length - 1; i++) {
    const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
    t.equal(tokens.read(changed), undefined, `character ${i}`);
  }
  for (const text of ['', '7', token.slice(0, -4), `${token}AAAA`, `${token}=`, 'x'.repeat(100_000), 'ü']) {
    t.equal(tokens.read(text), undefined);
  }
});

t.test('a token says nothing of the names of channels, and is short', async (t) => {
  const token = tokens.write(new Map([[tokens.tag('secret'), { epoch: 'abcdefgh.1', offset: 1 }]])) as string;
  t.ok(token.length < 64, `${token.length} characters`);
  t.notMatch(Buffer.from(token, 'base64url').toString('latin1'), 'secret');
});

t.test('there is no token for nothing, nor for more channels than it may have', async (t) => {
  t.equal(tokens.write(new Map()), undefined);
  const many = (count: number) =>
    new Map(Array.from({ length: count }, (_, i) => [tokens.tag(`${i}`), { epoch: 'e'.repeat(20), offset: i }]));
  t.equal(tokens.read(tokens.write(many(MAX_TOKEN_CHANNELS)) as string)?.size, MAX_TOKEN_CHANNELS);
  t.equal(tokens.write(many(MAX_TOKEN_CHANNELS + 1)), undefined);
});

t.test('the key: the own one, else from sig_key, else a random one', async (t) => {
  const none = () => Buffer.alloc(0);
  const secret = parseSigKey('secret', none);
  t.same(resumeKey(parseSigKey('own', none), secret), Buffer.from('own'));
  t.same(resumeKey(undefined, secret), resumeKey(undefined, parseSigKey('secret', none)));
  t.notSame(resumeKey(undefined, secret), Buffer.from('secret'), 'not sig_key itself');
  t.notSame(resumeKey(undefined, parseSigKey(randomBytes(8).toString('hex'), none)), resumeKey(undefined, secret));
  for (const known of [undefined, parseSigKey('changeme', none)]) {
    t.notSame(resumeKey(undefined, known), resumeKey(undefined, known), 'what everybody knows is no key');
  }
});

const whole = (text: string) => isWhole(Buffer.from(text));
const marked = (text: string) => withId(Buffer.from(text), 'T')?.toString();

t.test('whole events end with a blank line, in any of the three ends of line', async (t) => {
  for (const end of ['\n\n', '\r\n\r\n', '\r\r', '\n\r\n', '\r\n\n', '\n\r', '\r\r\n']) {
    t.ok(whole(`data: x${end}`), JSON.stringify(end));
  }
  for (const text of ['', '\n', '\r\n', 'data: x', 'data: x\n', 'data: x\r\n', 'data: x\r', 'data: x\n\ndata: y']) {
    t.notOk(whole(text), JSON.stringify(text));
  }
});

t.test('the id goes into the last event', async (t) => {
  t.equal(marked('data: x\n\n'), 'data: x\nid: T\n\n');
  t.equal(marked('data: x\r\n\r\n'), 'data: x\r\nid: T\n\n');
  t.equal(marked('data: x\n\nevent: y\ndata: y\n\n'), 'data: x\n\nevent: y\ndata: y\nid: T\n\n');
});

t.test('events with ids of their own keep them: an event without data follows', async (t) => {
  for (const field of ['id: 7', 'id:7', 'id', 'id:']) {
    t.equal(marked(`${field}\ndata: x\n\n`), `${field}\ndata: x\n\nid: T\n\n`);
    t.equal(marked(`data: x\n${field}\n\n`), `data: x\n${field}\n\nid: T\n\n`);
  }
  t.equal(marked('identity: 7\ndata: id: 7\n\n'), 'identity: 7\ndata: id: 7\nid: T\n\n', 'other fields are not ids');
});

t.test('content that leaves an event open has no id', async (t) => {
  t.equal(marked('data: x'), undefined);
  t.equal(marked('data: x\n'), undefined);
});

t.test('property: an id changes no event but its id', async () => {
  const line = fc.constantFrom('data: a', 'data', 'event: e', ': comment', '', 'retry: 5', 'other: x');
  const end = fc.constantFrom('\n', '\r\n');
  const text = fc
    .array(
      fc.tuple(line, end).map((parts) => parts.join('')),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(''));
  /** What scripts see, by the rules of WHATWG HTML §9.2.6. */
  const events = (content: string) => {
    const seen: string[] = [];
    let type = '';
    let data: string[] = [];
    for (const line of content.split(/\r\n|\n|\r/).slice(0, -1)) {
      const [, name = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
      if (line === '') {
        if (data.length > 0) seen.push(`${type} ${data.join('|')}`);
        type = '';
        data = [];
      } else if (name === 'event') type = value;
      else if (name === 'data') data.push(value);
    }
    return seen.join('\n');
  };
  fc.assert(
    fc.property(text, (content) => {
      const with_ = marked(content);
      return with_ === undefined || events(with_) === events(content);
    }),
  );
});

t.test('an id alone is an event without data', async (t) => {
  t.equal(idEvent('T').toString(), 'id: T\n\n');
});

t.test('positions of one epoch are compared', async (t) => {
  t.strictSame([isAtLeast(at(2), at(1)), isAtLeast(at(2), at(2)), isAtLeast(at(1), at(2))], [true, true, false]);
  t.ok(isAtLeast({ epoch: 'later', offset: 1 }, at(2)));
});
