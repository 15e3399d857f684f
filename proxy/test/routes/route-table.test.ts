import fc from 'fast-check';
import t from 'tap';
import { type Route, toRoute } from '../../dist/routes/route.js';
import { type RouteQuery, RouteTable } from '../../dist/routes/route-table.js';
import { parseRouteLine, type RouteLine } from '../../dist/routes/routes-file.js';

/** The target host of every line is its name in these tests. */
function table(...lines: string[]): RouteTable {
  return new RouteTable(lines.map((text, at) => toRoute(parseRouteLine(text, at + 1) as RouteLine, () => undefined)));
}

function nameOf(route: Route | undefined): string | undefined {
  const target = route?.targets[0];
  return target?.kind === 'http' ? target.host : undefined;
}

function ask(routes: RouteTable, query: Partial<RouteQuery>): string | undefined {
  return nameOf(routes.match({ proto: 'http', host: 'x.test', path: '/', secure: false, ...query }));
}

t.test('a named domain is preferred to *, and has no second chance in it', async (t) => {
  const routes = table('a.test,path_beg=/x A:1', '* B:1', 'B.TEST C:1');
  t.equal(ask(routes, { host: 'a.test', path: '/x' }), 'A');
  t.equal(ask(routes, { host: 'a.test', path: '/y' }), undefined);
  t.equal(ask(routes, { host: 'other.test' }), 'B');
  t.equal(ask(routes, { host: 'b.test' }), 'C');
});

t.test('a dot at the end of a name, of the request or of the line, counts for nothing', async (t) => {
  const routes = table('a.test A:1', 'b.test. B:1', '* C:1');
  for (const host of ['a.test', 'a.test.']) t.equal(ask(routes, { host }), 'A', host);
  for (const host of ['b.test', 'b.test.']) t.equal(ask(routes, { host }), 'B', host);
  for (const host of ['c.test.', '.', 'a.test..', '']) t.equal(ask(routes, { host }), 'C', host);
  t.ok(routes.hasDomain('a.test.') && routes.hasDomain('b.test'));
  t.match(table('a.test A:1', 'a.test. B:1').warnings, [/^skipping duplicate condition a\.test,/]);
});

t.test('a domain with a star in it is no wildcard', async (t) => {
  const routes = table('*.test A:1');
  t.equal(ask(routes, { host: 'x.test' }), undefined);
});

t.test('the longest path_beg wins, and is not bound to segments', async (t) => {
  const routes = table('*,path_beg=/a A:1', '*,path_beg=/ab B:1', '* C:1');
  t.equal(ask(routes, { path: '/abc' }), 'B');
  t.equal(ask(routes, { path: '/ac' }), 'A');
  t.equal(ask(routes, { path: '/b' }), 'C');
});

t.test('proto and ssl restrict; proto is preferred to a longer path', async (t) => {
  const routes = table('*,proto=http A:1', '*,path_beg=/long B:1', '*,proto=ws,ssl=yes C:1');
  t.equal(ask(routes, { path: '/long' }), 'A');
  t.equal(ask(routes, { path: '/long', proto: 'ws' }), 'B');
  t.equal(ask(routes, { path: '/long', proto: 'ws', secure: true }), 'C');
  t.equal(ask(routes, { proto: 'ws' }), undefined);
});

t.test('a longer path is preferred to ssl, whichever line comes first', async (t) => {
  const lines = ['*,path_beg=/long A:1', '*,ssl=no B:1'];
  for (const order of [lines, lines.toReversed()]) t.equal(ask(table(...order), { path: '/long' }), 'A');
  const same = table('*,path_beg=/a A:1', '*,path_beg=/a,ssl=no B:1');
  t.equal(ask(same, { path: '/a' }), 'B');
  t.equal(ask(same, { path: '/a', secure: true }), 'A');
});

t.test('a duplicate condition is skipped with a warning, but ids without a domain do not collide', async (t) => {
  const routes = table('* A:1', '*,debug B:1', 'id=a C:1', 'id=b D:1');
  t.strictSame(routes.warnings, ['skipping duplicate condition *,*,*,*']);
  t.strictSame(routes.routes.map(nameOf), ['A', 'C', 'D']);
  t.equal(ask(routes, {}), 'A');
  t.equal(ask(routes, { routeId: 'b' }), 'D');
});

