import t from 'tap';
import { planFilters, responseFilter, runFilters } from '../../dist/index.js';
import { messageOf } from '../grip-error.js';

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
