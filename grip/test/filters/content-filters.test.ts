import fc from 'fast-check';
import t from 'tap';
import { MAX_PARTIAL_DIRECTIVE } from '../../dist/filters/content-filters.js';
import { type GripError, planFilters, ResponseFilter, responseFilter, runFilters } from '../../dist/index.js';
import { messageOf, valueOrGripError } from '../grip-error.js';

const PLAN = planFilters(['build-id']);
const plainMeta = new Map([['id_format', 'ID']]);
const hexMeta = new Map([...plainMeta, ['id_encoding', 'hex']]);

/** Content as build-id makes it: the directives of templates on bytes are seen best where any argument is a value. */
function expanded(content: Buffer | string, subMeta = plainMeta): Buffer {
  const context = { subMeta, pubMeta: {}, prevIds: new Map<string, string>(), isSubscribed: () => false };
  const outcome = runFilters(PLAN, Buffer.from(content), context);
  if (outcome.result !== 'send') throw new Error(outcome.result);
  return outcome.content;
}

/** The same, cut in pieces. A bare `%I` is an error here. */
function expandedInPieces(pieces: readonly Buffer[]): Buffer {
  const filter = new ResponseFilter(plainMeta);
  const out = pieces.map((piece) => filter.update(piece));
  filter.finish();
  return Buffer.concat(out);
}

t.test('directives are replaced, and all the rest stays', async (t) => {
  const table: [string, string][] = [
    ['', ''],
    ['no directive', 'no directive'],
    ['%I', 'ID'],
    ['a%Ib%Ic', 'aIDbIDc'],
    ['%I%I', 'IDID'],
    ['100%%', '100%'],
    ['%%I', '%I'],
    ['%%%I%%', '%ID%'],
    ['%(x)I', 'x'],
    ['%(x y)I.', 'x y.'],
    ['%(a\\)b)I', 'a)b'],
    ['%(a\\\\)I', 'a\\'],
    ['%(\\a)I', 'a'],
    ['%(%)I', '%'],
    ['%(()I', '('],
    ['%()I', 'ID'],
    ['I(x)I\\', 'I(x)I\\'],
  ];
  for (const [content, result] of table) t.equal(expanded(content).toString(), result, content);
});

t.test('a directive that does not end, or that is unknown, is an error with its place', async (t) => {
  const table: [string, string][] = [
    ['ab%', "Expected directive after '%' at position 2"],
    ['ab%(', "Expected character after '(' at position 3"],
    ['ab%(x', 'Unterminated field starting at position 3'],
    ['ab%(x\\)', 'Unterminated field starting at position 3'],
    ['ab%(x\\', "Expected character after '\\' at position 5"],
    ['ab%(x)', "Expected directive after ')' at position 5"],
    ['ab%x', "Unknown directive 'x' at position 3"],
    ['ab%s', "Unknown directive 's' at position 3"],
    ['ab% I', "Unknown directive ' ' at position 3"],
    ['ab%(x)s', "Unknown directive 's' at position 6"],
    ['ab%(x)%', "Unknown directive '%' at position 6"],
    ['é%x', "Unknown directive 'x' at position 3"],
    ['%%%I%x', "Unknown directive 'x' at position 5"],
  ];
  for (const [content, message] of table) {
    t.equal(
      messageOf('ERR_GRIP_FILTER', () => expanded(content)),
      message,
      content,
    );
  }
});

t.test('content without a percent sign is not copied', async (t) => {
  const content = Buffer.from('nothing to do');
  const context = { subMeta: plainMeta, pubMeta: {}, prevIds: new Map<string, string>(), isSubscribed: () => false };
  const outcome = runFilters(PLAN, content, context);
  t.ok(outcome.result === 'send' && outcome.content === content);
});

const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const syntax = fc.array(fc.constantFrom('%', '(', ')', '\\', 'I', 's', '%I', '%(a)I', '%%', 'é', '\0')).map((parts) => {
  return Buffer.from(parts.join(''));
});

function escaped(bytes: Buffer, special: string, mark: string): Buffer {
  const text = [...bytes.toString('latin1')].map((char) => (special.includes(char) ? mark + char : char)).join('');
  return Buffer.from(text, 'latin1');
}

/** A part of a template with what it stands for. */
const part = fc.oneof(
  anyBytes.map((bytes) => ({ template: escaped(bytes, '%', '%'), value: bytes })),
  anyBytes
    .filter((bytes) => bytes.length > 0)
    .map((bytes) => {
      const arg = escaped(bytes, ')\\', '\\');
      return { template: Buffer.concat([Buffer.from('%('), arg, Buffer.from(')I')]), value: bytes };
    }),
);

