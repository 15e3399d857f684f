/** Which row of a table of routes a request belongs to. */
import t from 'tap';
import { type Route, Router } from '../../dist/index.js';

const row = (method: string, path: string, handler: string): Route<string> => ({
  method,
  path,
  scope: 'none',
  handler,
});

const router = new Router([
  row('*', '/', 'root'),
  row('POST', '/publish/?', 'publish'),
  row('GET', '/channels/{name}', 'channel'),
  row('GET', '/channels/{name}/items', 'items'),
  row('GET', '/connections/{id+}', 'connection'),
  row('DELETE', '/connections/{id+}', 'disconnect'),
  row('GET', '/a.b', 'literal'),
]);

/** The handler's name and the names in the path, or the status of the refusal. */
function found(method: string, url: string): unknown {
  const match = router.match(method, url);
  if (match === undefined) return undefined;
  return 'row' in match.found ? [match.found.row.handler, { ...match.found.params }] : match.found.status;
}

t.test('literal paths are exact, but for a last slash where the row leaves it open', async (t) => {
  t.strictSame(found('POST', '/publish'), ['publish', {}]);
  t.strictSame(found('POST', '/publish/'), ['publish', {}]);
  t.strictSame(found('GET', '/a.b'), ['literal', {}]);
  for (const url of ['/publish//', '/publish?a', '/Publish', '/publishx', '//publish', '/axb', '/a.b/', '', 'publish'])
    t.equal(found('POST', url), undefined, url);
});

t.test('a row for any method takes any, and a path takes those of its rows only', async (t) => {
  for (const method of ['GET', 'POST', 'OPTIONS', 'constructor'])
    t.strictSame(found(method, '/'), ['root', {}], method);
  t.strictSame(found('DELETE', '/connections/a'), ['disconnect', { id: 'a' }]);
  const match = router.match('PUT', '/connections/a');
  t.match(match?.found, { status: 405, header: ['Allow', 'GET, DELETE'] });
  t.equal(match?.first.handler, 'connection', 'the path is known all the same');
  for (const method of ['get', '__proto__', 'constructor']) t.equal(found(method, '/channels/a'), 405, method);
});

t.test('names are one percent-encoded segment, empty only where the row allows it', async (t) => {
  t.strictSame(found('GET', '/channels/'), ['channel', { name: '' }]);
  t.strictSame(found('GET', '/channels//items'), ['items', { name: '' }]);
  t.strictSame(found('GET', '/channels/a%2Fb%3F%C3%BC'), ['channel', { name: 'a/b?\u00fc' }]);
  t.strictSame(found('GET', '/channels/items'), ['channel', { name: 'items' }]);
  t.equal(found('GET', '/connections/'), undefined);
  t.equal(found('GET', '/channels/a/b'), undefined);
  t.equal(found('GET', '/channels/a?x'), undefined);
});

t.test('a name that is no UTF-8, or too long, is 400, but the method is looked at first', async (t) => {
  for (const name of ['%', '%zz', '%ff', 'x'.repeat(100_000)]) {
    t.equal(found('GET', `/channels/${name}`), 400, name.slice(0, 10));
    t.equal(found('POST', `/channels/${name}`), 405, name.slice(0, 10));
  }
});

t.test('a query string is for rows that take it: by its names, or any, as it came', async (t) => {
  const some = new Router([
    { ...row('POST', '/publish/?', 'publish'), query: { names: ['reach', 'id'], others: 'elsewhere' } as const },
    { ...row('GET', '/users/{user+}', 'user'), query: { names: ['limit'], others: 'refused' } as const },
    row('DELETE', '/users/{user+}', 'gone'),
  ]);
  const at = (method: string, url: string) => {
    const match = some.match(method, url)?.found;
    return match && ('row' in match ? [match.row.handler, match.params, match.query] : match.status);
  };
  t.strictSame(at('POST', '/publish?reach=1&id=a%2Fb'), ['publish', {}, 'reach=1&id=a%2Fb']);
  t.strictSame(at('POST', '/publish/'), ['publish', {}, undefined]);
  t.equal(at('GET', '/publish/?reach=1'), 405);
  for (const url of ['/publish/?', '/publish/?a', '/publish/?reach=1&a', '/publish/?constructor', '/publish?/?reach'])
    t.equal(at('POST', url), undefined, url);
  for (const query of ['', 'a=%zz&b=/?#', 'user=x'])
    t.strictSame(at('GET', `/users/a%3Fb?${query}`), ['user', { user: 'a?b' }, query]);
  t.strictSame(at('GET', '/users/a'), ['user', { user: 'a' }, undefined]);
  t.equal(at('GET', '/users/?limit=1'), undefined);
  t.equal(at('DELETE', '/users/a?code=1'), undefined, 'each row takes its own');
});

t.test('it knows which methods any of its rows takes', async (t) => {
  const some = new Router([row('GET', '/a', 'a'), row('POST', '/b', 'b')]);
  t.strictSame(
    ['GET', 'POST', 'PUT', '*'].map((method) => some.takes(method)),
    [true, true, false, false],
  );
  t.ok(router.takes('PUT'), 'a row for any method counts');
});
