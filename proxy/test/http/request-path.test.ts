import fc from 'fast-check';
import t from 'tap';
import { parametersOf, pathBehind, pathnameOf, queryOf } from '../../dist/http/request-path.js';

t.test('a path is never read as a host', async (t) => {
  for (const path of ['//', '///', '//x:99999', '//[', '//u:p@h/x', '/\\x', '/..//..']) {
    t.equal(pathnameOf(path), path);
    t.equal(queryOf(path), '');
    t.strictSame([...parametersOf(path)], []);
    t.equal(pathBehind('', path), path);
  }
});

t.test('path and query', async (t) => {
  t.strictSame([pathnameOf('//a?b=//c?d'), queryOf('//a?b=//c?d')], ['//a', 'b=//c?d']);
  t.strictSame(
    [...parametersOf('/?a=%ff&a=%zz&b&=&%00=+')],
    [
      ['a', '\ufffd'],
      ['a', '%zz'],
      ['b', ''],
      ['', ''],
      ['\0', ' '],
    ],
  );
  t.equal(pathBehind('/a', '/a//x'), '//x');
  t.equal(pathBehind('/a', '/ab'), '/b');
  t.equal(pathBehind('/a', '/a'), '/');
  t.equal(pathBehind('/a', '/a?x'), '/?x');
});

t.test('there is an answer for every text', async () => {
  const text = fc.string({
    unit: fc.oneof(
      fc.constantFrom('/', '?', '#', '%', ':', '@', '[', ']', '\\', '&', '='),
      fc.string({ maxLength: 2 }),
    ),
  });
  fc.assert(
    fc.property(text, text, (path, prefix) => {
      const whole = path.includes('?') ? `${pathnameOf(path)}?${queryOf(path)}` : pathnameOf(path);
      parametersOf(path).getAll('a');
      return whole === path && pathBehind(prefix, path).startsWith('/');
    }),
  );
});