t.test('whatever bytes are escaped in a template, text or argument, come out as they were', async () => {
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const result = expanded(Buffer.concat(parts.map(({ template }) => template)));
      return result.equals(Buffer.concat(parts.map(({ value }) => value)));
    }),
  );
});

t.test('an argument is encoded as a whole where ids are', async () => {
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const values = parts.map(({ template, value }) =>
        template.toString('latin1').startsWith('%(') ? value.toString('hex') : value.toString('latin1'),
      );
      const result = expanded(Buffer.concat(parts.map(({ template }) => template)), hexMeta);
      return result.toString('latin1') === values.join('');
    }),
  );
});

t.test('any content is expanded or refused with ERR_GRIP_FILTER', async () => {
  fc.assert(
    fc.property(fc.oneof(anyBytes, syntax), (content) => {
      const result = valueOrGripError('ERR_GRIP_FILTER', () => expanded(content));
      return result === undefined || Buffer.isBuffer(result);
    }),
    { numRuns: 500 },
  );
});

t.test('content in pieces gives what the whole gives, or its error', async () => {
  const outcome = (run: () => Buffer) => {
    try {
      return run().toString('latin1');
    } catch (error) {
      return error as GripError;
    }
  };
  fc.assert(
    fc.property(fc.oneof(syntax, anyBytes), fc.array(fc.nat(40)), (content, cuts) => {
      const ends = [...cuts, content.length].map((cut) => Math.min(cut, content.length)).sort((a, b) => a - b);
      const pieces = ends.map((end, i) => content.subarray(ends[i - 1] ?? 0, end));
      const whole = outcome(() => expandedInPieces([content]));
      const cut = outcome(() => expandedInPieces(pieces));
      return typeof whole === 'string' ? cut === whole : (cut as GripError).message === whole.message;
    }),
    { numRuns: 500 },
  );
});

t.test('a piece is passed on at once up to a directive that it does not complete', async (t) => {
  const filter = new ResponseFilter(plainMeta);
  t.equal(filter.update(Buffer.from('id: %')).toString(), 'id: ');
  t.equal(filter.update(Buffer.from('(R2')).toString(), '');
  t.equal(filter.update(Buffer.from('D2)')).toString(), '');
  t.equal(filter.update(Buffer.from('I!')).toString(), 'R2D2!');
  filter.finish();
});

t.test('a directive that goes on and on in pieces is an error at the limit, and costs no more memory', async (t) => {
  const filter = new ResponseFilter(plainMeta);
  const piece = Buffer.alloc(1024, 'x');
  filter.update(Buffer.from('%('));
  for (let bytes = 2; bytes + 1024 <= MAX_PARTIAL_DIRECTIVE; bytes += 1024) t.equal(filter.update(piece).length, 0);
  t.equal(
    messageOf('ERR_GRIP_FILTER', () => filter.update(piece)),
    'build-id: Unterminated field starting at position 1',
  );
});

type Pairs = Record<string, string>;

function filtered(filter: string, content: string | Buffer, meta: Pairs, ids: Pairs = {}): Buffer {
  const context = {
    subMeta: new Map(Object.entries(meta)),
    pubMeta: {},
    prevIds: new Map(Object.entries(ids)),
    isSubscribed: () => true,
  };
  const outcome = runFilters(planFilters([filter]), Buffer.from(content), context);
  if (outcome.result !== 'send') throw new Error(outcome.result);
  return outcome.content;
}

function response(content: string, meta: Pairs): string {
  const filter = responseFilter(['build-id'], new Map(Object.entries(meta)));
  if (filter === undefined) throw new Error('no filter');
  const out = filter.update(Buffer.from(content)).toString();
  filter.finish();
  return out;
}

const fault = (run: () => unknown) => messageOf('ERR_GRIP_FILTER', run);

t.test('build-id puts an id made of the last ids in the place of %I', async (t) => {
  const ids = { 'events-room': '260', other: '7' };
  const build = (format: string) =>
    filtered('build-id', 'id: %I\ndata: 100%%\n', { id_format: format }, ids).toString();
  t.equal(build('room:%(events-room)s'), 'id: room:260\ndata: 100%\n');
  t.equal(build('%(events-room)s,%(other)s'), 'id: 260,7\ndata: 100%\n');
  t.equal(build('fixed%%'), 'id: fixed%\ndata: 100%\n');
  t.equal(build(''), 'id: \ndata: 100%\n');
});