t.test('Pushpin-Route: the id decides, the path must fit, and nothing falls back', async (t) => {
  const routes = table('* A:1', 'id=r,path_beg=/r,proto=ws B:1', 'c.test,id=c C:1');
  t.equal(ask(routes, { routeId: 'r', path: '/r/1' }), 'B');
  t.equal(ask(routes, { routeId: 'r', path: '/x' }), undefined);
  t.equal(ask(routes, { routeId: 'none' }), undefined);
  t.equal(ask(routes, { routeId: 'none', proto: 'ws' }), undefined);
  t.equal(ask(routes, { routeId: 'c' }), 'C');
  t.equal(ask(routes, { routeId: '' }), 'A');
  t.equal(ask(routes, { routeId: '*,*,*,*' }), undefined, 'a generated key is no id');
  t.equal(ask(routes, { host: '', path: '/r' }), 'A');
});

t.test('Pushpin-Route: a shared id fits nothing for HTTP and is disregarded for WebSockets', async (t) => {
  const routes = table('*,id=r A:1', '*,path_beg=/b,id=r B:1');
  t.equal(ask(routes, { routeId: 'r' }), undefined);
  t.equal(ask(routes, { routeId: 'r', proto: 'ws', path: '/b' }), 'B');
  t.equal(ask(routes, { path: '/b' }), 'B');
  t.equal(routes.byId('r'), undefined);
});

t.test('a route is found again in a later table by its id or else by its condition', async (t) => {
  const before = table('a.test,id=r A:1', 'b.test B:1', 'gone.test C:1', 'd.test,id=old D:1');
  const after = table('e.test,id=r A2:1', 'b.test B2:1', 'd.test,id=new D2:1');
  t.strictSame(
    before.routes.map((route) => nameOf(after.current(route))),
    ['A2', 'B2', undefined, 'D2'],
  );
  t.equal(nameOf(after.byId('r')), 'A2');
  t.equal(nameOf(after.byId('b.test,*,*,*')), 'B2');
});

t.test('an empty table matches nothing', async (t) => {
  t.equal(ask(table(), {}), undefined);
});

const condition = fc.record({
  domain: fc.constantFrom('*', 'x.test'),
  proto: fc.constantFrom('', ',proto=http', ',proto=ws'),
  ssl: fc.constantFrom('', ',ssl=yes', ',ssl=no'),
  path: fc.constantFrom('', ',path_beg=/', ',path_beg=/a', ',path_beg=/ab', ',path_beg=/b'),
});
const distinct = fc.uniqueArray(
  condition.map(({ domain, proto, ssl, path }) => domain + proto + ssl + path),
  { maxLength: 30 },
);
const query = fc.record({
  proto: fc.constantFrom('http' as const, 'ws' as const),
  host: fc.constantFrom('x.test', 'y.test'),
  path: fc.constantFrom('/', '/a', '/abc', '/b?q', '/c'),
  secure: fc.boolean(),
});

t.test('property: the result does not depend on the order of lines', async () => {
  fc.assert(
    fc.property(
      distinct.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      query,
      ([one, other], query) => {
        const key = (lines: string[]) => table(...lines.map((line) => `${line} h:1`)).match(query)?.key;
        return key(one) === key(other);
      },
    ),
  );
});

t.test('property: a route that wins fits, and no fitting route of its list is better', async () => {
  fc.assert(
    fc.property(distinct, query, (lines, query) => {
      const routes = table(...lines.map((line) => `${line} h:1`));
      const list = routes.routes.filter(({ domain }) => domain === query.host);
      const fits = (list.length > 0 ? list : routes.routes.filter(({ domain }) => domain === '*')).filter(
        ({ proto, ssl, pathBeg }) =>
          (proto === undefined || proto === query.proto) &&
          (ssl === undefined || ssl === query.secure) &&
          query.path.startsWith(pathBeg),
      );
      const score = ({ proto, ssl, pathBeg }: Route) =>
        (proto ? 1000 : 0) + pathBeg.length * 10 + (ssl === undefined ? 0 : 1);
      const best = Math.max(...fits.map(score));
      const found = routes.match(query);
      return found === undefined ? fits.length === 0 : fits.includes(found) && score(found) === best;
    }),
  );
});

t.test('domains that no request has are named', async (t) => {
  t.strictSame(
    table('/orders A:1', 'a.test/x/y B:1', 'a.test:7999 C:1', '::1 D:1', '[::1] E:1', 'a.test F:1').warnings,
    [
      "route /orders,*,*,*: no request has the domain '/orders': for a path write *,path_beg=/orders",
      "route a.test/x/y,*,*,*: no request has the domain 'a.test/x/y': for a path write a.test,path_beg=/x/y",
      "route a.test:7999,*,*,*: no request has the domain 'a.test:7999': routes have names without a port",
    ],
  );
});