t.test('build-id: channel names with parentheses and backslashes are escaped in the format', async (t) => {
  const meta = { id_format: '%(food\\\\fruit(type\\))s' };
  t.equal(filtered('build-id', '%I', meta, { 'food\\fruit(type)': 'apples' }).toString(), 'apples');
});

t.test('build-id puts a given id in the place of %(text)I', async (t) => {
  t.equal(filtered('build-id', '%(R2D2)I %I', { id_format: 'C3PO' }).toString(), 'R2D2 C3PO');
});

t.test('build-id with id_encoding=hex encodes ids, built and given, in lower case', async (t) => {
  const meta = { id_format: 'C3PO', id_encoding: 'hex' };
  t.equal(filtered('build-id', '%(R2D2)I %I.', meta).toString(), '52324432 4333504f.');
  t.equal(filtered('build-id', '%I', { ...meta, id_format: 'ü' }).toString(), 'c3bc');
});

t.test('build-id: an empty last id is an id, a missing one is an error', async (t) => {
  t.equal(filtered('build-id', '%I', { id_format: 'v%(c)s' }, { c: '' }).toString(), 'v');
  t.equal(
    fault(() => filtered('build-id', '%I', { id_format: 'v%(c)s' }, { d: '1' })),
    "failed to render ID: No such variable 'c' at position 5",
  );
});

t.test('build-id: what is wrong with the meta is an error whatever the content', async (t) => {
  const build = (meta: Pairs) => fault(() => filtered('build-id', 'plain', meta));
  t.equal(build({}), "no sub meta 'id_format'");
  t.equal(build({ id_format: 'x', id_encoding: 'base64' }), 'unsupported encoding: base64');
  t.equal(build({ id_format: '%s' }), "failed to render ID: Directive 's' requires argument at position 1");
  t.equal(build({ id_format: '%I' }), "failed to render ID: Unknown directive 'I' at position 1");
});

t.test('var-subst puts meta values in the place of their names', async (t) => {
  const meta = { user: 'alice', color: 'réd', empty: '' };
  t.equal(filtered('var-subst', 'hi %(user)s in %(color)s%(empty)s 100%%;', meta).toString(), 'hi alice in réd 100%;');
  t.equal(filtered('var-subst', '%(ü)s', { ü: '%(user)s' }).toString(), '%(user)s', 'values are not templates');
});

t.test('var-subst: unknown names and directives are errors', async (t) => {
  const subst = (content: string) => fault(() => filtered('var-subst', content, { user: 'alice' }));
  t.equal(subst('x %(nobody)s'), "No such variable 'nobody' at position 11");
  t.equal(subst('%(constructor)s'), "No such variable 'constructor' at position 14");
  t.equal(subst('%s'), "Directive 's' requires argument at position 1");
  t.equal(subst('%()s'), "Directive 's' requires argument at position 3");
  t.equal(subst('%I'), "Unknown directive 'I' at position 1");
});

t.test('bytes that are not text stay as they are around directives', async (t) => {
  const content = Buffer.concat([Buffer.from([0xff, 0x00, 0xc3]), Buffer.from('%(user)s'), Buffer.from([0x80, 0x0a])]);
  const expected = Buffer.concat([Buffer.from([0xff, 0x00, 0xc3]), Buffer.from('al'), Buffer.from([0x80, 0x0a])]);
  t.same(filtered('var-subst', content, { user: 'al' }), expected);
});

t.test('in a response only given ids are known', async (t) => {
  t.equal(response('id: %(260)I\ndata: 5%%\n', { id_format: '%(c)s' }), 'id: 260\ndata: 5%\n');
  t.equal(response('%(a)I', { id_format: 'x', id_encoding: 'hex' }), '61');
  t.equal(
    fault(() => response('id: %I', { id_format: 'fixed' })),
    'build-id: No ID specified and no default ID in context at position 5',
  );
});

t.test('a response needs the same meta as items, unless it is empty', async (t) => {
  t.equal(
    fault(() => response('x', {})),
    "build-id: no sub meta 'id_format'",
  );
  t.equal(
    fault(() => response('x', { id_format: '', id_encoding: 'HEX' })),
    'build-id: unsupported encoding: HEX',
  );
  const empty = responseFilter(['build-id'], new Map());
  t.doesNotThrow(() => empty?.finish());
});

t.test('a response that ends within a directive is an error', async (t) => {
  t.equal(
    fault(() => response('%(a)', { id_format: '' })),
    "build-id: Expected directive after ')' at position 3",
  );
});

t.test('filters that act on items only leave responses alone', async (t) => {
  t.equal(responseFilter(['var-subst', 'http-modify', 'skip-self', 'nonsense'], new Map()), undefined);
});
